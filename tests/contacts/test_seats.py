"""Seats stay unique whatever happens: long random lives of a small town, seeded, checked after every step."""

import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime

import pytest

from mutualaid.contacts import rules
from mutualaid.contacts.errors import NumbersExhausted
from mutualaid.contacts.records import Lease
from mutualaid.kit import clock as kit_clock
from mutualaid.kit.errors import AidError
from mutualaid.members import blocks
from mutualaid.members.records import Principal
from mutualaid.providers.numbers.fake import FakeNumbers
from tests.contacts.town import Town, check
from tests.figures import Figure
from tests.moments import Clock

FAILURES = ("down", "broken", "pool_exhausted", "pair_conflict", "not_reported")


class Life:
    """A town of few people and fewer numbers."""

    def __init__(self, town: Town, clock: Clock, dice: random.Random) -> None:
        self.town, self.clock, self.dice = town, clock, dice
        self.people: list[Principal] = []
        self.posts: list[str] = []
        self.granted = 0
        self.cut_short = 0  # times that the judge saw a number given again within the week, and noted

    async def begin(self) -> None:
        services = self.town.services
        maker = FakeNumbers(services.database, services.ring, services.settings.outbox_dir, pool=4, hook_token="t")
        object.__setattr__(services, "numbers", maker)
        self.people = [await self.town.member() for _ in range(6)]
        self.posts = [await self.town.post(author) for author in self.people]

    async def step(self) -> None:
        deeds: list[tuple[int, Callable[[], Awaitable[None]]]] = [
            (8, self._call),
            (2, self._ask_only),
            (1, self._write),
            (3, self._release),
            (2, self._extend),
            (3, self._pass_time),
            (3, self.town.work),
            (1, self._renew_post),
            (1, self._fail),
        ]
        (deed,) = self.dice.choices([deed for _, deed in deeds], [weight for weight, _ in deeds])
        with suppress(AidError):  # refused: that is an answer, and nothing may have changed
            await deed()
        await check(self.town)
        await self._judge()

    async def _judge(self) -> None:
        """Whoever was given a number had not held it within the last seven days, except with the very same neighbour; or,
        where its rest was cut short and that was written down, within the last day.
        """
        called = [one for one in await self.town.leases() if one.x and one.channel == "call" and one.granted_at]
        for new in called:
            for old in called:
                pair, before = set(new.parties()), set(old.parties())
                if old.x != new.x or not pair & before or pair == before or _since(old) >= _since(new):
                    continue
                over = min(old.ended_at or old.expires_at, old.expires_at)
                if over + rules.QUARANTINE > _since(new):
                    assert over + rules.LEAST_REST <= _since(new), "a number was given again early"
                    again = [one.id for one in called if set(one.parties()) == before and one.x == old.x]
                    assert any([await self.town.deeds(id_, "contact.rest_cut_short") for id_ in again])
                    self.cut_short += 1

    def _someone(self) -> Principal:
        return self.dice.choice(self.people)

    async def _any_live(self) -> Lease | None:
        now = kit_clock.now()
        live = [
            one for one in await self.town.leases() if rules.shown_state(one.state, one.expires_at, now) == "granted"
        ]
        return self.dice.choice(live) if live else None

    async def _call(self) -> None:
        lease = await self.town.call(self._someone(), self.dice.choice(self.posts))
        self.granted += lease.state == "granted"

    async def _ask_only(self) -> None:
        await self.town.ask(self._someone(), self.dice.choice(self.posts))

    async def _write(self) -> None:
        await self.town.ask(self._someone(), self.dice.choice(self.posts), "words")

    async def _release(self) -> None:
        if lease := await self._any_live():
            await self.town.release(lease)

    async def _extend(self) -> None:
        if lease := await self._any_live():
            await self.town.extend(lease, self.dice.choice(lease.parties()))

    async def _pass_time(self) -> None:
        self.clock.advance(hours=self.dice.choice([0.01, 1, 23, 25, 24 * 7]))

    async def _renew_post(self) -> None:
        place = self.dice.randrange(len(self.people))
        await self.town.end_post(self.posts[place])
        self.posts[place] = await self.town.post(self.people[place])

    async def _fail(self) -> None:
        self.town.numbers.told.fail(self.dice.choice(FAILURES), times=1)


def _since(lease: Lease) -> datetime:
    return lease.granted_at or lease.asked_at


async def _live(town: Town, clock: Clock, seed: int, steps: int) -> Life:
    life = Life(town, clock, random.Random(seed))
    await life.begin()
    for _ in range(steps):
        await life.step()
    return life


@pytest.mark.parametrize("seed", [1, 2])
async def test_no_person_ever_stands_twice_on_a_number_nor_gets_it_back_early(
    town: Town, clock: Clock, seed: int
) -> None:
    life = await _live(town, clock, seed, steps=60)

    assert life.granted > 5, "a life in which nothing was granted shows nothing"


@pytest.mark.deep("contact-seats", steps=2_000, seeds=5)
async def test_the_same_over_long_lives(town: Town, clock: Clock, figure: Figure) -> None:
    granted = cut_short = 0
    for seed in range(5):
        life = await _live(town, clock, seed, steps=400)
        granted, cut_short = granted + life.granted, cut_short + (life.cut_short > 0)
    assert cut_short, "lives in which no rest was cut short show little"
    figure.keep(granted=granted, lives_with_rests_cut_short=cut_short, early_reuses=0, double_seats=0)


async def test_a_blocked_pair_does_not_get_its_number_back(town: Town) -> None:
    a, b = await town.member(), await town.member()
    lease = await town.call(a, await town.post(b))
    async with town.services.database.transaction() as session:
        await blocks.block(session, b.id, a.id, kit_clock.now())
    await town.work()

    for asker, author in ((a, b), (b, a)):
        with pytest.raises(AidError):
            await town.ask(asker, await town.post(author))
    assert {seat.lease_id for seat in await town.seats()} == {lease.id}


async def test_a_hub_needs_as_many_numbers_as_it_has_neighbours(town: Town) -> None:
    services = town.services
    maker = FakeNumbers(services.database, services.ring, services.settings.outbox_dir, pool=3, hook_token="t")
    object.__setattr__(services, "numbers", maker)
    hub = await town.member()

    for _ in range(3):
        await town.call(await town.member(), await town.post(hub))
    with pytest.raises(NumbersExhausted):
        await town.ask(await town.member(), await town.post(hub))
    await check(town)
