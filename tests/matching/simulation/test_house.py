"""Every policy in the house: what must hold after each event, whatever they propose."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from itertools import combinations, product
from typing import Any

import pytest

from mutualaid.matching.rules import RESTS
from mutualaid.matching.simulation import clairvoyant
from mutualaid.matching.simulation.city import City, Poster, draw
from mutualaid.matching.simulation.house import OPEN, House, Match, Policy
from mutualaid.matching.simulation.others import Greedy, Plaza
from mutualaid.matching.simulation.ours import Ours
from mutualaid.matching.simulation.parameters import Parameters
from mutualaid.matching.simulation.people import People
from mutualaid.posts.rules import Kind

CITY = draw(7, Parameters(days=2, needs_a_day=24))
POLICIES: tuple[Callable[[], Policy], ...] = (Ours, Greedy, Plaza)


class Noting(People):
    """Notes how each coin fell."""

    fell: dict[tuple[Any, ...], Any]

    def __init__(self, city: City) -> None:
        super().__init__(city)
        object.__setattr__(self, "fell", {})

    def declines(self, who: Poster, other: Poster) -> Any:
        return self._note(super().declines(who, other), "declines", who.id, other.id)

    def comes(self, who: Poster, other: Poster) -> Any:
        return self._note(super().comes(who, other), "comes", who.id, other.id)

    def answers_after(self, who: Poster, other: Poster, turn: int) -> Any:
        return self._note(super().answers_after(who, other, turn), "answers", who.id, other.id, turn)

    def _note(self, fell: Any, *coin: Any) -> Any:
        self.fell[coin] = fell
        return fell


class Watched(House):
    """Looks at everything after each event."""

    def __init__(self, city: City, policy: Policy) -> None:
        super().__init__(city, policy)
        self.people = self.noting = Noting(city)
        self.checks = 0
        self.before: list[str | None] = []  # the state of each pair's last match when it was brought together
        self.fixed: dict[int, tuple[Match, int]] = {}  # a match and its quantity, since somebody accepted it

    def propose(self, need: Poster, offer: Poster, quantity: int, *, by: Kind | None = None) -> Match:
        last = self.last.get((need.id, offer.id))
        self.before.append(last.state if last else None)
        return super().propose(need, offer, quantity, by=by)

    def _at(self, at: datetime, deed: Callable[[], None]) -> None:
        def then_checked() -> None:
            deed()
            self._check()

        super()._at(at, then_checked)

    def _check(self) -> None:
        self.checks += 1
        used: Counter[str] = Counter()
        for match in self.live.values():
            assert match.state in (*OPEN, "agreed")
            assert match.quantity > 0
            if match.kept:
                used.update(dict.fromkeys(match.pair, match.quantity))
            if match.accepted and match.kept:
                self.fixed.setdefault(id(match), (match, match.quantity))
        for given in self.given:
            used.update({given.need.id: given.quantity})
            used.update({given.offer.id: given.quantity})
        for post_id, free in self.free.items():
            assert free == self.posters[post_id].quantity - used[post_id] >= 0
        for match, quantity in self.fixed.values():
            assert match.quantity == quantity
            assert match.state != "withdrawn"


@lru_cache
def watched(policy: Callable[[], Policy]) -> Watched:
    house = Watched(CITY, policy())
    house.run()
    return house


@pytest.mark.parametrize("policy", POLICIES)
def test_no_line_is_over_its_quantity_and_nothing_accepted_is_moved(policy: Callable[[], Policy]) -> None:
    house = watched(policy)

    assert house.checks > 200
    assert house.given and house.fixed
    assert not house.open and not house.live


@pytest.mark.parametrize("policy", POLICIES)
def test_the_same_seed_gives_the_same_run(policy: Callable[[], Policy]) -> None:
    assert House(CITY, policy()).run().given == watched(policy).given


@pytest.mark.parametrize("policy", POLICIES)
def test_what_is_handed_over_was_possible_and_never_exceeds_the_clairvoyant(policy: Callable[[], Policy]) -> None:
    given, people = watched(policy).given, People(CITY)

    assert all(clairvoyant.possible(people, each.need, each.offer) for each in given)
    assert 0 < sum(each.quantity for each in given) <= clairvoyant.best(CITY).tiers.quantity


def test_the_same_coins_fall_alike_for_every_policy() -> None:
    for one, other in combinations((watched(policy).noting.fell for policy in POLICIES), 2):
        both = one.keys() & other.keys()
        assert {coin[0] for coin in both} == {"declines", "comes", "answers"}
        assert all(one[coin] == other[coin] for coin in both)


@pytest.mark.parametrize("policy", POLICIES)
def test_pairs_that_declined_or_failed_never_return(policy: Callable[[], Policy]) -> None:
    house = watched(policy)

    assert {match.state for match in house.last.values()} >= {"completed", "declined"}
    assert set(house.before) <= {None, "lapsed", "withdrawn", "completed"}


def test_what_was_met_in_part_may_be_met_for_the_rest() -> None:
    assert "completed" in watched(Ours).before


def two_who_could_meet() -> tuple[House, Poster, Poster]:
    """Of a house that brings nobody together by itself."""
    house = House(CITY, Plaza())
    house.open = dict(house.posters)
    pairs = product(CITY.of("need"), CITY.of("offer"))
    return house, *next((need, offer) for need, offer in pairs if not need.urgent and house.possible(need, offer))


def test_a_pair_that_was_silent_returns_at_once_and_from_the_second_time_on_rests() -> None:
    house, need, offer = two_who_could_meet()

    house.lapse(house.propose(need, offer, 1))
    assert house.possible(need, offer)
    house.lapse(house.propose(need, offer, 1))
    assert not house.possible(need, offer)
    house.now += RESTS
    assert house.possible(need, offer)


def test_only_a_silent_offer_has_passed_a_need_over() -> None:
    house, need, offer = two_who_could_meet()
    match = house.propose(need, offer, 1)
    match.accepted.add("offer")

    house.lapse(match)
    assert not house.passed[need.id]
    house.lapse(house.propose(need, offer, 1))
    assert house.passed[need.id] == 1


def test_ours_moves_what_nobody_has_answered_and_brings_lapsed_pairs_back() -> None:
    assert {"lapsed", "withdrawn"} <= set(watched(Ours).before) | {m.state for m in watched(Ours).last.values()}
