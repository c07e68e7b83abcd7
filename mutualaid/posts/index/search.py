"""The orders over a base: the numbers of the first posts of some lanes, exact, a few array operations each.

Where a region or a circle holds few posts, all of them are looked at. Else each order takes the beginning of every lane,
keeps what is wanted, and gives what is certain: what no post that was not taken can come before. Where that is too
little, it takes more, eight times as much each time.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from mutualaid.kit import cells
from mutualaid.kit.geo import Point
from mutualaid.posts.index.base import Base, Lane
from mutualaid.posts.index.places import Array, Places
from mutualaid.posts.index.tail import Tail

MORE: Final = 8
FIRST: Final = 3  # so many times the limit is taken at first
_FEW_POSTS: Final = 8_192
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
    if (few := _few(base, lanes, wanted, places)) is not None:
        return few[: few.searchsorted(below)][::-1][:limit]
    take = FIRST * limit
    while True:
        taken, certain_from = [], -1
        for lane in lanes:
            end = int(
                lane.aged.searchsorted(lane.aged.dtype.type(below))
            )  # of another type, all of them would be copied
            begin = max(0, end - take)
            taken.append(lane.aged[begin:end])
            if begin:
                certain_from = max(certain_from, int(lane.aged[begin]))
        numbers = _once(taken)[::-1]
        found = numbers[wanted.of(base, places, numbers)]
        found = found[found >= certain_from]
        if len(found) >= limit or certain_from < 0:
            return found[:limit]
        take *= MORE


def urgent(
    base: Base, lanes: Sequence[Lane], wanted: Wanted, places: Places, *, after: tuple[int, int] | None, limit: int
) -> Array:
    """By rank, then the higher number. `after`: (rank, how many numbers come behind it), see `Base.boundary`."""
    behind = -1 if after is None else after[0] * _ALL_NUMBERS + _ALL_NUMBERS - after[1] - 1
    if (few := _few(base, lanes, wanted, places)) is not None:
        keys = _ranked(base, few)
        order = keys.argsort()
        return few[order[keys[order].searchsorted(behind, "right") :][:limit]]
    take = FIRST * limit
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
        take *= MORE


def _ranked(base: Base, numbers: Array) -> Array:
    """One integer by which the urgent order goes."""
    key: Array = base.rank[numbers].astype(np.int64) * _ALL_NUMBERS + (_ALL_NUMBERS - 1 - numbers.astype(np.int64))
    return key


def _few(base: Base, lanes: Sequence[Lane], wanted: Wanted, places: Places) -> Array | None:
    """All that is wanted, ascending, where the circle or the region holds few posts; else None."""
    parts, left = [], _FEW_POSTS
    for lane in lanes:
        if wanted.within is not None:
            viewer, within_m = wanted.within
            runs, chosen = lane.placed, lane.placed.around(cells.centre(viewer), within_m)
            chosen = chosen[places.metres(viewer, runs.cell[chosen]) <= within_m]
        elif wanted.region is not None:
            runs, chosen = lane.coded, lane.coded.coded(*wanted.region)
        else:
            return None
        left -= runs.count(chosen)
        if left < 0:
            return None
        parts.append(runs.posts(chosen))
    numbers = _once(parts)
    kept: Array = numbers[replace(wanted, within=None).of(base, places, numbers)]
    return kept


def inside(lane: Lane, places: Places, south_west: Point, north_east: Point) -> Array:
    """The numbers of a lane that lie in a box of degrees, living and dead."""
    chosen = lane.placed.inside(south_west, north_east)
    return lane.placed.posts(chosen[places.inside(south_west, north_east, lane.placed.cell[chosen])])


def _once(parts: Sequence[Array]) -> Array:
    """Ascending, each once."""
    numbers: Array = np.unique(_all(parts)) if len(parts) != 1 else np.sort(parts[0])
    return numbers


def _all(parts: Sequence[Array]) -> Array:
    return np.concatenate(parts) if parts else np.empty(0, np.int32)
