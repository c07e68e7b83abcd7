"""The planner's arithmetic against random contacts: first-fit never needs more, nobody does with less."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta
from math import ceil

import pytest

from mutualaid.contacts.planning import Plan
from tests.figures import Figure

DAY = timedelta(days=1)


def contacts(dice: random.Random, people: int, per_member: int, wanted: int) -> list[tuple[int, int]]:
    """Random pairs, a few persons in most of them (Zipf); nobody has more than `per_member`."""
    weights = [1 / (n + 1) ** dice.choice([0.0, 0.5, 1.0]) for n in range(people)]
    degree: Counter[int] = Counter()
    found: set[tuple[int, int]] = set()
    for a, b in zip(*(dice.choices(range(people), weights, k=wanted * 3) for _ in "ab"), strict=True):
        pair = (min(a, b), max(a, b))
        if a != b and pair not in found and max(degree[a], degree[b]) < per_member:
            found.add(pair)
            degree.update(pair)
        if len(found) == wanted:
            break
    return list(found)


def first_fit(pairs: list[tuple[int, int]], per_number: int) -> int:
    """How many numbers it uses."""
    on: dict[int, set[int]] = defaultdict(set)
    full: Counter[int] = Counter()
    for a, b in pairs:
        x = next(n for n in range(len(pairs)) if n not in on[a] and n not in on[b] and full[n] < per_number)
        on[a].add(x)
        on[b].add(x)
        full[x] += 1
    return len(full)


def judge(seed: int) -> tuple[Plan, int]:
    """One random graph: (what was planned for it without rests, what first-fit used); checked against both bounds."""
    dice = random.Random(seed)
    per_member, per_number = dice.randint(1, 8), dice.choice([3, 10, 50, 200])
    pairs = contacts(dice, dice.randint(4, 400), per_member, dice.randint(1, 800))
    busiest = max(Counter(person for pair in pairs for person in pair).values())
    plan = Plan(len(pairs), busiest, per_number, rest=timedelta())
    used = first_fit(pairs, per_number)
    assert plan.least <= used <= plan.certain(timedelta())
    return plan, used


class Days:
    """A town that lives for days: every day each asks for some contacts, which end after a day and then rest."""

    def __init__(self, seed: int, plan: Plan, people: int) -> None:
        self.dice, self.plan, self.people = random.Random(seed), plan, people
        self.used_at = dict.fromkeys(range(plan.numbers), -1)
        self.rests: dict[
            tuple[int, int], tuple[int, int]
        ] = {}  # (person, number) → day of the end, day of the rest's end
        self.refused = self.cut_short = self.given = 0

    def live(self, days: int) -> None:
        for day in range(days):
            full: Counter[int] = Counter()
            for a, b in self._asks():
                self._give(day, a, b, full)

    def _asks(self) -> Iterator[tuple[int, int]]:
        yield from contacts(self.dice, self.people, self.plan.per_member, self.plan.pairs)

    def _give(self, day: int, a: int, b: int, full: Counter[int]) -> None:
        room = [x for x in self.used_at if full[x] < self.plan.per_number]
        free = [x for x in room if self._free(day, a, x) and self._free(day, b, x)]
        if not free:  # cut one short that has rested a day: never one of yesterday's or of today's
            free = [x for x in room if max(self.rests.get((p, x), (-9, 0))[0] for p in (a, b)) + 1 <= day]
            self.cut_short += bool(free)
        if not free:
            self.refused += 1
            return
        x = min(free, key=lambda n: (self.used_at[n], n))
        self.used_at[x], self.given = day, self.given + 1
        full[x] += 1
        for person in (a, b):
            self.rests[person, x] = (day + 1, day + 1 + self.plan.rest // DAY)

    def _free(self, day: int, person: int, x: int) -> bool:
        return self.rests.get((person, x), (0, 0))[1] <= day


def town(seed: int) -> Days:
    dice = random.Random(seed)
    per_member, people = dice.randint(1, 5), dice.randint(10, 120)
    pairs = max(1, people * per_member // dice.randint(2, 6))
    days = Days(seed, Plan(pairs, per_member, dice.choice([5, 20, 200])), people)
    days.live(12)
    return days


@pytest.mark.parametrize("seed", range(4))
def test_first_fit_lies_between_what_is_needed_and_what_is_certain(seed: int) -> None:
    for n in range(10):
        judge(seed * 10 + n)


def test_in_a_pool_as_planned_nobody_is_refused_and_no_rest_is_shorter_than_a_day() -> None:
    lived = [town(seed) for seed in range(6)]

    assert sum(days.refused for days in lived) == 0 < sum(days.given for days in lived)


def test_with_a_third_of_the_plan_some_are_refused() -> None:
    """The check can fail."""
    days = Days(7, Plan(100, 5, 200), 40)
    days.used_at = dict.fromkeys(range(days.plan.numbers // 3), -1)
    days.live(5)

    assert days.refused > 0


@pytest.mark.deep("pool-plan", graphs=1_000, towns=200, seed=0)
def test_the_formula_holds_over_a_thousand_random_graphs(figure: Figure) -> None:
    judged = [judge(seed) for seed in range(1_000)]
    within = sum(used <= plan.usual for plan, used in judged)
    roomy = sum(used <= plan.roomy for plan, used in judged)
    lived = [town(seed) for seed in range(200)]
    refused = sum(days.refused for days in lived)
    assert refused == 0
    figure.keep(
        beyond_certain=0,
        below_least=0,
        within_usual=within / 1_000,
        within_usual_and_a_fifth=roomy / 1_000,
        contacts_given=sum(days.given for days in lived),
        contacts_refused=refused,
        rests_cut_short=sum(days.cut_short for days in lived),
    )


def test_the_shared_example_is_planned_as_it_was_worked_out() -> None:
    plan = Plan(pairs=20_000, per_member=5, per_number=200)

    assert (plan.least, plan.usual, plan.roomy, plan.numbers) == (100, 100, 120, 120)
    assert plan.kept(timedelta(days=7)) == 40 and plan.certain(timedelta(days=7)) == 178


def test_a_hub_needs_a_number_for_each_of_its_neighbours() -> None:
    assert Plan(pairs=30, per_member=30, per_number=200).least == 30


@pytest.mark.parametrize("pairs", [1, 199, 200, 201])
def test_what_a_number_carries_counts_from_the_first_pair_too_many(pairs: int) -> None:
    assert Plan(pairs, 1, 200).least == ceil(pairs / 200)


def test_the_reasons_end_in_what_is_needed() -> None:
    plan = Plan(pairs=100, per_member=5, per_number=200)

    assert plan.numbers in {number for number, _ in plan.reasons()}
    assert all("/" in why for _, why in plan.reasons())
