"""What readers of the plaza ask: each filter by itself, from places that are spread like the posts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from benching.towns import Towns
from mutualaid.posts.plaza import Filters
from mutualaid.regions.rules import code_range

A_PAGE: Final = 20
NEAR_M: Final = 5_000

Order = Literal["distance", "newest", "urgent"]


@dataclass(frozen=True, slots=True)
class Question:
    """The first page of the plaza in this order. `within_m` belongs to the order by distance."""

    filters: Filters
    order: Order
    viewer: str
    within_m: int | None = None


Form = Callable[[str, tuple[str, str]], Question]  # the reader's cell, the codes of the reader's city


def forms(towns: Towns) -> dict[str, Form]:
    """How each filter asks; one that is added here is measured and checked like the others."""
    items = towns.ground.items
    rare = (items[-1].code,)
    group = tuple(item.code for item in items if item.group == items[0].group)
    return {
        "kind": lambda cell, _: Question(Filters("need"), "distance", cell),
        "kind, rare item": lambda cell, _: Question(Filters("need", rare), "distance", cell),
        "kind, group": lambda cell, _: Question(Filters("need", group), "distance", cell),
        "kind, region": lambda cell, city: Question(Filters("need", region=city), "distance", cell),
        "kind, within 5 km": lambda cell, _: Question(Filters("need"), "distance", cell, NEAR_M),
        "kind, real name": lambda cell, _: Question(Filters("need", real_name=True), "distance", cell),
        "newest": lambda cell, _: Question(Filters(), "newest", cell),
        "newest, region": lambda cell, city: Question(Filters(region=city), "newest", cell),
        "newest, within 5 km": lambda cell, _: Question(Filters(within=(cell, NEAR_M)), "newest", cell),
        "urgent": lambda cell, _: Question(Filters("need"), "urgent", cell),
    }


def draw(towns: Towns, count: int) -> dict[str, list[Question]]:
    """So many questions in each form, by its name."""
    random = towns.random("questions")
    found = {}
    for name, form in forms(towns).items():
        readers = towns.draw(random, count)
        found[name] = [form(cell, code_range(towns.towns[town][0][:4] + "00")) for town, cell in readers]
    return found
