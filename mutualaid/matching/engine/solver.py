"""One network solved exactly by `pylmcf` (LEMON's network simplex), checked by its own potentials; greedily where that fails.

Decision 0018 says why this solver. It takes int64 costs below 2^62 and needs balanced supplies: what an offer keeps
flows straight to the sink at the cost of the highest rank, so every cost is positive and every network feasible.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from mutualaid.matching.engine.network import Flow, Network, feasible, proven, summed
from mutualaid.matching.engine.problem import Column

_COST_MOST: Final = 1 << 61
_SUPPLY_MOST: Final = 1 << 40

Solver = Callable[[Network], Flow]


class CannotSolve(Exception):
    """The network is beyond the solver, or its answer does not hold."""


def exact(network: Network) -> Flow:
    """The best flow with its proof. Raises `CannotSolve`, or whatever the library raises; `ImportError` where it is not there."""
    if not len(network.offer):
        return _nothing(network)
    from pylmcf import pylmcf_cpp  # here and not above: where it cannot be loaded a sweep is greedy, and there is one

    top = int(network.level_rank.max(initial=1)) * network.weight
    if top >= _COST_MOST or int(network.supply.sum()) >= _SUPPLY_MOST or int(network.metres.min(initial=0)) < 0:
        raise CannotSolve("out of range")
    offers, needs, edges = len(network.supply), network.needs, len(network.offer)
    sink = offers + needs
    free = np.full(edges, int(network.supply.sum()) + 1)  # edges never fill, or their prices would say nothing
    starts = np.concatenate((network.offer, np.arange(offers), offers + network.level_node))
    ends = np.concatenate((offers + network.need, np.full(offers + len(network.level_node), sink)))
    room = np.concatenate((free, network.supply, network.level_quantity))
    cost = np.concatenate((network.metres, np.full(offers, top), top - network.level_rank * network.weight))
    supply = np.concatenate((network.supply, np.zeros(needs, np.int64), [-network.supply.sum()]))
    x, potential = pylmcf_cpp.lmcf(supply, starts, ends, room, cost, return_potentials=True)
    over_sink = potential - potential[sink] + top
    return _settled(network, x[:edges], over_sink[:offers], over_sink[offers:sink])


def _nothing(network: Network) -> Flow:
    value = np.zeros(network.needs, np.int64)
    np.maximum.at(value, network.level_node, network.level_rank * network.weight)
    return Flow(np.zeros(0, np.int64), np.zeros(len(network.supply), np.int64), value)


def _settled(network: Network, x: Column, price: Column, value: Column) -> Flow:
    """Prices as high and values as low as the proof allows, so that `pricing` finds least to add."""
    price = np.maximum(price, 0)
    gets = summed(network.needs, network.need, x)
    first = np.append(True, np.diff(network.level_node) != 0)[: len(network.level_node)]
    idle = first & (gets[network.level_node] == 0)
    value = value.copy()
    value[network.level_node[idle]] = network.level_rank[idle] * network.weight
    return Flow(x, price, value)


def greedy(network: Network) -> Flow:
    """The highest rank first, then the shortest edge. Feasible, not the best; it has no prices."""
    left = network.supply.tolist()
    x = np.zeros(len(network.offer), np.int64)
    by_need = np.argsort(network.need, kind="stable")
    begin = np.searchsorted(network.need[by_need], np.arange(network.needs + 1))
    order = np.lexsort((network.level_node, -network.level_rank))
    for node, wanted in zip(network.level_node[order].tolist(), network.level_quantity[order].tolist(), strict=True):
        edges = by_need[begin[node] : begin[node + 1]]
        for edge in edges[np.argsort(network.metres[edges], kind="stable")].tolist():
            give = min(wanted, left[network.offer[edge]])
            x[edge] += give
            left[network.offer[edge]] -= give
            wanted -= give
            if not wanted:
                break
    return Flow(x)


def checked(network: Network, solver: Solver = exact) -> tuple[Flow, str]:
    """(flow, ""), or the greedy flow and why the exact one failed. What is returned is feasible."""
    try:
        flow = solver(network)
        if not proven(network, flow):
            raise CannotSolve("its prices do not prove it")
    except Exception as fault:  # whatever a solver does, help goes on
        flow = greedy(network)
        assert feasible(network, flow.x)
        return flow, type(fault).__name__ if not isinstance(fault, CannotSolve) else str(fault)
    return flow, ""
