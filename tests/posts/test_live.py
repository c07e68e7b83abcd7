"""Whoever listens to the plaza is told what opens, changes and ends there, for their filters, and goes on where they were."""

import asyncio
from typing import Any
from unittest import mock

import pytest

from mutualaid.posts import api_live, at_hand, live
from tests.harness import House, a_need, an_offer
from tests.posts.listening import Ear, listening

NEARBY = "near=22.8170,108.3665&within_km=5&item=ibuprofen&kind=need"
FAR = (22.99, 108.3665)


async def test_a_listener_is_told_what_opens_changes_and_ends_for_their_filters(house: House) -> None:
    mother, reader = await house.member(), await house.newcomer()
    async with listening(house.app, NEARBY, authorization=f"Bearer {reader.token}") as ear:
        assert (ear.status, ear.type) == (200, "text/event-stream; charset=utf-8")

        await mother.publish(a_need(at=FAR))
        await mother.publish(a_need("smectite"))
        post = await mother.publish(a_need(note="三天没退烧了"))
        assert await ear.next(1) == [("post.opened", post["id"])]
        await mother.ask("PATCH", f"/posts/{post['id']}", {"note": "好一点了"})
        changed = await _told(ear, "post.changed")
        await mother.post(f"/posts/{post['id']}/resolve", {"outcome": "through_platform"})

        assert await ear.next(1) == [("post.ended", post["id"])]
        assert changed["note"] == "好一点了" and changed["author"]["display_name"] == "王**"
        assert changed["distance_m"] == 0 and changed["mine"] is False


async def _told(ear: Ear, name: str) -> dict[str, Any]:
    event = await ear.one()
    assert event.name == name
    return event.data


async def test_what_a_listener_is_told_is_the_card_of_the_list(house: House) -> None:
    mother, reader = await house.member(), await house.newcomer()
    bearer = {"authorization": f"Bearer {reader.token}"}
    async with (
        listening(house.app, NEARBY, accept_language="en", **bearer) as ear,
        listening(house.app, "kind=need") as stranger,
        listening(house.app, NEARBY, authorization=f"Bearer {mother.token}") as author,
    ):
        await mother.publish(a_need(note="三天没退烧了"))
        told, reduced, own = [await _told(one, "post.opened") for one in (ear, stranger, author)]

    listed = await reader.get(f"/posts?{NEARBY}", headers={"accept-language": "en"})
    assert told == listed.json()["items"][0]
    assert (reduced["note"], reduced["author"], reduced["distance_m"]) == (None, None, None)
    assert own["mine"] is True


async def test_a_listener_goes_on_where_they_were(house: House) -> None:
    mother = await house.member()
    async with listening(house.app, "kind=need") as ear:
        before = await mother.publish(a_need())
        ended = await mother.publish(a_need("smectite"))
        await ear.next(2)
        place = ear.place

    await mother.publish(an_offer())
    await mother.ask("PATCH", f"/posts/{before['id']}", {"note": "还缺"})
    await mother.post(f"/posts/{ended['id']}/withdraw")
    late = await mother.publish(a_need("paracetamol-tablet"))

    async with listening(house.app, "kind=need", last_event_id=place) as again:
        heard = await again.next(3)
    assert sorted(heard) == sorted(
        [("post.changed", before["id"]), ("post.ended", ended["id"]), ("post.opened", late["id"])]
    )


async def test_one_who_was_told_nothing_yet_has_a_place_to_come_back_to(house: House) -> None:
    mother = await house.member()
    async with listening(house.app, "kind=need") as ear:
        async with asyncio.timeout(10):
            while not ear.place:  # noqa: ASYNC110 — it comes a moment after the welcome
                await asyncio.sleep(0.01)
    post = await mother.publish(a_need())

    async with listening(house.app, "kind=need", last_event_id=ear.place) as again:
        assert await again.next(1) == [("post.opened", post["id"])]


async def test_a_fault_in_telling_lets_all_go_and_the_next_are_told(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    mother = await house.member()
    async with listening(house.app) as ear:
        with monkeypatch.context() as patched:
            patched.setattr(at_hand, "cards", mock.AsyncMock(side_effect=RuntimeError))
            post = await mother.publish(a_need())
            async with asyncio.timeout(10):
                await ear.ended.wait()
    async with listening(house.app, last_event_id=ear.place) as again:
        assert await again.next(1) == [("post.opened", post["id"])]


async def test_who_comes_before_the_feed_was_read_is_told_their_place_too(house: House) -> None:
    mother = await house.member()
    await house.plaza.feed.close()
    house.plaza.feed.place = ""  # as it is when a process has just begun
    async with listening(house.app) as ear, asyncio.timeout(10):
        await ear.placed.wait()

    post = await mother.publish(a_need())

    async with listening(house.app, last_event_id=ear.place) as again:
        assert await again.next(1) == [("post.opened", post["id"])]


@pytest.mark.parametrize("place", ["", "x", "-1", "0x1", "9" * 400, "1:2:3,x", "1:2:" + "3," * 600, "'; --", "٣"])
async def test_a_place_that_is_none_is_answered_by_reload_or_nothing(house: House, place: str) -> None:
    mother = await house.member()
    async with listening(house.app, "", last_event_id=place) as ear:
        if place:
            assert await ear.next(1) == [("plaza.reload", "")]
        post = await mother.publish(a_need())
        assert await ear.next(1) == [("post.opened", post["id"])]


async def test_who_has_missed_too_much_had_better_read_the_list(house: House) -> None:
    mother = await house.member()
    async with listening(house.app) as ear:
        await mother.publish(a_need())
        await ear.next(1)
    for _ in range(3):
        await mother.publish(a_need())

    with mock.patch.object(live, "_MISSED", 2):
        async with listening(house.app, last_event_id=ear.place) as again:
            assert await again.next(1) == [("plaza.reload", "")]


async def test_words_are_listened_for_by_members_in_notes_and_by_strangers_in_names(house: House) -> None:
    mother, reader = await house.member(), await house.newcomer()
    bearer = {"authorization": f"Bearer {reader.token}"}
    async with (
        listening(house.app, "q=%E5%8F%A3%E7%BD%A9", **bearer) as masks,
        listening(house.app, "q=%E5%8F%A3%E7%BD%A9") as stranger,
        listening(house.app, "q=%E5%B8%83%E6%B4%9B%E8%8A%AC") as ibuprofen,
    ):
        await mother.publish(a_need("rice"))
        noted = await mother.publish(a_need(note="还缺口罩"))
        named = await mother.publish(a_need("mask-n95"))

        assert await masks.next(2) == [("post.opened", noted["id"]), ("post.opened", named["id"])]
        assert await stranger.next(1) == [("post.opened", named["id"])]
        assert await ibuprofen.next(1) == [("post.opened", noted["id"])]


async def test_nothing_more_is_told_to_one_who_signed_out(house: House) -> None:
    mother, reader = await house.member(), await house.newcomer()
    async with listening(house.app, authorization=f"Bearer {reader.token}") as ear:
        await reader.ask("DELETE", "/sessions/current")
        await mother.publish(a_need())
        async with asyncio.timeout(10):
            await ear.ended.wait()
    assert ear.events == []


async def test_pages_listen_by_cookie_and_programs_by_token(house: House) -> None:
    mother, reader = await house.member(), await house.newcomer()
    cookie, bearer = f"mutualaid-session={reader.token}", f"Bearer {reader.token}"
    async with (
        listening(house.app, path="/live/plaza", cookie=cookie) as page,
        listening(house.app, path="/live/plaza", authorization=bearer) as page_by_token,
        listening(house.app, cookie=cookie) as program_by_cookie,
    ):
        await mother.publish(a_need(note="求药"))
        notes = [(await _told(ear, "post.opened"))["note"] for ear in (page, page_by_token, program_by_cookie)]
    assert notes == ["求药", None, None]


async def test_one_who_cannot_keep_up_is_let_go(house: House) -> None:
    mother = await house.member()
    with mock.patch.object(live, "_WAITING", 1):
        async with listening(house.app) as ear:
            await mother.publish(a_need())
            async with asyncio.timeout(10):
                await ear.ended.wait()


async def test_a_crowd_is_told_to_come_back_and_everybody_leaves_when_the_process_ends(house: House) -> None:
    with mock.patch.object(live, "MOST_LISTENERS", 1):
        async with listening(house.app) as ear:
            refused = await house.client.get("/api/v1/plaza/stream")
            assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
            assert int(refused.headers["retry-after"]) > 0
            house.leave()
            async with asyncio.timeout(10):
                await ear.ended.wait()


async def test_a_listener_hears_that_the_line_lives_and_is_let_go_in_the_end(house: House) -> None:
    with mock.patch.object(api_live, "LASTS_S", 0.1), mock.patch.object(api_live, "BEAT_S", 0.02):
        answer = await house.client.get("/api/v1/plaza/stream")
    assert answer.status_code == 200
    assert answer.text.startswith("retry: 2000\n\n") and answer.text.count(":\n\n") >= 2


async def test_what_cannot_be_asked_is_refused_by_name(house: House) -> None:
    for query, field in (("kind=x", "kind"), ("within_km=3", "within_km"), ("limit=5", "limit"), ("near=0,0", "near")):
        answer = await house.client.get(f"/api/v1/plaza/stream?{query}")
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == [field]
