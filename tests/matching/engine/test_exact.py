"""The plan is the best there is: beside every plan there is, and beside another solver that goes tier by tier."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mutualaid.matching.engine import candidates, pricing, solver
from mutualaid.matching.engine.candidates import Edges, Ground
from mutualaid.matching.engine.network import Flow, Network
from mutualaid.matching.engine.plan import Plan
from mutualaid.matching.engine.problem import Column, Problem
from mutualaid.matching.engine.sweep import sweep
from tests.figures import Figure
from tests.matching.engine import oracle
from tests.matching.engine.market import Drawn, draw

PARTS = 20  # of the deep comparison with every plan, 1,000 markets each
SIZES = st.sampled_from((6, 5, 4, 3, 2, 1))
SEEDS = st.integers(0, 1 << 20)
EASY = settings(deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))


def small(seed: int, needs: int, offers: int) -> Problem:
    """A market close together: of one item, of two, or of three of which two may stand for each other."""
    return draw(seed, Drawn(needs, offers, km=0.8, items=(1, 2, 3)[seed % 3], rules=seed % 4 > 0))


def check_small(seed: int, needs: int, offers: int) -> Plan:
    problem = small(seed, needs, offers)
    plan = sweep(problem, tidy=False)
    assert plan.tiers == oracle.brute(problem)
    assert plan.report.certified
    return plan


@given(SEEDS, SIZES, SIZES)
@settings(EASY, max_examples=100)
def test_no_plan_of_six_needs_and_six_offers_is_better(seed: int, needs: int, offers: int) -> None:
    check_small(seed, needs, offers)


@pytest.mark.deep("matching_brute", n=1_000, parts=PARTS)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.timeout(3600)
def test_no_plan_is_better_twenty_thousand_times(part: int, figure: Figure) -> None:
    told = {"plans": 0, "units": 0}

    @given(SEEDS, SIZES, SIZES)
    @settings(EASY, max_examples=1_000)
    def every(seed: int, needs: int, offers: int) -> None:
        told["plans"] += 1
        told["units"] += check_small(seed + (part << 20), needs, offers).tiers.quantity

    every()
    assert told["plans"] >= 1_000
    figure.keep(plans=told["plans"], units=told["units"], worse=0)


def large(seed: int) -> Problem:
    """200 to 2,000 posts, four needs to an offer; every second market with every rule in play."""
    posts = int(np.random.default_rng(seed).integers(200, 2_001))
    return draw(seed, Drawn(posts * 4 // 5, posts // 5, km=2.0 + seed % 7, most=8, rules=seed % 2 == 0))


def check_large(seed: int) -> Plan:
    problem = large(seed)
    plan = sweep(problem, tidy=False)
    assert plan.tiers == oracle.by_tiers(problem)
    assert plan.report.certified
    return plan


@pytest.mark.parametrize("seed", range(3))
def test_another_solver_tier_by_tier_over_all_pairs_finds_the_same(seed: int) -> None:
    check_large(seed)


@pytest.mark.deep("matching_ortools", n=20, parts=10)
@pytest.mark.parametrize("part", range(10))
@pytest.mark.timeout(3600)
def test_another_solver_finds_the_same_two_hundred_times(part: int, figure: Figure) -> None:
    plans = [check_large(seed) for seed in range(20 * part, 20 * part + 20)]
    figure.keep(
        markets=len(plans),
        units=sum(plan.tiers.quantity for plan in plans),
        edges_added_by_pricing=sum(plan.report.added for plan in plans),
        different=0,
    )


def test_the_search_for_neighbours_may_be_as_short_as_one_since_prices_find_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nearest = candidates.nearest
    monkeypatch.setattr(candidates, "nearest", lambda ground, _k: nearest(ground, 1))
    plan = check_large(3)
    assert plan.report.added > 100
    assert plan.report.rounds > 2


def test_a_crowd_that_differs_only_in_whom_it_may_not_meet_leaves_room_for_its_surroundings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn = draw(2, Drawn(600, 300, km=3, items=1, rules=False))
    crowd = replace(drawn, offers=replace(drawn.offers, member=drawn.needs.member[:300]))  # who offers asks as well
    plan = sweep(crowd, tidy=False)
    monkeypatch.setattr(candidates, "few_of_each", lambda alike, _most: np.arange(len(alike)))
    nearest_only = sweep(crowd, tidy=False)
    assert plan.tiers == nearest_only.tiers
    assert plan.report.added * 2 < nearest_only.report.added


# ---- mistakes planted on purpose, that the checks above must find ------------------------------------------------


def _nothing_wanting(*_: object) -> tuple[Edges, Column]:
    empty = np.empty(0, np.int64)
    return (empty, empty, empty), empty


def _lighter(network: Network) -> Flow:
    """Solves as if a unit were worth a few metres only: the tiers run into each other."""
    few = Network(
        network.supply,
        network.needs,
        network.level_node,
        network.level_rank,
        network.level_quantity,
        network.offer,
        network.need,
        network.metres,
        weight=50,
    )
    return solver.exact(few)


def test_without_prices_the_comparison_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    nearest = candidates.nearest
    monkeypatch.setattr(candidates, "nearest", lambda ground, _k: nearest(ground, 2))
    monkeypatch.setattr(pricing, "wanting", _nothing_wanting)
    assert any(_differs(seed) for seed in range(4))


def test_with_too_small_a_weight_the_comparison_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solver, "proven", lambda network, flow: True)
    monkeypatch.setattr(pricing, "wanting", _nothing_wanting)
    assert any(
        sweep(large(seed), tidy=False, solve_one=_lighter).tiers != oracle.by_tiers(large(seed)) for seed in range(4)
    )


def test_with_a_rule_forgotten_the_comparison_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    lawful = Ground.lawful

    def lenient(ground: Ground, n: object, o: object) -> Edges:
        ground._problem.needs.ways[:] = 7
        return lawful(ground, n, o)  # type: ignore[arg-type]  # passed through

    monkeypatch.setattr(Ground, "lawful", lenient)
    assert any(_differs(seed) for seed in (0, 2, 4))


def _differs(seed: int) -> bool:
    problem = large(seed)
    return sweep(problem, tidy=False).tiers != oracle.by_tiers(large(seed))
