"""Distances on the globe: the one shared function, so that every page, order and radius agrees to the metre."""

from typing import cast

from geopy.distance import great_circle

Point = tuple[float, float]


def refuse_nowhere(lat: float, lng: float) -> None:
    """Raises `ValueError` unless these are degrees of a place. The message does not repeat them, as libraries do."""
    if not (-90 <= lat <= 90 and -180 <= lng <= 180):  # NaN compares false and is refused here as well
        raise ValueError("lat must be within ±90 and lng within ±180 degrees")


def distance_m(a: Point, b: Point) -> int:
    """Great-circle distance in whole metres between two WGS-84 points (lat, lng) on a sphere of 6,371.009 km.

    Exactly symmetric, and 0 for equal points. Raises `ValueError` for what is no place on earth.
    """
    refuse_nowhere(*a)
    refuse_nowhere(*b)
    # The formula rounds differently in its two directions; sorting the points makes them one.
    near, far = (a, b) if a <= b else (b, a)
    return round(cast(float, great_circle(near, far).meters))


def distance_km(metres: int) -> float:
    """Metres as kilometres to one decimal: what a reader sees."""
    return round(metres / 1000, 1)
