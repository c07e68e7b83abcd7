"""What the sweep's solver stands beside, on the same graph with the same costs: greedy, and other libraries without components.

All minimise the same sum: a rank's worth of metres that every library's integers can hold, less the way. So their optima must
be equal, which is checked.
"""

import time
from collections.abc import Callable
from statistics import median
from typing import Any, Final

import numpy as np
from pylmcf import pylmcf_cpp

from mutualaid.matching.engine.candidates import NEAREST
from mutualaid.matching.engine.problem import Column, Problem
from mutualaid.matching.engine.sweep import Settled, settle

Values = dict[str, Any]
_WEIGHT: Final = 10_000_000  # metres that a rank is worth here


class Arcs:
    """The network as arrays: sources 0 … offers, needs after them, the sink last."""

    def __init__(self, problem: Problem, settled: Settled) -> None:
        needs, offers = settled.needs, settled.offers
        n, o, metres = settled.edges
        order = np.lexsort((n, o))
        self.n, self.o, self.metres = n[order], o[order], metres[order]
        self.supply, self.asks = offers.quantity, needs.quantity
        self.rank = problem.needs.rank()[needs.first]  # of its most pressing line: one rank a node, for all alike
        top = int(self.rank.max()) * _WEIGHT
        size_o, size_n = len(offers), len(needs)
        self.sink = size_o + size_n
        self.starts = np.concatenate((self.o, np.arange(size_o), size_o + np.arange(size_n)))
        self.ends = np.concatenate((size_o + self.n, np.full(size_o + size_n, self.sink)))
        room = np.minimum(self.supply[self.o], self.asks[self.n])
        self.room = np.concatenate((room, self.supply, self.asks))
        self.cost = np.concatenate((self.metres, np.full(size_o, top), top - self.rank * _WEIGHT))
        self.given = np.zeros(self.sink + 1, np.int64)
        self.given[:size_o] = self.supply
        self.given[self.sink] = -self.supply.sum()


def compare(problem: Problem, posts: int, rounds: int) -> dict[str, Values]:
    """Every way that is quick enough for so many posts; medians of interleaved rounds."""
    settled = settle(problem, near=NEAREST)
    arcs = Arcs(problem, settled)
    ways = {name: way for name, (way, most) in WAYS.items() if posts <= most}
    took: dict[str, list[float]] = {name: [] for name in ways}
    flows: dict[str, Column] = {}
    for _ in range(rounds):
        for name, way in ways.items():
            begun = time.process_time()
            flows[name] = way(arcs)
            took[name].append(time.process_time() - begun)
    best = flows[_FIRST]
    return {name: _told(arcs, flows[name], best, median(seconds)) for name, seconds in took.items()}


def _told(arcs: Arcs, x: Column, best: Column, seconds: float) -> Values:
    edges = slice(0, len(arcs.n))
    mine, most = int(x[edges].sum()), int(best[edges].sum())
    way, shortest = int((x[edges] * arcs.metres).sum()), int((best[edges] * arcs.metres).sum())
    cost, least = (int(sum((flow * arcs.cost).tolist())) for flow in (x, best))
    return {
        "seconds": seconds,
        "share": mine / most,
        "way": (way / mine) / (shortest / most) if mine and shortest else 1.0,
        "same": cost == least,
    }


def _pylmcf(arcs: Arcs) -> Column:
    return np.asarray(pylmcf_cpp.lmcf(arcs.given, arcs.starts, arcs.ends, arcs.room, arcs.cost))


def _ortools(arcs: Arcs) -> Column:
    from ortools.graph.python.min_cost_flow import SimpleMinCostFlow

    flow = SimpleMinCostFlow()
    rows = flow.add_arcs_with_capacity_and_unit_cost(
        arcs.starts.astype(np.int32), arcs.ends.astype(np.int32), arcs.room, arcs.cost
    )
    flow.set_nodes_supplies(np.arange(arcs.sink + 1, dtype=np.int32), arcs.given)
    if flow.solve() != flow.OPTIMAL:
        raise RuntimeError("ortools found no optimum")
    return np.asarray(flow.flows(rows))


def _scipy(arcs: Arcs) -> Column:
    """HiGHS, by `scipy.optimize.linprog`: flows are whole at its vertices."""
    from scipy.optimize import linprog
    from scipy.sparse import coo_array

    rows = np.concatenate((arcs.starts, arcs.ends))
    signs = np.concatenate((np.ones(len(arcs.starts)), -np.ones(len(arcs.ends))))
    columns = np.tile(np.arange(len(arcs.starts)), 2)
    balance = coo_array((signs, (rows, columns)), shape=(arcs.sink + 1, len(arcs.starts))).tocsr()
    bounds = np.column_stack((np.zeros(len(arcs.room)), arcs.room))
    found = linprog(arcs.cost / 1000, A_eq=balance, b_eq=arcs.given, bounds=bounds, method="highs")
    flows: Column = np.rint(found.x).astype(np.int64)
    return flows


def _networkx(arcs: Arcs) -> Column:
    import networkx

    graph = networkx.DiGraph()
    for node, given in enumerate(arcs.given.tolist()):
        graph.add_node(node, demand=-given)
    rows = zip(arcs.starts.tolist(), arcs.ends.tolist(), arcs.room.tolist(), arcs.cost.tolist(), strict=True)
    graph.add_edges_from((a, b, {"capacity": room, "weight": cost}) for a, b, room, cost in rows)
    _, flows = networkx.network_simplex(graph)
    return np.array([flows[a][b] for a, b in zip(arcs.starts.tolist(), arcs.ends.tolist(), strict=True)])


def _greedy(arcs: Arcs) -> Column:
    """The nearest pair first."""
    left, asks = arcs.supply.tolist(), arcs.asks.tolist()
    x = [0] * len(arcs.n)
    n, o = arcs.n.tolist(), arcs.o.tolist()
    for edge in np.argsort(arcs.metres, kind="stable").tolist():
        units = min(left[o[edge]], asks[n[edge]])
        if units:
            x[edge] = units
            left[o[edge]] -= units
            asks[n[edge]] -= units
    return np.array(x + left + (arcs.asks - np.array(asks)).tolist())


_FIRST: Final = "pylmcf, one network"
WAYS: Final[dict[str, tuple[Callable[[Arcs], Column], int]]] = {  # and up to how many posts it is waited for
    _FIRST: (_pylmcf, 100_000),
    "ortools, one network": (_ortools, 100_000),
    "scipy (HiGHS), one network": (_scipy, 10_000),
    "networkx, one network": (_networkx, 2_000),
    "greedy, nearest first": (_greedy, 1_000_000),
}
