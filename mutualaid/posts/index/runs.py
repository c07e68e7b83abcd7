"""A lane's posts by cell: which of its cells lie near a point, in a box, or in a region, and where their posts stand.

Cells are kept in rows of latitude, each row from west to east, so that the cells near a point are a few ranges.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, radians
from typing import Final

import numpy as np

from mutualaid.kit.geo import Point
from mutualaid.posts.index.places import Array

_ROW: Final = 0.05  # degrees of latitude
_WIDE: Final = 1024.0  # more than all longitudes: what divides a row's keys from the next row's
_DEGREE_M: Final = 111_000  # of latitude, a little less than it is: boxes are a little wider than asked


def place_keys(lat: Array, lng: Array) -> Array:
    """By which cells are sorted: their row, and how far east they lie."""
    keys: Array = np.floor((lat + 90) / _ROW) * _WIDE + lng + 180
    return keys


@dataclass(slots=True)
class Runs:
    """`column`: numbers of posts, cell after cell, each cell's newest first. Of each run: its cell, where it begins (one
    more at the end), and its key: of its place, or the code of its region. Keys ascend."""

    column: Array
    cell: Array
    start: Array
    key: Array

    def __len__(self) -> int:
        return len(self.cell)

    def around(self, point: Point, reach_m: int) -> Array:
        """The runs, by place, of all cells within so many metres of a point, and some beyond."""
        (lat, lng), wide = point, reach_m / _DEGREE_M + 1e-6
        farthest = max(abs(lat - wide), abs(lat + wide))
        half = wide / cos(radians(farthest)) if farthest < 90 else 360.0
        if lng - half < -180 or lng + half > 180:
            return self.inside((lat - wide, -180), (lat + wide, 180))
        return self.inside((lat - wide, lng - half), (lat + wide, lng + half))

    def inside(self, south_west: Point, north_east: Point) -> Array:
        """The runs, by place, of all cells in a box of degrees, and some beyond its southern and northern edge."""
        south, north = (int((max(-90.0, min(90.0, lat)) + 90) // _ROW) for lat in (south_west[0], north_east[0]))
        rows = np.arange(south, north + 1) * _WIDE
        first = self.key.searchsorted(rows + (south_west[1] + 180), "left")
        last = self.key.searchsorted(rows + (north_east[1] + 180), "right")
        return ranges(first, last - first)

    def coded(self, lowest: int, highest: int) -> Array:
        """The runs, by region, of these codes."""
        first, last = self.key.searchsorted(np.array((lowest, highest + 1), self.key.dtype))
        return np.arange(first, last)

    def posts(self, chosen: Array) -> Array:
        """The numbers of these runs' posts."""
        begin = self.start[chosen]
        found: Array = self.column[ranges(begin, self.start[chosen + 1] - begin)]
        return found

    def count(self, chosen: Array) -> int:
        """How many posts they hold."""
        return int((self.start[chosen + 1] - self.start[chosen]).sum())

    @property
    def octets(self) -> int:
        return int(self.column.nbytes + self.cell.nbytes + self.start.nbytes + self.key.nbytes)


def by_place(newest: Array, cell: Array, keys: Array, eastward: Array) -> Runs:
    """Runs of these posts, given newest first. `keys` and `eastward`: of each cell, its key and its rank among them."""
    column = newest[np.argsort(eastward[cell[newest]], kind="stable")]
    its_cells = cell[column]
    return _runs(column, its_cells, np.diff(its_cells, prepend=-1) != 0, lambda begins: keys[its_cells[begins]])


def by_region(newest: Array, cell: Array, region: Array, eastward: Array) -> Runs:
    """The same, the posts of each region together."""
    column = newest[np.lexsort((eastward[cell[newest]], region[newest]))]
    its_cells, codes = cell[column], region[column]
    new = (np.diff(its_cells, prepend=-1) != 0) | (np.diff(codes, prepend=-1) != 0)
    return _runs(column, its_cells, new, lambda begins: codes[begins])


def _runs(column: Array, its_cells: Array, new: Array, key: Callable[[Array], Array]) -> Runs:
    begins = np.flatnonzero(new).astype(np.int32)
    return Runs(column, its_cells[begins], np.append(begins, np.int32(len(column))), key(begins))


def ranges(begin: Array, counts: Array) -> Array:
    """Indices: `counts` of them from each `begin` on."""
    if len(begin) == 1:
        return np.arange(begin[0], begin[0] + counts[0])
    steps: Array = np.repeat(begin - counts.cumsum() + counts, counts)
    steps += np.arange(len(steps))
    return steps
