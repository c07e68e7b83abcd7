"""Many processes ask for numbers of one small pool at once: nobody ever stands twice on a number."""

import asyncio
import json
import os
import random
import sys
from collections import Counter
from pathlib import Path

import pytest

from mutualaid.contacts import rules
from mutualaid.providers.numbers.fake import FakeNumbers
from mutualaid.services import Services
from tests.contacts.town import Town, check
from tests.figures import Figure

ROOT = Path(__file__).resolve().parents[2]
POOL = 10


@pytest.fixture
def dialect() -> str:
    return "postgresql"


async def _race(services: Services, folder: Path, *, requests: int, processes: int, seed: int) -> Counter[str]:
    """What came of `requests` random asks in a town of a fifth as many members, shared out among `processes`."""
    small = FakeNumbers(
        services.database, services.ring, services.settings.outbox_dir, pool=POOL, hook_token=services.hook_token
    )
    object.__setattr__(services, "numbers", small)
    town, dice = Town(services), random.Random(seed)
    people = [await town.member() for _ in range(max(4, requests // 5))]
    posts = [(person.id, await town.post(person)) for person in people]
    asked: list[list[str]] = []
    while len(asked) < requests:
        asker, (author, post) = dice.choice(people), dice.choice(posts)
        if asker.id != author:
            asked.append([asker.id, post])
    plans = [_written(folder / f"plan{n}.json", asked[n::processes]) for n in range(processes)]
    outcomes: Counter[str] = Counter()
    for told in await asyncio.gather(*(_process(services, plan) for plan in plans)):
        outcomes.update(told)
    await check(town)
    return outcomes


def _written(plan: Path, share: list[list[str]]) -> Path:
    plan.write_text(json.dumps(share))
    return plan


async def _process(services: Services, plan: Path) -> dict[str, int]:
    settings = services.settings
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("MUTUALAID_")},
        "MUTUALAID_DATA": str(settings.data),
        "MUTUALAID_DATABASE_URL": settings.database_url,
        "MUTUALAID_NOW_FILE": str(settings.now_file),
        "MUTUALAID_NUMBERS_POOL": str(POOL),
    }
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.contact_asker", str(plan)),
        cwd=ROOT,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await running.communicate()
    assert running.returncode == 0
    found: dict[str, int] = json.loads(out)
    return found


async def _judge(services: Services, outcomes: Counter[str], requests: int) -> dict[str, int]:
    """Every request has its answer; by our rows and by the provider's, as many pairs stand on the pool as were granted."""
    town = Town(services)
    assert sum(outcomes.values()) == requests
    granted = [lease for lease in await town.leases() if lease.state == "granted"]
    seats = await town.seats()
    double = len(seats) - len({(seat.x, seat.person_key) for seat in seats})
    busiest = max(Counter(seat.person_key for seat in seats).values())
    assert double == 0 and busiest <= POOL
    assert len(granted) == outcomes["granted"]
    assert (
        len(await town.numbers.bound()) == len(seats) // 2
    )  # no worker has let go of any: one for each pair and number
    assert max(Counter(lease.post_id for lease in granted).values()) <= rules.A_POST
    assert max(Counter(lease.asker_id for lease in granted).values()) <= rules.A_MEMBER
    print(f"contact race: {requests} requests, pool {POOL}: {dict(outcomes)}, double seats 0")
    return dict(outcomes)


async def test_two_processes_on_a_pool_of_ten_seat_nobody_twice(services: Services, tmp_path: Path) -> None:
    requests = 200

    outcomes = await _race(services, tmp_path, requests=requests, processes=2, seed=20230107)

    await _judge(services, outcomes, requests)
    assert outcomes["granted"] > requests // 5 < outcomes["released"]


@pytest.mark.deep("contact-race", requests=2_000, processes=4, pool=POOL, seed=20230107)
async def test_four_processes_seat_nobody_twice_at_full_size(
    services: Services, tmp_path: Path, figure: Figure
) -> None:
    outcomes = await _race(services, tmp_path, requests=2_000, processes=4, seed=20230107)

    figure.keep(double_seats=0, **await _judge(services, outcomes, 2_000))
