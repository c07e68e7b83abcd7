"""Every pair of a plan is lawful and no line gives or gets more than it has; bad rows and bad solvers stop nobody."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from mutualaid.matching.engine import apart, legal, parts, solver
from mutualaid.matching.engine.checking import counted
from mutualaid.matching.engine.network import Flow, Network
from mutualaid.matching.engine.plan import Plan
from mutualaid.matching.engine.problem import NO_ITEM, NOWHERE, Problem
from mutualaid.matching.engine.sweep import sweep, tiers
from tests.matching.engine import oracle
from tests.matching.engine.market import NOW, Drawn, draw

MARKET = Drawn(300, 80, km=3.0, most=8)


def check(problem: Problem, plan: Plan) -> None:
    """Lawful, within what each line holds, each pair once, and the totals are what the rows come to."""
    given, got = np.zeros(len(problem.offers), np.int64), np.zeros(len(problem.needs), np.int64)
    np.add.at(given, plan.offer, plan.quantity)
    np.add.at(got, plan.need, plan.quantity)
    assert (plan.quantity > 0).all()
    assert (given <= np.maximum(problem.offers.quantity, 0)).all()
    assert (got <= np.maximum(problem.needs.quantity, 0)).all()
    pairs = list(zip(plan.need.tolist(), plan.offer.tolist(), strict=True))
    assert pairs == sorted(set(pairs))
    for need, offer in pairs:
        assert legal.explain(problem, need, offer).eligible
    assert plan.tiers == tiers(problem, plan.need, plan.quantity, plan.metres)


@pytest.mark.parametrize("seed", range(3))
def test_every_pair_is_lawful_and_no_line_gives_more_than_it_has(seed: int) -> None:
    problem = draw(seed, MARKET)
    plan = sweep(problem)
    check(problem, plan)
    assert plan.tiers.quantity > 50


def test_an_empty_market_has_an_empty_plan() -> None:
    for how in (Drawn(0, 0), Drawn(5, 0), Drawn(0, 5)):
        plan = sweep(draw(1, how))
        assert len(plan.need) == 0
        assert plan.report.certified


async def test_equal_problems_give_equal_plans_in_any_number_of_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = draw(7, replace(MARKET, km=200.0))
    here = sweep(problem)
    there = await apart.sweep(problem, processes=2)
    for name in ("need", "offer", "quantity", "metres"):
        assert getattr(here, name).tolist() == getattr(there, name).tolist()
    assert here.tiers == there.tiers


def test_rows_that_make_no_sense_are_left_out_counted_and_named() -> None:
    problem = draw(3, MARKET)
    needs, offers = problem.needs, problem.offers
    needs.quantity[0], needs.quantity[1], needs.item[2], needs.lat[3], needs.until[4] = -1, 0, NO_ITEM, NOWHERE, NOW
    needs.reach[5] = 1 << 62
    offers.item[0], offers.reach[1], offers.schedule[2], offers.lng[3], offers.quantity[4] = 99, -5, 77, NOWHERE, -3
    plan = sweep(problem)
    assert plan.report.skipped == {
        "negative_quantity": 2,
        "nothing_left": 1,
        "item_unknown": 2,
        "place_missing": 2,
        "ended": 1,
        "reach_out_of_range": 2,
        "schedule_unknown": 1,
    }
    assert plan.report.skipped_needs == {
        0: "negative_quantity",
        2: "item_unknown",
        3: "place_missing",
        4: "ended",
        5: "reach_out_of_range",
    }
    assert plan.report.skipped_offers[2] == "schedule_unknown"
    assert not set(plan.need.tolist()) & {0, 1, 2, 3, 4, 5}
    assert plan.report.fallbacks == []
    assert not set(plan.offer.tolist()) & {0, 1, 2, 3, 4}
    assert counted(plan.report.skipped).startswith("ended: 1, item_unknown: 2")
    check(problem, plan)


def test_an_offer_of_an_item_that_was_withdrawn_is_left_out() -> None:
    problem = draw(3, MARKET)
    refused = replace(problem.items, listable=np.array([False, True, True, True, True]))
    plan = sweep(replace(problem, items=refused))
    assert plan.report.skipped["item_refused"] == int((problem.offers.item == 0).sum())
    assert not (problem.offers.item[plan.offer] == 0).any()


# ---- solvers that fail -------------------------------------------------------------------------------------------


def _breaks(network: Network) -> Flow:
    raise RuntimeError("INFEASIBLE")


def _lies(network: Network) -> Flow:
    """Feasible, with prices, and not the best."""
    found = solver.exact(network)
    return replace(found, x=np.zeros_like(found.x))


def _overgives(network: Network) -> Flow:
    found = solver.exact(network)
    return replace(found, x=found.x + 1)


@pytest.mark.parametrize("fails", [_breaks, _lies, _overgives])
def test_a_solver_that_fails_leaves_a_greedy_plan_and_its_gap(fails: solver.Solver) -> None:
    problem = draw(5, MARKET)
    plan, best = sweep(problem, solve_one=fails), sweep(problem)
    check(problem, plan)
    assert not plan.report.certified
    assert plan.report.fallbacks
    assert plan.tiers.better() <= best.tiers.better()
    for part in plan.report.fallbacks:
        assert part.reached.quantity <= part.bound.quantity
        assert part.reached.urgent <= part.bound.urgent
    assert plan.tiers.quantity >= 0.8 * best.tiers.quantity
    bound = sum(part.bound.quantity for part in plan.report.fallbacks)
    assert best.tiers.quantity <= bound + (plan.tiers.quantity - sum(p.reached.quantity for p in plan.report.fallbacks))


def test_one_poisoned_component_does_not_stop_the_rest() -> None:
    problem = draw(9, replace(MARKET, km=60.0))
    best = sweep(problem)

    def poisoned(network: Network) -> Flow:
        if int(problem.offers.quantity[0]) and (network.supply == 1_000).any():
            raise RuntimeError("poison")
        return solver.exact(network)

    busiest = int(best.offer[0])
    problem.offers.quantity[busiest] = 1_000
    whole, plan = sweep(problem), sweep(problem, solve_one=poisoned)
    check(problem, plan)
    assert len(plan.report.fallbacks) == 1
    assert plan.report.fallbacks[0].because == "RuntimeError"
    assert plan.tiers.quantity >= whole.tiers.quantity - plan.report.fallbacks[0].bound.quantity


def _ends_its_process(network: Network) -> Flow:
    if (network.supply == 1_000).any():
        os._exit(1)
    return solver.exact(network)


def test_a_batch_that_ends_its_process_is_greedy_and_the_others_are_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = draw(9, replace(MARKET, km=60.0))
    problem.offers.quantity[int(sweep(problem).offer[0])] = 1_000
    monkeypatch.setattr(parts, "AT_ONCE", 60)  # several batches
    whole, plan = sweep(problem), sweep(problem, processes=2, solve_one=_ends_its_process)
    check(problem, plan)
    assert {part.because for part in plan.report.fallbacks} == {"its process ended"}
    lost = sum(part.bound.quantity - part.reached.quantity for part in plan.report.fallbacks)
    assert plan.tiers.quantity >= whole.tiers.quantity - lost - 5


def test_the_bound_of_a_failed_part_is_what_the_best_plan_reaches() -> None:
    problem = draw(11, Drawn(60, 15, km=2.0, most=8))  # fewer offers than neighbours are looked for: all pairs
    plan, best = sweep(problem, solve_one=_breaks), oracle.by_tiers(problem)
    assert sum(part.bound.urgent for part in plan.report.fallbacks) == best.urgent
    assert sum(part.bound.quantity for part in plan.report.fallbacks) == best.quantity
    assert sum(part.bound.waiting for part in plan.report.fallbacks) == best.waiting


_WITHOUT_THE_LIBRARY = """
import json, sys
sys.modules["pylmcf"] = None
from mutualaid.matching.engine.sweep import sweep
from tests.matching.engine.market import Drawn, draw
from tests.matching.engine.test_feasible import check
problem = draw(9, Drawn(300, 80, km=15.0, most=8))
plan = sweep(problem)
check(problem, plan)
parts = plan.report.fallbacks
print(json.dumps([plan.tiers, plan.report.certified, [[p.because, p.reached, p.bound] for p in parts]]))
"""


def test_without_the_solvers_library_every_component_is_greedy_lawful_and_told_with_its_bound() -> None:
    said = subprocess.run([sys.executable, "-c", _WITHOUT_THE_LIBRARY], capture_output=True, check=True, text=True)
    found, certified, fallbacks = json.loads(said.stdout)
    best = sweep(draw(9, replace(MARKET, km=15.0)), tidy=False)
    assert not certified
    assert len(fallbacks) > 10
    assert {because for because, _, _ in fallbacks} == {"ModuleNotFoundError"}
    assert sum(reached[1] for _, reached, _ in fallbacks) == found[1]  # of every component, not of some
    assert found[1] <= best.tiers.quantity <= sum(bound[1] for _, _, bound in fallbacks)
