"""A vendor on the same machine: hands out `+8617000000001…`, and keeps its bindings where every worker sees them.

It is as strict as vendors are: a phone stands in one binding on an X at a time (AXB), an extension is one binding's own
(AXE), an X carries so many pairs, a binding ends by itself. It sees a phone as an HMAC only. Told to fail by
`numbers.fail` in the outbox, told to be slow by `numbers.slow`, which holds seconds.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import ColumnElement, Index, LargeBinary, delete, or_, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from mutualaid.kit import sealing
from mutualaid.kit.clock import sql_now
from mutualaid.kit.database import Base, Database, Instant
from mutualaid.kit.fields import Int, Moment, Text
from mutualaid.kit.phones import Phone
from mutualaid.kit.privacy import LOOKUP
from mutualaid.kit.ring import KeyRing
from mutualaid.kit.told import Told
from mutualaid.providers.numbers import (
    BadNumber,
    Binding,
    BindingGone,
    BindingRef,
    BindRequest,
    CallRecord,
    Caps,
    Cause,
    Close,
    Connect,
    ExpiryTooSoon,
    Mode,
    NotAuthorised,
    NotReported,
    Outcome,
    PairConflict,
    PoolExhausted,
    Pushed,
    pushes,
)

FIRST = 17_000_000_001
_LABEL = "fake_numbers"
_DIGITS = 3
_EXTENSION = re.compile(r"[0-9]{1,3}")
_CAPS = Caps(
    modes=frozenset({"axb"}),
    max_pairs_per_x=200,
    call_time_decision=True,
    min_ttl=timedelta(seconds=60),
    max_ttl=timedelta(days=7),
    renewable=True,
)

Sleep = Callable[[float], Awaitable[None]]


class FakeBinding(Base):
    """One binding at the fake vendor. No phone: `a` and `b` are HMACs. `extension` is empty in AXB."""

    __tablename__ = "fake_bindings"

    key: Mapped[str] = mapped_column(primary_key=True)
    x: Mapped[str]
    a: Mapped[bytes] = mapped_column(LargeBinary, info=LOOKUP)
    b: Mapped[bytes] = mapped_column(LargeBinary, info=LOOKUP)
    extension: Mapped[str] = mapped_column(default="")
    expires_at: Mapped[datetime] = mapped_column(Instant)

    __table_args__ = (Index("ix_fake_bindings_x", "x"),)

    def as_binding(self) -> Binding:
        return Binding(self.key, self.key, self.x, self.extension or None, self.expires_at)


class _Push(pushes.Push):
    call_id: Annotated[Text, Field(min_length=1, max_length=100)]
    caller: Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$")]
    dialled: Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$")]
    outcome: Outcome
    seconds: Annotated[Int, Field(ge=0, le=86_400)] = 0
    ended_at: Moment
    digits: Annotated[Text, Field(max_length=16)] | None = None
    started_at: Moment | None = None
    rang_at: Moment | None = None
    answered_at: Moment | None = None
    cause: Cause | None = None


class FakeNumbers:
    """`told` knows the refusals of the promise besides what every fake knows."""

    name = "fake"
    is_fake = True

    def __init__(
        self,
        database: Database,
        ring: KeyRing,
        outbox: Path,
        *,
        pool: int,
        hook_token: str,
        modes: Collection[Mode] = frozenset({"axb"}),
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.caps = replace(_CAPS, modes=frozenset(modes), extension_digits=_DIGITS if "axe" in modes else 0)
        self.pool: Sequence[str] = tuple(f"+86{FIRST + n}" for n in range(pool))
        refusals = {
            "pool_exhausted": PoolExhausted,
            "pair_conflict": PairConflict,
            "bad_number": BadNumber,
            "not_reported": NotReported,
            "not_authorised": NotAuthorised,
        }
        self.told = Told("numbers", outbox, refusals)
        self.delay_s = 0.0
        self._database = database
        self._ring = ring
        self._slow = outbox / "numbers.slow"
        self._hook_token = hook_token
        self._sleep = sleep

    async def bind(self, request: BindRequest) -> Binding:
        await self._wait()
        self.told.obey()
        self._refuse_what_is_not_ours(request)
        async with self._database.transaction() as session:
            await _take_turn(session, request.x)
            there = await self._live(session, or_(FakeBinding.key == request.key, FakeBinding.x == request.x))
            held = next((row for row in there if row.key == request.key), None)
            if held is not None:
                if (held.x, held.extension) != (request.x, request.extension or ""):
                    raise PairConflict
                return held.as_binding()
            await _refuse_too_soon(session, request.expires_at)
            self._refuse_what_cannot_be(request, there)
            return await self._insert(session, request)

    async def _live(self, session: AsyncSession, *which: ColumnElement[bool]) -> list[FakeBinding]:
        query = select(FakeBinding).where(FakeBinding.expires_at > sql_now(), *which)
        return list(await session.scalars(query))

    def _refuse_what_is_not_ours(self, request: BindRequest) -> None:
        if request.mode not in self.caps.modes:
            raise NotAuthorised
        if request.x not in self.pool or request.a == request.b:
            raise BadNumber
        if not (_EXTENSION.fullmatch(request.extension or "") if request.mode == "axe" else request.extension is None):
            raise BadNumber

    def _refuse_what_cannot_be(self, request: BindRequest, on_x: Sequence[FakeBinding]) -> None:
        if request.extension:
            if any(row.extension == request.extension for row in on_x):
                raise PairConflict
            return
        on_x = [row for row in on_x if not row.extension]
        people = {*self._marks(request.a), *self._marks(request.b)}
        if any(row.a in people or row.b in people for row in on_x):
            raise PairConflict
        if len(on_x) >= self.caps.max_pairs_per_x:
            raise PoolExhausted

    async def _insert(self, session: AsyncSession, request: BindRequest) -> Binding:
        await session.execute(delete(FakeBinding).where(FakeBinding.key == request.key))  # one that ended by itself
        insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
        row = {
            "key": request.key,
            "x": request.x,
            "a": sealing.lookup(self._ring, _LABEL, request.a.e164),
            "b": sealing.lookup(self._ring, _LABEL, request.b.e164),
            "extension": request.extension or "",
            "expires_at": request.expires_at,
        }
        made = await session.execute(
            insert(FakeBinding).values(row).on_conflict_do_nothing().returning(FakeBinding.key)
        )
        if made.first() is None:  # the key was given to another X this very moment
            raise PairConflict
        return Binding(request.key, request.key, request.x, request.extension, request.expires_at)

    def _marks(self, phone: Phone) -> list[bytes]:
        return sealing.lookups(self._ring, _LABEL, phone.e164)

    async def renew(self, binding: BindingRef, expires_at: datetime) -> Binding:
        await self._wait()
        self.told.obey()
        async with self._database.transaction() as session:
            await _refuse_too_soon(session, expires_at)
            row = await session.scalar(
                update(FakeBinding)
                .where(FakeBinding.key == binding.key, FakeBinding.expires_at > sql_now())
                .values(expires_at=expires_at)
                .returning(FakeBinding)
                .execution_options(synchronize_session=False, populate_existing=True)
            )
            if row is None:
                raise BindingGone
            return row.as_binding()

    async def unbind(self, binding: BindingRef) -> None:
        await self._wait()
        self.told.obey()
        async with self._database.transaction() as session:
            await session.execute(delete(FakeBinding).where(FakeBinding.key == binding.key))

    async def query(self, binding: BindingRef) -> Binding | None:
        self.told.obey()
        async with self._database.reading() as session:
            held = await self._live(session, FakeBinding.key == binding.key)
            return held[0].as_binding() if held else None

    async def bound(self) -> list[Binding]:
        """Everything that is bound now: for tests and for pages in test mode."""
        async with self._database.reading() as session:
            return [row.as_binding() for row in await self._live(session)]

    def parse_event(self, headers: Mapping[str, str], raw: bytes, *, query: Mapping[str, str]) -> Pushed:
        pushes.check_bearer(headers, self._hook_token)
        return Pushed(tuple(_record(pushes.read(_Push, one)) for one in pushes.objects(raw)))

    def answer_route(self, decision: Connect | Close) -> dict[str, Any]:
        if isinstance(decision, Close):
            return {"code": decision.code}
        return {"callee": decision.callee.e164, "display": decision.display, "max_seconds": decision.max_seconds}

    def answer_event(self, taken: int) -> dict[str, Any]:
        return {"code": 0, "taken": taken}

    async def _wait(self) -> None:
        """A vendor that takes its time: nothing has happened yet while it lasts."""
        seconds = float(self._slow.read_text(encoding="utf-8")) if self._slow.exists() else self.delay_s
        if seconds:
            await self._sleep(seconds)


def _record(push: _Push) -> CallRecord:
    return CallRecord(
        call_id=push.call_id,
        caller=Phone(push.caller),
        x=push.dialled,
        outcome=push.outcome,
        seconds=push.seconds if push.outcome == "answered" else 0,
        ended_at=push.ended_at,
        extension=push.digits or None,
        started_at=push.started_at,
        rang_at=push.rang_at,
        answered_at=push.answered_at,
        cause=push.cause,
    )


async def _refuse_too_soon(session: AsyncSession, expires_at: datetime) -> None:
    if not await session.scalar(select(sql_now(ago=-_CAPS.min_ttl) < expires_at)):
        raise ExpiryTooSoon


async def _take_turn(session: AsyncSession, x: str) -> None:
    """One binding on an X after the other; SQLite has one writer anyhow."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(text("SELECT pg_advisory_xact_lock(:x)"), {"x": int(x[1:])})
