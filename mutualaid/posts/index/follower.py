"""Keeps a process in step with the feed of changes, and holds the plaza in memory where that is worth it.

Who asks is told after every commit made before the asking: a turn reads the feed, and whoever asks while one is under
way waits for the next, all together for the same one. Nothing here is needed for an answer to be right: where the feed
cannot be read, or there is no index, `caught_up` says so and the plaza is read by SQL.
"""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from mutualaid.kit import metrics, outbox, tasks
from mutualaid.kit.errors import Overloaded
from mutualaid.kit.logs import where
from mutualaid.posts.cards import Card
from mutualaid.posts.index.feed import Changes, Feed, feed_of
from mutualaid.posts.index.room import free_octets
from mutualaid.posts.index.rows import Row
from mutualaid.posts.plaza_records import KEPT
from mutualaid.posts.shelf import Shelf
from mutualaid.services import Services

if TYPE_CHECKING:
    from mutualaid.posts.index.standing import Standing

LEAST: Final = 2_000  # entries; fewer are read from the tables as quickly, and cost no memory
NEVER: Final = 1 << 40
POLL_S: Final = 0.4  # without a bell
_CROWD_S: Final = 0.05  # from a bell to the look: where many publish, one look is for all of them
_PATIENCE_S: Final = 0.25  # then the tables answer
_AWAY_S: Final = KEPT.total_seconds() / 2  # after so long without it, the feed may have been swept
_AGAIN_S: Final = 600.0  # after memory was short
_LOOKS_S: Final = 8.0  # between looks whether the plaza has grown large enough

Told = Mapping[str, tuple[bool, Row | None]]
Heard = Callable[[Told], None]

log = structlog.get_logger()


class Follower:
    """One per process, see `following`. `heard` are told of each post that changed: (did it stand, how it stands)."""

    def __init__(
        self, feed: Feed, *, least: int = LEAST, free: Callable[[], int | None] = free_octets, waits: bool = True
    ) -> None:
        self.feed = feed
        self.shelf = Shelf()
        self.heard: list[Heard] = [self.shelf.heard]
        self._least, self._free, self._waits = least, free, waits
        self._standing: Standing | None = None
        self._made: Standing | None = None
        self._pending: Changes = {}  # not yet read
        self._meanwhile: set[str] | None = None  # changed since an index began to be made
        self._making: asyncio.Task[None] | None = None
        self._turn_of: asyncio.Task[bool] | None = None
        self._lock = asyncio.Lock()
        self._begun = 0
        self._in_step = self._told_lost = False
        self._looks_again_at = 0.0
        self._fresh_at = time.monotonic()
        self._woken = asyncio.Event()

    @property
    def in_step(self) -> bool:
        """Whether the feed could be read when it was asked last: then what is kept of it stands."""
        return self._in_step

    async def caught_up(self) -> "Standing | None":
        """The plaza as it stands, every earlier commit included; None where it must be read from the tables."""
        if self._waits:
            await self._shared_turn()
        else:
            self._in_step = await self._turn()  # nothing in it waits: it needs no turns
        return self._standing if self._in_step else None

    async def _shared_turn(self) -> None:
        begun = self._begun
        async with self._lock:
            if self._begun == begun:
                self._begun += 1
                await self._quiet()
                self._turn_of = asyncio.create_task(self._turn())
                # A reader who goes away must not leave the connection in the middle of an answer.
                self._in_step = await asyncio.shield(self._turn_of)

    async def missed(self, place: str) -> Told | None:
        """The posts that changed since somebody's place; None where that cannot be told."""
        async with self._lock:
            await self._quiet()
            try:
                changed = await self.feed.since(place) if self.feed.place else None
                if changed is None:
                    return None
                rows = await self.feed.rows(changed)
            except Exception as problem:
                if not _is_loss(problem):
                    raise
                return None
            return {post_id: (stood, rows.get(post_id)) for post_id, stood in changed.items()}

    async def cards(self, post_ids: Collection[str]) -> list[Card]:
        """The cards of these posts. Raises `Overloaded` where the database is away."""
        try:
            return await self.feed.cards(post_ids)
        except Exception as problem:
            if not _is_loss(problem):
                raise
            raise Overloaded(retry_after=2) from problem

    async def _quiet(self) -> None:
        """A turn whose reader went away is over."""
        if self._turn_of is not None and not self._turn_of.done():
            await asyncio.wait([self._turn_of])

    @property
    def staleness_s(self) -> float:
        """Seconds since the feed was read last."""
        return time.monotonic() - self._fresh_at

    def renew(self) -> None:
        """Make a new base of what stands, worn or not."""
        if self._standing is not None and self._making is None:
            self._begin(self._standing)

    def wake(self) -> None:
        """Look now."""
        self._woken.set()

    async def run(self) -> None:
        """Follow until cancelled, and make or renew the index when it is due."""
        while True:
            try:
                standing = await self.caught_up()
                if self._making is None and self._in_step:
                    await self._tend()
            except Exception as problem:  # a follower that died would leave this process behind for good
                standing = None
                await self._lost(problem)
            metrics.PLAZA_INDEX_POSTS.set(len(standing) if standing else 0)
            metrics.PLAZA_INDEX_STALENESS.set(self.staleness_s)
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._woken.wait()
                    await asyncio.sleep(_CROWD_S)
            self._woken.clear()

    async def close(self) -> None:
        await tasks.end(self._turn_of, self._making)
        await self.feed.close()

    # ---- a turn ----

    async def _turn(self) -> bool:
        try:
            async with asyncio.timeout(_PATIENCE_S if self._waits else None):
                if not self.feed.place or self.staleness_s > _AWAY_S:
                    self._begin_anew()
                    await self.feed.open()
                changed = await self.feed.changes()
                if changed is None:
                    self._begin_anew()
                    return False
                self._pending = changed | self._pending
                await self._apply()
        except Exception as problem:
            if not _is_loss(problem):
                raise
            return await self._lost(problem)
        self._fresh_at = time.monotonic()
        self._told_lost = False
        return True

    async def _lost(self, problem: Exception) -> bool:
        if not self._told_lost:  # once, not at every look
            self._told_lost = True
            error, at = where(problem)
            log.warning("plaza_feed_lost", error=error, at=at)
        if self._waits:
            await self.feed.close()
        return False

    def _begin_anew(self) -> None:
        self.shelf.forget()
        self._standing = self._made = None
        self._pending.clear()
        self._meanwhile = None
        if self._making is not None:
            self._making.cancel()

    async def _apply(self) -> None:
        """What is pending goes into the index, or with all that changed meanwhile into the one just made."""
        if self._meanwhile is not None:
            self._meanwhile |= self._pending.keys()
        if self._made is not None and self._meanwhile is not None:
            rows = await self.feed.rows(self._meanwhile)
            for post_id in self._meanwhile - self._pending.keys():
                self._made.put(post_id, rows.get(post_id))
            self._standing, self._made, self._meanwhile = self._made, None, None
        elif self._pending:
            rows = await self.feed.rows(self._pending)
        told: dict[str, tuple[bool, Row | None]] = {}
        for post_id, stood in self._pending.items():
            told[post_id] = (stood, row := rows.get(post_id))
            if self._standing is not None:
                self._standing.put(post_id, row)
        self._pending.clear()
        for heard in self.heard:
            heard(told)

    # ---- making ----

    async def _tend(self) -> None:
        if self._made is not None:
            return
        if self._standing is None and time.monotonic() >= self._looks_again_at:
            self._looks_again_at = time.monotonic() + _LOOKS_S
            async with self._lock:
                await self._quiet()
                enough = await self.feed.many(self._least)
            if enough:
                self._begin(None)
        elif self._standing is not None and self._standing.worn:
            self._begin(self._standing)

    def _begin(self, standing: "Standing | None") -> None:
        self._meanwhile = set()
        self._making = asyncio.create_task(self._make(standing), name="plaza index")

    async def _make(self, standing: "Standing | None") -> None:
        await asyncio.to_thread(_load_arrays)
        from mutualaid.posts.index import making

        began = time.monotonic()
        try:
            made = making.loaded(self.feed, self._free) if standing is None else making.renewed(standing, self._free)
            self._made = await made
            log.info("plaza_index_made", count=len(self._made), seconds=_since(began))
        except Exception as problem:
            self._meanwhile = None
            self._standing = None if isinstance(problem, making.NoRoom) else self._standing
            self._looks_again_at = time.monotonic() + _AGAIN_S
            error, at = where(problem)
            log.warning("plaza_index_not_made", error=error, at=at)
        finally:
            self._making = None


def _is_loss(problem: Exception) -> bool:
    """Whether the database is away, as its drivers say so: asyncpg's errors have no root of their own."""
    known = isinstance(problem, OSError | SQLAlchemyError | sqlite3.Error)
    return known or type(problem).__module__.startswith("asyncpg")


def _load_arrays() -> None:
    """They are loaded by those who need them, and it takes a tenth of a second: not in the loop."""
    import mutualaid.posts.index.making  # noqa: F401


def _since(began: float) -> float:
    return round(time.monotonic() - began, 3)


@asynccontextmanager
async def following(services: Services) -> AsyncIterator[Follower]:
    """A follower of this database's feed within the block, woken by the outbox's bell."""
    waits, least = (
        services.database.dialect == "postgresql",
        LEAST if services.settings.plaza_index == "auto" else NEVER,
    )
    follower = Follower(feed_of(services.database), least=least, waits=waits)

    async def rung(_payload: str) -> None:
        follower.wake()

    async with services.bells.listening(outbox.BELL, rung):
        running = asyncio.create_task(follower.run(), name="plaza follower")
        try:
            yield follower
        finally:
            await tasks.end(running)
            await follower.close()
