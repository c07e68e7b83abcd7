"""Home anchors: one home shows one cell, whatever the jitter, the race or the crowd."""

import asyncio
import json
import math
import random

import pytest
from sqlalchemy import func, select

from mutualaid.kit import cells, geo
from mutualaid.kit.clock import now
from mutualaid.kit.errors import NotFound
from mutualaid.kit.geo import Point
from mutualaid.members import anchors, consents
from mutualaid.members.records import Anchor, CrowdMark
from mutualaid.members.signing_in import SignedIn
from mutualaid.services import Services
from tests.members.people import a_member, consenting

HOME: Point = (22.8170, 108.3665)


def _away(point: Point, metres: float, bearing: float) -> Point:
    """The point so many metres away, on a locally flat earth."""
    lat, lng = point
    north, east = metres * math.cos(bearing), metres * math.sin(bearing)
    return lat + north / 111_195, lng + east / (111_195 * math.cos(math.radians(lat)))


async def _shown(services: Services, signed: SignedIn, point: Point, *, crowd_k: int = 1) -> str:
    key = await services.keys.get(signed.member.id)
    async with services.database.transaction() as session:
        return await anchors.shown_cell(session, signed.member.id, point, key=key, crowd_k=crowd_k, now=now())


async def _people(services: Services, count: int) -> list[SignedIn]:
    return [await a_member(services, f"+861390000{n:04d}") for n in range(count)]


async def test_a_home_with_a_jittery_reading_shows_one_cell(services: Services) -> None:
    signed = await a_member(services)
    seeded = random.Random(8)
    border = _on_a_border(seeded)

    shown = {
        await _shown(services, signed, _away(border, 15 * seeded.random(), 6.28 * seeded.random())) for _ in range(30)
    }

    assert len(shown) == 1
    async with services.database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(Anchor)) == 1


def _on_a_border(seeded: random.Random) -> Point:
    """A spot near `HOME` whose surroundings of 15 m lie in two cells."""
    while True:
        spot = _away(HOME, 900 * seeded.random(), 6.28 * seeded.random())
        if len({cells.cell_of(*_away(spot, 15, bearing)) for bearing in (0, 1.6, 3.1, 4.7)}) > 1:
            return spot


async def test_within_three_hundred_metres_it_is_the_same_home_and_beyond_another(services: Services) -> None:
    signed = await a_member(services)
    first = await _shown(services, signed, HOME)

    assert await _shown(services, signed, _away(HOME, 299, 0)) == first
    far = _away(HOME, 2500, 0)
    assert await _shown(services, signed, far) == cells.cell_of(*far) != first


async def test_between_two_homes_the_nearer_one_counts(services: Services) -> None:
    signed = await a_member(services)
    seeded = random.Random(3)
    border = _on_a_border(seeded)
    bearing = next(
        b / 10
        for b in range(63)
        if cells.cell_of(*_away(border, 160, b / 10)) != cells.cell_of(*_away(border, -160, b / 10))
    )
    here, there = _away(border, 160, bearing), _away(border, -160, bearing)
    cell_here, cell_there = await _shown(services, signed, here), await _shown(services, signed, there)
    assert cell_here != cell_there

    assert await _shown(services, signed, _away(border, 20, bearing)) == cell_here
    assert await _shown(services, signed, _away(border, -20, bearing)) == cell_there


async def test_posts_at_once_by_one_member_make_one_anchor(services: Services) -> None:
    signed = await a_member(services)

    await asyncio.gather(*(_shown(services, signed, _away(HOME, 10, n)) for n in range(5)))

    async with services.database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(Anchor)) == 1


async def test_a_lonely_home_shows_a_wider_cell_by_the_tree_of_parents(services: Services) -> None:
    signed = await a_member(services)

    shown = await _shown(services, signed, HOME, crowd_k=5)

    assert shown == cells.parent(cells.cell_of(*HOME), 6)


async def test_the_cell_narrows_for_newcomers_as_the_crowd_grows_and_never_changes_for_the_first(
    services: Services,
) -> None:
    people = await _people(services, 6)
    fine = cells.cell_of(*HOME)

    shown = [await _shown(services, person, HOME, crowd_k=3) for person in people]

    assert shown == [cells.parent(fine, 6)] * 2 + [fine] * 4
    assert await _shown(services, people[0], HOME, crowd_k=3) == cells.parent(fine, 6)


async def test_neighbours_in_other_cells_count_for_the_wider_one(services: Services) -> None:
    people = await _people(services, 3)
    wide = cells.parent(cells.cell_of(*HOME), 7)
    centre = cells.centre(wide)
    spots = [_away(centre, 700, bearing) for bearing in (0.0, 2.1, 4.2)]
    assert {cells.parent(cells.cell_of(*spot), 7) for spot in spots} == {wide}
    assert len({cells.cell_of(*spot) for spot in spots}) == 3

    shown = [await _shown(services, person, spot, crowd_k=3) for person, spot in zip(people, spots, strict=True)]

    assert shown[2] == wide


async def test_one_member_with_many_homes_is_no_crowd(services: Services) -> None:
    signed = await a_member(services)
    for n in range(4):
        await _shown(services, signed, _away(HOME, 310 * n, 0.5), crowd_k=2)

    assert await _shown(services, signed, _away(HOME, 310 * 4, 0.5), crowd_k=2) == cells.parent(cells.cell_of(*HOME), 6)


async def test_a_rotated_look_up_key_counts_nobody_twice(services: Services) -> None:
    signed = await a_member(services)
    await _shown(services, signed, HOME, crowd_k=2)
    services.ring.rotate("lookup")
    async with services.database.transaction() as session:
        await anchors.destroy_anchors(session, signed.member.id)

    assert await _shown(services, signed, HOME, crowd_k=2) == cells.parent(cells.cell_of(*HOME), 6)
    async with services.database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(CrowdMark)) == 3


async def test_the_true_point_is_sealed_and_goes_with_the_consent(services: Services) -> None:
    signed = await a_member(services)
    await consenting(services, signed.member.id, "precise_location")
    await _shown(services, signed, HOME)
    async with services.database.reading() as session:
        (anchor,) = await session.scalars(select(Anchor))
    assert b"22.8" not in anchor.point and json.dumps(HOME).encode() not in anchor.point

    async with services.database.transaction() as session:
        await consents.withdraw(session, signed.member.id, "precise_location", now=now())

    async with services.database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(Anchor)) == 0


async def test_nobody_is_anchored_who_is_not_here(services: Services) -> None:
    signed = await a_member(services)
    key = await services.keys.get(signed.member.id)

    with pytest.raises(NotFound):
        async with services.database.transaction() as session:
            await anchors.shown_cell(session, "0" * 32, HOME, key=key, crowd_k=1, now=now())


def test_the_helper_of_these_tests_measures_as_the_house_does() -> None:
    assert abs(geo.distance_m(HOME, _away(HOME, 299, 1.0)) - 299) <= 1
