"""Words that are sorted in later: found at once, many at a time, and nobody stopped by what is being sorted or spoilt."""

import asyncio
from unittest import mock

import pytest
from sqlalchemy import text

from mutualaid.kit.database import Database
from mutualaid.posts import searching, word_store
from mutualaid.posts.records import PostWord
from tests.harness import House, a_need
from tests.pages.visitor import Visitor
from tests.posts.test_plans import listening
from tests.posts.words import Settle, found, sort, unsorted


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
