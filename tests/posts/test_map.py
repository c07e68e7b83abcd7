"""The plaza as a map: what brute force counts, in cells no finer than the crowd allows, from tables and from memory."""

from collections import Counter
from dataclasses import replace
from random import Random
from typing import Any

import h3
import pytest
from sqlalchemy import delete

from mutualaid.members.records import CrowdMark
from mutualaid.posts import mapping
from tests.harness import House
from tests.moments import Clock
from tests.posts import city
from tests.posts.city import Lot, Question
from tests.posts.indexing import fill, renew

CITY = (22.60, 108.15, 23.05, 108.60)
STREET = (22.81, 108.36, 22.83, 108.38)
CHINA = (10.0, 75.0, 54.0, 135.0)


Counts = dict[str, tuple[int, int]]


def brute_force(lots: list[Lot], box: tuple[float, ...], clock: Clock, resolution: int, **asked: Any) -> Counts:
    """{cell: (needs, offers)}, cells no finer than `resolution`."""
    found: dict[str, Counter[str]] = {}
    standing = {post for _, post in city.brute_force(lots, Question("newest", **asked), clock.now)}
    for lot in lots:
        lat, lng = h3.cell_to_latlng(lot.cell)
        if lot.id in standing and box[0] <= lat <= box[2] and box[1] <= lng <= box[3]:
            fine = h3.get_resolution(lot.cell) > resolution
            cell = h3.cell_to_parent(lot.cell, resolution) if fine else lot.cell
            found.setdefault(cell, Counter())[lot.kind] += 1
    return {cell: (counts["need"], counts["offer"]) for cell, counts in found.items()}


async def seen(house: House, box: tuple[float, ...], **asked: str) -> Counts:
    params = {"bbox": ",".join(map(str, box)), **asked}
    answer = await house.client.get("/api/v1/plaza/cells", params=params)
    assert answer.status_code == 200, answer.text
    items = answer.json()["items"]
    assert all(set(item) == {"cell", "lat", "lng", "needs", "offers"} for item in items)
    return {item["cell"]: (item["needs"], item["offers"]) for item in items}


async def settle(house: House, lots: list[Lot]) -> None:
    async with house.services.database.transaction() as session:
        await city.settle(session, lots)


@pytest.mark.parametrize("in_memory", [False, True], ids=["tables", "memory"])
async def test_the_map_counts_what_brute_force_counts(house: House, clock: Clock, in_memory: bool) -> None:
    lots = city.generate(Random(11), posts=250)
    await settle(house, lots[:150])
    if in_memory:
        await fill(house.plaza)
        await settle(house, lots[150:200])
        await renew(house.plaza)
        await settle(house, lots[200:])
    else:
        await settle(house, lots[150:])

    for box, resolution in ((CITY, 7), (STREET, 8), (CHINA, 3)):
        for asked in ({}, {"kind": "need"}, {"item": "ibuprofen"}, {"kind": "offer", "item": "gloves"}):
            assert await seen(house, box, **asked) == brute_force(lots, box, clock, resolution, **asked), (box, asked)
    assert len(await seen(house, CITY)) > 20, "this was no empty map"


async def test_a_cell_that_stands_for_too_few_is_merged_upward_or_left_out(house: House, clock: Clock) -> None:
    lots = [replace(lot, state="open") for lot in city.generate(Random(12), posts=120)]
    await settle(house, lots)
    fine = brute_force(lots, STREET, clock, 8)
    crowds = {cell: n % 4 for n, cell in enumerate(sorted({lot.cell for lot in lots}))}

    async def crowd_of(cell: str, people: int) -> None:
        async with house.services.database.transaction() as session:
            await session.execute(delete(CrowdMark).where(CrowdMark.cell == cell))
            session.add_all(CrowdMark(cell=cell, mark=f"{n}".encode()) for n in range(people))

    for cell, people in crowds.items():
        await crowd_of(cell, people)
    for parent in {h3.cell_to_parent(cell, 7) for cell in crowds if h3.get_resolution(cell) == 8}:
        await crowd_of(parent, 3)
    object.__setattr__(house.services, "settings", house.services.settings.model_copy(update={"crowd_k": 3}))
    shown = await seen(house, STREET)

    assert {cell for cell in shown if h3.get_resolution(cell) == 8} == {
        cell for cell in fine if h3.get_resolution(cell) == 8 and crowds[cell] >= 3
    }
    assert sum(map(sum, shown.values())) == sum(map(sum, fine.values())), "what is merged is still counted"

    async with house.services.database.transaction() as session:
        await session.execute(delete(CrowdMark))
    assert await seen(house, STREET) == {}


async def test_many_cells_without_memory_are_refused_and_not_scanned(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await settle(house, city.generate(Random(13), posts=80))
    monkeypatch.setattr(mapping, "_READ_MOST", 10)

    answer = await house.client.get("/api/v1/plaza/cells?bbox=22,108,23,109")

    assert (answer.status_code, answer.json()["code"]) == (503, "overloaded") and answer.headers["retry-after"]


async def test_a_map_in_another_datum_is_shifted_both_ways(house: House, clock: Clock) -> None:
    lots = city.generate(Random(14), posts=60)
    await settle(house, lots)

    plain = await house.client.get("/api/v1/plaza/cells?bbox=22.6,108.1,23.1,108.7")
    shifted = await house.client.get("/api/v1/plaza/cells?bbox=22.6,108.1,23.1,108.7&crs=gcj02")

    here = {item["cell"]: item for item in plain.json()["items"]}
    there = {item["cell"]: item for item in shifted.json()["items"]}
    assert len(here.keys() & there.keys()) > 5
    for cell in here.keys() & there.keys():
        assert 0.0005 < abs(there[cell]["lng"] - here[cell]["lng"]) < 0.02


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ("", "bbox", "required"),
        ("bbox=1,2,3", "bbox", "wrong_form"),
        ("bbox=a,b,c,d", "bbox", "wrong_form"),
        ("bbox=23,108,22,109", "bbox", "bbox_inverted"),
        ("bbox=22,179,23,-179", "bbox", "bbox_inverted"),
        ("bbox=22,108,22,109", "bbox", "bbox_inverted"),
        ("bbox=22,108,91,109", "bbox", "outside_earth"),
        ("bbox=22,108,23,181", "bbox", "outside_earth"),
        ("bbox=22,108,23,109&item=gold", "item", "item_unknown"),
        ("bbox=22,108,23,109&kind=x", "kind", None),
        ("bbox=22,108,23,109&limit=5", "limit", "unknown_field"),
    ],
)
async def test_what_is_no_map_is_refused_by_name(house: House, query: str, field: str, code: str | None) -> None:
    answer = await house.client.get(f"/api/v1/plaza/cells?{query}")
    assert answer.status_code == 422, answer.text
    found = [(error["field"], error["code"]) for error in answer.json()["errors"]]
    assert [name for name, _ in found] == [field] and code in (None, found[0][1])
