"""Bells: "look now" for other processes, over the cache's publish and subscribe. A bell may be lost.

Tables are the truth: whoever listens also looks by itself now and then, and a bell only makes that sooner. `ring` never
waits for the cache: it tells the listeners of this process at once, and a task of its own tells the others, each bell
once however often it was rung meanwhile. When the line to the cache is up (again), every listener is told with an empty
payload, since something may have been missed: an empty payload always means "look at everything".
"""

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Final

import structlog

from mutualaid.kit import tasks
from mutualaid.kit.cache import PATIENCE_S, Cache, CacheLost
from mutualaid.kit.logs import where

Heard = Callable[[str], Awaitable[None]]

_CHANNEL: Final = "mutualaid:bells"
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0
_MOST_WAITING = 1_000
_GAP = "\0"

log = structlog.get_logger()


class Bells:
    """The bells of one process. Tasks start with the first listener or ring, and end with `close`."""

    def __init__(self, cache: Cache, *, random_unit: Callable[[], float] = random.random) -> None:
        self._cache = cache
        self._random_unit = random_unit
        self._origin = secrets.token_hex(8)
        self._listeners: dict[str, list[Heard]] = {}
        self._waiting: dict[tuple[str, str], None] = {}
        self._rung = asyncio.Event()
        self._hearing: asyncio.Task[None] | None = None
        self._telling: asyncio.Task[None] | None = None
        self._closed = False
        self.connected = cache.embedded
        """Do bells of other processes arrive now? A silent loss is noticed within about two seconds."""

    async def ring(self, name: str, payload: str = "") -> None:
        """Ring a bell here and in every other process. `payload`: ids only; empty means "look at everything"."""
        if _GAP in name or _GAP in payload:
            raise ValueError("a bell's name and payload have no NUL")
        if not self._cache.embedded and not self._closed:
            if len(self._waiting) >= _MOST_WAITING:
                del self._waiting[next(iter(self._waiting))]
            self._waiting[name, payload] = None
            self._rung.set()
            if self._telling is None:
                self._telling = asyncio.create_task(self._tell(), name="bells: telling")
        await self._strike(name, payload)

    @asynccontextmanager
    async def listening(self, name: str, heard: Heard) -> AsyncIterator[None]:
        """Within the block `heard(payload)` is awaited for each bell of that name: let it be quick, all wait for it."""
        if self._hearing is None and not self._cache.embedded and not self._closed:
            self._hearing = asyncio.create_task(self._hear(), name="bells: hearing")
        self._listeners.setdefault(name, []).append(heard)
        try:
            yield
        finally:
            self._listeners[name].remove(heard)

    async def close(self) -> None:
        """Tell what is still waiting to be told, for as long as one command may take, then stop."""
        self._closed = True
        self._rung.set()
        if self._telling is not None:
            await asyncio.wait([self._telling], timeout=PATIENCE_S)
        await tasks.end(self._telling, self._hearing)
        self.connected = False

    async def _tell(self) -> None:
        while self._waiting or not self._closed:
            await self._rung.wait()
            self._rung.clear()
            while self._waiting:
                name, payload = next(iter(self._waiting))
                del self._waiting[name, payload]  # before it is told: rung again from now on, it is told again
                with suppress(CacheLost):  # best effort: whoever listens also looks by itself
                    await self._cache.command("PUBLISH", _CHANNEL, _GAP.join((self._origin, name, payload)))

    async def _hear(self) -> None:
        """Stay on the line; when it breaks, come back after a pause that grows, spread so that not all come at once."""
        pause = _FIRST_PAUSE_S
        while True:
            try:
                async with aclosing(self._cache.messages(_CHANNEL)) as messages:
                    async for message in messages:
                        if message is None:
                            self.connected, pause = True, _FIRST_PAUSE_S
                            for name in list(self._listeners):
                                await self._strike(name, "")
                        else:
                            await self._arrived(message)
            except CacheLost:
                self.connected = False
            except Exception as problem:  # a task that died would leave this process deaf for good
                self.connected = False
                _warn("bells_line_failed", "", problem)
            await asyncio.sleep(pause * (0.5 + self._random_unit()))
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    async def _arrived(self, message: bytes) -> None:
        origin, _, rest = message.decode(errors="replace").partition(_GAP)
        name, gap, payload = rest.partition(_GAP)
        if gap and origin != self._origin:  # our own have been struck when they were rung
            await self._strike(name, payload)

    async def _strike(self, name: str, payload: str) -> None:
        for heard in list(self._listeners.get(name, ())):
            try:
                await heard(payload)
            except Exception as problem:  # one listener's fault silences no other
                _warn("bell_listener_failed", name, problem)


def _warn(event: str, bell: str, problem: Exception) -> None:
    error, at = where(problem)
    log.warning(event, bell=bell, error=error, at=at)
