"""What can be solved apart: nodes of one market that reach each other, however many steps it takes. Nothing is lost by it.

A grid as wide as the widest reach joins a little more than that, never less. Small parts travel together in one batch.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mutualaid.matching.engine import distances
from mutualaid.matching.engine.nodes import Nodes
from mutualaid.matching.engine.problem import Column, Problem

AT_ONCE: Final = 20_000  # nodes of a batch, unless one part alone has more
_SQUARE_LEAST: Final = 1_000  # metres; the squares of the whole globe must fit into 64 bits
_BESIDE: Final = [(x, y, z) for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1)]


def batches(problem: Problem, needs: Nodes, offers: Nodes) -> tuple[int, list[tuple[Column, Column]]]:
    """(number of parts, [(need nodes, offer nodes)]): parts with both kinds, the largest batches first."""
    if not (len(needs) and len(offers)):
        return 0, []
    part_n, part_o, parts = _parts(problem, needs, offers)
    count = np.bincount(part_n, minlength=parts) + np.bincount(part_o, minlength=parts)
    chosen = np.flatnonzero((np.bincount(part_n, minlength=parts) > 0) & (np.bincount(part_o, minlength=parts) > 0))
    chosen = chosen[np.argsort(-count[chosen], kind="stable")]
    of = np.full(parts, -1)
    of[chosen] = _filled(count[chosen])
    return len(chosen), list(_gathered(of[part_n], of[part_o], int(of.max()) + 1))


def _parts(problem: Problem, needs: Nodes, offers: Nodes) -> tuple[Column, Column, int]:
    """The part of each node. Only where a need's square touches an offer's are the two joined."""
    reach_n, reach_o = problem.needs.reach[needs.first], problem.offers.reach[offers.first]
    side = float(distances.chord(max(min(int(reach_n.max()), int(reach_o.max())), _SQUARE_LEAST)))
    at_n = distances.on_sphere(problem.needs.lat[needs.first], problem.needs.lng[needs.first])
    at_o = distances.on_sphere(problem.offers.lat[offers.first], problem.offers.lng[offers.first])
    squares = np.floor(np.concatenate((at_n, at_o)) / side).astype(np.int64)
    market = np.unique(np.concatenate((needs.market, offers.market)), return_inverse=True)[1]
    low = squares.min(axis=0) - 1
    span = squares.max(axis=0) + 2 - low

    def key(moved: tuple[int, int, int]) -> Column:
        x, y, z = (squares + np.array(moved) - low).T
        return np.asarray(((market * span[0] + x) * span[1] + y) * span[2] + z)

    own, back = np.unique(key((0, 0, 0)), return_inverse=True)
    theirs = np.unique(back[len(needs) :])
    left, right = [], []
    for beside in _BESIDE:
        seen = key(beside)[: len(needs)]
        at = np.minimum(np.searchsorted(own[theirs], seen), len(theirs) - 1)
        touching = own[theirs[at]] == seen
        left.append(back[: len(needs)][touching])
        right.append(theirs[at][touching])
    a, b = np.concatenate(left), np.concatenate(right)
    joined = coo_array((np.ones(len(a), np.int8), (a, b)), shape=(len(own), len(own)))
    parts, label = connected_components(joined, directed=False)
    found = label[back].astype(np.int64)
    return found[: len(needs)], found[len(needs) :], int(parts)


def _filled(count: Column) -> Column:
    """The batch of each part, in their order: a batch is full when it holds AT_ONCE."""
    before = np.cumsum(count) - count
    big = int((count >= AT_ONCE).sum())
    rest = (before[big:] - (before[big] if big < len(before) else 0)) // AT_ONCE
    return np.append(np.arange(big), big + rest)


def _gathered(of_n: Column, of_o: Column, size: int) -> Iterator[tuple[Column, Column]]:
    order_n, order_o = np.argsort(of_n, kind="stable"), np.argsort(of_o, kind="stable")
    bounds = np.arange(size + 1)
    begin_n = np.searchsorted(of_n[order_n], bounds)
    begin_o = np.searchsorted(of_o[order_o], bounds)
    for k in range(size):
        yield order_n[begin_n[k] : begin_n[k + 1]], order_o[begin_o[k] : begin_o[k + 1]]
