"""The day's sweep of the plaza."""

from sqlalchemy import func, select

from mutualaid.posts.plaza_records import PlazaCell, PlazaEntry
from tests.harness import House, a_need

ELSEWHERE = (24.3264, 109.4281)


async def rows(house: House) -> tuple[int, int]:
    """How many entries and how many cells there are."""
    async with house.services.database.reading() as session:
        entries = await session.scalar(select(func.count()).select_from(PlazaEntry))
        cells = await session.scalar(select(func.count()).select_from(PlazaCell))
    return entries or 0, cells or 0


async def test_cells_without_a_post_are_swept_and_the_others_stay(house: House) -> None:
    author = await house.member()
    stays = await author.publish(a_need("rice"))
    goes = await author.publish(a_need("ibuprofen", at=ELSEWHERE))
    await house.work()
    assert await rows(house) == (4, 4)  # each under its item and under anything
    await author.post(f"/posts/{goes['id']}/withdraw")
    assert await rows(house) == (2, 4)

    house.clock.advance(days=1)
    await house.work()

    assert await rows(house) == (2, 2)
    near = await author.get("/posts?near=24.32,109.42&kind=need")
    assert [card["id"] for card in near.json()["items"]] == [stays["id"]]
