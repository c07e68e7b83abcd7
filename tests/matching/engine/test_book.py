"""One post more or less: the plan stays lawful, what is agreed stays put, and a whole sweep finds nothing to better."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mutualaid.matching.engine.book import Book
from mutualaid.matching.engine.problem import NOWHERE, Needs, Offers, Problem
from mutualaid.matching.engine.residual import Moves, Residual
from mutualaid.matching.engine.sweep import settle, sweep
from tests.matching.engine.market import Drawn, draw
from tests.matching.engine.test_feasible import check


def one(lines: Any, row: int) -> Any:
    """This row alone."""
    return lines.take(np.array([row]))


def split(problem: Problem, since: int) -> tuple[Problem, list[Needs | Offers]]:
    """(the market without its last lines, those lines: needs and offers in turn)."""
    needs, offers = problem.needs, problem.offers
    first = replace(
        problem,
        needs=needs.take(np.arange(len(needs) - since)),
        offers=offers.take(np.arange(len(offers) - since)),
    )
    late: list[Needs | Offers] = []
    for k in range(since, 0, -1):
        late += [one(needs, len(needs) - k), one(offers, len(offers) - k)]
    return first, late


def arrive(book: Book, line: Needs | Offers) -> tuple[int, Moves]:
    return book.arrive_need(line) if isinstance(line, Needs) else book.arrive_offer(line)


@pytest.mark.parametrize("seed", range(4))
def test_after_forty_arrivals_a_sweep_finds_nothing_to_better(seed: int) -> None:
    problem = draw(seed, Drawn(260, 80, km=2.5, most=8, rules=seed % 2 == 0))
    first, late = split(problem, 20)
    settled = settle(first)
    book = Book(first, settled)
    for line in late:
        arrive(book, line)
    plan, best = book.plan(), sweep(book.problem(), tidy=False)
    check(book.problem(), plan)
    assert plan.tiers[:3] == best.tiers[:3]
    assert (
        plan.tiers.metres - best.tiers.metres <= 0.005 * best.tiers.metres
    )  # what is asked of the way at equal quantity
    assert best.tiers != settled.plan.tiers


def test_the_moves_told_are_what_became_of_the_plan() -> None:
    first, late = split(draw(4, Drawn(200, 60, km=2.0, most=8)), 15)
    book = Book(first, settle(first))
    held = _held(book)
    for line in late:
        for pair, units in arrive(book, line)[1].items():
            held[pair] = held.get(pair, 0) + units
    assert {pair: units for pair, units in held.items() if units} == _held(book)


def test_an_offer_that_comes_back_restores_the_plan() -> None:
    first, _ = split(draw(8, Drawn(120, 40, km=1.5, most=8, rules=False)), 5)
    book = Book(first, settle(first))
    before = book.plan().tiers
    busiest = int(book.plan().offer[0])
    book.leave_offer(busiest)
    assert book.plan().tiers.better() < before.better()
    book.arrive_offer(one(first.offers, busiest))
    assert book.plan().tiers[:3] == before[:3]


def test_what_is_agreed_is_no_longer_planned_and_never_moved() -> None:
    first, late = split(draw(2, Drawn(120, 40, km=1.5, most=8)), 10)
    book = Book(first, settle(first))
    plan = book.plan()
    need, offer, units = int(plan.need[0]), int(plan.offer[0]), int(plan.quantity[0])
    book.fix(need, offer, units)
    for line in late:
        assert (need, offer) not in arrive(book, line)[1]
    assert (need, offer) not in _held(book)
    with pytest.raises(ValueError, match="not planned"):
        book.fix(need, offer, 1)


def test_a_line_that_makes_no_sense_is_refused_by_name() -> None:
    first, late = split(draw(2, Drawn(20, 20)), 1)
    book = Book(first, settle(first))
    for line, why in (
        (replace(late[0], lat=np.array([NOWHERE])), "place_missing"),
        (replace(late[1], item=np.array([99])), "item_unknown"),
    ):
        with pytest.raises(ValueError, match=why):
            arrive(book, line)


def _held(book: Book) -> dict[tuple[int, int], int]:
    plan = book.plan()
    return dict(zip(zip(plan.need.tolist(), plan.offer.tolist(), strict=True), plan.quantity.tolist(), strict=True))


@pytest.mark.parametrize("mistake", ["serve", "give"])
def test_a_book_that_forgets_to_search_is_found(mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Residual, mistake, lambda *_: None)
    with pytest.raises(AssertionError):
        test_after_forty_arrivals_a_sweep_finds_nothing_to_better(1)


# ---- anything in any order ---------------------------------------------------------------------------------------


class AnyOrder(RuleBasedStateMachine):
    """Arrivals, ends, declines and agreements, as they come."""

    @initialize(seed=st.integers(0, 1 << 30))
    def begin(self, seed: int) -> None:
        drawn = draw(seed, Drawn(24, 16, km=0.8, most=4, items=3, rules=seed % 2 == 0))
        own = replace(
            drawn,  # each line a post of its own, so that whoever declines a line declines that line only
            needs=replace(drawn.needs, post=np.arange(24)),
            offers=replace(drawn.offers, post=np.arange(16)),
            items=replace(
                drawn.items, least=np.ones(5, np.int64)
            ),  # a book's edges know what lines held when they came
        )
        first, self.late = split(own, 12)
        self.book = Book(first, settle(first))
        self.gone: tuple[set[int], set[int]] = (set(), set())
        self.apart: set[tuple[int, int]] = set()
        self.agreed: list[tuple[int, int, int]] = []

    @rule()
    def a_post_comes(self) -> None:
        if self.late:
            arrive(self.book, self.late.pop())

    @rule(k=st.integers(0, 99))
    def a_need_ends(self, k: int) -> None:
        line = k % len(self.book.problem().needs)
        self.book.leave_need(line)
        self.gone[0].add(line)

    @rule(k=st.integers(0, 99))
    def an_offer_ends(self, k: int) -> None:
        line = k % len(self.book.problem().offers)
        self.book.leave_offer(line)
        self.gone[1].add(line)

    @rule(k=st.integers(0, 99))
    def somebody_declines(self, k: int) -> None:
        if pair := self._some(k):
            self.book.part(*pair[:2])
            self.apart.add(pair[:2])

    @rule(k=st.integers(0, 99))
    def two_agree(self, k: int) -> None:
        if pair := self._some(k):
            self.book.fix(*pair)
            self.agreed.append(pair)

    def _some(self, k: int) -> tuple[int, int, int] | None:
        held = [(need, offer, units) for (need, offer), units in _held(self.book).items()]
        return held[k % len(held)] if held else None

    @invariant()
    def no_plan_is_better(self) -> None:
        if not hasattr(self, "book"):
            return
        plan, left = self.book.plan(), self._left()
        check(left, plan)
        assert not self.apart & set(_held(self.book))
        assert plan.tiers[:3] == sweep(left, tidy=False).tiers[:3]

    def _left(self) -> Problem:
        """What ends, declines and agreements leave to plan with."""
        problem = self.book.problem()
        needs, offers = problem.needs, problem.offers
        asks, has = needs.quantity.copy(), offers.quantity.copy()
        for need, offer, units in self.agreed:
            asks[need] -= units
            has[offer] -= units
        asks[list(self.gone[0])], has[list(self.gone[1])] = 0, 0
        apart = np.array(sorted(self.apart), np.int64).reshape(-1, 2)
        barred = np.column_stack((needs.post[apart[:, 0]], offers.post[apart[:, 1]]))
        return replace(
            problem,
            needs=replace(needs, quantity=asks),
            offers=replace(offers, quantity=has),
            barred_posts=np.concatenate((problem.barred_posts, barred)),
        )


AnyOrderTest = AnyOrder.TestCase
AnyOrderTest.settings = settings(
    max_examples=8, stateful_step_count=15, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
