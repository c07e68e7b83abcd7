"""A few neighbours and two moderators around one place, driven by the rooms' own deeds: where the stateful test plays.

One town is one database, migrated once. A sequence begins in an empty town (`begin`): what belongs to members is deleted,
those who were erased are replaced by newcomers; the audit rows and their chain stay.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from unittest import mock

import aiosqlite
import uvloop
from sqlalchemy import delete, event, select, update

from mutualaid import handlers
from mutualaid.catalogue import snapshot
from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.kit import audit
from mutualaid.kit.errors import AidError
from mutualaid.kit.ids import new_id
from mutualaid.kit.outbox import Job
from mutualaid.kit.phones import Phone
from mutualaid.kit.sealing import DataKey
from mutualaid.kit.settings import Settings
from mutualaid.members import own_phone
from mutualaid.members.records import Block, Consent, Member
from mutualaid.moderation.records import Case, CaseMember, Ruling
from mutualaid.notices.records import Notice
from mutualaid.posts.records import Post
from mutualaid.providers.numbers import NumbersRefused
from mutualaid.providers.numbers.fake import FakeBinding, FakeNumbers
from mutualaid.services import Services
from mutualaid.wiring import open_services
from tests.consents import all_given
from tests.journeys.neighbourhood.seen import Glass, glass
from tests.moments import START, Clock

NEIGHBOURS = 5
_JOBS_AT_MOST = 400  # jobs that one settling may need; more are a circle
_EMPTIED = (Notice, CaseMember, Case, Ruling, Post, Job, Block, FakeBinding)  # posts take lines, matches, leases, seats


@dataclass
class Neighbour:
    """A member with the phone they hold now and the key of what is sealed for them."""

    id: str
    phone: Phone
    key: DataKey = field(repr=False)


class Ids:
    """Ids that sort alike whenever the same sequence is played: hypothesis plays it again to find the shortest."""

    def __init__(self) -> None:
        self.given = 0

    def token_hex(self, width: int) -> str:
        """Eight digits by count, scattered; the rest at random, as the house does it."""
        self.given += 1
        return hashlib.blake2b(str(self.given).encode(), digest_size=4).hexdigest() + secrets.token_hex(width - 4)


@dataclass
class Town:
    """The services on one event loop of their own, and who lives here."""

    services: Services
    clock: Clock
    catalogue: Catalogue
    ids: Ids
    glass: Glass
    people: list[Neighbour] = field(default_factory=list)
    moderators: list[Neighbour] = field(default_factory=list)
    phones: int = 0

    @property
    def numbers(self) -> FakeNumbers:
        maker = self.services.numbers
        assert isinstance(maker, FakeNumbers)
        return maker

    async def begin(self) -> None:
        """An empty town at the beginning of time: everybody verified, every consent given."""
        self.clock.set(START)
        self.numbers.told.mend()
        if not self.moderators:
            self.moderators = [await self._newcomer("moderator") for _ in range(2)]
        database = self.services.database
        async with database.transaction() as session:
            for table in _EMPTIED:
                await session.execute(delete(table))
            ids = [person.id for person in self.people]
            here = set(
                await session.scalars(
                    update(Member)
                    .where(Member.id.in_(ids), Member.status.in_(("active", "suspended")))
                    .values(status="active", real_name="checked", age_band="adult")
                    .returning(Member.id)
                    .execution_options(synchronize_session=False)
                )
            )
            await session.execute(delete(Consent))
            await session.execute(delete(Member).where(Member.status.not_in(("active", "suspended"))))
        self.people = [person for person in self.people if person.id in here]
        while len(self.people) < NEIGHBOURS:
            self.people.append(await self._newcomer("member"))
        async with database.transaction() as session:
            session.add_all(consent for person in self.people for consent in all_given(person.id, START))
        self.ids.given = 0

    async def _newcomer(self, role: str) -> Neighbour:
        member_id = new_id()
        person = Neighbour(member_id, self.new_phone(), await self.services.keys.create(member_id))
        async with self.services.database.transaction() as session:
            member = Member(id=member_id, role=role, language="zh-Hans", display_name="王**", created_at=START)
            member.real_name, member.age_band = "checked", "adult"
            own_phone.hold(session, member, person.phone, key=person.key)
            session.add(member)
        return person

    def new_phone(self) -> Phone:
        """One that nobody had before."""
        self.phones += 1
        return Phone(f"+86138{self.phones:08d}")

    def person(self, member_id: str) -> Neighbour:
        return next(person for person in (*self.people, *self.moderators) if person.id == member_id)

    async def due(self) -> list[str]:
        """The jobs whose turn has come, the longest waiting first."""
        async with self.services.database.reading() as session:
            query = select(Job.id).where(Job.due_at <= self.clock.now).order_by(Job.due_at, Job.name, Job.id)
            return list(await session.scalars(query))

    async def work(self, job_id: str, *, killed_after: int | None = None, twice: bool = False) -> None:
        """Run one job, as the worker does. `killed_after`: its process dies behind that many of its functions."""
        database = self.services.database
        async with database.reading() as session:
            job = await session.get_one(Job, job_id)
        steps = handlers.JOBS[job.name]
        try:
            for handle in [*steps, *steps] if twice else steps[:killed_after]:
                await handle(self.services, job.payload, now=self.clock.now)
        except (AidError, NumbersRefused) as refusal:
            pause = timedelta(seconds=max(getattr(refusal, "retry_after", 0) or 0, 2 ** (job.attempts + 1)))
            values: dict[str, Any] = {"attempts": Job.attempts + 1, "due_at": self.clock.now + pause}
            async with database.transaction() as session:
                await session.execute(update(Job).where(Job.id == job_id).values(values))
            return
        if killed_after is None:
            async with database.transaction() as session:
                await session.execute(delete(Job).where(Job.id == job_id))

    async def settle(self) -> None:
        """Everything that is due now, and what follows from it."""
        done = 0
        while due := await self.due():
            for job_id in due:
                await self.work(job_id)
            done += len(due)
            assert done < _JOBS_AT_MOST, "the jobs go round in a circle"

    async def daily(self) -> None:
        """The day's sweeps."""
        for handle in handlers.JOBS["house.daily"]:
            await handle(self.services, {}, now=self.clock.now)

    async def verify(self) -> audit.Verdict:
        """Seal, and walk the whole chain."""
        services = self.services
        return await audit.verify(services.database, services.ring, services.settings.audit_heads)


async def _open(settings: Settings, clock: Clock, ids: Ids, stack: AsyncExitStack) -> Town:
    services = await stack.enter_async_context(open_services(settings))
    engine = services.database.engine.sync_engine
    if services.database.dialect == "sqlite":  # power cuts are asked of other tests

        @event.listens_for(engine, "connect")
        def _quick(connection: Any, _record: Any) -> None:
            connection.execute("PRAGMA synchronous=OFF")

    looking = await glass(settings.database_url)
    stack.push_async_callback(looking.close)
    return Town(services, clock, await snapshot.current(services.database), ids, looking)


async def _here(_connection: aiosqlite.Connection, run: Callable[..., Any], *given: Any, **named: Any) -> Any:
    """A statement at once, in this thread: handing each to another one takes most of a sequence's time."""
    return run(*given, **named)


@contextmanager
def town(settings: Settings, clock: Clock) -> Iterator[tuple[Town, asyncio.AbstractEventLoop]]:
    """A town, and the loop that its connections belong to: hypothesis is synchronous and runs each step on it."""
    loop = uvloop.new_event_loop()
    stack, ids = AsyncExitStack(), Ids()
    try:
        with (
            mock.patch("mutualaid.kit.ids.secrets", ids),
            mock.patch("mutualaid.kit.ids._random_digits", lambda: ids.token_hex(16)),
            mock.patch("mutualaid.kit.ids.time", mock.Mock(time=lambda: 0.0)),
            mock.patch.object(aiosqlite.Connection, "_execute", _here),
        ):
            yield loop.run_until_complete(_open(settings, clock, ids, stack)), loop
    finally:
        loop.run_until_complete(stack.aclose())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def nth(things: Sequence[Any], n: int) -> Any:
    """One of them, whatever the number."""
    return things[n % len(things)]
