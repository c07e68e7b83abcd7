"""A post that was spoilt past every door, its place no cell: left out of every list, logged once, and nobody's page breaks."""

from typing import Any

import pytest
from sqlalchemy import update
from structlog.testing import capture_logs

from mutualaid.posts.records import Post
from tests.harness import HOME, House, a_need, an_offer
from tests.posts.indexing import indexed

NEAR = f"{HOME[0]},{HOME[1]}"
SPOILT: tuple[dict[str, Any], ...] = ({"cell": "nowhere"}, {"available": [["soon", "later"]]})


async def spoil(house: House, post_id: str, values: dict[str, Any]) -> None:
    async with house.services.database.transaction() as session:
        await session.execute(update(Post).where(Post.id == post_id).values(**values))


@pytest.mark.parametrize("values", SPOILT)
async def test_a_spoilt_post_is_left_out_of_lists_and_pages_and_logged_once(
    house: House, values: dict[str, Any]
) -> None:
    member = await house.member()
    kept, spoilt, newest = [(await member.publish(a_need()))["id"] for _ in range(3)]
    await spoil(house, spoilt, values)
    with capture_logs() as said:
        near = await member.get("/api/v1/posts", params={"near": NEAR})
        newest_first = await member.get("/api/v1/posts")
        urgent = await member.get("/api/v1/posts", params={"near": NEAR, "sort": "urgent"})
        first = await member.get("/api/v1/me/posts", params={"limit": 1})
        second = await member.get("/api/v1/me/posts", params={"limit": 1, "cursor": first.json()["next_cursor"]})
        shown = [await member.get(path) for path in ("/posts", f"/posts?near={NEAR}", "/me/posts", f"/posts/{kept}")]
        alone = [await member.get(f"/api/v1/posts/{spoilt}"), await member.get(f"/posts/{spoilt}")]
        box = await member.get("/api/v1/plaza/cells", params={"bbox": "22,108,23,109"})

    for found in (near, newest_first, urgent):
        assert {each["id"] for each in found.json()["items"]} == {kept, newest}
    assert {found.json()["items"][0]["id"] for found in (first, second)} == {newest, kept}
    assert second.json()["next_cursor"] is None
    assert [each.status_code for each in (*shown, box)] == [200] * 5
    assert [each.status_code for each in alone] == [404, 404]
    assert [each["event"] for each in said if each["log_level"] == "warning"] == ["post_unreadable"]
    assert spoilt not in str(said)


async def test_a_post_without_a_place_is_not_held_in_memory(house: House) -> None:
    member = await house.member()
    kept, spoilt = [(await member.publish(a_need()))["id"] for _ in range(2)]
    await spoil(house, spoilt, SPOILT[0])
    async with indexed(house.services) as follower:
        feed, standing = follower.feed, await follower.caught_up()
        assert standing is not None and len(standing) == 1
        assert (await feed.rows([kept, spoilt])).keys() == {kept}
        assert [card.id for card in await feed.cards([kept, spoilt])] == [kept]
        assert [row.id async for rows in feed.every() for row in rows] == [kept]


async def test_the_matches_of_a_spoilt_post_are_left_out(house: House) -> None:
    giver, first, second = [await house.member() for _ in range(3)]
    offer = await giver.publish(an_offer(quantity=8))
    needs = [(await who.publish(a_need()))["id"] for who in (first, second)]
    await house.work()
    spoilt = [each["id"] for each in (await first.get("/api/v1/me/matches")).json()["items"]]
    await spoil(house, needs[0], SPOILT[0])

    of_post = (await giver.get(f"/api/v1/posts/{offer['id']}/matches")).json()["items"]
    mine = (await giver.get("/api/v1/me/matches")).json()["items"]

    assert [each["need"]["id"] for each in of_post] == [each["need"]["id"] for each in mine] == [needs[1]]
    assert (await giver.get("/me/matches")).status_code == 200
    assert [(await giver.get(f"/api/v1/matches/{each}")).status_code for each in spoilt] == [404]
