"""The day's and the hour's work for the plaza."""

from sqlalchemy import func, select, update

from mutualaid.posts.plaza_records import PlazaCell, PlazaEntry
from mutualaid.posts.records import Post
from mutualaid.posts.rules import urgent_rank
from tests.harness import House, Person, a_need

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


async def in_need(reader: Person) -> list[str]:
    return [card["id"] for card in (await reader.get("/posts?kind=need&sort=urgent&limit=50")).json()["items"]]


async def test_who_has_waited_long_and_was_noticed_little_comes_first(house: House) -> None:
    author, reader, others = await house.member(), await house.member(), [await house.member() for _ in range(2)]
    until = "2023-01-12T12:00:00Z"
    old = await author.publish(a_need("rice", until=until))
    house.clock.advance(hours=20)
    noticed = await author.publish(a_need("rice", until=until))
    unnoticed = await author.publish(a_need("rice", until=until))
    urgent = await author.publish(a_need("rice", until=until, urgency="urgent"))
    house.clock.advance(seconds=1)
    newest = await author.publish(a_need("rice", until=until))
    for asker, post in ((others[0], noticed), (others[1], noticed), (others[0], newest)):
        asked = await asker.post(f"/posts/{post['id']}/contact", {"channel": "words"})
        assert asked.status_code == 201, asked.text
    await house.work()
    before = await in_need(reader)

    house.clock.advance(hours=5)  # a day old, and five hours: the hour's job moves the first alone
    await house.work()

    assert before == [each["id"] for each in (urgent, old, unnoticed, newest, noticed)]
    assert await in_need(reader) == before
    async with house.services.database.reading() as session:
        found = {p.id: (p.waiting, p.contacted) for p in await session.scalars(select(Post))}
    assert [found[each["id"]] for each in (old, unnoticed, newest, noticed)] == [(2, 0), (0, 0), (0, 1), (0, 2)]


async def test_the_rows_have_the_rank_of_the_formula(house: House) -> None:
    author = await house.member()
    for urgency in ("normal", "urgent"):
        await author.publish(a_need("rice", urgency=urgency))
    async with house.services.database.reading() as session:
        posts = {post.id: post.urgency for post in await session.scalars(select(Post))}

    for waiting, contacted in ((0, 0), (1, 7), (3, 999), (3, 5000)):
        async with house.services.database.transaction() as session:
            await session.execute(update(Post).values(waiting=waiting, contacted=contacted))
        async with house.services.database.reading() as session:
            rows = (await session.execute(select(PlazaEntry.post_id, PlazaEntry.rank).distinct())).all()
        assert {post: rank for post, rank in rows} == {
            post: urgent_rank(urgency, waiting, contacted) for post, urgency in posts.items()
        }
