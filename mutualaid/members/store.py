"""The room's queries. Every one that says who is here leaves out members who are erased or marked for it."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    LargeBinary,
    Select,
    String,
    and_,
    bindparam,
    cast,
    false,
    func,
    literal,
    or_,
    select,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from mutualaid.kit import sealing
from mutualaid.kit.clock import sql_now
from mutualaid.kit.database import RING, Database
from mutualaid.kit.errors import NotFound
from mutualaid.kit.prepared import Prepared
from mutualaid.kit.ring import KeyRing
from mutualaid.kit.texts import Language
from mutualaid.members import rules
from mutualaid.members.records import PRESENT, Anchor, Consent, Home, Member, Seen, SessionRow, Status
from mutualaid.members.rules import RealName, Role

PHONE = "phone"
OPENID = "openid"
IDENTITY = "identity"
_COLUMNS = {PHONE: Member.phone_lookup, OPENID: Member.openid_lookup}


def ring_of(session: AsyncSession) -> KeyRing:
    """The key ring that this session's database was opened with."""
    ring: KeyRing = session.info[RING]
    return ring


async def get(session: AsyncSession, member_id: str) -> Member:
    """A member who is here, or 404."""
    found = await session.scalar(select(Member).where(Member.id == member_id, Member.status.in_(PRESENT)))
    if found is None:
        raise NotFound
    return found


async def get_locked(session: AsyncSession, member_id: str, *, whole: bool = False) -> Member:
    """The same, and nobody else changes this member, or what hangs on them, until this transaction ends.

    Rows that merely refer to the member (`FOR KEY SHARE`) do not wait for it, unless `whole`: for who will change a unique
    look-up, which PostgreSQL locks so in the end, when the other rows are locked already.
    """
    present = select(Member).where(Member.id == member_id, Member.status.in_(PRESENT))
    statement = present.with_for_update(key_share=not whole)
    found = await session.scalar(statement.execution_options(populate_existing=True))
    if found is None:
        raise NotFound
    return found


async def find(session: AsyncSession, kind: str, value: str) -> Member | None:
    """Who has this phone (E.164) or openid, under whichever version of the look-up key it was stored."""
    marks = sealing.lookups(ring_of(session), kind, value)
    return (await session.scalars(select(Member).where(_COLUMNS[kind].in_(marks), Member.status.in_(PRESENT)))).first()


async def take_turn(session: AsyncSession, kind: str, value: str) -> None:
    """Until this transaction ends nobody else registers this phone or openid.

    The unique index alone would let two in while the look-up key rotates, each under another version. SQLite has one
    writer anyhow.
    """
    await take_turns(session, sealing.lookups(ring_of(session), kind, value)[-1:])


async def take_identity_turn(session: AsyncSession, identity: str) -> None:
    """Until this transaction ends nobody else is checked with this ID number, and nobody who was is suspended.

    Call it before the transaction locks anybody.
    """
    await take_turns(session, sealing.lookups(ring_of(session), IDENTITY, identity))


async def take_turns(session: AsyncSession, marks: Iterable[bytes]) -> None:
    """The turns of these look-ups, in one order. SQLite needs none."""
    if session.get_bind().dialect.name != "postgresql":
        return
    for turn in sorted(int.from_bytes(mark[-8:], "big", signed=True) for mark in marks):
        await session.execute(text("SELECT pg_advisory_xact_lock(:turn)"), {"turn": turn})


async def someone_banned_is(session: AsyncSession, identity: str, *, but: str) -> bool:
    """Whether another account of this person, by their ID number, is suspended, or was when it was erased.

    Of all who have left, only the suspended leave the look-up of their number behind (`leaving.forget`).
    """
    marks = sealing.lookups(ring_of(session), IDENTITY, identity)
    statement = select(Member.id).where(
        Member.identity_lookup.in_(marks), Member.status != Status.ACTIVE.value, Member.id != but
    )
    return await session.scalar(statement.limit(1)) is not None


def _alive() -> tuple[ColumnElement[bool], ...]:
    """A session is decided by the database's clock, in the statement that reads it."""
    return SessionRow.ends_at > sql_now(), SessionRow.last_seen_at > sql_now(ago=rules.SESSION_IDLE)


def _principal(dialect: str, prefix: str) -> Select[Any]:
    each = Consent.purpose + ":" + cast(Consent.version, String)
    listed = func.string_agg if dialect == "postgresql" else func.group_concat
    given = select(listed(each, ",", type_=String())).where(
        Consent.member_id == Member.id, Consent.withdrawn_at.is_(None)
    )
    fresh = SessionRow.signed_in_at > sql_now(ago=rules.FRESH)
    confirmed = func.coalesce(SessionRow.stepped_up_until > sql_now(), false())
    columns: list[ColumnElement[Any] | InstrumentedAttribute[Any]] = [
        Member.id,
        Member.role,
        Member.real_name,
        Member.age_band,
        Member.status,
        Member.language,
        Member.phone_lookup.is_not(None),
        SessionRow.id,
        SessionRow.signed_in_at,
        SessionRow.stepped_up_until,
        or_(fresh, confirmed),
        SessionRow.last_seen_at <= sql_now(ago=rules.SEEN_EVERY),
        given.correlate(Member).scalar_subquery(),
    ]
    token_hash = bindparam(f"{prefix}token_hash", type_=LargeBinary(), required=True)
    return (
        select(*columns)
        .join(Member, Member.id == SessionRow.member_id)
        .where(SessionRow.token_hash == token_hash, Member.status.in_([literal(s) for s in PRESENT]), *_alive())
    )


def _principal_seen(dialect: str, prefix: str) -> Select[Any]:
    """With all else that a deed may need to know of the member; PostgreSQL only."""
    each = (Anchor.id, Anchor.cell, Anchor.point, Anchor.made_at)
    homes = (
        select(*(func.array_agg(aggregate_order_by(column, Anchor.id)).label(column.key) for column in each))
        .where(Anchor.member_id == Member.id)
        .lateral()
    )
    marked = func.member_mark(Member.id, type_=String())
    return (
        _principal(dialect, prefix)
        .add_columns(Member.display_name, Member.identity_lookup, marked, *homes.c)
        .join(homes, true())
    )


_PRINCIPAL: Final = Prepared(_principal, shared=True)
_PRINCIPAL_SEEN: Final = Prepared(_principal_seen, shared=True)


class PrincipalRow(NamedTuple):
    """A live session joined with its member."""

    id: str
    role: Role
    real_name: RealName
    age_band: str | None
    status: str
    language: Language
    has_phone: bool
    session_id: str
    signed_in_at: Any  # the driver's own moments
    stepped_up_until: Any
    stepped_up: bool
    long_unseen: bool
    consents: str | None  # purpose:version,…
    seen: Seen | None = None


_ITS_OWN: Final = len(PrincipalRow._fields) - 1


async def principal_row(database: Database, token_hash: bytes, *, seen: bool = False) -> PrincipalRow | None:
    """The live session with this token joined with its member, who is here: of the last commit. `seen`: with all that a deed
    needs to know of them, where it may be decided ahead of its lock."""
    seen = seen and database.dialect == "postgresql"
    found = await database.glance(_PRINCIPAL_SEEN if seen else _PRINCIPAL, token_hash=token_hash)
    if not found:
        return None
    own, more = found[0][:_ITS_OWN], found[0][_ITS_OWN:]
    return PrincipalRow._make([*own, _seen(*more) if more else None])


def _seen(display_name: str, person: bytes | None, mark: str, *homes: Sequence[Any] | None) -> Seen:
    found = tuple(Home(*home) for home in zip(*(column or () for column in homes), strict=True))
    return Seen(display_name, found, mark, person)


async def live_sessions(
    session: AsyncSession, member_id: str, *, after: tuple[datetime, str] | None, most: int
) -> Sequence[SessionRow]:
    """A member's sessions, the newest sign-in first, from behind `after` (its moment and id)."""
    statement = select(SessionRow).where(SessionRow.member_id == member_id, *_alive())
    if after is not None:
        moment, last = after
        older = and_(SessionRow.signed_in_at == moment, SessionRow.id > last)
        statement = statement.where(or_(SessionRow.signed_in_at < moment, older))
    return (await session.scalars(statement.order_by(SessionRow.signed_in_at.desc(), SessionRow.id).limit(most))).all()


async def live_consents(session: AsyncSession, member_id: str) -> Sequence[Consent]:
    """What a member has consented to and not withdrawn, whichever version of the text."""
    statement = select(Consent).where(Consent.member_id == member_id, Consent.withdrawn_at.is_(None))
    return (await session.scalars(statement.order_by(Consent.purpose))).all()
