"""The orders over a base: the numbers of the first posts of some lanes, exact, a few array operations each.

Each takes the beginning of every lane, keeps what is wanted, and gives what is certain: what no post that was not taken
can come before. Where that is too little, it takes more, eight times as much each time.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from mutualaid.kit import cells
from mutualaid.kit.geo import Point
from mutualaid.posts.index.base import Array, Base, Lane
from mutualaid.posts.index.places import Places
from mutualaid.posts.index.tail import Tail

HALF_GLOBE_M: Final = 20_100_000
_LEAST_REACH_M: Final = 1_000
_DEGREE_M: Final = 111_000  # of latitude, a little less than it is: bands are a little wider than asked
_FEW_CELLS: Final = 256  # so many are measured at once
_MORE: Final = 8
_FIRST: Final = 3  # so many times the limit is taken at first
_ALL_NUMBERS: Final = 1 << 32


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which posts. `now`: microseconds, ended ones are left out; `region`: lowest and highest code; `within`: (the
    viewer's cell, metres)."""

    now: int
    real: bool | None = None
    region: tuple[int, int] | None = None
    within: tuple[str, int] | None = None

    def of(self, columns: Base | Tail, places: Places, numbers: Array) -> Array:
        """Which of these numbers: a mask."""
        kept: Array = columns.alive[numbers] & (columns.until[numbers] > self.now)
        if self.real is not None:
            kept &= columns.real[numbers] == self.real
        if self.region is not None:
            codes = columns.region[numbers]
            kept &= (codes >= self.region[0]) & (codes <= self.region[1])
        if self.within is not None:
            left = np.flatnonzero(kept)
            kept[left] = places.metres(self.within[0], columns.cell[numbers[left]]) <= self.within[1]
        return kept


def newest(base: Base, lanes: Sequence[Lane], wanted: Wanted, places: Places, *, below: int, limit: int) -> Array:
    """The highest numbers below `below`."""
    take = _FIRST * limit
    while True:
        taken, certain_from = [], -1
        for lane in lanes:
            end = int(np.searchsorted(lane.aged, below))
            begin = max(0, end - take)
            taken.append(lane.aged[begin:end])
            if begin:
                certain_from = max(certain_from, int(lane.aged[begin]))
        numbers = np.unique(_all(taken))[::-1]
        found = numbers[wanted.of(base, places, numbers)]
        found = found[found >= certain_from]
        if len(found) >= limit or certain_from < 0:
            return found[:limit]
        take *= _MORE


def urgent(
    base: Base, lanes: Sequence[Lane], wanted: Wanted, places: Places, *, after: tuple[int, int] | None, limit: int
) -> Array:
    """By rank, then the higher number. `after`: (rank, how many numbers come behind it), see `Base.boundary`."""
    behind = -1 if after is None else after[0] * _ALL_NUMBERS + _ALL_NUMBERS - after[1] - 1
    take = _FIRST * limit
    while True:
        taken, certain_to = [], None
        for lane in lanes:
            begin = bisect_right(lane.ranked, behind, key=lambda number: int(_ranked(base, number)))
            taken.append(lane.ranked[begin : begin + take])
            if begin + take < len(lane.ranked):
                last = int(_ranked(base, taken[-1][-1]))
                certain_to = last if certain_to is None else min(last, certain_to)
        keys, where = np.unique(_ranked(base, numbers := _all(taken)), return_index=True)
        numbers = numbers[where]
        kept = wanted.of(base, places, numbers)
        if certain_to is not None:
            kept &= keys <= certain_to
        found = numbers[kept]
        if len(found) >= limit or certain_to is None:
            return found[:limit]
        take *= _MORE


def _ranked(base: Base, numbers: Array) -> Array:
    """One integer by which the urgent order goes."""
    key: Array = base.rank[numbers].astype(np.int64) * _ALL_NUMBERS + (_ALL_NUMBERS - 1 - numbers.astype(np.int64))
    return key


def nearest(
    base: Base,
    lanes: Sequence[Lane],
    wanted: Wanted,
    places: Places,
    *,
    viewer: str,
    within_m: int | None,
    after: tuple[int, int] | None,
    limit: int,
) -> tuple[Array, Array]:
    """(numbers, metres) by metres, then the higher number. `after`: (metres, how many numbers come behind it there)."""
    farthest = HALF_GLOBE_M if within_m is None else min(within_m, HALF_GLOBE_M)
    few = all(len(lane.run_lat) <= _FEW_CELLS for lane in lanes)
    reach, take = farthest if few else min(farthest, *(lane.reach for lane in lanes)), _FIRST * limit
    while True:
        runs = _runs(lanes, places, viewer, reach, after)
        cut = _cut(runs, 2 * take)
        numbers, metres, certain = _posts(runs, cut, take)
        kept = wanted.of(base, places, numbers) if len(numbers) else np.empty(0, np.bool_)
        numbers, metres = numbers[kept], metres[kept]
        order = np.lexsort((-numbers, metres))
        numbers, metres = numbers[order], metres[order]
        once = np.diff(numbers, prepend=-1) != 0
        numbers, metres = numbers[once], metres[once]
        if certain is not None:
            sure = (metres < certain[0]) | ((metres == certain[0]) & (numbers >= certain[1]))
            numbers, metres = numbers[sure], metres[sure]
        if len(numbers) >= limit or (certain is None and reach >= farthest):
            if len(numbers) >= limit:
                _learn(lanes, int(metres[limit - 1]))
            return numbers[:limit], metres[:limit]
        if certain is not None:
            take *= _MORE
        else:
            reach = min(reach * 3, farthest)


def _learn(lanes: Sequence[Lane], needed_m: int) -> None:
    """The next question begins about where this one ended: dense lanes look near, sparse ones far."""
    for lane in lanes:
        lane.reach = max(_LEAST_REACH_M, (7 * lane.reach + 2 * needed_m) // 8)


def inside(lane: Lane, places: Places, south_west: Point, north_east: Point) -> Array:
    """The numbers of a lane that lie in a box of degrees, living and dead."""
    first, last = np.searchsorted(lane.run_lat, (south_west[0], np.nextafter(north_east[0], 91)))
    chosen = np.flatnonzero(places.inside(south_west, north_east, lane.run_cell[first:last])) + first
    begin, counts = lane.run_start[chosen], lane.run_start[chosen + 1] - lane.run_start[chosen]
    found: Array = lane.celled[_ranges(begin, counts)]
    return found


def _ranges(begin: Array, counts: Array) -> Array:
    """Indices: `counts` of them from each `begin` on."""
    steps: Array = np.repeat(begin - np.cumsum(counts) + counts, counts) + np.arange(int(counts.sum()))
    return steps


@dataclass(slots=True)
class _Runs:
    """Cells within reach, the nearest first: where their posts stand, and in which lane's column."""

    metres: Array
    begin: Array
    end: Array
    lane: Array
    columns: list[Array]


def _runs(lanes: Sequence[Lane], places: Places, viewer: str, reach: int, after: tuple[int, int] | None) -> _Runs:
    lat, wide = cells.centre(viewer)[0], reach / _DEGREE_M + 1e-6
    parts = []
    for n, lane in enumerate(lanes):
        first, last = np.searchsorted(lane.run_lat, (lat - wide, lat + wide))
        metres = places.metres(viewer, lane.run_cell[first:last])
        near = metres <= reach if after is None else (metres <= reach) & (metres >= after[0])
        chosen = np.flatnonzero(near)
        begin, end = lane.run_start[chosen + first], lane.run_start[chosen + first + 1]
        metres = metres[chosen]
        if after is not None:
            for at in np.flatnonzero(metres == after[0]):
                run = lane.celled[begin[at] : end[at]]
                begin[at] += len(run) - int(np.searchsorted(run[::-1], after[1]))
        parts.append((metres, begin, end, np.full(len(chosen), n)))
    together = [np.concatenate(each) for each in zip(*parts, strict=True)] if parts else [np.empty(0, np.int64)] * 4
    order = np.argsort(together[0], kind="stable")
    metres, begin, end, of = (each[order] for each in together)
    return _Runs(metres, begin, end, of, [lane.celled for lane in lanes])


def _cut(runs: _Runs, most: int) -> int:
    """How many runs hold about so many posts; all runs of one distance, or none of them."""
    total = np.cumsum(runs.end - runs.begin)
    last = int(np.searchsorted(total, most))
    if last >= len(total):
        return len(total)
    return int(np.searchsorted(runs.metres, runs.metres[last], "right"))


def _posts(runs: _Runs, cut: int, take: int) -> tuple[Array, Array, tuple[int, int] | None]:
    """(numbers, metres, certain) of the first `cut` runs, at most `take` of each. `certain`: (metres, number) of the
    last post that nothing left out comes before; None where nothing was left out."""
    begin, end = runs.begin[:cut], runs.end[:cut]
    counts = np.minimum(end - begin, take)
    starts = _ranges(begin, counts)
    metres, lane = np.repeat(runs.metres[:cut], counts), np.repeat(runs.lane[:cut], counts)
    numbers = np.empty(len(starts), dtype=np.int32)
    for n, column in enumerate(runs.columns):
        here = lane == n
        numbers[here] = column[starts[here]]
    shortened = np.flatnonzero(end - begin > take)
    bounds = [(int(runs.metres[run]), -int(runs.columns[runs.lane[run]][begin[run] + take - 1])) for run in shortened]
    if cut < len(runs.metres):
        bounds.append((int(runs.metres[cut - 1]), 0))
    if not bounds:
        return numbers, metres, None
    away, number = min(bounds)
    return numbers, metres, (away, -number)


def _all(parts: Sequence[Array]) -> Array:
    return np.concatenate(parts) if parts else np.empty(0, np.int32)
