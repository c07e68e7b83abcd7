"""The plaza at two instances on one database: what one writes the other shows at once, and tells within a second."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import update

from mutualaid.posts.records import Post
from tests.harness import House, Person, a_need
from tests.journeys.two import Two, elsewhere
from tests.posts.indexing import fill
from tests.posts.listening import listening

WITHIN_S = 1.0


async def newest(reader: Person, house: House) -> list[str]:
    answer = await elsewhere(reader, house).get("/posts?limit=50")
    assert answer.status_code == 200
    return [card["id"] for card in answer.json()["items"]]


@asynccontextmanager
async def asked_by(two: Two) -> AsyncIterator[tuple[Person, Person]]:
    """Somebody who posts and somebody who reads; both instances hold the plaza in memory."""
    for house in (two.here, two.there):
        await fill(house.plaza)
    yield await two.here.member(), await two.here.newcomer()
    for house in (two.here, two.there):
        assert house.plaza._standing is not None, "it was read from memory all along"


async def test_what_is_posted_here_is_on_the_plaza_and_in_the_stream_there(two: Two) -> None:
    async with asked_by(two) as (mother, reader), listening(two.there.app, "kind=need") as ear:
        for _ in range(5):
            post = await mother.publish(a_need())
            began = time.monotonic()
            assert post["id"] in await newest(reader, two.there)
            assert await ear.next(1) == [("post.opened", post["id"])]
            assert time.monotonic() - began <= WITHIN_S

        await mother.post(f"/posts/{post['id']}/withdraw")
        began = time.monotonic()
        assert post["id"] not in await newest(reader, two.there)
        assert await ear.next(1) == [("post.ended", post["id"])]
        assert time.monotonic() - began <= WITHIN_S


async def test_without_valkey_the_plaza_is_as_exact_and_told_as_soon(two: Two) -> None:
    async with asked_by(two) as (mother, reader), listening(two.there.app) as ear:
        two.valkey.kill()

        post = await mother.publish(a_need())
        began = time.monotonic()
        for house in (two.there, two.here):
            assert await newest(reader, house) == [post["id"]]
        assert await ear.next(1) == [("post.opened", post["id"])]
        assert time.monotonic() - began <= WITHIN_S


@pytest.mark.parametrize("dialect", ["postgresql"])  # where transactions overlap
async def test_a_long_open_transaction_hides_no_post_and_is_not_forgotten(two: Two) -> None:
    async with asked_by(two) as (mother, reader), listening(two.there.app) as ear:
        early = await mother.publish(a_need())
        await ear.next(1)

        async with two.here.services.database.transaction() as session:
            await session.execute(update(Post).where(Post.id == early["id"]).values(note="改了很久"))
            later = [await mother.publish(a_need()) for _ in range(3)]
            for post in later:
                assert post["id"] in await newest(reader, two.there)
                assert await ear.next(1) == [("post.opened", post["id"])]
            still = (await elsewhere(reader, two.there).get("/posts?limit=50")).json()["items"]
            assert {card["id"]: card["note"] for card in still}[early["id"]] == ""

        assert await ear.next(1) == [("post.changed", early["id"])]
        after = (await elsewhere(reader, two.there).get("/posts?limit=50")).json()["items"]
        assert {card["id"]: card["note"] for card in after}[early["id"]] == "改了很久"
        assert len(after) == 4


async def test_many_write_and_read_at_once_and_each_sees_their_own(two: Two) -> None:
    async with asked_by(two) as (_, reader):
        people = [elsewhere(await two.here.member(), house) for house in (two.here, two.there) for _ in range(4)]

        async def post_and_look(person: Person, other: House) -> None:
            for _ in range(5):
                post = await person.publish(a_need())
                assert post["id"] in await newest(reader, other)
                await person.post(f"/posts/{post['id']}/withdraw")
                assert post["id"] not in await newest(reader, other)

        await asyncio.gather(*(post_and_look(p, two.there if p.house is two.here else two.here) for p in people))
