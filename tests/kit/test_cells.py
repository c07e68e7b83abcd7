"""Cells: what stands for a point."""

import h3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutualaid.kit import cells, geo

Point = tuple[float, float]

guangxi = st.tuples(st.floats(21.0, 26.0), st.floats(105.0, 112.0))


def test_a_known_home_lies_in_a_known_cell() -> None:
    assert cells.cell_of(22.8143, 108.3706) == "884152368dfffff"


@given(guangxi)
def test_a_cell_is_about_a_kilometre_wide_and_holds_its_centre(point: Point) -> None:
    cell = cells.cell_of(*point)

    assert cells.is_cell(cell)
    assert cells.cell_of(*cells.centre(cell)) == cell
    assert geo.distance_m(point, cells.centre(cell)) < 800


@given(guangxi, guangxi)
def test_the_distance_can_be_recomputed_from_the_centres_that_are_shown(a: Point, b: Point) -> None:
    here, there = cells.cell_of(*a), cells.cell_of(*b)

    assert cells.between_m(here, there) == cells.between_m(there, here)
    assert cells.between_m(here, there) == geo.distance_m(cells.centre(here), cells.centre(there))
    assert cells.between_m(here, there) == pytest.approx(
        geo.distance_m(h3.cell_to_latlng(here), h3.cell_to_latlng(there)), abs=1
    )
    assert cells.between_m(here, here) == 0


@given(guangxi)
def test_a_parent_is_found_by_the_tree_and_not_by_the_point(point: Point) -> None:
    cell = cells.cell_of(*point)

    assert cells.parent(cell, 8) == cell
    assert cells.parent(cell, 6) == cells.parent(cells.parent(cell, 7), 6)
    assert cell in h3.cell_to_children(cells.parent(cell, 7), 8)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "884152368dffff",
        "884152368DFFFFF",
        "0x884152368dfffff",
        "zz4152368dfffff",
        "88ffffffffffffff",
        "8fffffffffffff",
        "８８",
    ],
)
def test_only_the_canonical_writing_of_a_cell_is_one(text: str) -> None:
    assert not cells.is_cell(text)
    with pytest.raises(ValueError):
        cells.centre(text)


@given(st.text())
def test_no_text_makes_the_question_fail(text: str) -> None:
    assert cells.is_cell(text) in (True, False)


@pytest.mark.parametrize("point", [(91.0, 0.0), (0.0, 181.0), (float("nan"), 0.0), (0.0, float("inf"))])
def test_a_point_that_is_nowhere_has_no_cell(point: Point) -> None:
    with pytest.raises(ValueError):
        cells.cell_of(*point)
