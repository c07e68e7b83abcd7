"""What no plan of a network can exceed, without the solver: maximum flows in integers, by scipy. For greedy's gap."""

from typing import Final

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow

from mutualaid.matching.engine.network import Network, met
from mutualaid.matching.engine.plan import Tiers
from mutualaid.matching.engine.problem import STANDING_MOST, Column

_MOST: Final = np.iinfo(np.int32).max  # what scipy's flow can count


def upper(network: Network) -> Tiers:
    """Tiers that bound every plan: the relaxation's optimum of the first three; of the metres only that each unit goes the
    shortest edge."""
    there = np.unique(network.level_rank)
    known: dict[int, int] = {}

    def at_least(rank: int) -> int:
        """The same for all ranks between two that somebody has: a flow for each of those, not for each there could be."""
        at = int(np.searchsorted(there, rank))
        if at not in known:
            known[at] = _at_least(network, rank)
        return known[at]

    top = at_least(STANDING_MOST + 2)
    whole = at_least(1)
    steps = [at_least(rank) for rank in range(2, STANDING_MOST + 2)]
    urgent = [at_least(STANDING_MOST + 1 + rank) for rank in range(2, STANDING_MOST + 2)]
    waiting = sum(urgent) + sum(reached - top for reached in steps)
    shortest = int(network.metres.min(initial=0)) * whole
    return Tiers(top, whole, waiting, shortest)


def reached(network: Network, x: Column) -> Tiers:
    """What a flow reaches, tier by tier."""
    got = met(network, x)
    urgent = network.level_rank > STANDING_MOST + 1
    standing = (network.level_rank - 1) % (STANDING_MOST + 1)
    return Tiers(int(got[urgent].sum()), int(got.sum()), int((got * standing).sum()), int((x * network.metres).sum()))


def _at_least(network: Network, rank: int) -> int:
    """The most units that needs of this rank and above can get."""
    asks = np.zeros(network.needs, np.int64)
    asked = network.level_rank >= rank
    np.add.at(asks, network.level_node[asked], network.level_quantity[asked])
    least = min(int(network.supply.sum()), int(asks.sum()))
    if least == 0 or max(int(network.supply.sum()), int(asks.sum())) > _MOST:
        return least
    offers, sink = len(network.supply), len(network.supply) + network.needs + 1
    starts = np.concatenate((np.zeros(offers, np.int64), 1 + network.offer, 1 + offers + np.arange(network.needs)))
    ends = np.concatenate((1 + np.arange(offers), 1 + offers + network.need, np.full(network.needs, sink)))
    room = np.concatenate((network.supply, np.minimum(network.supply[network.offer], asks[network.need]), asks))
    graph = csr_array((room.astype(np.int32), (starts, ends)), shape=(sink + 1, sink + 1))
    return int(maximum_flow(graph, 0, sink).flow_value)
