"""Posts found by words, over HTTP on both databases: who finds what, and that words go with what they were taken from."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from sqlalchemy import func, select, text

from mutualaid.kit.database import Database
from mutualaid.posts import searching, word_store
from mutualaid.posts.records import Post, PostWord, UnsortedWords
from tests.harness import House, Person, a_need, an_offer
from tests.pages.visitor import Visitor
from tests.posts.test_plans import listening

Settle = Callable[[], Awaitable[None]]
End = Callable[[House, Person, str], Awaitable[Any]]


async def found(reader: Person, q: str, **more: str) -> list[str]:
    answer = await reader.get("/posts", params={"q": q, **more})
    assert answer.status_code == 200, answer.text
    return [card["id"] for card in answer.json()["items"]]


async def words_of(house: House, post_id: str) -> set[str]:
    async with house.services.database.reading() as session:
        unsorted = await session.get(UnsortedWords, post_id)
        words = await session.scalars(select(PostWord.word).where(PostWord.post_id == post_id))
        return {*words, *(unsorted.words if unsorted else ())}


async def sort(house: House) -> None:
    """As the worker does when there are many."""
    async with house.services.database.transaction() as session:
        assert await word_store.sort(session, most=9) > 0
    assert await unsorted(house) == 0


async def unsorted(house: House) -> int:
    async with house.services.database.reading() as session:
        return await session.scalar(select(func.count()).select_from(UnsortedWords)) or 0


@pytest.fixture(params=["unsorted", "sorted"])
def settle(request: pytest.FixtureRequest, house: House) -> Settle:
    """Words lie where they were written, or where they are found by."""

    async def settle() -> None:
        if request.param == "sorted":
            await sort(house)

    return settle


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


async def test_the_worker_sorts_words_where_there_are_many(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_store, "_MANY", 3)
    monkeypatch.setattr(word_store, "_SORTED_AT_ONCE", 2)
    author = await house.member()
    first = [(await author.publish(a_need(note=f"第{n}次 退烧")))["id"] for n in range(2)]
    await house.work()
    assert await unsorted(house) == 2, "so few are read as quickly where they lie"

    more = [(await author.publish(a_need(note=f"第{n}次 退烧")))["id"] for n in range(2, 5)]
    await house.work()

    assert await unsorted(house) < 3
    assert set(await found(author, "退烧")) == {*first, *more}


async def test_of_many_jobs_at_once_one_sorts(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_store, "_MANY", 1)
    author = await house.member()
    await author.publish(a_need(note="急需退烧药"))
    sorting = mock.AsyncMock(wraps=word_store.sort)
    monkeypatch.setattr(word_store, "sort", sorting)

    await asyncio.gather(*(word_store.sort_many(house.services.database) for _ in range(5)))

    assert sorting.await_count == 1 and await unsorted(house) == 0


async def test_who_searches_sorts_what_no_worker_has_sorted(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_store, "_FEW", 2)
    monkeypatch.setattr(word_store, "_SORTED_AT_ONCE", 2)
    author = await house.member()
    made = {(await author.publish(a_need(note=f"第{n}次 退烧")))["id"] for n in range(5)}

    monkeypatch.setattr(word_store, "_TURNS", 1)
    later = await author.get("/posts", params={"q": "退烧"})

    assert (later.status_code, later.headers["retry-after"]) == (503, "2")
    assert await unsorted(house) == 3 and set(await found(author, "退烧")) == made and await unsorted(house) == 1


async def test_the_page_of_a_search_that_comes_too_early_keeps_what_was_asked(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(word_store, "_FEW", 0)
    monkeypatch.setattr(word_store, "_TURNS", 0)
    await (await house.member()).publish(a_need(note="急需退烧药"))

    page = await (await Visitor(house).settled()).open("/posts?q=退烧")

    assert (page.status, page.response.headers["retry-after"]) == (503, "2")
    assert ("q", "退烧") in page.form("/posts").fields


async def test_who_is_signed_out_neither_waits_for_sorting_nor_sorts(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(word_store, "_FEW", 0)
    monkeypatch.setattr(word_store, "_TURNS", 0)
    post = await (await house.member()).publish(a_need(item="ibuprofen", quantity=1, note="急需退烧药"))

    assert await found(house.stranger(), "布洛") == [post["id"]] and await found(house.stranger(), "退烧") == []
    assert (await Visitor(house).open("/posts?q=布洛")).status == 200
    assert await unsorted(house) == 1


async def test_what_is_unsorted_is_counted_once_for_all_words(house: House) -> None:
    terms = [("急需",), ("退烧", "#ibuprofen"), ("烧药",)]
    database = house.services.database
    await (await house.member()).publish(a_need(note="急需退烧药"))

    with listening(database) as said:
        async with database.reading() as session:
            assert await word_store.rarest(session, terms, most=9) == (1, ("急需",))

    assert [statement.count("FROM post_words_unsorted") for statement, _ in said if "unsorted" in statement] == [1]


@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_the_worker_does_not_turn_round_what_others_are_sorting(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(word_store, "_MANY", 1)
    await (await house.member()).publish(a_need(note="急需退烧药"))
    database = house.services.database

    async with database.transaction() as another, asyncio.timeout(10):
        assert await word_store.sort(another, most=9) == 1
        await word_store.sort_many(database)


async def test_a_post_with_several_words_of_a_name_keeps_no_other_from_being_found(
    house: House, settle: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "_AT_ONCE", 2)
    author = await house.member()
    made = {(await author.publish(a_need(item="ibuprofen", quantity=1, note="布洛芬")))["id"] for _ in range(5)}
    await settle()

    assert set(await found(author, "布洛")) == made, "by the note's word and by the item"


async def test_spoilt_words_break_nobodys_search_and_do_not_stop_the_sorting(house: House, dialect: str) -> None:
    author = await house.member()
    spoilt, post, empty = [(await author.publish(a_need(note="急需退烧药")))["id"] for _ in range(3)]
    spoil = "UPDATE post_words_unsorted SET words = {} WHERE post_id = :post"
    for post_id, words in ((spoilt, "'3'" if dialect == "postgresql" else "'no list'"), (empty, "'[null]'")):
        async with house.services.database.transaction() as session:
            await session.execute(text(spoil.format(words)), {"post": post_id})

    assert await found(author, "退烧 急需") == [post]
    await sort(house)
    assert await found(author, "退烧 急需") == [post]


async def test_what_stands_sorted_already_does_not_stop_the_sorting(house: House) -> None:
    author = await house.member()
    post = await author.publish(a_need(note="急需退烧药"))
    async with house.services.database.transaction() as session:  # as an import or a hand might leave it
        session.add(PostWord(word="退烧", post_id=post["id"]))

    await sort(house)

    assert await found(author, "退烧 急需") == [post["id"]]


@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_two_who_sort_at_once_sort_different_posts_and_a_change_waits_for_them(house: House) -> None:
    author = await house.member()
    posts = [await author.publish(a_need(note="急需退烧药")) for _ in range(2)]
    database = house.services.database
    async with database.transaction() as one, database.transaction() as two:
        assert [await word_store.sort(session, most=n) for session, n in ((one, 1), (two, 9), (two, 9))] == [1, 1, 0]
        changing = asyncio.create_task(author.ask("PATCH", f"/posts/{posts[0]['id']}", {"note": "已经好多了"}))
        await blocked(database)

    await changing
    assert await found(author, "退烧") == [posts[1]["id"]]
    assert await found(author, "好多") == [posts[0]["id"]]


async def blocked(database: Database) -> None:
    """Until somebody waits for a lock."""
    waits = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with asyncio.timeout(20):
        while True:
            async with database.reading() as session:
                if await session.scalar(waits):
                    return
            await asyncio.sleep(0.02)


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
