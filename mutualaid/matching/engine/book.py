"""One more post, one less: the best plan is kept the best by the shortest alternating path, from the sweep's own prices.

A new line sees every lawful counterpart within reach and keeps edges to those that could matter to it: the cheapest and
the nearest. Paths through other lines use the edges of the last sweep, which for a book looks at twice as many neighbours. What
is agreed is taken out and never moved.
"""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Final, Generic, TypeVar

import numpy as np
from scipy.spatial import cKDTree

from mutualaid.matching.engine import checking, distances, legal
from mutualaid.matching.engine.beside import Beside
from mutualaid.matching.engine.growing import Growing
from mutualaid.matching.engine.legal import Bars
from mutualaid.matching.engine.nodes import Nodes, market_of
from mutualaid.matching.engine.plan import Plan, Report
from mutualaid.matching.engine.problem import Column, Floats, Lines, Needs, Offers, Problem
from mutualaid.matching.engine.residual import Moves, Residual
from mutualaid.matching.engine.sweep import Settled, plan_of

_CHEAPEST: Final = 48
_NEAREST: Final = 16
_APART: Final = 8.0  # between markets, along the fourth axis

L = TypeVar("L", Needs, Offers)


class Book:
    """The plan of a sweep, and of every post since. Lines are numbered as in the problem; new ones follow."""

    def __init__(self, problem: Problem, settled: Settled) -> None:
        self._problem = problem
        self._weight = settled.weight
        self._needs, self._offers = _Table(problem.needs), _Table(problem.offers)
        of_need, of_offer = _nodes_of(settled.needs, len(problem.needs)), _nodes_of(settled.offers, len(problem.offers))
        n, o, metres = settled.edges
        self._of_needs = Beside(of_need, n, o, metres, settled.needs, settled.offers)
        self._of_offers = Beside(of_offer, o, n, metres, settled.offers, settled.needs)
        self._flow = Residual(
            problem.needs.rank() * settled.weight,
            np.where(of_need >= 0, problem.needs.quantity, 0),
            np.where(of_offer >= 0, problem.offers.quantity, 0),
            np.append(settled.price, 0)[of_offer],  # -1, the last, for lines that are in no node
            np.append(settled.value, 0)[of_need],
        )
        plan = settled.plan
        for need, offer, units in zip(plan.need.tolist(), plan.offer.tolist(), plan.quantity.tolist(), strict=True):
            self._flow.move(need, offer, units)
        self._flow.moves.clear()
        self._near_offers = _Around(problem, problem.offers, settled.offers.lines)
        self._near_needs = _Around(problem, problem.needs, settled.needs.lines)

    @property
    def visited(self) -> int:
        """Lines that all searches so far have looked at."""
        return self._flow.visited

    # ---- arrivals ------------------------------------------------------------------------------------------------

    def arrive_need(self, need: Needs) -> tuple[int, Moves]:
        """A new need line (one row): (its number, what moves). `ValueError` names what makes no sense of it."""
        checking.refuse(self._problem, need)
        line = self._needs.append(need)
        found = self._near_offers.within(need, int(need.reach[0]))
        price = self._flow.price.at
        rows, metres = self._lawful(found, lambda rows, far: far + price[rows], need=need)
        top = int(need.rank()[0]) * self._weight
        cheapest = int((metres + price[rows]).min(initial=top))
        self._flow.add_need(top, int(need.quantity[0]), cheapest)
        self._of_needs.add_line(rows, metres)
        for offer, far in zip(rows.tolist(), metres.tolist(), strict=True):
            self._of_offers.add_edge(offer, line, far)
        self._near_needs.append(need, line)
        self._flow.serve(line, self._of_needs.of_line)
        return line, self._moved()

    def arrive_offer(self, offer: Offers) -> tuple[int, Moves]:
        """A new offer line (one row): (its number, what moves). `ValueError` names what makes no sense of it."""
        checking.refuse(self._problem, offer)
        line = self._offers.append(offer)
        found = self._near_needs.within(offer, int(offer.reach[0]))
        value = self._flow.value.at
        rows, metres = self._lawful(found, lambda rows, far: far - value[rows], offer=offer)
        dearest = int((value[rows] - metres).max(initial=0))
        self._flow.add_offer(int(offer.quantity[0]), dearest)
        self._of_offers.add_line(rows, metres)
        for need, far in zip(rows.tolist(), metres.tolist(), strict=True):
            self._of_needs.add_edge(need, line, far)
        self._near_offers.append(offer, line)
        self._flow.give(line, self._of_offers.of_line)
        return line, self._moved()

    # ---- what ends -----------------------------------------------------------------------------------------------

    def leave_need(self, line: int) -> Moves:
        """This need asks for nothing any more."""
        freed = dict(self._flow.gets.get(line, {}))
        for offer, units in freed.items():
            self._flow.move(line, offer, -units)
        self._flow.asks[line] = 0
        for offer in freed:
            self._flow.give(offer, self._of_offers.of_line)
        return self._moved()

    def leave_offer(self, line: int) -> Moves:
        """This offer has nothing any more."""
        lost = dict(self._flow.gives.get(line, {}))
        for need, units in lost.items():
            self._flow.move(need, line, -units)
        self._flow.left[line] = 0
        for need in sorted(lost, key=lambda need: (-self._flow.top[need], need)):
            self._flow.serve(need, self._of_needs.of_line)
        return self._moved()

    def part(self, need: int, offer: int) -> Moves:
        """These two are no longer for each other: one of them declined."""
        self._of_needs.drop_edge(need, offer)
        self._of_offers.drop_edge(offer, need)
        units = self._flow.gets.get(need, {}).get(offer, 0)
        if units:
            self._flow.move(need, offer, -units)
            self._flow.serve(need, self._of_needs.of_line)
            self._flow.give(offer, self._of_offers.of_line)
        return self._moved()

    def fix(self, need: int, offer: int, units: int) -> None:
        """So many units of what is planned between these two are agreed: they are never moved again. `ValueError` when less
        is planned."""
        held = self._flow.gets.get(need, {}).get(offer, 0)
        if not 0 < units <= held:
            raise ValueError("not planned")
        self._flow.move(need, offer, -units)
        self._flow.left[offer] -= units
        self._flow.asks[need] -= units
        self._flow.moves.clear()

    # ---- what stands ---------------------------------------------------------------------------------------------

    def problem(self) -> Problem:
        """Everybody who is here, with what they asked or offered at first."""
        return replace(self._problem, needs=self._needs.lines(), offers=self._offers.lines())

    def plan(self) -> Plan:
        """Who gives how much to whom, less what is agreed."""
        rows = [(n, o, x) for n, gets in sorted(self._flow.gets.items()) for o, x in sorted(gets.items())]
        n, o, x = np.array(rows, np.int64).reshape(-1, 3).T
        return plan_of(self.problem(), Report(), n, o, x)

    def _moved(self) -> Moves:
        """What moved since the last question, and forgets it."""
        moves = {pair: units for pair, units in self._flow.moves.items() if units}
        self._flow.moves.clear()
        return moves

    def _lawful(
        self,
        around: tuple[Column, Column],
        cost: Callable[[Column, Column], Column],
        *,
        need: Needs | None = None,
        offer: Offers | None = None,
    ) -> tuple[Column, Column]:
        """(lines, metres) of those around that no rule bars: the cheapest and the nearest; more where those are barred."""
        lines, far = around
        order = np.argsort(cost(lines, far), kind="stable")
        nearest = np.argsort(far, kind="stable")[:_NEAREST]
        for most in (_CHEAPEST, len(lines)):
            chosen = np.unique(np.append(order[:most], nearest))
            rows, metres = self._allowed(lines[chosen], need, offer)
            if len(rows) >= _NEAREST or most >= len(lines):
                break
        return rows, metres

    def _allowed(self, rows: Column, need: Needs | None, offer: Offers | None) -> tuple[Column, Column]:
        needs = need if need is not None else self._needs.take(rows)
        offers = offer if offer is not None else self._offers.take(rows)
        small = replace(self._problem, needs=needs, offers=offers)
        n = np.zeros(len(rows), np.int64) if need is not None else np.arange(len(rows))
        o = np.zeros(len(rows), np.int64) if offer is not None else np.arange(len(rows))
        metres = distances.metres(needs.lat[n], needs.lng[n], offers.lat[o], offers.lng[o])
        fine = legal.allowed(small, Bars(small), n, o, metres)
        return rows[fine], metres[fine]


def _nodes_of(nodes: Nodes, size: int) -> Column:
    """The node of each line, -1 for those that were left out."""
    of = np.full(size, -1)
    of[nodes.lines] = np.repeat(np.arange(len(nodes)), np.diff(nodes.begin))
    return of


class _Table(Generic[L]):
    """The columns of one side, with room for lines to come."""

    def __init__(self, lines: L) -> None:
        self._kind: type[L] = type(lines)
        self._names = [column.name for column in fields(lines)]
        self._columns = {name: Growing(getattr(lines, name)) for name in self._names}

    def append(self, line: L) -> int:
        """Its number."""
        places = {self._columns[name].append(getattr(line, name)[0]) for name in self._names}
        return places.pop()

    def take(self, rows: Column) -> L:
        return self._kind(**{name: self._columns[name].at[rows] for name in self._names})

    def lines(self) -> L:
        return self.take(np.arange(len(self._columns[self._names[0]])))


class _Around:
    """Where one side's lines are: a k-d tree of those of the sweep, and a list of those since."""

    def __init__(self, problem: Problem, lines: Lines, rows: Column) -> None:
        self._problem = problem
        self._rows = np.sort(rows)
        self._points = Growing(_points(problem, lines.take(self._rows)))
        self._tree = cKDTree(self._points.at) if len(rows) else None
        self._sizes = len(rows)
        self._lines = Growing(self._rows)

    def append(self, line: Lines, number: int) -> None:
        self._points.append(_points(self._problem, line)[0])
        self._lines.append(number)

    def within(self, line: Lines, reach: int) -> tuple[Column, Column]:
        """(lines, about how many metres off) of the same market within reach."""
        point = _points(self._problem, line)[0]
        chord = float(distances.chord(reach)) + 1e-9
        found = self._tree.query_ball_point(point, chord) if self._tree is not None else []
        since = np.arange(self._sizes, len(self._lines))
        at = np.append(np.array(found, np.int64), since)
        far = np.sqrt(((self._points.at[at] - point) ** 2).sum(axis=1))
        near = far <= chord
        at, far = at[near], far[near]
        order = np.argsort(at)
        metres = 2 * distances.RADIUS_M * np.arcsin(np.minimum(far[order] / 2, 1))
        return self._lines.at[at[order]], metres.astype(np.int64)


def _points(problem: Problem, lines: Lines) -> Floats:
    """(x, y, z, market)."""
    return np.column_stack((distances.on_sphere(lines.lat, lines.lng), market_of(problem, lines.item) * _APART))
