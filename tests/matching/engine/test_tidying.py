"""The last pass: fewer splits of no use, tiers 1 and 2 as they were, and its gap told to the unit."""

from dataclasses import replace

import numpy as np
import pytest

from mutualaid.matching.engine.plan import Plan
from mutualaid.matching.engine.problem import Problem
from mutualaid.matching.engine.sweep import sweep
from tests.matching.engine.market import ITEMS, Drawn, draw
from tests.matching.engine.test_feasible import check


def market(seed: int) -> Problem:
    """Everything divides, and three is the least that is of use."""
    drawn = draw(seed, Drawn(240, 60, km=2.0, most=9, rules=seed % 2 == 0))
    return replace(drawn, items=replace(ITEMS, least=np.full(5, 3)))


def too_small(problem: Problem, plan: Plan) -> int:
    return int(((plan.quantity < 3) & (plan.quantity < problem.needs.quantity[plan.need])).sum())


@pytest.mark.parametrize("seed", range(4))
def test_fewer_splits_are_too_small_and_tiers_one_and_two_stay(seed: int) -> None:
    problem = market(seed)
    before, after = sweep(problem, tidy=False), sweep(problem)
    check(problem, after)
    assert after.tiers[:2] == before.tiers[:2]
    assert too_small(problem, after) < too_small(problem, before)
    assert after.report.too_small == too_small(problem, after)
    gap = after.report.gap
    assert (gap.urgent, gap.quantity) == (0, 0)
    assert gap.waiting == before.tiers.waiting - after.tiers.waiting
    assert gap.metres == after.tiers.metres - before.tiers.metres


def test_a_plan_without_small_splits_is_left_alone() -> None:
    problem = replace(market(3), items=replace(ITEMS, least=np.ones(5, np.int64)))
    assert sweep(problem).tiers == sweep(problem, tidy=False).tiers
    assert sweep(problem).report.too_small == 0
