"""Reading over HTTP, on both databases: who sees what of a post, where it stands for them, what filters find."""

from dataclasses import replace
from typing import Any

import pytest

from mutualaid.kit import cells
from mutualaid.kit.coordinates import from_wgs84, to_wgs84
from mutualaid.services import Services
from tests.harness import HOME, House, a_need, an_offer, open_house
from tests.moments import Clock
from tests.posts.test_api import errors

FAR = (22.8400, 108.4100)


@pytest.mark.parametrize("crs", ["gcj02", "bd09"])
async def test_places_go_out_in_the_datum_asked_for(house: House, crs: Any) -> None:
    member = await house.member()
    post = await member.publish(a_need())

    for path in ("/posts", f"/posts/{post['id']}", "/me/posts"):
        card = (await member.get(path, params={"crs": crs})).json()
        place = card["items"][0]["place"] if "items" in card else card["place"]
        assert (place["crs"], place["cell"]) == (crs, post["place"]["cell"])
        back = to_wgs84(place["lat"], place["lng"], crs)
        assert back == pytest.approx((post["place"]["lat"], post["place"]["lng"]), abs=1e-6)


async def test_where_few_live_a_wider_cell_is_shown_and_all_distances_follow_it(
    services: Services, clock: Clock
) -> None:
    crowded = replace(services, settings=services.settings.model_copy(update={"crowd_k": 2}))
    async with open_house(crowded, clock) as house:
        first, second = await house.member(), await house.member()
        alone, together = await first.publish(a_need(at=FAR)), await second.publish(a_need(at=FAR))
        again = await first.publish(a_need(item="gloves", at=FAR))
        near = (await first.get("/posts", params={"near": f"{FAR[0]},{FAR[1]}"})).json()["items"]

    fine = cells.cell_of(*FAR)
    assert alone["place"]["cell"] == again["place"]["cell"] == cells.parent(fine, 6)
    assert together["place"]["cell"] == fine
    wide = cells.between_m(fine, cells.parent(fine, 6))
    told = [(card["distance_m"], card["id"]) for card in near]
    assert wide > 0 and told == [(0, together["id"]), *sorted([(wide, alone["id"]), (wide, again["id"])])]


async def test_a_stranger_sees_neither_note_nor_age_nor_author_and_nobody_sees_who_the_author_is(house: House) -> None:
    author, member = await house.member("欧阳小明"), await house.newcomer()
    post = await author.publish(a_need(note="家里有老人", for_other=True, beneficiary_age_band="60_plus"))

    for path in ("/posts", f"/posts/{post['id']}"):
        reduced, full = (await house.stranger().get(path)).json(), (await member.get(path)).json()
        reduced, full = (body["items"][0] if "items" in body else body for body in (reduced, full))
        assert (reduced["note"], reduced["author"], reduced["beneficiary_age_band"]) == (None, None, None)
        assert (full["note"], full["beneficiary_age_band"]) == ("家里有老人", "60_plus")
        assert full["author"] == {"display_name": "欧阳**", "real_name": True, "real_name_how": "checked"}
        assert full["mine"] is False and author.id not in str(full)


async def test_the_verified_mark_follows_the_authors_verification(house: House) -> None:
    author, reader = await house.member(), await house.newcomer()
    post = await author.publish(a_need())

    async def marked(flag: str) -> list[str]:
        return [card["id"] for card in (await reader.get("/posts", params={"real_name": flag})).json()["items"]]

    assert (await marked("true"), await marked("false")) == ([post["id"]], [])
    await author.ask("DELETE", "/me/consents/real_name_check")
    assert (await marked("true"), await marked("false")) == ([], [post["id"]])
    seen = (await reader.get(f"/posts/{post['id']}")).json()["author"]
    assert (seen["real_name"], seen["real_name_how"]) == (False, None)


async def test_filters_find_what_they_name(house: House) -> None:
    author = await house.member()
    need = await author.publish(a_need())
    offer = await author.publish(an_offer(item="paracetamol-tablet", at=FAR))
    masks = await author.publish(a_need(item="mask-n95", at=FAR))

    async def ids(**asked: str) -> set[str]:
        answer = await author.get("/posts", params=asked)
        assert answer.status_code == 200, answer.text
        return {card["id"] for card in answer.json()["items"]}

    near = f"{HOME[0]},{HOME[1]}"
    assert await ids(kind="offer") == {offer["id"]}
    assert await ids(item="ibuprofen") == {need["id"]}
    assert await ids(group="发热") == {need["id"], offer["id"]}
    assert await ids(group="发热", item="mask-n95") == set()
    assert await ids(near=near, within_km="1") == {need["id"]}
    assert await ids(near=near, within_km="20", sort="newest", kind="need") == {need["id"], masks["id"]}
    assert await ids(region="450000") == await ids(region="450100") == {need["id"], offer["id"], masks["id"]}
    assert await ids(region="440000") == set()
    assert await ids(near=",".join(map(str, from_wgs84(*HOME, "bd09"))), crs="bd09", within_km="0.1") == {need["id"]}


async def test_ones_own_posts_are_listed_newest_first_in_every_state_page_by_page(house: House) -> None:
    author, other = await house.member(), await house.member()
    made = []
    for _ in range(3):
        made.append((await author.publish(a_need()))["id"])
        house.clock.advance(seconds=1)
    await other.publish(a_need())
    await author.post(f"/posts/{made[1]}/withdraw")

    first = (await author.get("/me/posts", params={"limit": "2"})).json()
    second = (await author.get("/me/posts", params={"limit": "2", "cursor": first["next_cursor"]})).json()
    stolen = await other.get("/me/posts", params={"cursor": first["next_cursor"]})

    assert [card["id"] for card in first["items"] + second["items"]] == made[::-1]
    assert [card["state"] for card in first["items"] + second["items"]] == ["open", "withdrawn", "open"]
    assert second["next_cursor"] is None
    assert (stolen.status_code, errors(stolen)) == (422, {("cursor", "cursor_invalid")})


async def test_the_counters_count(house: House) -> None:
    author = await house.member()
    posts = [await author.publish(a_need()) for _ in range(4)] + [await author.publish(an_offer()) for _ in range(3)]
    for post, outcome in zip(posts[2:5], ["through_platform", "elsewhere", "no_longer"], strict=True):
        await author.post(f"/posts/{post['id']}/resolve", {"outcome": outcome})
    house.clock.advance(hours=25)
    await author.post(f"/posts/{posts[1]['id']}/resolve", {"outcome": "elsewhere"})

    counted = (await house.stranger().get("/stats")).json()

    assert counted == {
        "as_of": "2023-01-08T13:00:00Z",
        "open_needs": 1,
        "open_offers": 2,
        "resolved_needs_through_platform": 1,
        "resolved_needs_total": 3,
        "resolved_offers_total": 1,
        "resolved_24h": 1,
        "members": 1,
    }
