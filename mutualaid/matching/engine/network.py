"""The flow problem over nodes: offers on one side, needs with their ranks on the other, edges of whole metres between.

A unit given to a need of rank r along an edge of d metres is worth r · M − d, where M is more than all metres that one
exchange could change; docs/matching.md proves that the most of it is the best plan, tier by tier.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from mutualaid.matching.engine.problem import Column, Flags

_FLOATS_HOLD: Final = 1 << 53  # below this every whole number is a float


@dataclass(frozen=True, slots=True)
class Network:
    """supply: of each offer node. level_*: what needs ask for by rank, see `nodes.Levels`. offer, need, metres: edges.
    weight: M; of two plans that one exchange leads between, the metres differ by less."""

    supply: Column
    needs: int
    level_node: Column
    level_rank: Column
    level_quantity: Column
    offer: Column
    need: Column
    metres: Column
    weight: int


@dataclass(frozen=True, slots=True)
class Flow:
    """x: units on each edge. price: of one more unit of each offer; value: what a unit at each need is worth there.
    Prices are None where a plan has no proof."""

    x: Column
    price: Column | None = None
    value: Column | None = None

    def copy(self) -> "Flow":
        price, value = (None if each is None else each.copy() for each in (self.price, self.value))
        return Flow(self.x.copy(), price, value)


def summed(size: int, at: Column, units: Column) -> Column:
    """The units at each place, to the unit: numpy counts many times as fast in floats, which hold each of these numbers."""
    if len(units) and int(np.abs(units).max()) * len(units) >= _FLOATS_HOLD:
        total = np.zeros(size, np.int64)
        np.add.at(total, at, units)
        return total
    return np.bincount(at, weights=units, minlength=size).astype(np.int64)


def filled(network: Network, gets: Column) -> Column:
    """Units that each level gets, of what each node gets: its highest ranks first."""
    if not len(network.level_node):
        return network.level_node
    before = np.cumsum(network.level_quantity) - network.level_quantity
    fresh = np.append(True, np.diff(network.level_node) != 0)
    base = before[fresh][np.cumsum(fresh) - 1]
    return np.asarray(np.clip(gets[network.level_node] - (before - base), 0, network.level_quantity))


def met(network: Network, x: Column) -> Column:
    """Units that each level gets."""
    return filled(network, summed(network.needs, network.need, x))


def feasible(network: Network, x: Column) -> bool:
    """Nothing negative, no offer gives more than it has, no need gets more than it asks for."""
    gives = summed(len(network.supply), network.offer, x)
    return _fits(network, x, gives, summed(network.needs, network.need, x))


def _fits(network: Network, x: Column, gives: Column, gets: Column) -> bool:
    asks = summed(network.needs, network.level_node, network.level_quantity)
    return bool((x >= 0).all() and (gives <= network.supply).all() and (gets <= asks).all())


def proven(network: Network, flow: Flow) -> bool:
    """Whether the flow's own prices prove that none is better: complementary slackness, in integers."""
    if flow.price is None or flow.value is None:
        return False
    gives = summed(len(network.supply), network.offer, flow.x)
    gets = summed(network.needs, network.need, flow.x)
    if not _fits(network, flow.x, gives, gets):
        return False
    spare = network.metres + flow.price[network.offer] - flow.value[network.need]
    over = flow.value[network.level_node] - network.level_rank * network.weight
    full = filled(network, gets)
    checks: tuple[Flags, ...] = (
        flow.price >= 0,
        (gives == network.supply) | (flow.price == 0),
        spare >= 0,
        (flow.x == 0) | (spare == 0),
        (full == network.level_quantity) | (over >= 0),
        (full == 0) | (over <= 0),
    )
    return all(bool(check.all()) for check in checks)
