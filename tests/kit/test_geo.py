"""The one shared distance."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutualaid.kit import geo

Point = tuple[float, float]

points = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


def by_haversine(a: Point, b: Point) -> float:
    lat_a, lng_a, lat_b, lng_b = (math.radians(number) for number in (*a, *b))
    half = math.sin((lat_b - lat_a) / 2) ** 2 + math.cos(lat_a) * math.cos(lat_b) * math.sin((lng_b - lng_a) / 2) ** 2
    return 2 * 6_371_009 * math.asin(math.sqrt(min(1.0, half)))


@given(points, points)
def test_both_directions_give_the_same_metre(a: Point, b: Point) -> None:
    assert geo.distance_m(a, b) == geo.distance_m(b, a) >= 0


@given(points)
def test_a_point_is_no_distance_from_itself(a: Point) -> None:
    assert geo.distance_m(a, a) == 0


@given(points, points)
def test_an_independent_formula_agrees(a: Point, b: Point) -> None:
    assert geo.distance_m(a, b) == pytest.approx(by_haversine(a, b), abs=1, rel=1e-6)


@given(points, points)
def test_the_short_way_to_a_distance_gives_the_same_metre(a: Point, b: Point) -> None:
    assert geo.apart_m(geo.turned(a), geo.turned(b)) == geo.distance_m(a, b)


def test_one_degree_of_latitude_is_111_195_metres() -> None:
    assert geo.distance_m((22.0, 108.0), (23.0, 108.0)) == 111_195


@pytest.mark.parametrize("bad", [(91.0, 0.0), (float("nan"), 0.0), (0.0, float("inf"))])
def test_a_point_that_is_nowhere_is_refused(bad: Point) -> None:
    with pytest.raises(ValueError):
        geo.distance_m(bad, (22.8, 108.3))


@pytest.mark.parametrize(("metres", "km"), [(0, 0.0), (49, 0.0), (51, 0.1), (949, 0.9), (1_000, 1.0), (12_345, 12.3)])
def test_a_reader_sees_tenths_of_kilometres(metres: int, km: float) -> None:
    assert geo.distance_km(metres) == km
