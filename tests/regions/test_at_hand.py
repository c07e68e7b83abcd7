"""Districts of cells, remembered: the same answers as the shapes give, and none that outlives its source."""

from random import Random

import pytest
from sqlalchemy import update

from mutualaid.kit import cells
from mutualaid.kit.database import Database
from mutualaid.kit.errors import Invalid
from mutualaid.kit.geo import Point
from mutualaid.kit.plain import plain_of
from mutualaid.regions import at_hand, store
from mutualaid.regions.records import Region, RegionRow, RegionSource

_NEAR_M = 8000.0


def points(random: Random) -> list[Point]:
    """Around Nanning, along the coast at Beihai, and in the sea."""
    middles = [(22.8170, 108.3665), (21.4733, 109.1201), (21.0, 109.0)]
    return [
        (lat + random.uniform(-0.3, 0.3), lng + random.uniform(-0.3, 0.3)) for lat, lng in middles for _ in range(25)
    ]


async def refused(database: Database, point: Point) -> bool:
    try:
        await at_hand.require_at(database, point, field="place.lat")
    except Invalid:
        return True
    return False


async def near(database: Database, cell: str) -> Region | None:
    async with database.reading() as session:
        return await at_hand.near_centre(database, await plain_of(session), cell, within_m=_NEAR_M)


async def test_what_is_remembered_is_what_the_shapes_say(database: Database) -> None:
    for point in points(Random(11)):
        cell = cells.cell_of(*point)
        async with database.reading() as session:
            there = await store.locate_near(session, *point, within_m=1000.0)
            district = await store.locate_near(session, *cells.centre(cell), within_m=_NEAR_M)

        assert [await refused(database, point) for _ in range(2)] == [there is None] * 2
        assert [await near(database, cell) for _ in range(2)] == [district] * 2


async def test_regions_seeded_anew_are_noticed(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    home = (22.8170, 108.3665)
    cell = cells.cell_of(*home)
    await at_hand.require_at(database, home, field="place.lat")
    before = await near(database, cell)
    async with database.transaction() as session:
        await session.execute(update(RegionRow).values(name="新名"))
        await session.execute(update(RegionSource).values(version="another"))

    monkeypatch.setattr(at_hand, "_FRESH_S", 0.0)
    await at_hand.require_at(database, home, field="place.lat")

    after = await near(database, cell)
    assert before is not None
    assert after is not None
    assert (after.code, after.name) == (before.code, "新名")
