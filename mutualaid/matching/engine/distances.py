"""Whole metres between places, for a million pairs at once and yet the very numbers of `kit.geo.distance_m`."""

from typing import Any, Final

import numpy as np

from mutualaid.kit import geo
from mutualaid.matching.engine.problem import PER_DEGREE, Column, Floats

RADIUS_M: Final = 6_371_009.0
_DOUBTFUL: Final = 1e-4  # metres from a half: there the last digits decide, and the shared function is asked


def metres(lat_a: Column, lng_a: Column, lat_b: Column, lng_b: Column) -> Column:
    """Great-circle metres between centres of cells given in billionths of a degree, row by row."""
    found = _great_circle(lat_a, lng_a, lat_b, lng_b)
    whole = np.rint(found).astype(np.int64)
    for k in np.flatnonzero(np.abs(found - np.floor(found) - 0.5) < _DOUBTFUL).tolist():
        a = int(lat_a[k]) / PER_DEGREE, int(lng_a[k]) / PER_DEGREE
        b = int(lat_b[k]) / PER_DEGREE, int(lng_b[k]) / PER_DEGREE
        whole[k] = geo.distance_m(a, b)
    return whole


def _great_circle(lat_a: Column, lng_a: Column, lat_b: Column, lng_b: Column) -> Floats:
    """Vincenty's form for the sphere: well behaved near and far."""
    a, b = np.radians(lat_a / PER_DEGREE), np.radians(lat_b / PER_DEGREE)
    turn = np.radians((lng_b - lng_a) / PER_DEGREE)
    sin_a, cos_a, sin_b, cos_b = np.sin(a), np.cos(a), np.sin(b), np.cos(b)
    cos_turn = np.cos(turn)
    across = np.hypot(cos_b * np.sin(turn), cos_a * sin_b - sin_a * cos_b * cos_turn)
    return np.asarray(RADIUS_M * np.arctan2(across, sin_a * sin_b + cos_a * cos_b * cos_turn))


def on_sphere(lat: Column, lng: Column) -> Floats:
    """(n, 3): points of the unit sphere, for the k-d tree; chords order as arcs do."""
    a, b = np.radians(lat / PER_DEGREE), np.radians(lng / PER_DEGREE)
    return np.column_stack((np.cos(a) * np.cos(b), np.cos(a) * np.sin(b), np.sin(a)))


def chord(metres_: Any) -> Any:
    """The chord of the unit sphere that spans so many metres, a little long: what is cut by it is measured again."""
    return 2 * np.sin(np.minimum((metres_ + 1) / (2 * RADIUS_M), np.pi / 2))
