"""Polygons to test with."""

from array import array
from functools import cache

from mutualaid.regions import source
from mutualaid.regions.rules import Shape


def ring(*corners: tuple[int, int]) -> "array[int]":
    """A ring from (lng, lat) corners in micro-degrees."""
    return array("i", [value for corner in corners for value in corner])


def box(west: int, south: int, east: int, north: int) -> "array[int]":
    return ring((west, south), (east, south), (east, north), (west, north))


def shape(*rings: "array[int]") -> Shape:
    return rings


@cache
def country() -> list[source.Row]:
    """Every row that a seed writes, made once for all tests."""
    return list(source.rows(source.folder()))
