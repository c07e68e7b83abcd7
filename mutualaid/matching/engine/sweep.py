"""The whole sweep: every line, every part, the plan that no other betters."""

import time
from dataclasses import dataclass
from typing import Final

import numpy as np

from mutualaid.matching.engine import checking, distances, nodes, parts, processing, sharing, solver, tidying
from mutualaid.matching.engine.batch import Solved
from mutualaid.matching.engine.candidates import NEAREST, NEAREST_OF_BOOK, Edges, Task
from mutualaid.matching.engine.legal import Bars
from mutualaid.matching.engine.nodes import Nodes
from mutualaid.matching.engine.plan import Plan, Report, Tiers
from mutualaid.matching.engine.problem import Column, Problem
from mutualaid.matching.engine.solver import Solver
from mutualaid.matching.rules import REACH_MOST_M


def sweep(problem: Problem, *, processes: int = 1, tidy: bool = True, solve_one: Solver = solver.exact) -> Plan:
    """The best plan for all lines; `tidy`: with the last pass, see `tidying`. Equal problems give equal plans, whatever the
    number of processes.

    Rows that are inconsistent are left out, counted and named in the report; a part whose solver fails is solved
    greedily and reported with its gap.
    """
    plan = settle(problem, processes=processes, solve_one=solve_one, near=NEAREST).plan
    return _tidied(problem, plan) if tidy else plan


@dataclass(frozen=True, slots=True)
class Settled:
    """A plan with its proof: nodes, edges (need node, offer node, metres), price of each offer node, value of each need
    node, and the weight that these are counted in. What `book` goes on from."""

    plan: Plan
    needs: Nodes
    offers: Nodes
    edges: Edges
    price: Column
    value: Column
    weight: int


def settle(
    problem: Problem, *, processes: int = 1, solve_one: Solver = solver.exact, near: int = NEAREST_OF_BOOK
) -> Settled:
    """`sweep`, and all that shows its plan to be the best, with the pairs that a book's ways go along."""
    begun = time.process_time()
    report = Report()
    needs, offers = nodes.bundle(problem, Bars(problem), *checking.usable(problem, report))
    levels = nodes.levels(problem, needs)
    report.nodes = len(needs) + len(offers)
    report.parts, work = parts.batches(problem, needs, offers)
    weight = weight_of(problem)
    price, value = np.zeros(len(offers), np.int64), np.zeros(len(needs), np.int64)
    np.maximum.at(value, levels.node, levels.rank * weight)
    report.seconds["prepare"] = time.process_time() - begun
    found = []
    tasks = (Task.of(problem, needs, offers, levels, n, o, weight, near) for n, o in work)
    for (n, o), solved in zip(
        work, processing.solved(tasks, processes if len(work) > 1 else 1, solve_one), strict=True
    ):
        _note(report, solved)
        network, flow = solved.network, solved.flow
        found.append((n[network.need], o[network.offer], network.metres, flow.x))
        if flow.price is not None and flow.value is not None:
            price[o], value[n] = flow.price, flow.value
    begun = time.process_time()
    n, o, metres, x = (np.concatenate([part[k] for part in found] or [_NONE]) for k in range(4))
    plan = plan_of(problem, report, *sharing.share_out(problem, needs, offers, n, o, x))
    report.seconds["share"] = time.process_time() - begun
    return Settled(plan, needs, offers, (n, o, metres), price, value, weight)


_NONE: Final = np.empty(0, np.int64)


def _tidied(problem: Problem, plan: Plan) -> Plan:
    """The plan after the last pass, which gives up nothing of tiers 1 and 2; the gap stands in the report."""
    x, too_small = tidying.tidy(problem, plan.need, plan.offer, plan.quantity, plan.metres)
    kept = x > 0
    after = plan_of(problem, plan.report, plan.need[kept], plan.offer[kept], x[kept])
    if after.tiers[:2] != plan.tiers[:2]:
        raise AssertionError("the last pass changed tier 1 or 2")
    plan.report.gap = Tiers(0, 0, plan.tiers.waiting - after.tiers.waiting, after.tiers.metres - plan.tiers.metres)
    plan.report.too_small = too_small
    return after


_REACH_MOST: Final = 50_000  # metres that a post may reach; a wider one makes the weight larger
_TO_COME: Final = 10_000  # lines that a book may take before the next sweep


def weight_of(problem: Problem) -> int:
    """M: more metres than any one exchange can change, with lines to come."""
    widest = (int(lines.reach.max(initial=0)) for lines in (problem.needs, problem.offers))
    reach = min(*widest, REACH_MOST_M)  # a wider one is left out
    return (min(len(problem.needs), len(problem.offers)) + _TO_COME) * max(reach, _REACH_MOST) + 1


def _note(report: Report, solved: Solved) -> None:
    report.edges += solved.edges
    report.added += solved.added
    report.rounds = max(report.rounds, solved.rounds)
    report.certified = report.certified and solved.certified
    report.fallbacks += solved.fallbacks
    for what, seconds in solved.seconds.items():
        report.seconds[what] = report.seconds.get(what, 0.0) + seconds


def plan_of(problem: Problem, report: Report, n: Column, o: Column, x: Column) -> Plan:
    """These quantities as a plan."""
    order = np.lexsort((o, n))
    n, o, x = n[order], o[order], x[order]
    needs, offers = problem.needs, problem.offers
    metres = distances.metres(needs.lat[n], needs.lng[n], offers.lat[o], offers.lng[o])
    return Plan(n, o, x, metres, tiers(problem, n, x, metres), report)


def tiers(problem: Problem, n: Column, x: Column, metres: Column) -> Tiers:
    """What quantities x to need lines n, so many metres away, come to."""
    needs = problem.needs
    return Tiers(
        int(x[needs.urgent[n]].sum()), int(x.sum()), int((x * needs.standing()[n]).sum()), int((x * metres).sum())
    )
