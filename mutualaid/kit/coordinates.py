"""Three ways to write one spot in China: WGS-84 (satellites), GCJ-02 (maps sold there), BD-09 (Baidu).

Degrees, lat before lng. Taking one for another costs some 500 m (WGS/GCJ) or 900 m (GCJ/BD). We hold WGS-84 after
the exact inverse: the forward shift is a published formula on the Krasovsky ellipsoid, the way back is found by fixed
point, to below a millimetre.
"""

import math
from collections.abc import Callable
from typing import Final, Literal

from mutualaid.kit import geo
from mutualaid.kit.geo import Point

Crs = Literal["wgs84", "gcj02", "bd09"]

_AXIS: Final = 6378245.0  # metres, Krasovsky 1940
_ECCENTRICITY: Final = 0.00669342162296594323  # squared
_BAIDU: Final = math.pi * 3000 / 180
_CLOSE_ENOUGH: Final = 1e-9  # degrees: a tenth of a millimetre
_MOST_STEPS: Final = 20  # 2 to 5 are needed; only at the edge of the box, where the shift jumps, does it end here


def to_wgs84(lat: float, lng: float, crs: Crs) -> Point:
    """The WGS-84 point (lat, lng) of a point given in `crs`. Raises `ValueError` for what is no place on earth."""
    geo.refuse_nowhere(lat, lng)
    match crs:
        case "wgs84":
            return lat, lng
        case "gcj02":
            return _undone(_gcj_of_wgs, lat, lng)
        case "bd09":
            return _undone(_gcj_of_wgs, *_undone(_bd_of_gcj, lat, lng))


def from_wgs84(lat: float, lng: float, crs: Crs) -> Point:
    """The point (lat, lng) in `crs` of a WGS-84 point. Raises `ValueError` for what is no place on earth."""
    geo.refuse_nowhere(lat, lng)
    match crs:
        case "wgs84":
            return lat, lng
        case "gcj02":
            return _gcj_of_wgs(lat, lng)
        case "bd09":
            return _bd_of_gcj(*_gcj_of_wgs(lat, lng))


def in_china_box(lat: float, lng: float) -> bool:
    """Inside the rectangle where the shift applies (72.004–137.8347 E, 0.8293–55.8271 N), which neighbours share."""
    return 0.8293 <= lat <= 55.8271 and 72.004 <= lng <= 137.8347


def looks_swapped(lat: float, lng: float) -> bool:
    """True when the pair lies in the box once lat and lng are exchanged; as given it then does not."""
    return in_china_box(lng, lat)


def _gcj_of_wgs(lat: float, lng: float) -> Point:
    if not in_china_box(lat, lng):
        return lat, lng
    x, y = lng - 105.0, lat - 35.0
    root = math.sqrt(abs(x))
    waves = (20.0 * math.sin(6.0 * math.pi * x) + 20.0 * math.sin(2.0 * math.pi * x)) * 2.0 / 3.0
    north = (
        -100.0
        + 2.0 * x
        + 3.0 * y
        + 0.2 * y * y
        + 0.1 * x * y
        + 0.2 * root
        + waves
        + (20.0 * math.sin(math.pi * y) + 40.0 * math.sin(math.pi * y / 3.0)) * 2.0 / 3.0
        + (160.0 * math.sin(math.pi * y / 12.0) + 320.0 * math.sin(math.pi * y / 30.0)) * 2.0 / 3.0
    )
    east = (
        300.0
        + x
        + 2.0 * y
        + 0.1 * x * x
        + 0.1 * x * y
        + 0.1 * root
        + waves
        + (20.0 * math.sin(math.pi * x) + 40.0 * math.sin(math.pi * x / 3.0)) * 2.0 / 3.0
        + (150.0 * math.sin(math.pi * x / 12.0) + 300.0 * math.sin(math.pi * x / 30.0)) * 2.0 / 3.0
    )
    phi = math.radians(lat)
    bulge = 1.0 - _ECCENTRICITY * math.sin(phi) ** 2
    meridian = _AXIS * (1.0 - _ECCENTRICITY) / (bulge * math.sqrt(bulge))
    parallel = _AXIS / math.sqrt(bulge) * math.cos(phi)
    return lat + math.degrees(north / meridian), lng + math.degrees(east / parallel)


def _bd_of_gcj(lat: float, lng: float) -> Point:
    if not in_china_box(lat, lng):
        return lat, lng
    reach = math.hypot(lng, lat) + 2e-5 * math.sin(lat * _BAIDU)
    angle = math.atan2(lat, lng) + 3e-6 * math.cos(lng * _BAIDU)
    return reach * math.sin(angle) + 0.006, reach * math.cos(angle) + 0.0065


def _undone(shift: Callable[[float, float], Point], lat: float, lng: float) -> Point:
    """The point that `shift` moves to (lat, lng)."""
    guess_lat, guess_lng = lat, lng
    for _ in range(_MOST_STEPS):
        there_lat, there_lng = shift(guess_lat, guess_lng)
        off_lat, off_lng = there_lat - lat, there_lng - lng
        if abs(off_lat) < _CLOSE_ENOUGH and abs(off_lng) < _CLOSE_ENOUGH:
            break
        guess_lat, guess_lng = guess_lat - off_lat, guess_lng - off_lng
    return guess_lat, guess_lng
