"""Hexagons instead of points (H3): what a reader may know of a place. WGS-84 degrees, lat before lng."""

import re
from functools import lru_cache
from typing import Final, cast

import h3

from mutualaid.kit import geo

RESOLUTION: Final = 8  # hexagons of about 0.7 km²
_INDEX: Final = re.compile(r"8[0-9a-f]{14}")


def cell_of(lat: float, lng: float, resolution: int = RESOLUTION) -> str:
    """The cell that holds a point. Raises `ValueError` for a point that is nowhere on earth."""
    geo.refuse_nowhere(lat, lng)  # the library would wrap the angle round the globe
    return cast(str, h3.latlng_to_cell(lat, lng, resolution))


def parent(cell: str, resolution: int) -> str:
    """The coarser cell above, by the tree of indices: one point in 14 lies in another cell when indexed anew."""
    return cast(str, h3.cell_to_parent(_checked(cell), resolution))


def resolution(cell: str) -> int:
    """How fine the cell is: 8 about 1 km, 7 about 3, 6 about 7 across."""
    return int(cell[1], 16)


@lru_cache(maxsize=65_536)
def at_most(cell: str, resolution: int) -> str:
    """The cell itself, or where it is finer than that the one above it."""
    return cell if int(cell[1], 16) <= resolution else parent(cell, resolution)


@lru_cache(maxsize=65_536)
def centre(cell: str) -> geo.Point:
    """The centre (lat, lng) to nine decimals: the same digits on every machine, and `distance_m` follows from them."""
    lat, lng = h3.cell_to_latlng(_checked(cell))
    return round(lat, 9), round(lng, 9)


@lru_cache(maxsize=262_144)
def between_m(a: str, b: str) -> int:
    """Whole metres between the centres of two cells; the same cell is 0."""
    return geo.apart_m(_turned(a), _turned(b))


@lru_cache(maxsize=65_536)
def _turned(cell: str) -> geo.Turned:
    return geo.turned(centre(cell))


@lru_cache(maxsize=65_536)
def is_cell(text: str) -> bool:
    """True for the canonical writing (15 lower-case hex digits) of a cell that exists."""
    return _INDEX.fullmatch(text) is not None and bool(h3.is_valid_cell(text))


def _checked(cell: str) -> str:
    if not is_cell(cell):
        raise ValueError("not an H3 cell")
    return cell
