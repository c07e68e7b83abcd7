"""Lines that are alike in everything a rule reads, at the same place, become one node: whoever may help one may help all.

A node of needs keeps how much it asks for at each rank. A line that somebody may not be matched with stays by itself.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from mutualaid.matching.engine import distances
from mutualaid.matching.engine.legal import DAY, Bars
from mutualaid.matching.engine.problem import ANY_TIME, NEVER, NO_GROUP, Column, Lines, Problem

_ROOM: Final = 1 << 62  # keys stay below


@dataclass(frozen=True, slots=True)
class Nodes:
    """Nodes of one kind. Of node k: `first[k]` is one of its lines, `lines[begin[k]:begin[k + 1]]` are all of them
    (needs: the highest rank first), `quantity[k]` what they hold together, `market[k]` the items that may meet, `alike[k]` the
    same number as of every node that differs from it in nothing but whom it may not be matched with."""

    first: Column
    lines: Column
    begin: Column
    quantity: Column
    market: Column
    alike: Column

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True, slots=True)
class Levels:
    """How much is asked for, by node of needs and rank: sorted by node, the highest rank first."""

    node: Column
    rank: Column
    quantity: Column

    def take(self, nodes: Column) -> "Levels":
        """Of these nodes, numbered from 0 in this order."""
        begin, end = np.searchsorted(self.node, nodes, "left"), np.searchsorted(self.node, nodes, "right")
        of = np.repeat(np.arange(len(nodes)), end - begin)
        within = np.arange(len(of)) - np.repeat(np.cumsum(end - begin) - (end - begin), end - begin)
        rows = begin[of] + within
        return Levels(of, self.rank[rows], self.quantity[rows])


def bundle(problem: Problem, bars: Bars, n: Column, o: Column) -> tuple[Nodes, Nodes]:
    """The nodes of these need lines and these offer lines."""
    needs, offers, items = problem.needs, problem.offers, problem.items
    alone_n, alone_o = _alone(problem, bars, n, o)
    places = _places(needs, offers, n, o)
    starts = _starts(problem)
    instead = needs.substitutes[n] & (items.group[needs.item[n]] != NO_GROUP)
    aged, least = np.unique(items.min_age), items.least
    asked_age = instead | (items.min_age[needs.item[n]] > 0)
    of_needs = [
        needs.item[n],
        instead.astype(np.int64),
        places[: len(n)],
        *_common(needs, starts, n),
        np.where(asked_age, np.searchsorted(aged, needs.youngest[n], "right"), 0),
        np.minimum(needs.quantity[n], np.where(instead, least.max(initial=1), least[needs.item[n]])),
    ]
    days = np.unique((starts + problem.zone) // DAY)
    spare = np.where(offers.expires[o] == NEVER, NEVER, offers.expires[o] - items.course[offers.item[o]])
    of_offers = [
        offers.item[o],
        places[len(n) :],
        *_common(offers, starts, o),
        np.searchsorted(days, spare, "right"),
        np.minimum(offers.quantity[o], least[offers.item[o]]),
    ]
    rank = needs.rank()
    return (
        _nodes(n, of_needs, alone_n, needs, market_of(problem, needs.item[n]), -rank[n]),
        _nodes(o, of_offers, alone_o, offers, market_of(problem, offers.item[o]), np.zeros(len(o), np.int64)),
    )


def levels(problem: Problem, nodes: Nodes) -> Levels:
    """What these nodes of needs ask for, by rank."""
    of = np.repeat(np.arange(len(nodes)), np.diff(nodes.begin))
    rank = problem.needs.rank()[nodes.lines]
    key, back = np.unique(of * _RANKS + (_RANKS - 1 - rank), return_inverse=True)
    quantity = np.zeros(len(key), np.int64)
    np.add.at(quantity, back, problem.needs.quantity[nodes.lines])
    return Levels(key // _RANKS, _RANKS - 1 - key % _RANKS, quantity)


_RANKS: Final = 64


def market_of(problem: Problem, item: Column) -> Column:
    """Items that may stand for each other share a market."""
    group = problem.items.group[item]
    return np.where(group == NO_GROUP, item, len(problem.items) + group)


def _starts(problem: Problem) -> Column:
    """Every moment at which a handover could begin at the earliest."""
    windows = problem.schedules.reshape(-1, 2)
    begun = np.maximum(windows[windows[:, 0] < windows[:, 1], 0], problem.now)
    return np.unique(np.append(begun, problem.now))


def _common(lines: Lines, starts: Column, rows: Column) -> list[Column]:
    """Until when a post stands matters only by which handovers could begin before."""
    until = np.searchsorted(starts, lines.until[rows], "left")
    return [lines.reach[rows], lines.ways[rows], lines.schedule[rows] - ANY_TIME, until]


def _places(needs: Lines, offers: Lines, n: Column, o: Column) -> Column:
    """Numbers of places, of the needs' and then the offers'."""
    lat = np.concatenate((needs.lat[n], offers.lat[o]))
    lng = np.concatenate((needs.lng[n], offers.lng[o]))
    _, rows = np.unique(lat, return_inverse=True)
    _, columns = np.unique(lng, return_inverse=True)
    return np.unique(rows * (columns.max(initial=0) + 1) + columns, return_inverse=True)[1]


def mixed(columns: list[Column]) -> Column:
    """One number for each row: equal where all columns are equal."""
    key, span = np.zeros(len(columns[0]), np.int64), 1
    for column in columns:
        low, high = int(column.min(initial=0)), int(column.max(initial=0))
        if high - low >= 1 << 31:
            column, low = np.unique(column, return_inverse=True)[1], 0
            high = int(column.max(initial=0))
        if span * (high - low + 1) >= _ROOM:
            key = np.unique(key, return_inverse=True)[1]
            span = int(key.max(initial=0)) + 1
        key = key * (high - low + 1) + (column - low)
        span *= high - low + 1
    return key


def _nodes(rows: Column, columns: list[Column], alone: Column, lines: Lines, market: Column, order: Column) -> Nodes:
    if not len(rows):
        empty = np.empty(0, np.int64)
        return Nodes(empty, empty, np.zeros(1, np.int64), empty, empty, empty)
    alike = mixed(columns)
    key = mixed([alike, alone])
    sorted_ = np.lexsort((rows, order, key))
    fresh = np.flatnonzero(np.append(True, np.diff(key[sorted_]) != 0))
    begin = np.append(fresh, len(rows))
    ordered = rows[sorted_]
    quantity = np.add.reduceat(lines.quantity[ordered], fresh)
    return Nodes(ordered[fresh], ordered, begin, quantity, market[sorted_][fresh], alike[sorted_][fresh])


# ---- lines that stay by themselves ------------------------------------------------------------------------------


def _alone(problem: Problem, bars: Bars, n: Column, o: Column) -> tuple[Column, Column]:
    """For each line 0, or a number of its own where a pair within reach is barred by what somebody said or owns."""
    a, b = bars.pairs(n, o)
    needs, offers = problem.needs, problem.offers
    market = market_of(problem, needs.item[n[a]]) == market_of(problem, offers.item[o[b]])
    a, b = a[market], b[market]
    metres = distances.metres(needs.lat[n[a]], needs.lng[n[a]], offers.lat[o[b]], offers.lng[o[b]])
    near = metres <= np.minimum(needs.reach[n[a]], offers.reach[o[b]])
    return _numbered(len(n), a[near]), _numbered(len(o), b[near])


def _numbered(size: int, alone: Column) -> Column:
    found = np.zeros(size, np.int64)
    found[alone] = alone + 1
    return found
