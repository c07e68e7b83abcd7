"""Sessions: begun by a sign-in, read at every door, confirmed by a code, ended by their member.

The token is 256 random bits; the row holds its SHA-256. A session ends when it was idle too long, when it is too old,
when it is revoked (its row goes) or when its member is no longer here; the statement that reads it decides all four.
"""

import hashlib
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from functools import lru_cache
from typing import Final

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request

from mutualaid.kit import audit, sealing
from mutualaid.kit.clock import sql_now
from mutualaid.kit.database import ring_after_commit
from mutualaid.kit.errors import NotFound, Overloaded
from mutualaid.kit.faces import cookies
from mutualaid.kit.ids import new_id
from mutualaid.kit.instants import given
from mutualaid.members import codes, needs, rules, store
from mutualaid.members.codes import Proof
from mutualaid.members.errors import CodeWrong
from mutualaid.members.records import Principal, SessionRow, Status
from mutualaid.services import Services

BELL: Final = "sessions"  # rung when what a session may do has changed: every process forgets what it remembers
_LONGEST_TOKEN: Final = 200
_REMEMBERED: Final = 4096
_REMEMBER_S: Final = 0.8  # even a lost bell leaves a revoked session alive for less than a second


class Doorkeeper:
    """Who holds this token? One per process, see `watching`."""

    def __init__(self, services: Services, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._services = services
        self._monotonic = monotonic
        self._seen: dict[bytes, tuple[float, Principal]] = {}
        self._bells_heard = 0

    async def forget(self, _payload: str = "") -> None:
        """Somebody's session, role or standing has changed."""
        self._bells_heard += 1
        self._seen.clear()

    async def authenticate(self, token: str, *, fresh: bool, seen: bool = False) -> Principal | None:
        """The live session's member, or None. `fresh`: read the row now, as whatever changes something must."""
        token_hash = hash_of(token)
        heard = self._bells_heard
        if not fresh and (held := self._seen.get(token_hash)) and held[0] > self._monotonic():
            return held[1]
        principal = await authenticate(self._services, token, seen=seen)
        if principal is None:
            self._seen.pop(token_hash, None)
        elif heard == self._bells_heard:  # else a bell rang while the row was being read: it may be the old one
            self._remember(token_hash, principal)
        return principal

    def _remember(self, token_hash: bytes, principal: Principal) -> None:
        while len(self._seen) >= _REMEMBERED:
            del self._seen[next(iter(self._seen))]
        self._seen[token_hash] = (self._monotonic() + _REMEMBER_S, principal)


@asynccontextmanager
async def watching(services: Services) -> AsyncIterator[Doorkeeper]:
    """A doorkeeper who listens to `BELL` within the block: the application keeps one as `request.state.doorkeeper`."""
    keeper = Doorkeeper(services)
    async with services.bells.listening(BELL, keeper.forget):
        yield keeper


async def caller_of(request: Request, *, seen: bool = False) -> Principal | None:
    """Who is asking the API, by bearer token; None for strangers and for tokens that no longer count. `seen`: for a deed that
    needs to know more of them.

    Only a read may be answered by what the doorkeeper remembers.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return await _holder_of(request, token.strip(), seen=seen) if scheme.lower() == "bearer" else None


async def visitor_of(request: Request) -> Principal | None:
    """The same for pages, which know a session by its cookie and never by a bearer token."""
    return await _holder_of(request, cookies.read(request, cookies.SESSION) or "")


async def still_there(request: Request) -> bool:
    """For an answer that goes on: whether whoever asked for it may still be told; strangers always."""
    if request.user is None:
        return True
    holder = await (caller_of if request.url.path.startswith("/api/") else visitor_of)(request)
    return holder is not None and (holder.id, holder.suspended) == (request.user.id, request.user.suspended)


async def _holder_of(request: Request, token: str, *, seen: bool = False) -> Principal | None:
    if not 0 < len(token) <= _LONGEST_TOKEN:
        return None
    keeper: Doorkeeper = request.state.doorkeeper
    return await keeper.authenticate(token, fresh=request.method not in ("GET", "HEAD"), seen=seen)


def hash_of(token: str) -> bytes:
    """What the database knows a token by."""
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()


async def authenticate(services: Services, token: str, *, seen: bool = False) -> Principal | None:
    """Read who holds this token; once an hour also write that the session is in use. `seen`: see `Principal`."""
    row = await store.principal_row(services.database, hash_of(token), seen=seen)
    if row is None:
        return None
    if row.long_unseen:
        with suppress(Overloaded):  # a full disk or a busy writer keeps no reader out; the next request tries again
            await _touch(services, row.session_id)
    return Principal(
        id=row.id,
        session_id=row.session_id,
        role=row.role,
        real_name=row.real_name,
        age_band=row.age_band,
        suspended=row.status == Status.SUSPENDED.value,
        has_phone=bool(row.has_phone),
        may_post=row.real_name != "none" or not services.settings.require_real_name,
        signed_in_at=given(row.signed_in_at),
        stepped_up_until=given(row.stepped_up_until),
        stepped_up=bool(row.stepped_up),
        language=row.language,
        consents=_current(row.consents or ""),
        seen=row.seen,
    )


@lru_cache(maxsize=1024)
def _current(given: str) -> frozenset[str]:
    each = (one.split(":") for one in given.split(",") if one)
    return needs.current((purpose, int(version)) for purpose, version in each)


async def _touch(services: Services, session_id: str) -> None:
    async with services.database.transaction() as session:
        unseen = SessionRow.last_seen_at <= sql_now(ago=rules.SEEN_EVERY)
        await session.execute(
            update(SessionRow).where(SessionRow.id == session_id, unseen).values(last_seen_at=sql_now())
        )


def expires_at(row: SessionRow) -> datetime:
    """When the session ends if it is not used again."""
    return rules.session_ends(row.ends_at, row.last_seen_at)


async def begin(session: AsyncSession, member_id: str, *, channel: str, now: datetime) -> tuple[str, SessionRow]:
    """A new session and its token, which is told once and kept nowhere. The member's oldest beyond the limit end."""
    token = secrets.token_urlsafe(32)
    row = SessionRow(
        id=new_id(),
        member_id=member_id,
        token_hash=hash_of(token),
        channel=channel,
        signed_in_at=now,
        last_seen_at=now,
        ends_at=now + rules.SESSION_LASTS,
    )
    session.add(row)
    await session.flush()
    audit.note(session, actor=member_id, deed="session.begun", subject=row.id, now=now, facts={"channel": channel})
    newest = (
        select(SessionRow.id)
        .where(SessionRow.member_id == member_id)
        .order_by(SessionRow.signed_in_at.desc(), SessionRow.id)
        .limit(rules.SESSIONS_EACH)
    )
    await _end(session, SessionRow.id.not_in(newest.scalar_subquery()), member_id=member_id, actor=member_id, now=now)
    return token, row


async def end(session: AsyncSession, session_id: str, *, member_id: str, now: datetime) -> None:
    """End one of the member's own sessions, or 404."""
    if not await _end(session, SessionRow.id == session_id, member_id=member_id, actor=member_id, now=now):
        raise NotFound


async def end_all(session: AsyncSession, member_id: str, *, actor: str | None, now: datetime) -> None:
    """End every session of a member."""
    await _end(session, member_id=member_id, actor=actor, now=now)


async def _end(
    session: AsyncSession, *which: ColumnElement[bool], member_id: str, actor: str | None, now: datetime
) -> Sequence[str]:
    statement = delete(SessionRow).where(SessionRow.member_id == member_id, *which).returning(SessionRow.id)
    ended = (await session.scalars(statement.execution_options(synchronize_session=False))).all()
    for session_id in ended:
        audit.note(session, actor=actor, deed="session.ended", subject=session_id, now=now)
    if ended:
        ring_after_commit(session, BELL)
    return ended


async def step_up(session: AsyncSession, session_id: str, proof: Proof, *, member_id: str, now: datetime) -> SessionRow:
    """This session may do dangerous deeds for a while. The proof must be of one's own phone, else `CodeWrong`."""
    member = await store.get_locked(session, member_id)
    if member.phone_lookup not in sealing.lookups(store.ring_of(session), store.PHONE, proof.phone.e164):
        raise CodeWrong
    await codes.spend(session, proof)
    row = await session.scalar(
        update(SessionRow)
        .where(SessionRow.id == session_id, SessionRow.member_id == member_id)
        .values(stepped_up_until=now + rules.step_up_lasts(member.role))
        .returning(SessionRow)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    if row is None:
        raise NotFound
    audit.note(session, actor=member_id, deed="session.stepped_up", subject=session_id, now=now)
    ring_after_commit(session, BELL)
    return row
