"""Cells as small numbers, and exact distances from one cell to many at once."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mutualaid.kit import cells, spots
from mutualaid.kit.geo import Point

Array = NDArray[Any]
Ints = NDArray[np.int32]
Metres = NDArray[np.int64]

_UNSURE_M: Final = 1e-3  # nearer than this to half a metre, the shared function decides; ours errs by far less
_FAR_M: Final = 10_000_000  # beyond, the arcsine loses digits


class Places:
    """Every cell that was ever seen, numbered in the order of its coming. Numbers stay; arrays only grow."""

    def __init__(self) -> None:
        self._number: dict[str, int] = {}
        self._names: list[str] = []
        self._xyz: NDArray[np.float64] = np.empty((1024, 3))
        self.lat: NDArray[np.float64] = np.empty(1024)
        self.lng: NDArray[np.float64] = np.empty(1024)

    def __len__(self) -> int:
        return len(self._names)

    def number(self, cell: str) -> int:
        """The cell's number, a new one where it has none."""
        found = self._number.get(cell)
        if found is None:
            found = len(self._names)
            if found == len(self.lat):
                self._xyz = np.concatenate((self._xyz, np.empty_like(self._xyz)))
                self.lat = np.concatenate((self.lat, np.empty_like(self.lat)))
                self.lng = np.concatenate((self.lng, np.empty_like(self.lng)))
            centre = cells.centre(cell)
            self._xyz[found] = spots.on_sphere(centre)
            self.lat[found], self.lng[found] = centre
            self._names.append(cell)
            self._number[cell] = found
        return found

    def name(self, number: int) -> str:
        return self._names[number]

    def metres(self, viewer: str, numbers: Ints) -> Metres:
        """Whole metres from a cell to each of these: what `cells.between_m` says, to the metre."""
        apart = self._xyz[numbers]
        apart -= spots.on_sphere(cells.centre(viewer))
        chord: Any = np.sqrt(np.einsum("ij,ij->i", apart, apart))
        exact: Any = 2 * spots.RADIUS_M * np.arcsin(np.minimum(chord / 2, 1.0))
        rounded = np.rint(exact)
        whole: Metres = rounded.astype(np.int64)
        unsure = (np.abs(exact - rounded) > 0.5 - _UNSURE_M) | (exact > _FAR_M)
        if unsure.any():
            for n in np.flatnonzero(unsure):
                whole[n] = cells.between_m(viewer, self._names[numbers[n]])
        return whole

    def inside(self, south_west: Point, north_east: Point, numbers: Ints) -> NDArray[np.bool_]:
        """Which of these cells have their centre in a box of degrees, its edges included."""
        lat, lng = self.lat[numbers], self.lng[numbers]
        found: NDArray[np.bool_] = (lat >= south_west[0]) & (lat <= north_east[0])
        return found & (lng >= south_west[1]) & (lng <= north_east[1])

    @property
    def octets(self) -> int:
        """What it holds, without the names, which the process knows anyway."""
        return self._xyz.nbytes + self.lat.nbytes + self.lng.nbytes
