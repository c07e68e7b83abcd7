"""Polygons as whole micro-degrees: packing, which point lies inside, how far a border is, a point well inside. Pure.

A shape is its rings, holes and islands alike: a point lies inside when a ray from it crosses an odd number of edges.
The arithmetic is exact, so that of two neighbours that share an edge exactly one holds a point on it.
"""

import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Literal

Level = Literal["province", "city", "district"]
Shape = tuple["array[int]", ...]  # rings of lng, lat, lng, lat, … in micro-degrees; the first corner is not repeated
Edge = tuple[int, int, int, int]  # lng, lat → lng, lat

MICRO = 1_000_000
METRES_PER_MICRO = 6_371_009 * math.pi / 180 / MICRO  # of latitude, on the sphere that kit.geo measures by
_LEVELS = 9
_KEPT_SHAPES = 64


def micro(degrees: float) -> int:
    """Degrees as whole micro-degrees (0.11 m), the unit of every stored coordinate."""
    return round(degrees * MICRO)


def code_range(code: str) -> tuple[str, str]:
    """The lowest and the highest code that lie under this one: 450000 → all 45xxxx, 450100 → all 4501xx, else itself.

    A city without districts has no code under its own, so that its range holds itself alone.
    """
    prefix = code[:2] if code.endswith("0000") else code[:4] if code.endswith("00") else code
    return prefix.ljust(6, "0"), prefix.ljust(6, "9")


def ring_of(corners: Iterable[Sequence[float]]) -> "array[int]":
    """A ring from GeoJSON positions (lng, lat in degrees), its closing corner left off."""
    flat = array("i", [round(degrees * MICRO) for lng, lat in corners for degrees in (lng, lat)])
    return flat[:-2] if len(flat) > 2 and flat[:2] == flat[-2:] else flat


def pack(shape: Shape) -> bytes:
    """Rings as a row of varints: how many corners, then the zigzag difference of each corner from the one before.

    About five bytes a corner; deflating them would save only two per cent more.
    """
    packed = bytearray()
    for ring in shape:
        numbers = [len(ring) // 2]
        for now, before in zip(ring, [0, 0, *ring], strict=False):
            step = now - before
            numbers.append(step << 1 if step >= 0 else (-step << 1) - 1)
        for number in numbers:
            while number > 0x7F:
                packed.append(number & 0x7F | 0x80)
                number >>= 7
            packed.append(number)
    return bytes(packed)


@lru_cache(maxsize=_KEPT_SHAPES)
def unpack(packed: bytes) -> Shape:
    """The shape again. The last few are kept, by their content, at most `_KEPT_SHAPES` of a few kilobytes each."""
    numbers = _numbers(packed)
    rings = []
    for corners in numbers:
        ring, lng, lat = array("i"), 0, 0
        for _ in range(corners):
            lng += _unzigzag(next(numbers))
            lat += _unzigzag(next(numbers))
            ring.append(lng)
            ring.append(lat)
        rings.append(ring)
    return tuple(rings)


def _numbers(packed: bytes) -> Iterator[int]:
    number = shift = 0
    for byte in packed:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield number
            number = shift = 0


def _unzigzag(number: int) -> int:
    return number >> 1 if not number & 1 else -((number + 1) >> 1)


def bounds(shape: Shape) -> tuple[int, int, int, int]:
    """(min_lat, max_lat, min_lng, max_lng)."""
    lats, lngs = [ring[1::2] for ring in shape], [ring[0::2] for ring in shape]
    return min(map(min, lats)), max(map(max, lats)), min(map(min, lngs)), max(map(max, lngs))


def _edges(shape: Shape) -> Iterator[Edge]:
    for ring in shape:
        lngs, lats = ring[0::2], ring[1::2]
        yield from zip(lngs, lats, lngs[1:] + lngs[:1], lats[1:] + lats[:1], strict=True)


def contains(shape: Shape, lat: int, lng: int) -> bool:
    """Whether the point lies inside: on a border shared by two shapes, inside exactly one of them."""
    inside = False
    for x0, y0, x1, y1 in _edges(shape):
        if (y0 > lat) != (y1 > lat):
            reach = (lat - y0) * (x1 - x0) - (lng - x0) * (y1 - y0)
            if reach > 0 if y1 > y0 else reach < 0:
                inside = not inside
    return inside


def distance_m(shape: Shape, lat: int, lng: int) -> float:
    """Metres from a point to the nearest border of the shape, on a plane that touches the earth at the point.

    For tolerances of a few kilometres (error < 0.1 %); what readers see is measured by kit.geo.
    """
    wide, high = METRES_PER_MICRO * math.cos(math.radians(lat / MICRO)), METRES_PER_MICRO
    nearest = math.inf
    for x0, y0, x1, y1 in _edges(shape):
        ax, ay = (x0 - lng) * wide, (y0 - lat) * high
        dx, dy = (x1 - x0) * wide, (y1 - y0) * high
        length = dx * dx + dy * dy
        along = min(1.0, max(0.0, -(ax * dx + ay * dy) / length)) if length else 0.0
        nearest = min(nearest, math.hypot(ax + along * dx, ay + along * dy))
    return nearest


def span(metres: float, lat: float) -> tuple[int, int]:
    """So many metres at this latitude (degrees), as micro-degrees of latitude and of longitude, rounded up."""
    up = metres / METRES_PER_MICRO
    return math.ceil(up), math.ceil(up / max(math.cos(math.radians(lat)), 0.01))


def inner_point(shape: Shape) -> tuple[int, int]:
    """A (lat, lng) well inside: of the longest chords at a few latitudes, the middle that is farthest from any border
    to its west, east, south and north. ValueError for a shape without an inside."""
    south, north, _, _ = bounds(shape)
    edges = list(_edges(shape))
    turned = [(y0, x0, y1, x1) for x0, y0, x1, y1 in edges]
    best, depth = (0, 0), 0.0
    for level in range(_LEVELS):
        lat = south + (north - south) * (2 * level + 1) // (2 * _LEVELS)
        west, east = max(_chords(edges, lat), key=lambda chord: chord[1] - chord[0], default=(0.0, 0.0))
        half = (east - west) / 2 * math.cos(math.radians(lat / MICRO))
        if half <= depth:
            continue
        lng = round((west + east) / 2)
        room = max((min(half, lat - low, high - lat) for low, high in _chords(turned, lng)), default=0.0)
        if room > depth:
            best, depth = (lat, lng), room
    if not depth or not contains(shape, *best):
        raise ValueError("a shape without an inside")
    return best


def _chords(edges: Iterable[Edge], lat: int) -> list[tuple[float, float]]:
    """Where the parallel `lat` runs inside the shape: (west, east) pairs."""
    crossings = sorted(
        [x0 + (lat - y0) * (x1 - x0) / (y1 - y0) for x0, y0, x1, y1 in edges if (y0 > lat) != (y1 > lat)]
    )
    return list(zip(crossings[::2], crossings[1::2], strict=True))
