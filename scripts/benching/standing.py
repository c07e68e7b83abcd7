"""What the plaza in memory costs: octets, how long it takes to make and to renew, how long the loop stands still
meanwhile, and how far behind it is while others write."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Final

from sqlalchemy import text

from benching.home import Pair
from mutualaid.app import collect_seldom
from mutualaid.kit import tasks
from mutualaid.posts.index.feed import feed_of
from mutualaid.posts.index.follower import Follower
from mutualaid.posts.index.standing import Standing

A_SECOND: Final = 500
_TICK_S: Final = 0.001
_ASKED_EVERY_S: Final = 0.005
_HERE: Final = Path(__file__).resolve().parent.parent

Look = Callable[[], Awaitable[float]]


@dataclass(frozen=True, slots=True)
class Cost:
    """Octets in its arrays; seconds to make it from the tables and to renew it; the longest that the loop stood still during
    each, ms. While `written` changes a second come: how long a reader waits for it to catch up, ms; and the longest that
    it was behind where nobody read, s."""

    octets: int
    made_s: float
    made_stall_ms: float
    renewed_s: float
    renewed_stall_ms: float
    written: float
    caught_up_p50_ms: float
    caught_up_p99_ms: float
    behind_s: float


class Stall:
    """The longest time between two turns of the loop."""

    def __init__(self) -> None:
        self.longest_s = 0.0

    async def watch(self) -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(_TICK_S)
            now = time.perf_counter()
            self.longest_s = max(self.longest_s, now - last - _TICK_S)
            last = now


@asynccontextmanager
async def watched() -> AsyncIterator[Stall]:
    stall = Stall()
    watching = asyncio.create_task(stall.watch())
    try:
        yield stall
    finally:
        await tasks.end(watching)


async def measure(pair: Pair, *, seconds: float) -> Cost:
    """Of one database, from nothing; as in a service, it is open before: whoever opens SQLite first recovers its log."""
    collect_seldom()  # as a process that serves: else the longest standstill is looking for rubbish in circles
    async with pair.ours() as database, database.connected() as open_before:
        await open_before.execute(text("SELECT max(id) FROM plaza_changes"))
        await open_before.rollback()
        follower = Follower(feed_of(database), least=0, waits=database.dialect == "postgresql")
        following = asyncio.create_task(follower.run())
        try:
            async with watched() as making:
                standing, made_s = await _timed(follower, None)
            async with watched() as renewing:
                follower.renew()
                standing, renewed_s = await _timed(follower, standing)
            written, waited = await _while_writing(pair, seconds, lambda: _asking(follower))
            _, behind = await _while_writing(pair, seconds, lambda: _looking(follower))
        finally:
            await tasks.end(following)
            await follower.close()
    cuts = quantiles(waited, n=100)
    return Cost(
        octets=standing.octets,
        made_s=made_s,
        made_stall_ms=making.longest_s * 1000,
        renewed_s=renewed_s,
        renewed_stall_ms=renewing.longest_s * 1000,
        written=written,
        caught_up_p50_ms=cuts[49] * 1000,
        caught_up_p99_ms=cuts[98] * 1000,
        behind_s=max(behind),
    )


async def _timed(follower: Follower, before: Standing | None) -> tuple[Standing, float]:
    """Until another index stands than before."""
    begun = time.perf_counter()
    while (found := await follower.caught_up()) is None or found is before:
        follower.wake()
        await asyncio.sleep(0.02)
    return found, time.perf_counter() - begun


async def _while_writing(pair: Pair, seconds: float, look: Look) -> tuple[float, list[float]]:
    """(changes a second, what was seen) while a process beside this one writes."""
    words = [sys.executable, "-m", "benching.writing", pair.url, str(A_SECOND), str(seconds)]
    writer = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE, cwd=_HERE)
    over, seen = asyncio.create_task(writer.communicate()), []
    while not over.done():
        seen.append(await look())
        await asyncio.sleep(_ASKED_EVERY_S)
    told = (await over)[0]
    return int(told) / seconds, seen


async def _asking(follower: Follower) -> float:
    begun = time.perf_counter()
    await follower.caught_up()
    return time.perf_counter() - begun


async def _looking(follower: Follower) -> float:
    return follower.staleness_s
