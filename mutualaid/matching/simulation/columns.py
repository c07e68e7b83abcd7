"""Posters as the engine's columns."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

import numpy as np

from mutualaid.kit import cells
from mutualaid.kit.instants import micros
from mutualaid.matching import columns
from mutualaid.matching.engine.problem import (
    ANY_TIME,
    PER_DEGREE,
    WAYS,
    Column,
    Items,
    Needs,
    Offers,
    Problem,
    no_pairs,
    no_schedules,
)
from mutualaid.matching.rules import youngest
from mutualaid.matching.simulation.city import City, Poster


def problem_of(
    city: City,
    items: Items,
    needs: Sequence[Poster],
    offers: Sequence[Poster],
    *,
    quantity: Callable[[Poster], int],
    standing: Callable[[Poster], tuple[int, int]],
    barred: Iterable[tuple[str, str]],
    now: datetime,
) -> Problem:
    """These needs and offers. `standing`: (waiting, passed) of a need; `barred`: posts that are never brought together.
    A post is numbered by its place among needs, then offers; so is its author."""
    place = {each.id: n for n, each in enumerate((*needs, *offers))}
    row = {item.code: n for n, item in enumerate(city.catalogue.items)}

    def common(these: Sequence[Poster]) -> dict[str, Column]:
        where = [cells.centre(each.cell) for each in these]
        return {
            "post": columns.column(place[each.id] for each in these),
            "member": columns.column(place[each.id] for each in these),
            "item": columns.column(row[each.item] for each in these),
            "quantity": columns.column(quantity(each) for each in these),
            "lat": columns.column(round(lat * PER_DEGREE) for lat, _ in where),
            "lng": columns.column(round(lng * PER_DEGREE) for _, lng in where),
            "reach": columns.column(each.reach_km * 1000 for each in these),
            "ways": columns.column(sum(WAYS[way] for way in each.ways) for each in these),
            "schedule": np.full(len(these), ANY_TIME),
            "until": columns.column(micros(each.until) for each in these),
        }

    stand = [standing(each) for each in needs]
    return Problem(
        needs=Needs(
            **common(needs),
            urgent=np.array([each.urgent for each in needs], np.bool_),
            waiting=columns.column(waiting for waiting, _ in stand),
            passed=columns.column(passed for _, passed in stand),
            substitutes=np.zeros(len(needs), np.bool_),
            youngest=np.full(len(needs), youngest(None, False, "adult")),
        ),
        offers=Offers(**common(offers), expires=columns.column(columns.day(each.expires_on) for each in offers)),
        items=items,
        schedules=no_schedules(),
        barred_posts=columns.pairs(barred, place.get),
        barred_members=no_pairs(),
        now=micros(now),
        zone=columns.zone(now),
    )
