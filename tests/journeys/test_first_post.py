"""Two members who know only the public contract: one posts, the other reads the plaza."""

from tests.harness import House, a_need, an_offer


async def test_a_need_is_posted_and_read_by_a_neighbour(house: House) -> None:
    needer, giver = await house.member("王小明"), await house.member("李大力")

    post = await needer.publish(a_need(note="三天没退烧了,微信 abc_12345", urgency="urgent"))

    assert post["state"] == "open"
    assert post["scrubbed"] is True and "abc_12345" not in post["note"]
    assert post["lines"][0] | {"id": ""} == {
        "id": "", "item": "ibuprofen", "name": "布洛芬片/缓释胶囊", "unit": "粒", "quantity": 4, "remaining": 4,
        "held": 0, "expires_on": None, "substitutes": False,
    }  # fmt: skip
    assert post["region"]["code"] == "450103" and post["region"]["path"] == "广西壮族自治区/南宁市/青秀区"
    assert post["author"] == {"display_name": "王**", "real_name": True, "real_name_how": "checked"}

    seen = (await giver.get("/posts?near=22.82,108.37&kind=need")).json()["items"]
    assert [card["id"] for card in seen] == [post["id"]]
    assert seen[0]["distance_m"] < 2000

    stranger = (await house.stranger().get("/posts")).json()["items"][0]
    assert stranger["author"] is None and stranger["note"] is None


async def test_a_post_is_resolved_once_and_then_gone_for_others(house: House) -> None:
    needer, giver = await house.member(), await house.member("李大力")
    post = await needer.publish(a_need())

    done = await needer.post(f"/posts/{post['id']}/resolve", {"outcome": "elsewhere"})
    again = await needer.post(f"/posts/{post['id']}/resolve", {"outcome": "elsewhere"})

    assert done.json()["state"] == "resolved"
    assert (again.status_code, again.json()["code"]) == (409, "post_not_open")
    assert (await giver.get(f"/posts/{post['id']}")).status_code == 404
    assert (await needer.get(f"/posts/{post['id']}")).json()["state"] == "resolved"


async def test_an_offer_of_medicine_needs_its_date_and_its_seal(house: House) -> None:
    giver = await house.member()
    draft = an_offer() | {"lines": [{"item": "ibuprofen", "quantity": 99}], "note": "x" * 501}

    refused = await giver.post("/posts", draft)

    assert refused.status_code == 422
    assert {(e["field"], e["code"]) for e in refused.json()["errors"]} == {
        ("lines.0.quantity", "over_cap"),
        ("lines.0.expires_on", "expiry_needed"),
        ("lines.0.sealed", "seal_needed"),
        ("note", "too_long"),
    }
