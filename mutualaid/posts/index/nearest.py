"""The nearest posts of some lanes: the nearest cells first, then the posts of cells that are equally far, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from mutualaid.kit import cells
from mutualaid.posts.index.base import Base, Lane
from mutualaid.posts.index.circles import Circle
from mutualaid.posts.index.places import Array, Places
from mutualaid.posts.index.runs import Runs, ranges
from mutualaid.posts.index.search import FIRST, MORE, Wanted

HALF_GLOBE_M: Final = 20_100_000
_LEAST_REACH_M: Final = 1_000
_FEW_CELLS: Final = 256  # so many are measured at once


@dataclass(frozen=True, slots=True)
class Asked:
    """From where, how far, behind which place (metres, how many numbers come behind it there), how many."""

    viewer: str
    within_m: int | None
    after: tuple[int, int] | None
    limit: int


def nearest(base: Base, lanes: Sequence[Lane], wanted: Wanted, places: Places, asked: Asked) -> tuple[Array, Array]:
    """(numbers, metres) by metres, then the higher number.

    It looks round about as far as the last such question had to, and three times as far where that was too little. Of a
    region, or of few cells, all are measured at once.
    """
    farthest = HALF_GLOBE_M if asked.within_m is None else min(asked.within_m, HALF_GLOBE_M)
    at_once = wanted.region is not None or all(len(lane.placed) <= _FEW_CELLS for lane in lanes)
    known = [base.circles.reach(lane.stream, asked.viewer) or lane.reach for lane in lanes]
    reach = farthest if at_once else min(farthest, *known)
    while True:
        numbers, metres = _first(base, _ways(base, lanes, wanted, places, asked, reach), wanted, places, asked.limit)
        if len(numbers) == asked.limit and not at_once:
            _learn(lanes, int(metres[-1]))
        if len(numbers) == asked.limit or reach >= farthest:
            return numbers, metres
        reach = min(reach * 3, farthest)


def _learn(lanes: Sequence[Lane], needed_m: int) -> None:
    """The next question begins about where this one ended: dense lanes look near, sparse ones far."""
    for lane in lanes:
        lane.reach = max(_LEAST_REACH_M, (7 * lane.reach + 2 * needed_m) // 8)


@dataclass(slots=True)
class _Ways:
    """Cells within reach, the nearest first: how far, where their posts stand, and in which lane's column."""

    metres: Array
    begin: Array
    end: Array
    lane: Array | None  # None: all in the first
    columns: list[Array]


def _ways(base: Base, lanes: Sequence[Lane], wanted: Wanted, places: Places, asked: Asked, reach: int) -> _Ways:
    parts, columns = [], []
    for lane in lanes:
        runs = lane.placed if wanted.region is None else lane.coded
        if wanted.region is None:
            circle = _circle(base, lane, places, asked.viewer, reach)
        else:
            circle = _measured(runs, runs.coded(*wanted.region), places, asked.viewer, reach)
        parts.append(_behind(circle.until(reach), runs, asked.after))
        columns.append(runs.column)
    if len(parts) == 1:
        return _Ways(parts[0].metres, parts[0].begin, parts[0].end, None, columns)
    return _together(parts, columns)


def _circle(base: Base, lane: Lane, places: Places, viewer: str, reach: int) -> Circle:
    """The lane's cells within so many metres or more, measured now or at an earlier question."""
    circle = base.circles.get(lane.stream, viewer)
    if circle is None or circle.reach < reach:
        runs = lane.placed
        few = len(runs) <= _FEW_CELLS
        chosen = np.arange(len(runs)) if few else runs.around(cells.centre(viewer), reach)
        circle = _measured(runs, chosen, places, viewer, HALF_GLOBE_M if few else reach)
        base.circles.put(lane.stream, viewer, circle)
    return circle


def _measured(runs: Runs, chosen: Array, places: Places, viewer: str, reach: int) -> Circle:
    """Of these runs, those within reach."""
    metres = places.metres(viewer, runs.cell[chosen]).astype(np.int32)
    order = metres.argsort(kind="stable")
    chosen = chosen[order]
    return Circle(HALF_GLOBE_M, metres[order], runs.start[chosen], runs.start[chosen + 1]).until(reach)


def _behind(circle: Circle, runs: Runs, after: tuple[int, int] | None) -> Circle:
    """What comes behind a place of the order."""
    if after is None:
        return circle
    first, last = circle.metres.searchsorted((after[0], after[0] + 1))
    begin = circle.begin[first:].copy()
    for at in range(last - first):
        run = runs.column[begin[at] : circle.end[first + at]]
        begin[at] += len(run) - int(run[::-1].searchsorted(after[1]))
    return Circle(circle.reach, circle.metres[first:], begin, circle.end[first:])


def _together(parts: Sequence[Circle], columns: list[Array]) -> _Ways:
    if not parts:
        nothing = np.empty(0, np.int32)
        return _Ways(nothing, nothing, nothing, nothing, columns)
    metres = np.concatenate([part.metres for part in parts])
    order = metres.argsort(kind="stable")
    begin = np.concatenate([part.begin for part in parts])[order]
    end = np.concatenate([part.end for part in parts])[order]
    lane = np.repeat(np.arange(len(parts)), [len(part.metres) for part in parts])[order]
    return _Ways(metres[order], begin, end, lane, columns)


def _first(base: Base, ways: _Ways, wanted: Wanted, places: Places, limit: int) -> tuple[Array, Array]:
    """The first `limit` along these ways, or all that there are."""
    take = FIRST * limit
    while True:
        cut = _cut(ways, 2 * take)
        numbers, metres, shortened = _posts(ways, cut, take)
        kept = wanted.of(base, places, numbers)
        numbers, metres = numbers[kept], metres[kept]
        if ways.lane is not None or (ways.metres[1:cut] == ways.metres[: cut - 1]).any():
            order = np.lexsort((-numbers, metres))
            numbers, metres = numbers[order], metres[order]
        if ways.lane is not None:
            once = np.diff(numbers, prepend=-1) != 0
            numbers, metres = numbers[once], metres[once]
        if shortened is not None:
            sure = (metres < shortened[0]) | ((metres == shortened[0]) & (numbers >= shortened[1]))
            numbers, metres = numbers[sure], metres[sure]
        if len(numbers) >= limit or (shortened is None and cut == len(ways.metres)):
            return numbers[:limit], metres[:limit]
        take *= MORE


def _cut(ways: _Ways, most: int) -> int:
    """How many cells hold about so many posts; all cells of one distance, or none of them."""
    total = (ways.end - ways.begin).cumsum()
    last = int(total.searchsorted(most))
    if last >= len(total):
        return len(total)
    return int(ways.metres.searchsorted(ways.metres[last], "right"))


def _posts(ways: _Ways, cut: int, take: int) -> tuple[Array, Array, tuple[int, int] | None]:
    """(numbers, metres, shortened) of the first `cut` cells, at most `take` of each. `shortened`: (metres, number) of the
    last post that none of those left out of a cell comes before; None where none was."""
    begin = ways.begin[:cut]
    whole = ways.end[:cut] - begin
    counts = np.minimum(whole, take)
    starts, metres = ranges(begin, counts), ways.metres[:cut].repeat(counts)
    if ways.lane is None:
        numbers = ways.columns[0][starts]
    else:
        numbers, lane = np.empty(len(starts), np.int32), ways.lane[:cut].repeat(counts)
        for n, column in enumerate(ways.columns):
            here = lane == n
            numbers[here] = column[starts[here]]
    bounds = []
    for at in np.flatnonzero(whole > take):
        column = ways.columns[0 if ways.lane is None else ways.lane[at]]
        bounds.append((int(ways.metres[at]), -int(column[begin[at] + take - 1])))
    if not bounds:
        return numbers, metres, None
    away, number = min(bounds)
    return numbers, metres, (away, -number)
