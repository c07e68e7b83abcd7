"""Posts found by words, over HTTP on both databases: who finds what, and that words go with what they were taken from."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from mutualaid.kit.database import Database
from mutualaid.posts.records import Post, PostWord
from tests.harness import House, Person, a_need, an_offer
from tests.posts.words import Settle, found, words_of

End = Callable[[House, Person, str], Awaitable[Any]]


async def test_a_post_is_found_by_its_note_and_by_the_names_of_its_items(house: House, settle: Settle) -> None:
    author, reader = await house.member(), await house.newcomer()
    masks = await author.publish(a_need(item="mask-n95", quantity=1))
    await settle()
    fever = await author.publish(a_need(note="孩子三天没退烧了,有多的口罩可以换"))

    assert set(await found(reader, "口罩")) == {masks["id"], fever["id"]}
    for q in ("退烧", "三天没退烧", "布洛 口罩", "IBUPROFEN tablet", "口罩%"):
        assert fever["id"] in await found(reader, q), q
    for q in ("ＫＮ９５", "N95 口罩", "n95*"):
        assert await found(reader, q) == [masks["id"]], q
    for q in ("口罩 头盔", "退天", "%退%没%", "烧了有"):
        assert await found(reader, q) == [], q
    assert await found(reader, "口罩", kind="offer") == []
    assert await found(reader, "口罩", item="ibuprofen") == await found(reader, "退烧") == [fever["id"]]


async def test_a_stranger_finds_by_items_and_cannot_guess_at_notes(house: House) -> None:
    author, stranger = await house.member(), house.stranger()
    masks = await author.publish(a_need(item="mask-n95", quantity=1))
    await author.publish(a_need(note="家里有老人,有口罩可以换"))

    assert await found(stranger, "口罩") == await found(stranger, "n95 口罩") == [masks["id"]]
    assert (
        await found(stranger, "口罩", group="防护") == await found(stranger, "口罩", item="mask-n95") == [masks["id"]]
    )
    assert await found(stranger, "老人") == await found(stranger, "口罩", item="ibuprofen") == []
    assert len(await found(author, "老人")) == 1


async def test_pages_of_a_search_go_on_and_its_cursor_is_its_own(house: House) -> None:
    author = await house.member()
    made = []
    for n in range(5):
        made.append((await author.publish(a_need(note=f"第{n}次 有口罩")))["id"])
        await author.publish(a_need(note="没有"))
        house.clock.advance(seconds=1)

    first = (await author.get("/posts", params={"q": "口罩", "limit": "3"})).json()
    again = {"q": "口罩", "limit": "3", "cursor": first["next_cursor"]}
    second = (await author.get("/posts", params=again)).json()
    other = await author.get("/posts", params=again | {"q": "没有"})

    assert [card["id"] for card in first["items"] + second["items"]] == made[::-1]
    assert second["next_cursor"] is None
    assert (other.status_code, other.json()["errors"][0]["code"]) == (422, "cursor_invalid")


async def test_a_changed_note_is_found_by_its_new_words_only(house: House, settle: Settle) -> None:
    author = await house.member()
    post = await author.publish(a_need(note="急需退烧药"))
    await settle()

    await author.ask("PATCH", f"/posts/{post['id']}", {"reach_km": 3})
    assert await found(author, "退烧") == [post["id"]]
    await author.ask("PATCH", f"/posts/{post['id']}", {"note": "已经好多了"})

    assert await found(author, "退烧") == []
    assert await found(author, "好多") == await found(author, "布洛芬") == [post["id"]]


async def test_what_is_scrubbed_from_a_note_is_no_word(house: House) -> None:
    author = await house.member()
    post = await author.publish(a_need(note="打 13912345678 找我"))

    assert await found(author, "13912345678") == []
    assert not [word for word in await words_of(house, post["id"]) if "139" in word]


async def _resolve(_house: House, author: Person, post_id: str) -> Any:
    return await author.post(f"/posts/{post_id}/resolve", {"outcome": "elsewhere"})


async def _withdraw(_house: House, author: Person, post_id: str) -> Any:
    return await author.post(f"/posts/{post_id}/withdraw")


async def _expire(house: House, _author: Person, _post_id: str) -> Any:
    house.clock.advance(seconds=timedelta(hours=73).total_seconds())
    await house.work()


async def _consent(_house: House, author: Person, _post_id: str) -> Any:
    return await author.ask("DELETE", "/me/consents/publish_nearby")


async def _erase(_house: House, author: Person, _post_id: str) -> Any:
    return await author.ask("DELETE", "/me")


ENDS: Sequence[End] = (_resolve, _withdraw, _expire, _consent, _erase)


@pytest.mark.parametrize("end", ENDS)
async def test_words_go_when_a_post_ends(house: House, end: End, settle: Settle) -> None:
    author, reader = await house.member(), await house.newcomer()
    post = await author.publish(a_need(note="急需退烧药"))
    await settle()
    stays = await (await house.member()).publish(an_offer(note="退烧药有多", until="2023-01-20T00:00:00Z"))
    assert set(await found(reader, "退烧")) == {post["id"], stays["id"]} and await words_of(house, post["id"])

    await end(house, author, post["id"])

    assert await words_of(house, post["id"]) == set()
    assert await words_of(house, stays["id"]) and await found(reader, "退烧药") == [stays["id"]]


async def test_words_that_an_ended_post_had_left_go_with_its_author(house: House) -> None:
    author = await house.member()
    post = await author.publish(a_need(note="急需退烧药"))
    await author.post(f"/posts/{post['id']}/withdraw")
    async with house.services.database.transaction() as session:  # as an import or a hand might leave it
        session.add(PostWord(word="退烧", post_id=post["id"]))

    await author.ask("DELETE", "/me")

    assert await words_of(house, post["id"]) == set()


async def test_a_hidden_post_is_not_found_and_is_again_when_it_is_back(house: House) -> None:
    author, moderator = await house.member(), await house.member()
    post = await author.publish(a_need(note="急需退烧药"))

    async with house.services.database.transaction() as session:
        (await session.get_one(Post, post["id"])).hide("moderator", house.clock.now)
    hidden = await found(moderator, "退烧")
    async with house.services.database.transaction() as session:
        (await session.get_one(Post, post["id"])).restore(house.clock.now)

    assert (hidden, await found(moderator, "退烧")) == ([], [post["id"]])


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_words_that_went_stand_in_no_page_of_the_file(house: House) -> None:
    author, database = await house.member(), house.services.database
    post = await author.publish(a_need(note="植入心愿"))
    assert await _stands_in_file(database, "植入")

    await author.ask("DELETE", "/me")

    assert await words_of(house, post["id"]) == set()
    assert not await _stands_in_file(database, "植入")


async def _stands_in_file(database: Database, word: str) -> bool:
    async with database.connected() as connection:
        await connection.execute(text("COMMIT"))
        await connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
        await connection.execute(text("BEGIN"))
    return word.encode() in await asyncio.to_thread(Path(database.url.partition("///")[2]).read_bytes)
