"""One batch from its nodes to a flow that is proven the best of all pairs: graph, components, solver, prices, again."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mutualaid.matching.engine import bounds, candidates, pricing, solver
from mutualaid.matching.engine.candidates import Edges, Ground, Task
from mutualaid.matching.engine.network import Flow, Network
from mutualaid.matching.engine.plan import Part
from mutualaid.matching.engine.problem import Column, Flags
from mutualaid.matching.engine.solver import Solver

TOGETHER: Final = 400  # edges: smaller components are solved as one network
ROUNDS_MOST: Final = 30


@dataclass(slots=True)
class Solved:
    """The flow of a batch on its edges, and how it came about."""

    network: Network
    flow: Flow
    edges: int
    added: int = 0
    rounds: int = 0
    certified: bool = True
    fallbacks: list[Part] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cut:
    """A part of a network, and which nodes and edges of it those are."""

    network: Network
    offers: Column
    needs: Column
    edges: Column


def solve(task: Task, solve_one: Solver = solver.exact) -> Solved:
    """The best flow of the batch. A component that cannot be solved is greedy and takes the batch's certificate away."""
    begun = time.process_time()
    ground = Ground(task)
    edges = candidates.nearest(ground, task.near)
    took = {"graph": time.process_time() - begun, "solve": 0.0, "price": 0.0}
    network = _network(task, ground, edges)
    value = np.zeros(network.needs, np.int64)
    np.maximum.at(value, network.level_node, network.level_rank * network.weight)
    flow = Flow(np.zeros(len(network.offer), np.int64), np.zeros(len(network.supply), np.int64), value)
    done = Solved(network, flow, len(edges[0]), seconds=took)
    fresh = np.ones(len(network.offer), np.bool_)
    parts = _components(len(network.supply), network.needs, network.offer, network.need)
    later: Column | None = None  # needs of which pairs that pay were left for later; None: nobody's were looked at
    while True:
        begun = time.process_time()
        before = done.flow
        done.flow = before.copy()
        _by_components(done, parts, fresh, solve_one)
        took["solve"] += time.process_time() - begun
        done.rounds += 1
        if done.fallbacks or done.rounds == ROUNDS_MOST:
            done.certified = False
            return done
        begun = time.process_time()
        needs, offers = _dearer(before, done.flow, later)
        more, later = pricing.wanting(ground, done.flow, edges, needs, offers)
        took["price"] += time.process_time() - begun
        if not len(more[0]):
            return done
        done.added += len(more[0])
        edges, fresh = _joined(edges, more, network.needs)
        parts = parts.joined(more)
        done.network = _network(task, ground, edges)
        x = np.zeros(len(fresh), np.int64)
        x[~fresh] = done.flow.x
        done.flow = replace(done.flow, x=x)


def _dearer(before: Flow, after: Flow, later: Column | None) -> tuple[Flags, Flags]:
    """(needs that are worth more than before, or of which pairs were left; offers that cost less). In the beginning all."""
    assert before.price is not None and before.value is not None and after.price is not None and after.value is not None
    if later is None:
        return np.ones(len(after.value), np.bool_), np.ones(len(after.price), np.bool_)
    needs, offers = after.value > before.value, after.price < before.price
    needs[later] = True
    return needs, offers


def _joined(edges: Edges, more: Edges, needs: int) -> tuple[Edges, Flags]:
    """(all of them by offer, then need, as the first are; which are the new ones). `needs`: how many nodes there are."""
    order = np.lexsort((more[0], more[1]))
    new = [column[order] for column in more]
    at = np.searchsorted(edges[1] * needs + edges[0], new[1] * needs + new[0])
    n, o, metres = (np.insert(old, at, column) for old, column in zip(edges, new, strict=True))
    fresh = np.zeros(len(n), np.bool_)
    fresh[at + np.arange(len(at))] = True
    return (n, o, metres), fresh


def _network(task: Task, ground: Ground, edges: Edges) -> Network:
    need, offer, metres = edges
    needs, levels = len(ground.at_need), task.levels
    return Network(task.supply, needs, levels.node, levels.rank, levels.quantity, offer, need, metres, task.weight)


# ---- components --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Components:
    """The component of each offer node, of each need node, and how many there are."""

    of_offer: Column
    of_need: Column
    count: int

    def joined(self, more: Edges) -> "Components":
        """With these edges as well."""
        offers, needs = self.of_offer[more[1]], self.of_need[more[0]]
        label = _linked(self.count, offers, needs)
        return Components(label[self.of_offer], label[self.of_need], int(label.max(initial=-1)) + 1)


def _components(offers: int, needs: int, offer: Column, need: Column) -> Components:
    label = _linked(offers + needs, offer, offers + need)
    return Components(label[:offers], label[offers:], int(label.max(initial=-1)) + 1)


def _linked(size: int, a: Column, b: Column) -> Column:
    """The number of what each of so many is linked with, by links from a[k] to b[k]."""
    links = coo_array((np.ones(len(a), np.int8), (a, b)), shape=(size, size))
    return np.asarray(connected_components(links, directed=False)[1], np.int64)


def _by_components(done: Solved, parts: Components, fresh: Flags, solve_one: Solver) -> None:
    """Solves each component that has a fresh edge: the large ones alone, the small together; what fails together is tried
    one by one."""
    network = done.network
    of_offer, of_need = parts.of_offer, parts.of_need
    touched = np.zeros(parts.count, np.bool_)
    touched[of_offer[network.offer[fresh]]] = True
    edges = np.bincount(of_offer[network.offer], minlength=parts.count)
    lots = _lots(np.where(touched, edges, 0))
    failed: list[Cut] = []
    for cut in _cuts(network, lots[of_offer], lots[of_need]):
        flow, because = solver.checked(cut.network, solve_one)
        if because:
            failed.append(cut)
        else:
            _lay(cut, flow, done.flow)
    done.fallbacks += [part for lot in failed for part in _one_by_one(lot, solve_one, done.flow)]


def _one_by_one(lot: Cut, solve_one: Solver, into: Flow) -> Iterator[Part]:
    """The components of a lot that failed, each by itself; those that fail again are left greedy, and told."""
    network = lot.network
    parts = _components(len(network.supply), network.needs, network.offer, network.need)
    for cut in _cuts(network, parts.of_offer, parts.of_need):
        flow, because = solver.checked(cut.network, solve_one)
        whole = Cut(cut.network, lot.offers[cut.offers], lot.needs[cut.needs], lot.edges[cut.edges])
        _lay(whole, flow, into)
        if because:
            got = bounds.reached(cut.network, flow.x)
            yield Part(len(cut.needs), len(cut.offers), because, got, bounds.upper(cut.network))


def _lay(cut: Cut, flow: Flow, into: Flow) -> None:
    """Writes a part's flow, and its prices where it has them, into that of the whole."""
    into.x[cut.edges] = flow.x
    if flow.price is not None and flow.value is not None and into.price is not None and into.value is not None:
        into.price[cut.offers], into.value[cut.needs] = flow.price, flow.value


def _lots(edges: Column) -> Column:
    """The lot of each component by its edges: -1 without any, one's own for the large, the small ones together."""
    lot = np.full(len(edges), -1)
    large = np.flatnonzero(edges >= TOGETHER)
    small = np.flatnonzero((edges > 0) & (edges < TOGETHER))
    lot[large] = np.arange(len(large))
    lot[small] = len(large) + np.cumsum(edges[small]) // (8 * TOGETHER)
    return lot


def _cuts(network: Network, of_offer: Column, of_need: Column) -> Iterator[Cut]:
    """The network cut by these numbers of nodes; nodes without edges are left out where their number is -1."""
    numbers = np.unique(of_offer[of_offer >= 0])
    of_edge, of_level = of_offer[network.offer], of_need[network.level_node]
    split = [_split(of, numbers) for of in (of_offer, of_need, of_edge, of_level)]
    place_o, place_n = np.zeros(len(of_offer), np.int64), np.zeros(len(of_need), np.int64)
    for offers, needs, edges, levels in zip(*split, strict=True):
        place_o[offers], place_n[needs] = np.arange(len(offers)), np.arange(len(needs))
        yield Cut(
            Network(
                network.supply[offers],
                len(needs),
                place_n[network.level_node[levels]],
                network.level_rank[levels],
                network.level_quantity[levels],
                place_o[network.offer[edges]],
                place_n[network.need[edges]],
                network.metres[edges],
                network.weight,
            ),
            offers,
            needs,
            edges,
        )


def _split(of: Column, numbers: Column) -> list[Column]:
    """The rows of each number, ascending."""
    order = np.argsort(of, kind="stable")
    begin = np.searchsorted(of[order], numbers, "left")
    end = np.searchsorted(of[order], numbers, "right")
    return [order[a:b] for a, b in zip(begin.tolist(), end.tolist(), strict=True)]
