"""Rows that make no sense, written past every door: left out, counted and named, and nobody else's help stops."""

from typing import Any

import pytest
from sqlalchemy import update

from mutualaid.kit import cells
from mutualaid.matching import explaining, planning, sweeping
from mutualaid.matching.engine import solver
from mutualaid.posts.records import Post, PostLine
from mutualaid.services import Services
from tests.harness import HOME
from tests.matching.street import Street
from tests.matching.test_sweeping import proposed

FAR = (HOME[0] + 0.3, HOME[1])
POISON: tuple[tuple[dict[str, Any], str], ...] = (
    ({"cell": "nowhere"}, "place_missing"),
    ({"reach_km": 2**31 - 1}, "reach_out_of_range"),
    ({"reach_km": -1}, "reach_out_of_range"),
    ({"available": [["soon", "later"]]}, "schedule_unknown"),
    ({"available": [["2023-01-07T20:00:00", "2023-01-07T22:00:00"]]}, "schedule_unknown"),
    ({"available": None}, "schedule_unknown"),
    ({"handover": ["teleport"]}, "ways_unknown"),
)


async def poisoned(street: Street, values: dict[str, Any]) -> tuple[Post, Post, Post]:
    bad, need, offer = await street.need(), await street.need(), await street.offer()
    async with street.database.transaction() as session:
        await session.execute(update(Post).where(Post.id == bad.id).values(**values))
    return bad, need, offer


@pytest.mark.parametrize(("values", "why"), POISON)
async def test_a_poisoned_post_stops_neither_sweep_and_both_name_it(
    services: Services, street: Street, values: dict[str, Any], why: str
) -> None:
    bad, need, offer = await poisoned(street, values)

    small = await sweeping.think_here(street.database, [bad.id, need.id, offer.id], street.catalogue, now=street.now)
    large = await planning.plan(street.database, street.catalogue, None, now=street.now)

    assert (small.report["skipped"], small.report["skipped_posts"]) == ({why: 1}, {bad.id: why})
    assert (large.report["skipped"], large.report["skipped_needs"]) == ({why: 1}, {bad.lines[0].id: why})
    assert [list(move.made) for each in (small, large) for move in each.moves] == [[(need.id, offer.id)]] * 2


@pytest.mark.parametrize("values", [POISON[0][0], POISON[1][0], POISON[3][0]])
async def test_a_poisoned_neighbour_stops_no_look_and_no_explanation(street: Street, values: dict[str, Any]) -> None:
    bad, need, offer = await poisoned(street, values)

    assert await street.paired(offer) == [need.id]
    assert await street.paired(bad) == []
    assert await explaining.explain(street.database, offer.id, catalogue=street.catalogue, now=street.now)


async def test_a_solver_that_fails_is_told_from_one_process_to_the_other(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(solver, "proven", lambda *_: False)
    need, offer = await street.need(), await street.offer()

    planned = await planning.plan(street.database, street.catalogue, None, now=street.now)
    told = planning.understood(planning.written(planned))
    sweeping.warn(told)
    await sweeping.write(street.database, told, street.catalogue, now=street.now)

    [part] = told.report["fallbacks"]
    assert (part["reached"]["quantity"], part["bound"]["quantity"], part["gap"]) == (4, 4, 0)
    assert await proposed(street.database) == {(need.id, offer.id): 4}


async def test_a_proposal_that_its_lines_know_nothing_of_stops_no_others(street: Street) -> None:
    need, offer = await street.need(), await street.offer()
    await street.propose(need)
    other, fitting = await street.need(item="smectite", quantity=2), await street.offer(item="smectite", quantity=2)
    async with street.database.transaction() as session:
        here = PostLine.post_id.in_((need.id, offer.id))
        await session.execute(update(PostLine).where(here).values(proposed=0))
        await session.execute(update(Post).where(Post.id == need.id).values(reach_km=1, cell=cells.cell_of(*FAR)))

    planned = await planning.plan(street.database, street.catalogue, None, now=street.now)
    await sweeping.write(street.database, planned, street.catalogue, now=street.now)

    assert len(planned.moves) == 2
    assert await proposed(street.database) == {(need.id, offer.id): 4, (other.id, fitting.id): 2}
