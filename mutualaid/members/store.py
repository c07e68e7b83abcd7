"""The room's queries. Every one that says who is here leaves out members who are erased or marked for it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, false, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from mutualaid.kit import sealing
from mutualaid.kit.clock import sql_now
from mutualaid.kit.database import RING
from mutualaid.kit.errors import NotFound
from mutualaid.kit.ring import KeyRing
from mutualaid.members import rules
from mutualaid.members.records import PRESENT, Consent, Member, SessionRow, Status

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


async def get_locked(session: AsyncSession, member_id: str) -> Member:
    """The same, and nobody else changes this member, or what hangs on them, until this transaction ends.

    Rows that merely refer to the member (`FOR KEY SHARE`) do not wait for it.
    """
    present = select(Member).where(Member.id == member_id, Member.status.in_(PRESENT))
    statement = present.with_for_update(key_share=True)
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
    if session.get_bind().dialect.name != "postgresql":
        return
    oldest = sealing.lookups(ring_of(session), kind, value)[-1]
    turn = int.from_bytes(oldest[-8:], "big", signed=True)
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


async def principal_row(session: AsyncSession, token_hash: bytes) -> Row[*tuple[Any, ...]] | None:
    """The live session with this token joined with its member, who is here."""
    fresh = SessionRow.signed_in_at > sql_now(ago=rules.FRESH)
    confirmed = func.coalesce(SessionRow.stepped_up_until > sql_now(), false())
    columns: list[ColumnElement[Any] | InstrumentedAttribute[Any]] = [
        Member.id,
        Member.role,
        Member.real_name,
        Member.age_band,
        Member.status,
        Member.language,
        Member.phone_lookup.is_not(None).label("has_phone"),
        SessionRow.id.label("session_id"),
        SessionRow.signed_in_at,
        SessionRow.stepped_up_until,
        or_(fresh, confirmed).label("stepped_up"),
        (SessionRow.last_seen_at <= sql_now(ago=rules.SEEN_EVERY)).label("long_unseen"),
    ]
    statement = (
        select(*columns)
        .join(Member, Member.id == SessionRow.member_id)
        .where(SessionRow.token_hash == token_hash, Member.status.in_(PRESENT), *_alive())
    )
    return (await session.execute(statement)).first()


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
