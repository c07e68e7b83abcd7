"""What the engine is compared with: every way of giving, tried; and another solver, one tier after another."""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mutualaid.matching.engine import distances
from mutualaid.matching.engine.legal import Bars, allowed
from mutualaid.matching.engine.plan import Tiers
from mutualaid.matching.engine.problem import Column, Flags, Problem

Pair = tuple[int, int, int]  # need line, offer line, metres


def lawful_pairs(problem: Problem) -> list[Pair]:
    """Every pair of lines that no rule bars."""
    n, o = (side.reshape(-1) for side in np.indices((len(problem.needs), len(problem.offers))))
    needs, offers = problem.needs, problem.offers
    metres = distances.metres(needs.lat[n], needs.lng[n], offers.lat[o], offers.lng[o])
    fine = allowed(problem, Bars(problem), n, o, metres)
    return list(zip(n[fine].tolist(), o[fine].tolist(), metres[fine].tolist(), strict=True))


def brute(problem: Problem) -> Tiers:
    """The best of all plans, by trying every quantity on every pair."""
    near: dict[int, list[tuple[int, int]]] = {}
    for n, o, metres in lawful_pairs(problem):
        near.setdefault(n, []).append((o, metres))
    wanted, standing = problem.needs.quantity.tolist(), problem.needs.standing().tolist()
    urgent = problem.needs.urgent.tolist()
    Sum = tuple[int, int, int, int]

    @cache
    def best(n: int, k: int, asks: int, left: tuple[int, ...]) -> Sum:
        """From the k-th pair of need n on, which still asks for so much."""
        if n == len(wanted):
            return (0, 0, 0, 0)
        pairs = near.get(n, [])
        if k == len(pairs):
            return best(n + 1, 0, wanted[n + 1] if n + 1 < len(wanted) else 0, left)
        o, metres = pairs[k]
        found: Sum | None = None
        for x in range(min(asks, left[o]) + 1):
            rest = best(n, k + 1, asks - x, (*left[:o], left[o] - x, *left[o + 1 :]))
            here = (rest[0] + x * urgent[n], rest[1] + x, rest[2] + x * standing[n], rest[3] - x * metres)
            found = here if found is None or here > found else found
        assert found is not None
        return found

    a, b, c, d = best(0, 0, wanted[0] if wanted else 0, tuple(problem.offers.quantity.tolist()))
    return Tiers(a, b, c, -d)


def by_tiers(problem: Problem) -> Tiers:
    """The best plan's tiers by ortools: each tier solved on the optimal face of those before it, over all pairs."""
    from ortools.graph.python.min_cost_flow import SimpleMinCostFlow

    pairs = np.array(lawful_pairs(problem), np.int64).reshape(-1, 3)
    n, o, metres = pairs.T
    needs, offers = problem.needs, problem.offers
    size_n, size_o = len(needs), len(offers)
    sink = size_n + size_o
    starts = np.concatenate((size_n + o, size_n + np.arange(size_o), np.arange(size_n))).astype(np.int32)
    ends = np.concatenate((n, np.full(size_o + size_n, sink))).astype(np.int32)
    room = np.concatenate((np.minimum(needs.quantity[n], offers.quantity[o]), offers.quantity, needs.quantity))
    nothing = np.zeros(len(pairs) + size_o, np.int64)
    costs = [
        np.append(nothing, -needs.urgent.astype(np.int64)),
        np.append(nothing, -np.ones(size_n, np.int64)),
        np.append(nothing, -needs.standing()),
        np.concatenate((metres, np.zeros(size_o + size_n, np.int64))),
    ]
    least = np.zeros(len(room), np.int64)
    supply = np.zeros(sink + 1, np.int64)
    supply[size_n:sink] = offers.quantity
    supply[sink] = -offers.quantity.sum()
    found = []
    for cost in costs:
        flow = SimpleMinCostFlow()
        arcs = flow.add_arcs_with_capacity_and_unit_cost(starts, ends, room - least, cost)
        given = supply.copy()
        np.subtract.at(given, starts, least)
        np.add.at(given, ends, least)
        flow.set_nodes_supplies(np.arange(sink + 1, dtype=np.int32), given)
        assert flow.solve() == flow.OPTIMAL
        x = flow.flows(arcs) + least
        found.append(int((x * cost).sum()))
        fixed = _fixed(starts, ends, room, least, cost, x, sink + 1)
        least, room = np.where(fixed, x, least), np.where(fixed, x, room)
    return Tiers(-found[0], -found[1], -found[2], found[3])


def _fixed(
    starts: NDArray[Any], ends: NDArray[Any], room: Column, least: Column, cost: Column, x: Column, nodes: int
) -> Flags:
    """Arcs of non-zero reduced cost: no optimum moves them. Potentials are shortest ways in what is left."""
    forth, back = x < room, x > least
    a, b = np.concatenate((starts[forth], ends[back])), np.concatenate((ends[forth], starts[back]))
    length = np.concatenate((cost[forth], -cost[back]))
    potential = np.zeros(nodes, np.int64)
    for _ in range(nodes + 1):
        nearer = potential.copy()
        np.minimum.at(nearer, b, potential[a] + length)
        if (nearer == potential).all():
            break
        potential = nearer
    else:
        raise AssertionError("a negative cycle: not the optimum")
    return np.asarray(cost + potential[starts] - potential[ends] != 0)
