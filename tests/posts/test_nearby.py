"""The best-first search over squares, against all distances."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import islice

import h3
from hypothesis import given, settings
from hypothesis import strategies as st

from mutualaid.kit import cells, spots
from mutualaid.posts import nearby

ANYWHERE = st.tuples(st.floats(18.0, 53.6), st.floats(73.4, 135.1))
IN_TOWN = st.tuples(st.floats(22.6, 23.0), st.floats(108.1, 108.6))


def a_probe(*streams: Sequence[str]) -> nearby.Probe:
    """What the index would answer for these cells."""
    keys = sorted((spots.morton(cells.centre(cell)), n, cell) for n, found in enumerate(streams) for cell in found)

    def probe(first: int, last: int) -> list[tuple[int, str]]:
        start = bisect_left(keys, (first, -1, ""))
        return [(n, cell) for key, n, cell in keys[start : start + nearby.PROBED + 1] if key <= last]

    return probe


@settings(max_examples=150)
@given(
    st.lists(st.lists(ANYWHERE | IN_TOWN, max_size=120), min_size=1, max_size=4),
    ANYWHERE | IN_TOWN,
    st.sampled_from([6, 7, 8]),
)
def test_cells_come_in_the_order_of_their_distance_from_a_neighbour_to_a_thousand_kilometres(
    streams: list[list[tuple[float, float]]], at: tuple[float, float], resolution: int
) -> None:
    placed = [list({h3.latlng_to_cell(*point, resolution) for point in points}) for points in streams]
    viewer = cells.cell_of(*at)

    found = list(nearby.best_first(a_probe(*placed), viewer))

    every = sorted((cells.between_m(viewer, cell), n) for n, each in enumerate(placed) for cell in each)
    assert [near.metres for near in found] == [metres for metres, _ in every]
    assert sorted((near.metres, near.stream) for near in found) == every
    assert all(near.metres == cells.between_m(viewer, near.cell) for near in found)


def test_the_first_of_many_are_found_by_few_looks() -> None:
    everywhere = list(h3.uncompact_cells([h3.latlng_to_cell(22.8, 108.37, 3)], 8))
    looks = 0
    probe = a_probe(everywhere)

    def counted(first: int, last: int) -> list[tuple[int, str]]:
        nonlocal looks
        looks += 1
        return probe(first, last)

    nearest = list(islice(nearby.best_first(counted, cells.cell_of(22.8, 108.37)), 20))

    assert len(everywhere) > 10_000 and len(nearest) == 20
    assert looks < 40
