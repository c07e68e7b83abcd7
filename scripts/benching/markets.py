"""Markets for the matching bench, as columns from one seed: no database. `spread`: 200 towns with Zipf weights and 60 items
by Zipf weights; `one item`: the same towns; `hot`: one city of 1,500 cells, 60 items. Needs to offers as 4 to 1, needs of 1–5
units, offers of 1–12, a reach of 10 km, a tenth urgent, waiting up to three days."""

import zlib
from typing import Any, Final

import h3
import numpy as np

from benching.towns import HOT_CELLS, TOWNS, zipf
from mutualaid.kit import cells
from mutualaid.matching.engine.legal import DAY
from mutualaid.matching.engine.problem import (
    ANY_TIME,
    NO_GROUP,
    PER_DEGREE,
    Column,
    Items,
    Needs,
    Offers,
    Problem,
    no_pairs,
    no_schedules,
)

MARKETS: Final = ("spread", "hot", "one item")
NOW: Final = 1_672_900_000_000_000
HOUR: Final = 3_600_000_000
_KM: Final = 111.2  # of a degree of latitude
_MIDDLE: Final = (22.8170, 108.3665)
_HOT_SLOPE: Final = 0.58
_HOT_RINGS: Final = 22


def draw(name: str, posts: int, seed: int) -> Problem:
    """A market of so many posts with one line each."""
    random = np.random.default_rng([seed, zlib.crc32(name.encode()), posts])
    items = 1 if name == "one item" else 60
    lat, lng = _hot(random, posts) if name == "hot" else _towns(random, posts)
    need = random.random(posts) < 0.8
    hours = random.uniform(0, 72, posts)
    common: dict[str, Any] = {
        "post": np.arange(posts),
        "member": random.integers(0, max(posts // 4, 1), posts),
        "item": random.choice(items, posts, p=zipf(items)),
        "quantity": np.where(need, random.integers(1, 6, posts), random.integers(1, 13, posts)),
        "lat": lat,
        "lng": lng,
        "reach": np.full(posts, 10_000),
        "ways": np.full(posts, 1),
        "schedule": np.full(posts, ANY_TIME),
        "until": np.full(posts, NOW + 72 * HOUR),
    }
    urgent = random.random(posts) < 0.1
    waiting = (hours >= 6).astype(np.int64) + (hours >= 24) + (hours >= 48)
    n, o = np.flatnonzero(need), np.flatnonzero(~need)
    needs = Needs(
        **{column: values[n] for column, values in common.items()},
        urgent=urgent[n],
        waiting=waiting[n],
        passed=np.zeros(len(n), np.int64),
        substitutes=np.zeros(len(n), np.bool_),
        youngest=np.full(len(n), 18),
    )
    offers = Offers(
        **{column: values[o] for column, values in common.items()},
        expires=np.full(len(o), NOW // DAY + 200),
    )
    return Problem(needs, offers, _items(items), no_schedules(), no_pairs(), no_pairs(), NOW, 8 * HOUR)


def _items(count: int) -> Items:
    """Every second one divides, from two units on."""
    none = np.zeros(count, np.int64)
    least = np.where(np.arange(count) % 2, 1, 2)
    return Items(np.ones(count, np.bool_), none + NO_GROUP, none + 7, least, none + 3, none)


def _towns(random: np.random.Generator, posts: int) -> tuple[Column, Column]:
    """Centres of cells round 200 towns."""
    middle = np.column_stack((random.uniform(22, 42, TOWNS), random.uniform(100, 122, TOWNS)))
    wide = random.uniform(3, 12, TOWNS)
    town = random.choice(TOWNS, posts, p=zipf(TOWNS))
    lat = middle[town, 0] + random.standard_normal(posts) * wide[town] / _KM
    lng = middle[town, 1] + random.standard_normal(posts) * wide[town] / _KM / np.cos(np.radians(lat))
    where = [cells.cell_of(a, b) for a, b in zip(lat.tolist(), lng.tolist(), strict=True)]
    found, at = np.unique(np.array(where), return_inverse=True)
    return _centres([str(cell) for cell in found], at)


def _hot(random: np.random.Generator, posts: int) -> tuple[Column, Column]:
    """Centres of the cells of one city, those in the middle fullest."""
    middle = cells.cell_of(*_MIDDLE)
    disk = sorted((h3.grid_distance(middle, cell), cell) for cell in h3.grid_disk(middle, _HOT_RINGS))
    chosen = random.choice(HOT_CELLS, posts, p=zipf(HOT_CELLS, _HOT_SLOPE))
    return _centres([cell for _, cell in disk[:HOT_CELLS]], chosen)


def _centres(names: list[str], at: Column) -> tuple[Column, Column]:
    points = np.rint(np.array([cells.centre(name) for name in names]) * PER_DEGREE).astype(np.int64)
    return points[at, 0], points[at, 1]
