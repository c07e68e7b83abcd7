"""Many processes ask for numbers of one small pool at once: nobody ever stands twice on a number.

The cache they share is killed, flushed and put back to an old state meanwhile: it holds nothing of the truth.
"""

import asyncio
import json
import os
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mutualaid.contacts import rules
from mutualaid.kit import tasks
from mutualaid.kit.cache import Cache, open_cache
from mutualaid.providers.numbers.fake import FakeNumbers
from mutualaid.services import Services
from tests import servers
from tests.contacts.town import Town, check
from tests.figures import Figure

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Race:
    """`people`: each has a post. Every `bound`-th request goes to the provider, every `kept`-th contact stays."""

    requests: int
    processes: int
    pool: int
    people: int
    seed: int
    bound: int = 1
    kept: int = 2


SMALL = Race(requests=150, processes=2, pool=10, people=40, seed=20230107)
PART = Race(requests=5_000, processes=8, pool=50, people=150, seed=0, bound=4, kept=16)


@pytest.fixture
def dialect() -> str:
    return "postgresql"


async def run(services: Services, folder: Path, race: Race, *, redis_url: str = "memory://") -> Counter[str]:
    """What came of random asks, shared out among processes; checked by our rows and by the provider's."""
    maker = FakeNumbers(
        services.database, services.ring, services.settings.outbox_dir, pool=race.pool, hook_token=services.hook_token
    )
    object.__setattr__(services, "numbers", maker)
    town, dice = Town(services), random.Random(race.seed)
    people = [await town.member() for _ in range(race.people)]
    posts = [(person.id, await town.post(person)) for person in people]
    asked: list[list[str]] = []
    while len(asked) < race.requests:
        asker, (author, post) = dice.choice(people), dice.choice(posts)
        if asker.id != author:
            asked.append([asker.id, post])
    plans = [_written(folder / f"plan{n}.json", asked[n :: race.processes]) for n in range(race.processes)]
    outcomes: Counter[str] = Counter()
    for told in await asyncio.gather(*(_process(services, race, plan, redis_url) for plan in plans)):
        outcomes.update(told)
    await _judge(town, outcomes, race)
    return outcomes


def _written(plan: Path, share: list[list[str]]) -> Path:
    plan.write_text(json.dumps(share))
    return plan


async def _process(services: Services, race: Race, plan: Path, redis_url: str) -> dict[str, int]:
    settings = services.settings
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("MUTUALAID_")},
        "MUTUALAID_DATA": str(settings.data),
        "MUTUALAID_DATABASE_URL": settings.database_url,
        "MUTUALAID_REDIS_URL": redis_url,
        "MUTUALAID_NOW_FILE": str(settings.now_file),
        "MUTUALAID_NUMBERS_POOL": str(race.pool),
    }
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.contact_asker", str(plan), str(race.bound), str(race.kept)),
        cwd=ROOT,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        preexec_fn=servers.end_with_parent(),
    )
    out, _ = await running.communicate()
    assert running.returncode == 0
    found: dict[str, int] = json.loads(out)
    return found


async def _judge(town: Town, outcomes: Counter[str], race: Race) -> None:
    """Every request has its answer; by our rows and by the provider's, as many pairs stand on the pool as were granted."""
    await check(town)
    assert sum(outcomes.values()) == race.requests
    leases, seats = await town.leases(), await town.seats()
    granted = [lease for lease in leases if lease.state == "granted"]
    assert len(seats) == len({(seat.x, seat.person_key) for seat in seats}), "bound twice"
    assert max(Counter(seat.person_key for seat in seats).values()) <= race.pool
    assert len(granted) == outcomes["granted"]
    assert max(Counter(lease.post_id for lease in leases if lease.state in rules.LIVE).values()) <= rules.A_POST
    assert max(Counter(lease.asker_id for lease in leases if lease.state in rules.LIVE).values()) <= rules.A_MEMBER
    held = {binding.key for binding in await town.numbers.bound()}
    assert {lease.binding_key for lease in granted} <= held  # no worker has let go of the others yet


_LOOKS = 10  # at the cache, before it is flushed


class Chaos:
    """A cache that is killed, flushed, and put back to an old state, again and again."""

    def __init__(self, server: servers.ValkeyServer) -> None:
        self.kills = self.flushes = self.rollbacks = 0
        self._server = server

    async def reign(self, pause_s: float) -> None:
        old: dict[bytes, bytes] = {}
        while True:
            async with _opened(self._server) as cache:
                looks = 0
                while looks < _LOOKS or not old:  # what is kept lives for a moment only: the last that was seen of it
                    await asyncio.sleep(pause_s / _LOOKS)
                    old, looks = await _copy(cache) or old, looks + 1
                await cache.command("FLUSHALL")
                self.flushes += 1
                await asyncio.sleep(pause_s)
                for key, value in old.items():
                    await cache.command("RESTORE", key, 0, value, "REPLACE")
                self.rollbacks += bool(old)
            await asyncio.sleep(pause_s)
            self._server.kill()
            await asyncio.sleep(pause_s)
            self._server.start()  # it answers when this returns
            self.kills += 1


@asynccontextmanager
async def _opened(server: servers.ValkeyServer) -> AsyncIterator[Cache]:
    cache = await open_cache(server.url, patience_s=30)  # who makes the chaos does not fall for it
    try:
        yield cache
    finally:
        await cache.close()


async def _copy(cache: Cache) -> dict[bytes, bytes]:
    found = {key: await cache.command("DUMP", key) for key in await cache.command("KEYS", "*")}
    return {key: value for key, value in found.items() if value is not None}


@asynccontextmanager
async def a_cache_in_chaos(pause_s: float) -> AsyncIterator[tuple[Chaos, str]]:
    with servers.valkey() as server:
        chaos = Chaos(server)
        reign = asyncio.create_task(chaos.reign(pause_s))
        try:
            yield chaos, server.url
            assert not reign.done(), "the chaos itself ended"
        finally:
            await tasks.end(reign)


async def test_two_processes_on_a_pool_of_ten_seat_nobody_twice(services: Services, tmp_path: Path) -> None:
    async with a_cache_in_chaos(pause_s=0.4) as (chaos, url):
        outcomes = await run(services, tmp_path, SMALL, redis_url=url)

    assert outcomes["granted"] > SMALL.requests // 5 < outcomes["released"]
    assert min(chaos.kills, chaos.flushes, chaos.rollbacks) > 0, "the cache was left in peace"


@pytest.mark.deep("contact-race", requests=5_000, of=100_000, processes=8, pool=50)
@pytest.mark.parametrize("part", range(20))
async def test_eight_processes_seat_nobody_twice_at_full_size(
    services: Services, tmp_path: Path, figure: Figure, part: int
) -> None:
    """A hundred thousand requests in twenty parts, which need not be run at one time."""
    async with a_cache_in_chaos(pause_s=1.0) as (chaos, url):
        outcomes = await run(services, tmp_path, replace(PART, seed=20230107 + part), redis_url=url)

    figure.keep(
        double_bindings=0, kills=chaos.kills, flushes=chaos.flushes, rollbacks=chaos.rollbacks, **dict(outcomes)
    )
