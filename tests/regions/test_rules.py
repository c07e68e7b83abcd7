import math
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mutualaid.kit import geo
from mutualaid.regions import rules
from tests.regions.shapes import box, ring, shape

LNG = st.integers(-180_000_000, 180_000_000)
LAT = st.integers(-90_000_000, 90_000_000)
RINGS = st.lists(st.lists(st.tuples(LNG, LAT), min_size=3, max_size=30), min_size=1, max_size=4)


@given(RINGS)
def test_a_packed_shape_comes_back_as_it_was(rings: list[list[tuple[int, int]]]) -> None:
    whole = tuple(ring(*corners) for corners in rings)

    assert rules.unpack(rules.pack(whole)) == whole


def test_a_ring_of_degrees_loses_its_closing_corner_and_keeps_six_decimals() -> None:
    corners = [[108.366501, 22.817012], [108.4, 22.9], [108.5, 22.8], [108.366501, 22.817012]]

    assert rules.ring_of(corners) == ring((108366501, 22817012), (108400000, 22900000), (108500000, 22800000))


def test_a_hole_is_outside_and_an_island_in_it_inside() -> None:
    atoll = shape(box(0, 0, 100, 100), box(20, 20, 80, 80), box(40, 40, 60, 60))

    assert rules.contains(atoll, lat=10, lng=10)
    assert not rules.contains(atoll, lat=30, lng=30)
    assert rules.contains(atoll, lat=50, lng=50)
    assert not rules.contains(atoll, lat=50, lng=150)


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=25, max_size=25),
    st.integers(1, 79),
    st.integers(1, 79),
)
def test_neighbours_that_share_their_corners_hold_every_point_exactly_once(
    shifts: list[tuple[int, int]], lat: int, lng: int
) -> None:
    def corner(column: int, row: int) -> tuple[int, int]:
        inner = 0 < column < 4 and 0 < row < 4
        shift = shifts[5 * column + row] if inner else (0, 0)
        return 20 * column + shift[0], 20 * row + shift[1]

    tiles = [
        shape(ring(corner(c, r), corner(c + 1, r), corner(c + 1, r + 1), corner(c, r + 1)))
        for c in range(4)
        for r in range(4)
    ]

    assert sum(rules.contains(tile, lat, lng) for tile in tiles) == 1


@given(st.integers(22_000_000, 22_020_000), st.integers(108_000_000, 108_020_000))
def test_the_distance_to_a_border_is_the_great_circle_to_its_nearest_point(lat: int, lng: int) -> None:
    square = shape(box(108_005_000, 22_005_000, 108_015_000, 22_015_000))
    south, north, west, east = rules.bounds(square)

    outside = max(south - lat, lat - north, west - lng, lng - east) > 0
    near = (min(max(lat, south), north), min(max(lng, west), east))
    if outside:
        expected = geo.distance_m((lat / 1e6, lng / 1e6), (near[0] / 1e6, near[1] / 1e6))
        assert rules.distance_m(square, lat, lng) == pytest.approx(expected, rel=1e-3, abs=1.0)


@given(st.lists(st.integers(1, 100), min_size=5, max_size=40))
def test_the_inner_point_of_any_star_lies_inside_it(reaches: list[int]) -> None:
    corners = []
    for i, reach in enumerate(reaches):
        angle = 2 * math.pi * i / len(reaches)
        corners.append((108_000_000 + round(1000 * reach * math.cos(angle)), round(1000 * reach * math.sin(angle))))
    star = shape(ring(*corners))

    lat, lng = rules.inner_point(star)

    assert rules.contains(star, lat, lng)


def test_the_inner_point_of_a_horseshoe_is_not_in_its_gap() -> None:
    horseshoe = shape(ring((0, 0), (300, 0), (300, 300), (250, 300), (250, 50), (50, 50), (50, 300), (0, 300)))

    assert rules.contains(horseshoe, *rules.inner_point(horseshoe))


def test_a_line_has_no_inside() -> None:
    with pytest.raises(ValueError, match="without an inside"):
        rules.inner_point((array("i", [0, 0, 10, 10, 20, 20]),))


@pytest.mark.parametrize(
    ("code", "low", "high"),
    [
        ("450000", "450000", "459999"),
        ("450100", "450100", "450199"),
        ("450103", "450103", "450103"),
        ("469001", "469001", "469001"),  # a county that the province itself runs
        ("441900", "441900", "441999"),  # a city that is its own district
        ("820000", "820000", "829999"),
    ],
)
def test_a_code_stands_for_all_that_lies_under_it(code: str, low: str, high: str) -> None:
    assert rules.code_range(code) == (low, high)


def test_a_span_in_metres_is_wider_in_longitude_the_farther_north() -> None:
    assert rules.span(1112, 0.0) == (10001, 10001)
    up, aside = rules.span(3000, 53.0)

    assert geo.distance_m((53.0, 122.0), (53.0 + up / 1e6, 122.0)) in (3000, 3001)
    assert geo.distance_m((53.0, 122.0), (53.0, 122.0 + aside / 1e6)) in (3000, 3001)
