"""The last pass: splits too small to be of use are moved along pairs that the plan has already.

Tiers 1 and 2 never change: a unit goes from one need to another of the same urgency, or from one offer to another. What that
gives up of tier 3 and of the way is the gap, which the report prints. No new pair is made, so nothing here can break a rule.
"""

from collections.abc import Iterator

import numpy as np

from mutualaid.matching.engine.network import summed
from mutualaid.matching.engine.problem import Column, Problem

Way = tuple[int, int, int, int, int]  # tier 3 given up, metres more, row that gives way, row that gets, units


def tidy(problem: Problem, n: Column, o: Column, x: Column, metres: Column) -> tuple[Column, int]:
    """(quantities, splits that stay too small). Rows of pairs: need line, offer line, units, metres apart."""
    pass_ = _Pass(problem, n, o, x, metres)
    for row in np.flatnonzero((x > 0) & (x < problem.items.least[problem.offers.item[o]])).tolist():
        if pass_.is_small(row):
            pass_.mend(row)
    return np.array(pass_.x, np.int64), sum(map(pass_.is_small, range(len(pass_.x))))


class _Pass:
    """Pairs by need and by offer, and what is left at both ends. Lists: of a line's few pairs each is looked at by itself."""

    def __init__(self, problem: Problem, n: Column, o: Column, x: Column, metres: Column) -> None:
        needs, offers = problem.needs, problem.offers
        self.n, self.o, self.x, self.metres = n.tolist(), o.tolist(), x.tolist(), metres.tolist()
        # a split is of use from here on
        self.useful = np.minimum(problem.items.least[offers.item[o]], needs.quantity[n]).tolist()
        self.urgent, self.standing = needs.urgent[n].tolist(), needs.standing()[n].tolist()
        self.asks = (needs.quantity - summed(len(needs), n, x)).tolist()
        self.left = (offers.quantity - summed(len(offers), o, x)).tolist()
        self._of_need, self._of_offer = _rows_of(self.n), _rows_of(self.o)

    def is_small(self, row: int) -> bool:
        """Whether this split is too small to be of use."""
        return bool(0 < self.x[row] < self.useful[row])

    def mend(self, row: int) -> None:
        """The cheapest of the ways to end this split or to make it useful, if there is one."""
        units = self.x[row]
        more = self.useful[row] - units
        ways = [*self._elsewhere(row, units), *self._to_others(row, units), *self._from_others(row, more)]
        if ways:
            _, _, take, give, moved = min(ways)
            self._move(take, give, moved)

    def _move(self, take: int, give: int, units: int) -> None:
        """So many units less on one row, more on another."""
        for row, more in ((take, -units), (give, units)):
            self.x[row] += more
            self.asks[self.n[row]] -= more
            self.left[self.o[row]] -= more

    def _elsewhere(self, row: int, units: int) -> Iterator[Way]:
        """The same need, from another of its givers who still has so much."""
        for k in self._of_need[self.n[row]]:
            if k != row and self.x[k] > 0 and self.left[self.o[k]] >= units and self.x[k] + units >= self.useful[k]:
                yield 0, units * (self.metres[k] - self.metres[row]), row, k, units

    def _to_others(self, row: int, units: int) -> Iterator[Way]:
        """To another need of the same urgency that this offer helps already and that still asks."""
        for k in self._alike(row):
            if self.asks[self.n[k]] >= units and self.x[k] + units >= self.useful[k]:
                yield self._way(row, k, units)

    def _from_others(self, row: int, units: int) -> Iterator[Way]:
        """From another such need, which keeps a useful part or gives up the whole."""
        if self.asks[self.n[row]] < units:
            return
        for k in self._alike(row):
            rest = self.x[k] - units
            if rest == 0 or rest >= self.useful[k]:
                yield self._way(k, row, units)

    def _way(self, take: int, give: int, units: int) -> Way:
        lost = units * (self.standing[take] - self.standing[give])
        return lost, units * (self.metres[give] - self.metres[take]), take, give, units

    def _alike(self, row: int) -> Iterator[int]:
        for k in self._of_offer[self.o[row]]:
            if k != row and self.x[k] > 0 and self.urgent[k] == self.urgent[row]:
                yield k


def _rows_of(line: list[int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for row, each in enumerate(line):
        found.setdefault(each, []).append(row)
    return found
