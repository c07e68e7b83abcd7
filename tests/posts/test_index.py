"""The plaza in memory gives what brute force gives: every order and filter, base and tail, pages while posts change."""

from random import Random

import numpy as np

from mutualaid.kit import cells
from mutualaid.posts.index.places import Places
from tests.posts import city


def test_metres_to_many_cells_are_those_to_each() -> None:
    random, places = Random(4), Places()
    near = [cells.cell_of(*city.somewhere(random)) for _ in range(1500)]
    far = [cells.cell_of(random.uniform(-89, 89), random.uniform(-180, 180)) for _ in range(1500)]
    numbers = np.array([places.number(cell) for cell in (*near, *far)])

    for viewer in (near[0], near[1], far[0], far[1]):
        assert places.metres(viewer, numbers).tolist() == [cells.between_m(viewer, cell) for cell in (*near, *far)]
