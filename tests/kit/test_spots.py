"""Keys of places: squares hold what they should, and nothing in a square is nearer than its bound says."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mutualaid.kit import geo, spots

LAT, LNG = st.floats(-89.9, 89.9), st.floats(-179.9, 179.9)
POINT = st.tuples(LAT, LNG)
CHINA = st.tuples(st.floats(18.0, 53.6), st.floats(73.4, 135.1))
LEVEL = st.integers(0, spots.LEVELS)


@given(POINT, LEVEL)
def test_a_square_holds_the_key_it_was_made_of(point: geo.Point, level: int) -> None:
    key = spots.morton(point)
    first, last = spots.square(key, level)
    assert first <= key <= last and last - first + 1 == 4 ** (spots.LEVELS - level)


@given(POINT, st.integers(0, spots.LEVELS - 1))
def test_four_children_are_their_square_without_gaps(point: geo.Point, level: int) -> None:
    first, last = spots.square(spots.morton(point), level)
    parts = [spots.square(child, level + 1) for child in spots.children(first, level)]

    assert parts[0][0] == first and parts[-1][1] == last
    assert all(before[1] + 1 == after[0] for before, after in pairwise(parts))


@given(POINT | CHINA, POINT | CHINA, LEVEL)
def test_no_point_of_a_square_is_nearer_than_its_bound(here: geo.Point, there: geo.Point, level: int) -> None:
    first, _ = spots.square(spots.morton(there), level)
    assert spots.at_least_m(here, first, level) <= geo.distance_m(here, there)


@given(CHINA, st.integers(1, spots.LEVELS), st.integers(0, 3))
def test_the_bound_of_a_small_square_is_nearly_its_distance(here: geo.Point, level: int, corner: int) -> None:
    """Else a search would open far too many: the bound is off by no more than the square is wide."""
    first, _ = spots.square(spots.morton((24.3, 109.4)), level)
    wide_m = 40_100_000 / 2**level
    assert geo.distance_m(here, (24.3, 109.4)) - spots.at_least_m(here, first, level) <= 2 * wide_m + 2


@given(CHINA, CHINA, CHINA)
def test_on_the_sphere_the_straight_way_grows_with_the_great_circle(a: geo.Point, b: geo.Point, c: geo.Point) -> None:
    def straight(one: geo.Point, other: geo.Point) -> float:
        return sum((x - y) ** 2 for x, y in zip(spots.on_sphere(one), spots.on_sphere(other), strict=True))

    if geo.distance_m(a, b) + 1 < geo.distance_m(a, c):
        assert straight(a, b) < straight(a, c)
