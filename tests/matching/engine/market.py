"""Markets for the tests, drawn from one seed: small ones with every rule in play, larger ones like a city."""

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np

from mutualaid.kit import cells
from mutualaid.matching.engine.legal import DAY
from mutualaid.matching.engine.problem import (
    ANY_TIME,
    NEVER,
    NO_GROUP,
    PER_DEGREE,
    Items,
    Lines,
    Needs,
    Offers,
    Problem,
    no_pairs,
    no_schedules,
)

NOW: Final = 1_672_900_000_000_000
HOUR: Final = 3_600_000_000
ZONE: Final = 8 * HOUR
TODAY: Final = (NOW + ZONE) // DAY
MIDDLE: Final = (22.8170, 108.3665)
ITEMS: Final = Items(  # plain; two that stand for each other, which divide; by hand only; for adults only
    listable=np.array([True, True, True, True, True]),
    group=np.array([NO_GROUP, 0, 0, NO_GROUP, NO_GROUP]),
    ways=np.array([7, 7, 7, 1, 7]),
    least=np.array([1, 2, 3, 1, 1]),
    course=np.array([3, 3, 0, 1, 5]),
    min_age=np.array([0, 0, 6, 0, 18]),
)


@dataclass(frozen=True, slots=True)
class Drawn:
    """How a market is drawn."""

    needs: int
    offers: int
    km: float = 4.0
    most: int = 3
    items: int = 5
    rules: bool = True


def draw(seed: int, how: Drawn) -> Problem:
    """A market. With `rules`, every rule bars some pairs; without, only item and reach do."""
    random = np.random.default_rng(seed)
    n, o = how.needs, how.offers
    strict = how.rules
    stops = NOW + random.integers(1, 73, n + o) * HOUR
    posts = np.append(random.integers(0, max(n, 1), n), random.integers(0, max(o, 1), o))
    members = random.integers(0, 2 * (n + o), n + o) if strict else np.arange(n + o)
    lat, lng = _places(random, n + o, how.km)
    reach = random.choice([1000, 3000, 10000, 10000], n + o) if strict else np.full(n + o, 10_000)
    ways = random.choice([1, 3, 6, 7, 7, 7, 7, 7], n + o) if strict else np.full(n + o, 7)
    schedules = _schedules(random) if strict else no_schedules()
    schedule = (
        random.choice([ANY_TIME, ANY_TIME, ANY_TIME, ANY_TIME, ANY_TIME, 0, 1, 2], n + o)
        if strict
        else np.full(n + o, ANY_TIME)
    )
    common: list[Any] = [posts, members, random.integers(0, how.items, n + o), random.integers(1, how.most + 1, n + o)]
    common += [lat, lng, reach, ways, schedule, stops]
    names = [field.name for field in fields(Lines)]
    needs = Needs(
        **{name: column[:n] for name, column in zip(names, common, strict=True)},
        urgent=random.random(n) < 0.3,
        waiting=random.integers(0, 4, n),
        passed=random.choice([0, 0, 1, 2, 30], n),
        substitutes=random.random(n) < 0.5 if strict else np.zeros(n, np.bool_),
        youngest=random.choice([0, 6, 18, 18, 18, 18], n) if strict else np.full(n, 18),
    )
    expires = random.choice([TODAY + 2, TODAY + 4, TODAY + 9, NEVER, NEVER, NEVER], o) if strict else np.full(o, NEVER)
    offers = Offers(**{name: column[n:] for name, column in zip(names, common, strict=True)}, expires=expires)
    barred = (
        np.column_stack((random.choice(posts[:n], 2), random.choice(posts[n:], 2)))
        if strict and n and o
        else no_pairs()
    )
    apart = random.choice(members, (1, 2)) if strict and n + o else no_pairs()
    return Problem(needs, offers, ITEMS, schedules, barred, apart, NOW, ZONE)


def _places(random: np.random.Generator, size: int, km: float) -> tuple[Any, Any]:
    """Centres of cells, in billionths of a degree."""
    north, east = random.normal(0, km / 111, size), random.normal(0, km / 102, size)
    centres = [
        cells.centre(cells.cell_of(MIDDLE[0] + a, MIDDLE[1] + b))
        for a, b in zip(north.tolist(), east.tolist(), strict=True)
    ]
    both = np.rint(np.array(centres).reshape(-1, 2) * PER_DEGREE).astype(np.int64)
    return both[:, 0], both[:, 1]


def _schedules(random: np.random.Generator) -> Any:
    """Three of up to two windows; an unused place is empty."""
    begin = NOW + random.integers(-6, 60, (3, 2)) * HOUR
    return np.stack((begin, begin + random.integers(0, 30, (3, 2)) * HOUR), axis=2)
