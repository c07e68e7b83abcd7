"""Datum shifts against the contract's five places and an independent implementation."""

import math

import eviltransform
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutualaid.kit import coordinates
from mutualaid.kit.coordinates import Crs

Point = tuple[float, float]

PLACES: list[tuple[str, Point, Point, Point]] = [
    ("Nanning", (22.8170, 108.3665), (22.8143138, 108.3705715), (22.8205931, 108.3770266)),
    ("Guilin", (25.2736, 110.2900), (25.2707645, 110.2945849), (25.2770011, 110.3010197)),
    ("Liuzhou", (24.3264, 109.4281), (24.3236995, 109.4327000), (24.3300000, 109.4391138)),
    ("Beihai", (21.4811, 109.1201), (21.4787125, 109.1243930), (21.4844882, 109.1309357)),
    ("Tiananmen", (39.9087, 116.3975), (39.9101035, 116.4037436), (39.9164427, 116.4101166)),
]
ALL_CRS: tuple[Crs, ...] = ("wgs84", "gcj02", "bd09")

china = st.tuples(st.floats(18.2, 53.5), st.floats(73.6, 134.7))
metre = 1 / 111_195  # degrees of latitude


def apart(a: Point, b: Point) -> float:
    """Metres, near enough for small distances."""
    return math.hypot(a[0] - b[0], (a[1] - b[1]) * math.cos(math.radians(a[0]))) / metre


@pytest.mark.parametrize(("name", "wgs", "gcj", "bd"), PLACES)
def test_the_five_places_agree_with_the_contract_in_both_directions(
    name: str, wgs: Point, gcj: Point, bd: Point
) -> None:
    assert coordinates.from_wgs84(*wgs, "gcj02") == pytest.approx(gcj, abs=1e-7)
    assert coordinates.from_wgs84(*wgs, "bd09") == pytest.approx(bd, abs=1e-7)
    assert coordinates.to_wgs84(*gcj, "gcj02") == pytest.approx(wgs, abs=1e-7)
    assert coordinates.to_wgs84(*bd, "bd09") == pytest.approx(wgs, abs=1e-7)


@given(china)
def test_an_independent_implementation_agrees(wgs: Point) -> None:
    # It uses another radius of the earth, which moves the shift itself by 17 parts in a million.
    assert apart(coordinates.from_wgs84(*wgs, "gcj02"), eviltransform.wgs2gcj(*wgs)) < 0.02
    assert apart(coordinates.from_wgs84(*wgs, "bd09"), eviltransform.wgs2bd(*wgs)) < 0.02
    assert apart(coordinates.to_wgs84(*wgs, "gcj02"), eviltransform.gcj2wgs_exact(*wgs)) < 0.5


@given(china, st.sampled_from(ALL_CRS))
def test_there_and_back_is_the_same_spot_to_a_millimetre(wgs: Point, crs: Crs) -> None:
    assert apart(coordinates.to_wgs84(*coordinates.from_wgs84(*wgs, crs), crs), wgs) < 0.001


@given(st.floats(-90, 90), st.floats(-180, 180), st.sampled_from(ALL_CRS))
def test_every_place_on_earth_has_an_answer_near_itself(lat: float, lng: float, crs: Crs) -> None:
    for there in (coordinates.to_wgs84(lat, lng, crs), coordinates.from_wgs84(lat, lng, crs)):
        assert all(math.isfinite(number) for number in there)
        assert apart((lat, lng), there) < 3_000


@given(st.floats(-90, 90), st.floats(-180, 180), st.sampled_from(ALL_CRS))
def test_far_from_china_nothing_is_shifted(lat: float, lng: float, crs: Crs) -> None:
    if not coordinates.in_china_box(lat, lng):
        assert coordinates.from_wgs84(lat, lng, crs) == (lat, lng)


@pytest.mark.parametrize("point", [(91.0, 0.0), (0.0, 181.0), (float("nan"), 0.0), (0.0, float("inf")), (108.4, 22.8)])
@pytest.mark.parametrize("crs", ALL_CRS)
def test_numbers_that_are_no_place_are_refused(point: Point, crs: Crs) -> None:
    with pytest.raises(ValueError):
        coordinates.to_wgs84(*point, crs)
    with pytest.raises(ValueError):
        coordinates.from_wgs84(*point, crs)


@given(china)
def test_an_exchanged_pair_is_recognised(point: Point) -> None:
    lat, lng = point

    assert coordinates.in_china_box(lat, lng) and not coordinates.looks_swapped(lat, lng)
    assert coordinates.looks_swapped(lng, lat) and not coordinates.in_china_box(lng, lat)


def test_london_is_neither_in_china_nor_exchanged() -> None:
    assert not coordinates.in_china_box(51.5, -0.1)
    assert not coordinates.looks_swapped(51.5, -0.1)
