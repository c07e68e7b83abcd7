"""Whoever dies or sleeps between asking and the end of a contact: afterwards the provider and the rows agree, and nothing
that was overtaken is written."""

import random
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mutualaid.contacts.records import Lease
from mutualaid.kit.settings import Settings
from mutualaid.services import Services
from tests.contacts.town import Town, check
from tests.faults.contact_lives import STEPS
from tests.faults.other_lives import AtProvider, Bound, Lives, a_pair, agree, other_process, people
from tests.figures import Figure
from tests.moments import Clock

STOPS = ("asked", "before bind", "after bind", "granted", "extended", "before renew", "after renew", "before unbind")


@pytest.fixture
def dialect() -> str:
    return "postgresql"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Two numbers, so that one is soon given out again."""
    return settings.model_copy(update={"numbers_pool": 2})


@pytest.fixture
def town(services: Services) -> Town:
    return Town(services)


@pytest.fixture
async def lives(services: Services) -> AsyncIterator[Lives]:
    async with other_process(services) as found:
        yield found


def at_fake(town: Town) -> AtProvider:
    async def held() -> list[Bound]:
        await check(town)
        leases = {lease.binding_key: lease for lease in await town.leases()}
        bound = await town.numbers.bound()  # it knows no phones; whose they are, our rows say
        return [(one.x, people(town, leases[one.key]), one.expires_at.replace(microsecond=0)) for one in bound]

    return held


async def test_a_process_killed_at_any_step_leaves_nothing_that_is_not_mended(
    town: Town, lives: Lives, clock: Clock
) -> None:
    ends = [await lives.ask(**await a_pair(town), step=step, how="kill") for step in STEPS]

    assert [end["end"] for end in ends] == ["killed"] * len(STEPS)
    clock.advance(minutes=3)  # past what a door or a worker would wait
    assert await agree(town, at_fake(town)) == len(STEPS)


async def _overtaken(town: Town, lives: Lives, clock: Clock, step: str) -> None:
    """It sleeps at this step until its lease is over and its number was given to others; then it wakes."""
    pair = await a_pair(town)
    asleep = await lives.ask(**pair, step=step, how="stop")
    assert asleep["end"] == "stopped"
    (lease,) = [one for one in await town.leases() if one.asker_id == pair["asker"]]
    clock.advance(days=10)
    await town.work()
    after = await _newcomers(town, lease)
    before = _row(await town.lease(lease.id))

    await lives.ask(resume=asleep["pid"])

    assert _row(await town.lease(lease.id)) == before, f"a stale write after {step!r}"
    assert _row(await town.lease(after.id)) == _row(after)
    await agree(town, at_fake(town))
    assert _row(await town.lease(lease.id)) == before


async def _newcomers(town: Town, old: Lease) -> Lease:
    """The same asker with somebody else, on the sleeper's number."""
    for _ in range(len(town.numbers.pool)):
        lease = await town.call(await town.member(), await town.post(await town.member()))
        if lease.x == old.x:
            return lease
    raise AssertionError("the number was never given out again")


def _row(lease: Lease) -> dict[str, Any]:
    return {name: value for name, value in vars(lease).items() if not name.startswith("_")}


async def test_a_process_stopped_past_its_lease_writes_nothing_stale(town: Town, lives: Lives, clock: Clock) -> None:
    for step in ("after bind", "extended"):
        await _overtaken(town, lives, clock, step)


@pytest.mark.deep("contact-kills", kills=240, seed=20230107)
async def test_two_hundred_and_forty_random_kills(town: Town, lives: Lives, clock: Clock, figure: Figure) -> None:
    dice = random.Random(20230107)
    ends: Counter[str] = Counter()
    for n in range(240):
        how = {"after_ms": dice.uniform(0, 700)} if n % 2 else {"step": dice.choice(STEPS), "how": "kill"}
        ends[str((await lives.ask(**await a_pair(town), **how))["end"])] += 1
        if n % 20 == 19:
            clock.advance(minutes=3)
            await agree(town, at_fake(town))
    leases = await agree(town, at_fake(town))
    figure.keep(killed=ends["killed"], ended_before=ends["0"], leases=leases, leaked_numbers=0, disagreements=0)


@pytest.mark.deep("contact-stops", stops=120, seed=20230107)
async def test_a_hundred_and_twenty_stops(town: Town, lives: Lives, clock: Clock, figure: Figure) -> None:
    dice, steps = random.Random(20230107), Counter[str]()
    for _ in range(120):
        step = dice.choice(STOPS)
        steps[step] += 1
        await _overtaken(town, lives, clock, step)
    figure.keep(stale_writes=0, at_each_step=dict(sorted((step, float(n)) for step, n in steps.items())))
