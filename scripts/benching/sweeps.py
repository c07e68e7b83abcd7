"""The matching engine measured, each market in a fresh process: the whole sweep, and one post more at a time.

Times are of the processors (of all the processes of a sweep), which others on the machine disturb least; `wall` beside.
"""

import os
import resource
import time
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np

from benching import markets, rivals
from mutualaid.matching.engine.book import Book
from mutualaid.matching.engine.plan import Plan
from mutualaid.matching.engine.problem import Needs, Offers, Problem
from mutualaid.matching.engine.sweep import settle, sweep

Values = dict[str, Any]


def whole(name: str, posts: int, seed: int, rounds: int, processes: int) -> Values:
    """The whole sweep: medians of rounds in seconds, memory, what the graph and the certificate took."""
    problem = markets.draw(name, posts, seed)
    took: list[dict[str, float]] = []
    for _ in range(rounds):
        begun, cpu = time.perf_counter(), _cpu()
        plan = sweep(problem, processes=processes)
        took.append({**plan.report.seconds, "wall": time.perf_counter() - begun, "cpu": _cpu() - cpu})
    seconds = {what: median(one[what] for one in took) for what in took[0]}
    graph = seconds["prepare"] + seconds["graph"]
    report = plan.report
    return {
        "graph_s": graph,
        "solve_s": seconds["solve"],
        "price_s": seconds["price"],
        "wall_s": seconds["wall"],
        "cpu_s": seconds["cpu"],
        "of_graph": median(one["cpu"] / (one["prepare"] + one["graph"]) for one in took),
        "mb": _peak_mb(),
        "certified": report.certified,
        "quantity": plan.tiers.quantity,
        "nodes": report.nodes,
        "edges": report.edges,
        "added": report.added,
        "parts": report.parts,
        "gap_waiting": report.gap.waiting / max(plan.tiers.waiting, 1),
        "gap_metres": report.gap.metres / max(plan.tiers.metres, 1),
        "too_small": report.too_small,
        "givers": len(plan.need) / max(len(np.unique(plan.need)), 1),
    }


def beside(name: str, posts: int, seed: int, rounds: int) -> dict[str, Values]:
    """Other ways on the same graph, by name: seconds, share of the best quantity, mean way beside the best plan's."""
    return rivals.compare(markets.draw(name, posts, seed), posts, rounds)


def arrivals(name: str, posts: int, seed: int, come: int) -> Values:
    """So many posts, one after another, onto the plan of all others; then a whole sweep of them all."""
    problem = markets.draw(name, posts + come, seed)
    base, late = _split(problem, come, seed)
    settled = settle(base)
    book = Book(base, settled)
    took, moved = [], 0
    for line in late:
        begun = time.process_time()
        _, moves = book.arrive_need(line) if isinstance(line, Needs) else book.arrive_offer(line)
        took.append(time.process_time() - begun)
        moved += len(moves)
    again, best = [], None
    for _ in range(3):
        begun = time.process_time()
        best = sweep(book.problem(), tidy=False)
        again.append(time.process_time() - begun)
    assert best is not None
    plan, ms = book.plan(), np.array(took) * 1000
    return {
        "mean_ms": float(ms.mean()),
        "p50_ms": float(np.percentile(ms, 50)),
        "p99_ms": float(np.percentile(ms, 99)),
        "again_s": median(again),
        "one_in": median(again) * 1000 / float(ms.mean()),
        "moved": moved / come,
        "regained": _regained(settled.plan, plan, best),
        "drift_metres": plan.tiers.metres / best.tiers.metres - 1,
        "n": come,
        "mb": _peak_mb(),
    }


def _split(problem: Problem, come: int, seed: int) -> tuple[Problem, list[Needs | Offers]]:
    """(all but `come` lines drawn at random, those lines in random order)."""
    random = np.random.default_rng([seed, come])
    size = len(problem.needs)
    late = random.choice(size + len(problem.offers), come, replace=False)
    stays = np.ones(size + len(problem.offers), np.bool_)
    stays[late] = False
    base = replace(
        problem,
        needs=problem.needs.take(np.flatnonzero(stays[:size])),
        offers=problem.offers.take(np.flatnonzero(stays[size:])),
    )
    lines: list[Needs | Offers] = []
    for k in late.tolist():
        lines.append(problem.needs.take(np.array([k])) if k < size else problem.offers.take(np.array([k - size])))
    return base, lines


def _regained(before: Plan, book: Plan, best: Plan) -> list[float]:
    """What share of a whole sweep's gain the book has, in tiers 1 to 3."""
    pairs = zip(before.tiers[:3], book.tiers[:3], best.tiers[:3], strict=True)
    return [(mine - old) / (most - old) if most != old else 1.0 for old, mine, most in pairs]


def _cpu() -> float:
    """Of this process and of those it has ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _peak_mb() -> int:
    """The most memory that this process and its largest child had at once, at the most."""
    own, theirs = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return int(own + 2 * theirs) // 1024
