"""What keeps the plaza in memory: off where memory is tight, made anew where the feed is too short, never behind."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from mutualaid.catalogue import snapshot
from mutualaid.kit import clock as kit_clock
from mutualaid.kit import tasks
from mutualaid.posts import at_hand, cards, jobs, shelf, wire
from mutualaid.posts.index import follower as followers
from mutualaid.posts.index.feed import feed_of
from mutualaid.posts.index.follower import Follower, following
from mutualaid.posts.index.making import Free
from mutualaid.posts.plaza_records import PlazaChange
from mutualaid.posts.records import Post
from mutualaid.services import Services
from tests.harness import House, a_need, an_offer
from tests.posts.indexing import fill, indexed, no_word_of_memory


@asynccontextmanager
async def a_follower(services: Services, *, least: int = 0, free: Free = no_word_of_memory) -> AsyncIterator[Follower]:
    follower = Follower(
        feed_of(services.database), least=least, free=free, waits=services.database.dialect == "postgresql"
    )
    running = asyncio.create_task(follower.run())
    try:
        yield follower
    finally:
        await tasks.end(running)
        await follower.close()


async def holds(follower: Follower, posts: int) -> bool:
    """Whether it comes to hold so many within a few seconds."""
    for _ in range(100):
        standing = await follower.caught_up()
        if standing is not None and len(standing) == posts:
            return True
        await asyncio.sleep(0.05)
    return False


async def test_a_plaza_of_some_size_is_held_in_memory_and_a_small_one_is_not(house: House) -> None:
    author = await house.member()
    for _ in range(3):
        await author.publish(a_need())

    async with a_follower(house.services, least=6) as large, a_follower(house.services, least=7) as small:
        assert await holds(large, 3)
        assert await small.caught_up() is None
        await author.publish(an_offer())
        assert await holds(large, 4)


async def test_where_memory_is_tight_the_tables_answer(house: House) -> None:
    author = await house.member()
    await author.publish(a_need())
    left = 1 << 40

    async with a_follower(house.services, free=lambda: left) as follower:
        assert await holds(follower, 1)
        left = 1 << 20
        follower._begin(follower._standing)  # it would be renewed now
        assert follower._making is not None
        await asyncio.wait([follower._making])
        assert await follower.caught_up() is None

    async with a_follower(house.services, free=lambda: 1 << 20) as follower:
        await asyncio.sleep(0.2)
        assert await follower.caught_up() is None and follower._making is None


async def test_what_is_answered_from_memory_is_what_the_tables_answer(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    author, other = await house.member(), await house.member("李大山")
    posts = [await author.publish(a_need(note="三天没退烧了", urgency="urgent")), await other.publish(an_offer())]
    await fill(house.plaza)

    async def both() -> None:
        for reader in (house.stranger(), author, other):
            for query in (
                "",
                "?near=22.82,108.37&crs=gcj02",
                "?sort=urgent",
                "?kind=offer&within_km=5&near=22.82,108.37",
            ):
                for language in ("zh-CN", "en"):
                    headers = {"accept-language": language}
                    held = [await reader.get(f"/posts{query}", headers=headers) for _ in range(2)]  # read, and kept
                    with monkeypatch.context() as patched:
                        patched.setattr(at_hand, "from_memory", lambda _standing, _query: None)
                        told = await reader.get(f"/posts{query}", headers=headers)
                    assert [answer.json() for answer in held] == [told.json()] * 2
                    assert held[0].headers["content-type"] == told.headers["content-type"]

    await both()
    change = {"note": "好一点了", "lines": [{"id": posts[0]["lines"][0]["id"], "quantity": 2}]}
    assert (await author.ask("PATCH", f"/posts/{posts[0]['id']}", change)).status_code == 200
    await both()
    await other.post(f"/posts/{posts[1]['id']}/confirm")
    await both()
    await author.post(f"/posts/{posts[0]['id']}/withdraw")
    await both()
    house.clock.advance(days=30)  # all have run out, and nobody has written so yet
    await author.sign_in()
    await other.sign_in()
    await both()


async def test_cards_read_by_the_driver_are_those_read_by_sqlalchemy(house: House) -> None:
    author, other = await house.member(), await house.member("李大山")
    window = {"from": "2023-01-07T12:30:00.000001Z", "to": "2023-01-07T15:00:00Z"}
    drafts = [
        a_need(note="三天没退烧了", urgency="urgent", available=[window], beneficiary_age_band="under_3"),
        a_need(note="", substitutes=True) | {"handover": ["pickup", "delivery"], "contact": "words"},
        an_offer(contact="anyone"),
        an_offer("rice", quantity=1),
    ]
    for draft in drafts:
        answer = await other.post("/posts", draft)
        if answer.status_code != 201:
            draft.pop("substitutes", None)
            draft.pop("beneficiary_age_band", None)
            await author.publish(draft)
    ended = await author.publish(a_need())
    await author.post(f"/posts/{ended['id']}/resolve", {"outcome": "elsewhere"})
    async with house.services.database.reading() as session:
        by_id = await cards.cards_of(session, (await session.scalars(select(Post.id))).all())

    raw = await house.plaza.cards(list(by_id))

    assert len(raw) == len(by_id) == 5
    assert {card.id: card for card in raw} == by_id
    for card in raw:
        view = wire.post_view(card, await snapshot.current(house.services.database), language="en", reader=author.id)
        written = shelf.encoded(
            card, await snapshot.current(house.services.database), language="en", crs="wgs84", reader=author.id
        )
        assert shelf.with_distance(written, None).decode() == view.model_dump_json(by_alias=True)


async def test_the_feed_is_swept_and_who_comes_from_before_it_is_told_so(house: House) -> None:
    author = await house.member()
    feed = feed_of(house.services.database)
    await feed.open()
    try:
        early = feed.place
        for _ in range(3):
            await author.publish(a_need())
        changed = await feed.changes()
        assert changed is not None and len(changed) == 3 and not any(changed.values())
        late = feed.place
        async with house.services.database.transaction() as session:
            old = kit_clock.database_now(ago=timedelta(hours=3))
            await session.execute(update(PlazaChange).values(at=old))
        await author.publish(a_need())

        await jobs.forget_changes(house.services, {}, now=house.clock.now)

        async with house.services.database.reading() as session:
            assert await session.scalar(select(func.count()).select_from(PlazaChange)) == 2
        assert await feed.since(early) is None
        since = await feed.since(late)
        assert since is not None and len(since) == 1
        assert await feed.changes() == since
        assert await feed.changes() == {}
    finally:
        await feed.close()


async def test_a_follower_that_was_away_too_long_begins_anew(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    author = await house.member()
    await author.publish(a_need())
    async with indexed(house.services) as follower:
        assert await follower.caught_up() is not None
        monkeypatch.setattr(followers, "_AWAY_S", -1.0)
        assert await follower.caught_up() is None


async def test_a_lost_database_leaves_the_follower_alive(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    author = await house.member()
    await author.publish(a_need())
    async with a_follower(house.services) as follower:
        assert await holds(follower, 1)

        async def away() -> None:
            raise OSError

        with monkeypatch.context() as patched:
            patched.setattr(follower.feed, "changes", away)
            assert await follower.caught_up() is None
            await author.publish(a_need())
        assert await holds(follower, 2)


async def test_how_fresh_the_memory_is_stands_in_the_metrics(house: House) -> None:
    async with following(house.services):
        await asyncio.sleep(0.1)
        told = (await house.client.get("/metrics")).text
    line = next(line for line in told.splitlines() if line.startswith("mutualaid_plaza_index_staleness_seconds "))
    assert 0 <= float(line.split()[1]) <= 1
    assert "mutualaid_plaza_index_posts 0.0" in told
