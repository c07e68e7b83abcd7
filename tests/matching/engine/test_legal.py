"""The engine's rules on columns say what `matching.rules` says of two posts, and its metres are the shared function's."""

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from typing import get_args

import numpy as np
import pytest

from mutualaid.catalogue.rules import Item
from mutualaid.kit import cells, geo
from mutualaid.kit.clock import today
from mutualaid.matching import rules
from mutualaid.matching.engine import distances, legal
from mutualaid.matching.engine.problem import ANY_TIME, NEVER, NO_GROUP, PER_DEGREE, WAYS, Offers, Problem
from mutualaid.matching.rules import Line, Refusal, Side
from mutualaid.posts.rules import Handover, Window
from tests.matching.engine.market import HOUR, NOW, Drawn, draw
from tests.matching.test_rules import an_item

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BANDS = {0: None, 6: "6_13", 18: "adult"}


def moment(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


def shelf(problem: Problem) -> list[Item]:
    """The problem's items, as the catalogue has them."""
    items = problem.items
    return [
        an_item(
            str(k),
            divisible=bool(items.least[k] > 1),
            min_useful=int(items.least[k]),
            policy="listable" if items.listable[k] else "refused",
            course_days=int(items.course[k]),
            handover="any" if items.ways[k] == 7 else "pickup",
            min_age=int(items.min_age[k]) or None,
            substitute_group=None if items.group[k] == NO_GROUP else f"g{items.group[k]}",
        )
        for k in range(len(items))
    ]


def side(problem: Problem, kind: str, row: int) -> Side:
    """A line as a post of its own."""
    lines = problem.needs if kind == "need" else problem.offers
    ways: list[Handover] = [way for way in get_args(Handover) if lines.ways[row] & WAYS[way]]
    schedule = int(lines.schedule[row])
    windows = [] if schedule == ANY_TIME else problem.schedules[schedule].tolist()
    # a schedule whose windows are all empty leaves no time at all; one that has passed says the same to the rules
    spans = [Window(moment(a), moment(b)) for a, b in windows if a < b]
    if windows and not spans:
        spans = [Window(moment(NOW - 2 * HOUR), moment(NOW - HOUR))]
    expires = int(lines.expires[row]) if isinstance(lines, Offers) else NEVER
    on = None if expires == NEVER else date(1970, 1, 1) + timedelta(days=expires)
    band = None if isinstance(lines, Offers) else BANDS[int(problem.needs.youngest[row])]
    return Side(
        id=f"{kind}{row}",
        author_id=str(lines.member[row]),
        author_here=True,
        author_age_band=None,
        open=True,
        cell=cells.cell_of(int(lines.lat[row]) / PER_DEGREE, int(lines.lng[row]) / PER_DEGREE),
        reach_km=int(lines.reach[row]) // 1000,
        ways=frozenset(ways),
        windows=tuple(spans),
        until=moment(int(lines.until[row])),
        urgent=False,
        since=moment(NOW),
        for_other=True,
        age_band=band,
        lines=(
            Line(
                id=f"{kind}{row}",
                item=str(lines.item[row]),
                free=int(lines.quantity[row]),
                expires_on=on,
                substitutes=kind == "need" and bool(problem.needs.substitutes[row]),
            ),
        ),
    )


def blocked(problem: Problem, need: int, offer: int) -> bool:
    pair = {int(problem.needs.member[need]), int(problem.offers.member[offer])}
    posts = [int(problem.needs.post[need]), int(problem.offers.post[offer])]
    members = [set(row) for row in problem.barred_members.tolist()]
    return posts in problem.barred_posts.tolist() or pair in members


@pytest.mark.parametrize("seed", range(3))
def test_every_pair_is_judged_as_the_rules_judge_it(seed: int) -> None:
    problem = draw(seed, Drawn(34, 26, km=2.0, most=4))
    find = {item.code: item for item in shelf(problem)}.get
    seen: set[Refusal] = set()
    lawful = 0
    for need in range(len(problem.needs)):
        for offer in range(len(problem.offers)):
            said = rules.judge(
                side(problem, "need", need),
                side(problem, "offer", offer),
                blocked=blocked(problem, need, offer),
                find=find,
                now=moment(NOW),
                day_of=today,
            )
            told = legal.explain(problem, need, offer)
            assert told.eligible == said.eligible, (need, offer, told.refusals, said.refusals)
            assert set(said.refusals) <= set(told.refusals)
            assert told.metres == said.distance_m
            assert told.most == said.quantity
            seen |= set(told.refusals)
            lawful += told.eligible
    assert lawful > 5
    assert len(seen) >= 8


def test_metres_are_the_shared_functions_to_the_last_one() -> None:
    random = np.random.default_rng(5)
    places = [cells.centre(cells.cell_of(22.8 + a, 108.3 + b)) for a, b in random.normal(0, 0.3, (400, 2)).tolist()]
    far = [cells.centre(cells.cell_of(a, b)) for a, b in random.uniform((-80, -179), (80, 179), (400, 2)).tolist()]
    points = np.rint(np.array(places + far) * PER_DEGREE).astype(np.int64)
    a, b = random.integers(0, len(points), (2, 4_000))
    found = distances.metres(points[a, 0], points[a, 1], points[b, 0], points[b, 1])
    both = places + far
    assert found.tolist() == [geo.distance_m(both[i], both[j]) for i, j in zip(a.tolist(), b.tolist(), strict=True)]


def test_metres_next_to_a_half_are_asked_of_the_shared_function(monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.rint(
        np.array([cells.centre(cells.cell_of(22.8, 108.3)), cells.centre(cells.cell_of(22.9, 108.4))]) * PER_DEGREE
    )
    lat, lng = points.astype(np.int64).T
    monkeypatch.setattr(distances, "_great_circle", lambda *_: np.array([12_345.50000001]))
    asked: list[tuple[geo.Point, geo.Point]] = []

    def shared(a: geo.Point, b: geo.Point) -> int:
        asked.append((a, b))
        return 12_346

    monkeypatch.setattr(geo, "distance_m", shared)
    assert distances.metres(lat[:1], lng[:1], lat[1:], lng[1:]).tolist() == [12_346]
    assert len(asked) == 1


def test_asking_the_engine_loads_no_solver_here() -> None:
    look = "import sys, mutualaid.matching.engine.apart, mutualaid.matching.engine.legal; " + (
        "sys.exit(any(name.split('.')[0] in ('scipy', 'pylmcf', 'ortools') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", look], check=False).returncode == 0
