"""The plaza as it happens: each process tells its listeners what its follower hears, once for all who read alike.

A listener has a queue of its own; who cannot keep up is let go, and comes back with the place in the feed it has reached.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from mutualaid.catalogue import snapshot
from mutualaid.kit import cells, tasks
from mutualaid.kit.errors import Overloaded
from mutualaid.kit.logs import where
from mutualaid.posts import at_hand, shelf, word_store
from mutualaid.posts.index.follower import Follower, Told
from mutualaid.posts.index.rows import Row
from mutualaid.posts.plaza import Filters
from mutualaid.posts.shelf import Variant
from mutualaid.posts.words import Term
from mutualaid.services import Services

MOST_LISTENERS: Final = 4_000  # in one process
_WAITING: Final = 256  # events that a slow listener may owe
_MISSED: Final = (
    50  # posts that a resumed listener is told of: a page of the list, which costs as much; beyond, it reads the list
)

log = structlog.get_logger()

RELOAD: Final = b"event: plaza.reload\ndata: {}\n\n"


@dataclass(eq=False, slots=True)
class Listener:
    """Somebody who listens: what for, and how cards are written for them. `None` in the queue is the end."""

    filters: Filters
    variant: Variant
    reader: str | None
    viewer: str | None = None
    queue: asyncio.Queue[bytes | None] = field(default_factory=lambda: asyncio.Queue(_WAITING))

    def wants(self, row: Row) -> bool:
        """Whether the post is one of those asked for."""
        asked = self.filters
        return (
            asked.kind in (None, row.kind)
            and (asked.items is None or any(item in row.topics for item in asked.items))
            and (asked.real_name is None or asked.real_name == bool(row.real))
            and (asked.region is None or int(asked.region[0]) <= row.region <= int(asked.region[1]))
            and (asked.within is None or cells.between_m(asked.within[0], row.cell) <= asked.within[1])
        )

    def metres(self, row: Row) -> int | None:
        """How far away the post is, where a place was given."""
        return None if self.viewer is None else cells.between_m(self.viewer, row.cell)


class Live:
    """All listeners of a process."""

    def __init__(self, services: Services, follower: Follower) -> None:
        self._services, self._follower = services, follower
        self._listeners: set[Listener] = set()
        self._heard: asyncio.Queue[tuple[Told, str]] = asyncio.Queue()
        self.closed = False

    def refuse_crowd(self) -> None:
        """Raises `Overloaded` where there are too many listeners already."""
        if len(self._listeners) >= MOST_LISTENERS or self.closed:
            raise Overloaded(retry_after=5)

    @contextlib.contextmanager
    def listening(self, listener: Listener) -> Iterator[None]:
        """Within the block the listener's queue fills."""
        self._listeners.add(listener)
        if self.closed:
            _let_go(listener)
        try:
            yield
        finally:
            self._listeners.discard(listener)

    async def here(self) -> bytes:
        """An id without an event: where a listener stands who has been told nothing yet, so that a lost line loses nothing.
        Empty where the feed cannot be read."""
        if not self._follower.feed.place:  # this process has only just begun
            await self._follower.caught_up()
        place = self._follower.feed.place
        return b"id: %s\n\n" % place.encode() if place else b""

    async def missed(self, listener: Listener, place: str) -> list[bytes]:
        """What has changed since a place where this listener once stood."""
        told = await self._follower.missed(place)
        if told is None or len(told) > _MISSED:
            return [RELOAD]
        return (await self._events(told, [listener], self._follower.feed.place)).get(listener, [])

    def close(self) -> None:
        """The process ends: everybody is let go, and comes back elsewhere."""
        self.closed = True
        self.let_all_go()

    def let_all_go(self) -> None:
        """End every listener's answer: they come back."""
        for listener in self._listeners:
            _let_go(listener)

    # ---- telling ----

    def heard(self, told: Told) -> None:
        """From the follower: quick, and without waiting."""
        if self._listeners and told:
            self._heard.put_nowait((told, self._follower.feed.place))

    async def run(self) -> None:
        """Tell until cancelled."""
        while True:
            told, here = await self._heard.get()
            try:
                events = await self._events(told, list(self._listeners), here)
            except Exception as problem:  # the database is away, or worse: who comes back with their place is told then
                error, at = where(problem)
                log.warning("plaza_not_told", error=error, at=at)
                self.let_all_go()
                continue
            for listener, its in events.items():
                if listener.queue.qsize() + len(its) >= _WAITING:
                    _let_go(listener)
                    continue
                for event in its:
                    listener.queue.put_nowait(event)

    async def _events(self, told: Told, listeners: Iterable[Listener], here: str) -> dict[Listener, list[bytes]]:
        catalogue = await snapshot.current(self._services.database)
        events: dict[Listener, list[bytes]] = {}
        for listener in listeners:
            wanted = {post_id: row for post_id, (_, row) in told.items() if row is not None and listener.wants(row)}
            shown = await self._having(listener.filters.words, wanted)
            cards = await at_hand.cards(self._follower, shown, catalogue, listener.variant, listener.reader)
            for post_id, (before, _) in told.items():
                if post_id in cards:
                    card = shelf.with_distance(cards[post_id], listener.metres(wanted[post_id]))
                    name = b"post.changed" if before else b"post.opened"
                    events.setdefault(listener, []).append(_event(here, name, card))
                elif before:
                    events.setdefault(listener, []).append(
                        _event(here, b"post.ended", b'{"id":"%s"}' % post_id.encode())
                    )
        return events

    async def _having(self, words: Sequence[Term] | None, post_ids: Collection[str]) -> list[str]:
        if words is None or not post_ids:
            return list(post_ids)
        async with self._services.database.reading() as session:
            return list(await word_store.having_all(session, words, post_ids))


def _event(here: str, name: bytes, data: bytes) -> bytes:
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (here.encode(), name, data)


def _let_go(listener: Listener) -> None:
    while not listener.queue.empty():
        listener.queue.get_nowait()
    listener.queue.put_nowait(None)


@contextlib.asynccontextmanager
async def telling(services: Services, follower: Follower) -> AsyncIterator[Live]:
    """The listeners of this process, told within the block."""
    live = Live(services, follower)
    follower.heard.append(live.heard)
    running = asyncio.create_task(live.run(), name="plaza live")
    try:
        yield live
    finally:
        live.close()
        follower.heard.remove(live.heard)
        await tasks.end(running)
