"""Whether a pair that the graph left out would better the plan. When none would, the plan is the best of all pairs.

By the potentials of the flow a pair pays when its metres are less than what a unit is worth at the need less what it costs
at the offer. Places are looked at before nodes: the dearest need of a place with the cheapest offer of another.
"""

import itertools
from collections.abc import Iterator
from typing import Final

import numpy as np
from scipy.spatial import cKDTree

from mutualaid.matching.engine import distances
from mutualaid.matching.engine.candidates import Edges, Ground
from mutualaid.matching.engine.network import Flow
from mutualaid.matching.engine.problem import Column, Flags, Floats, among

_EACH: Final = 8  # pairs added for a node at once, those that pay most
_SLACK_M: Final = 3  # for whole metres, and the last digits of a float
_AT_ONCE: Final = 2_000_000  # pairs of nodes looked at together


def wanting(ground: Ground, flow: Flow, known: Edges, needs: Flags, offers: Flags) -> tuple[Edges, Column]:
    """(lawful pairs outside of the graph that would better the flow, the most paying ones of each node; needs of which some
    were left for later). None if none would.

    known: the edges that the graph has, by offer, then need. needs: those whose value has grown, or of which some were left;
    offers: those whose price has fallen. A pair of two others paid nothing before and pays nothing now.
    """
    all_offers = np.ones(len(offers), np.bool_)
    halves = [_outside(ground, flow, known, needs, all_offers)]
    if not needs.all():
        halves.append(_outside(ground, flow, known, ~needs, offers))
    n, o, metres = (np.concatenate([half[k] for half in halves]) for k in range(3))
    pays = _pays(flow, n, o) - metres
    chosen = _first_of_each(n, pays) | _first_of_each(o, pays)
    return (n[chosen], o[chosen], metres[chosen]), n[~chosen]


def _outside(ground: Ground, flow: Flow, known: Edges, needs: Flags, offers: Flags) -> Edges:
    """Every lawful pair of these needs and these offers that is no edge and pays."""
    assert flow.price is not None and flow.value is not None
    rows_n, rows_o = np.flatnonzero(needs), np.flatnonzero(offers)
    if not (len(rows_n) and len(rows_o)):
        return _NONE
    places_n, of_n = _places(ground.at_need[rows_n])
    places_o, of_o = _places(ground.at_offer[rows_o])
    most = np.full(len(places_n), -1)
    np.maximum.at(most, of_n, flow.value[rows_n])
    least = np.full(len(places_o), np.iinfo(np.int64).max)
    np.minimum.at(least, of_o, flow.price[rows_o])
    a, b, metres = _paying_places(ground, places_n, places_o, most, least)
    n, k = _spread(a, of_n, len(places_n))
    paying = flow.value[rows_n[n]] - least[b[k]] > metres[k] - 1
    n, k = rows_n[n[paying]], k[paying]
    lots = [_paying(ground, flow, n[i], rows_o[o]) for i, o in _lots(b[k], of_o, len(places_o))]
    n, o, metres = (np.concatenate([_NONE[j], *(lot[j] for lot in lots)]) for j in range(3))
    width = len(ground.at_need)
    fresh = ~among(o * width + n, known[1] * width + known[0])
    return n[fresh], o[fresh], metres[fresh]


def _pays(flow: Flow, n: Column, o: Column) -> Column:
    assert flow.price is not None and flow.value is not None
    return np.asarray(flow.value[n] - flow.price[o])


_NONE: Final = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int64))


def _places(at: Floats) -> tuple[Floats, Column]:
    """(distinct points, the point of each node)."""
    order = np.lexsort(at.T)
    fresh = np.append(True, (np.diff(at[order], axis=0) != 0).any(axis=1))
    back = np.empty(len(at), np.int64)
    back[order] = np.cumsum(fresh) - 1
    return at[order][fresh], back


def _paying_places(ground: Ground, n: Floats, o: Floats, most: Column, least: Column) -> Edges:
    """(place, place, metres at the least) within reach, among which some pair of nodes could pay."""
    widest = int(most.max()) - int(least.min())
    if widest <= 0:
        return _NONE
    chord = float(distances.chord(min(ground.reach, widest))) * (1 + 1e-9) + 1e-12
    near = cKDTree(n).sparse_distance_matrix(cKDTree(o), chord, output_type="ndarray")
    near = near[
        most[near["i"]] - least[near["j"]] > distances.RADIUS_M * near["v"] - _SLACK_M
    ]  # no arc is below its chord
    a, b = near["i"].astype(np.int64), near["j"].astype(np.int64)
    metres = np.floor(2 * distances.RADIUS_M * np.arcsin(np.minimum(near["v"] / 2, 1))).astype(np.int64)
    pays = most[a] - least[b] > metres - 1
    return a[pays], b[pays], metres[pays]


def _spread(place: Column, of: Column, places: int) -> tuple[Column, Column]:
    """(node, k) for every node at place[k]."""
    order = np.argsort(of, kind="stable")
    begin = np.searchsorted(of[order], np.arange(places + 1))
    count = np.diff(begin)[place]
    k = np.repeat(np.arange(len(place)), count)
    within = np.arange(len(k)) - np.repeat(np.cumsum(count) - count, count)
    return order[begin[place][k] + within], k


def _lots(place: Column, of: Column, places: int) -> Iterator[tuple[Column, Column]]:
    """`_spread`, as (k, node), in lots of bounded size."""
    count = np.bincount(of, minlength=places)[place]
    bounds = np.flatnonzero(np.diff(np.cumsum(count) // _AT_ONCE, prepend=-1)) if len(count) else _NONE[0]
    for begin, end in itertools.pairwise([*bounds.tolist(), len(place)]):
        node, k = _spread(place[begin:end], of, places)
        yield begin + k, node


def _paying(ground: Ground, flow: Flow, n: Column, o: Column) -> Edges:
    """Those of the pairs that are lawful and pay."""
    paying = _pays(flow, n, o) > 0
    n, o = n[paying], o[paying]
    paying = _pays(flow, n, o) > ground.metres(n, o)
    return ground.lawful(n[paying], o[paying])


def _first_of_each(node: Column, pays: Column) -> Flags:
    """The rows that are among the `_EACH` most paying of their node."""
    order = np.lexsort((-pays, node))
    sorted_ = node[order]
    first = np.flatnonzero(np.append(True, np.diff(sorted_) != 0))[: len(sorted_)]
    rank = np.arange(len(sorted_)) - np.repeat(first, np.diff(np.append(first, len(sorted_))))
    chosen = np.zeros(len(node), np.bool_)
    chosen[order[rank < _EACH]] = True
    return chosen
