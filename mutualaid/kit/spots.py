"""A cell's place on the globe as an index can search it: a Morton key on SQLite, a point of the unit sphere on PostgreSQL.

A Morton key interleaves the bits of latitude and longitude, so that each square of a quadtree is one range of keys
(G. M. Morton, "A computer oriented geodetic data base", 1966). 26 levels: 0.3 m of latitude, 0.6 m at most of longitude.
"""

from functools import lru_cache
from math import asin, atan2, cos, degrees, radians, sin, sqrt, tau
from typing import Any, Final

from sqlalchemy import BigInteger, Dialect, Float, cast, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.types import TypeDecorator, TypeEngine, UserDefinedType

from mutualaid.kit import cells
from mutualaid.kit.geo import Point

LEVELS: Final = 26
_SIDE: Final = 1 << LEVELS
RADIUS_M: Final = 6_371_009  # geopy's sphere


class Cube(UserDefinedType[list[float]]):
    """PostgreSQL's `cube`, here always a point (x, y, z) of the unit sphere."""

    cache_ok = True

    def get_col_spec(self, **_kw: Any) -> str:
        return "CUBE"

    def bind_expression(self, bindvalue: Any) -> Any:
        return func.cube(cast(bindvalue, ARRAY(Float(53))))


ischema_names["cube"] = Cube


class Spot(TypeDecorator[str]):
    """A column that takes an H3 cell and keeps where its centre lies."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Cube() if dialect.name == "postgresql" else BigInteger())

    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        centre = cells.centre(value)
        return list(on_sphere(centre)) if dialect.name == "postgresql" else morton(centre)


def on_sphere(point: Point) -> tuple[float, float, float]:
    """(x, y, z) of length 1: the straight distance of two such points grows with the great-circle distance."""
    lat, lng = radians(point[0]), radians(point[1])
    return cos(lat) * cos(lng), cos(lat) * sin(lng), sin(lat)


def morton(point: Point) -> int:
    """The key of a point (lat, lng, degrees)."""
    row = min(int((point[0] + 90) / 180 * _SIDE), _SIDE - 1)
    column = min(int((point[1] + 180) / 360 * _SIDE), _SIDE - 1)
    return _spread(row) << 1 | _spread(column)


def _spread(bits: int) -> int:
    """Put a zero before every bit of a number below 2^32."""
    bits = (bits | bits << 16) & 0x0000FFFF0000FFFF
    bits = (bits | bits << 8) & 0x00FF00FF00FF00FF
    bits = (bits | bits << 4) & 0x0F0F0F0F0F0F0F0F
    bits = (bits | bits << 2) & 0x3333333333333333
    return (bits | bits << 1) & 0x5555555555555555


def _gather(bits: int) -> int:
    """Every second bit of a key: the inverse of `_spread`."""
    bits &= 0x5555555555555555
    bits = (bits | bits >> 1) & 0x3333333333333333
    bits = (bits | bits >> 2) & 0x0F0F0F0F0F0F0F0F
    bits = (bits | bits >> 4) & 0x00FF00FF00FF00FF
    bits = (bits | bits >> 8) & 0x0000FFFF0000FFFF
    return (bits | bits >> 16) & 0x00000000FFFFFFFF


def square(key: int, level: int) -> tuple[int, int]:
    """(first, last) key of the square of this level that holds `key`: level 0 is the globe, `LEVELS` one key."""
    below = 2 * (LEVELS - level)
    first = key >> below << below
    return first, first + (1 << below) - 1


def children(first: int, level: int) -> list[int]:
    """The first keys of the four squares of the next level."""
    quarter = 1 << 2 * (LEVELS - level - 1)
    return [first + n * quarter for n in range(4)]


def outside_m(here: Point, first: int, level: int) -> int:
    """Whole metres that every point outside a square that holds `here` is away from it, at the least."""
    south, west, north, east = _edges(first, level)
    lat, lng = here
    turn = radians(min(lng - west, east - lng, 90.0))
    return max(0, int(min(radians(min(lat - south, north - lat)), asin(cos(radians(lat)) * sin(turn))) * RADIUS_M) - 1)


@lru_cache(maxsize=65_536)
def _edges(first: int, level: int) -> tuple[float, float, float, float]:
    """South, west, north, east of a square, degrees."""
    side = 1 << LEVELS - level
    south, west = _gather(first >> 1) * 180 / _SIDE - 90, _gather(first) * 360 / _SIDE - 180
    return south, west, south + side * 180 / _SIDE, west + side * 360 / _SIDE


def at_least_m(here: Point, first: int, level: int) -> int:
    """Whole metres that every point of a square is away from `here`, at the least; 0 inside it.

    The nearest point of the square lies on `here`'s own meridian where that crosses the square; else on its nearer
    meridian, where a great circle meets it at a right angle or at a corner.
    """
    south, west, north, east = _edges(first, level)
    lat, lng = here
    if west <= lng <= east:
        away = max(south - lat, lat - north, 0.0)
        return max(0, int(radians(away) * RADIUS_M) - 1)
    turn = min(radians(abs(lng - west)) % tau, radians(abs(lng - east)) % tau, key=lambda a: min(a, tau - a))
    turn = min(turn, tau - turn)
    foot = degrees(atan2(sin(radians(lat)), cos(radians(lat)) * cos(turn)))
    nearest = radians(min(max(foot, south), north))
    half = sin((nearest - radians(lat)) / 2) ** 2 + cos(nearest) * cos(radians(lat)) * sin(turn / 2) ** 2
    return max(0, int(2 * asin(min(1.0, sqrt(half))) * RADIUS_M) - 1)
