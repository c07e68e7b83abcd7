"""What touches every room: consents withdrawn with effect, another phone, export, erasure."""

from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.engine import make_url

from mutualaid.kit import audit
from mutualaid.members.records import Anchor, Member
from mutualaid.posts.records import Post
from tests.harness import House, Person, a_need, an_offer


async def states(person: Person) -> dict[str, str]:
    posts = (await person.get("/me/posts")).json()["items"]
    return {post["lines"][0]["item"]: post["state"] for post in posts}


async def agreed(house: House, needer: Person, giver: Person) -> dict[str, str]:
    """A need and an offer that have found each other: match id, both post ids."""
    offer = await giver.publish(an_offer())
    need = await needer.publish(a_need())
    await house.work()
    match = (await needer.get(f"/posts/{need['id']}/matches")).json()["items"][0]["id"]
    for person in (needer, giver):
        assert (await person.post(f"/matches/{match}/accept")).status_code == 200
    await house.work()
    return {"match": match, "need": need["id"], "offer": offer["id"]}


async def test_withdrawing_health_need_takes_down_medicine_only(house: House) -> None:
    needer = await house.member()
    await needer.publish(a_need("ibuprofen"))
    await needer.publish(a_need("rice"))

    assert (await needer.ask("DELETE", "/me/consents/health_need")).status_code == 204

    assert await states(needer) == {"ibuprofen": "withdrawn", "rice": "open"}
    again = await needer.post("/posts", a_need("ibuprofen"))
    assert (again.status_code, again.json()["code"]) == (428, "consent_needed")
    assert [e["field"] for e in again.json()["errors"]] == ["health_need"]


async def test_withdrawing_publish_nearby_takes_down_every_post(house: House) -> None:
    needer = await house.member()
    await needer.publish(a_need("ibuprofen"))
    await needer.publish(a_need("rice"))

    await needer.ask("DELETE", "/me/consents/publish_nearby")

    assert set((await states(needer)).values()) == {"withdrawn"}


async def test_withdrawing_precise_location_destroys_points_and_leaves_the_cell(house: House) -> None:
    needer = await house.member()
    post = await needer.publish(a_need("rice"))

    await needer.ask("DELETE", "/me/consents/precise_location")

    async with house.services.database.reading() as session:
        assert (await session.scalars(select(Anchor).where(Anchor.member_id == needer.id))).all() == []
    assert (await needer.get(f"/posts/{post['id']}")).json()["place"]["cell"] == post["place"]["cell"]


async def test_an_address_leaves_no_point_where_that_was_not_consented_to(house: House) -> None:
    needer = await house.newcomer()
    await needer.consent("health_need", "phone_masking", "publish_nearby", "real_name_check")
    await needer.verify()
    address = {"region": "450103", "address": "民族大道1号"}
    posts = [
        await needer.publish({name: value for name, value in a_need(item).items() if name != "place"} | address)
        for item in ("rice", "mask-n95")
    ]

    async with house.services.database.reading() as session:
        assert (await session.scalars(select(Anchor).where(Anchor.member_id == needer.id))).all() == []
    assert posts[0]["place"]["cell"] == posts[1]["place"]["cell"]


async def test_withdrawing_phone_masking_ends_the_number_and_leaves_words(house: House) -> None:
    needer, giver = await house.member(), await house.member("李大力")
    found = await agreed(house, needer, giver)
    number = (await needer.get("/me/contacts")).json()["items"][0]["number"]

    await needer.ask("DELETE", "/me/consents/phone_masking")
    await house.work()

    call = await giver.post("/dev/calls", {"caller": giver.phone, "dialled": number})
    assert call.json()["decision"] == "refuse"
    assert (await needer.get(f"/posts/{found['need']}")).json()["contact"] == "words"
    live = [c for c in (await giver.get("/me/contacts")).json()["items"] if c["state"] == "granted"]
    assert [(c["channel"], c["number"]) for c in live] == [("words", None)]


async def test_another_phone_ends_every_number(house: House) -> None:
    needer, giver = await house.member(), await house.member("李大力")
    await agreed(house, needer, giver)
    number = (await needer.get("/me/contacts")).json()["items"][0]["number"]

    changed = await needer.ask("PUT", "/me/phone", {"wechat_phone_code": "phone:+8613700000001"})

    assert changed.json()["phone_masked"] == "137****0001"
    for phone in (needer.phone, "+8613700000001", giver.phone):
        call = await giver.post("/dev/calls", {"caller": phone, "dialled": number})
        assert call.json()["decision"] == "refuse"


async def test_the_phone_that_one_has_already_ends_nothing(house: House) -> None:
    needer, giver = await house.member(), await house.member("李大力")
    await agreed(house, needer, giver)

    same = await needer.ask("PUT", "/me/phone", {"wechat_phone_code": f"phone:{needer.phone}"})
    await house.work()

    assert same.status_code == 200
    (contact,) = (await needer.get("/me/contacts")).json()["items"]
    call = await giver.post("/dev/calls", {"caller": giver.phone, "dialled": contact["number"]})
    assert (contact["state"], call.json()["decision"]) == ("granted", "connect")


async def test_the_export_holds_what_is_held_in_clear_and_nothing_of_others(house: House) -> None:
    needer, giver = await house.member("王小明"), await house.member("李大力")
    await agreed(house, needer, giver)

    found = (await needer.get("/me/export")).json()

    assert found["member"]["phone"] == needer.phone
    assert found["member"]["legal_name"] == "王小明"
    assert found["places"][0]["point"] == "[22.817, 108.3665]"
    assert len(found["posts"]) == len(found["matches"]) == len(found["contacts"]) == 1
    assert giver.phone[3:] not in str(found) and "李大力" not in str(found)
    assert giver.id not in str(found)


async def test_neither_the_export_nor_the_contact_tells_who_was_blocked_by_whom(house: House) -> None:
    needer, giver = await house.member("王小明"), await house.member("李大力")
    found = await agreed(house, needer, giver)

    await needer.post(f"/matches/{found['match']}/block")
    await house.work()

    export = (await giver.get("/me/export")).text
    contact = (await giver.get("/me/contacts")).json()["items"][0]
    assert needer.id not in export and "member.blocked" not in export
    assert [row["because"] for row in (await giver.get("/me/export")).json()["matches"]] == [None]
    assert contact["reason"] in ("by_member", "match_ended")


async def test_erasure_ends_everything_at_once_and_the_chain_still_holds(house: House) -> None:
    needer, giver = await house.member("王小明"), await house.member("李大力")
    found = await agreed(house, needer, giver)
    number = (await giver.get("/me/contacts")).json()["items"][0]["number"]

    gone = await needer.ask("DELETE", "/me")

    assert gone.status_code == 204
    assert (await needer.get("/me")).status_code == 401
    assert (await giver.get(f"/posts/{found['need']}")).status_code == 404
    assert (await giver.get(f"/matches/{found['match']}")).json()["state"] == "withdrawn"
    offer = (await giver.get(f"/posts/{found['offer']}")).json()
    assert [line["held"] for line in offer["lines"]] == [0]
    call = await giver.post("/dev/calls", {"caller": giver.phone, "dialled": number})
    assert call.json()["decision"] == "refuse"
    await house.work()
    services = house.services
    async with services.database.reading() as session:
        member = await session.get_one(Member, needer.id)
        assert (member.status, member.phone, member.legal_name) == ("erased", None, None)
        assert {p.note for p in await session.scalars(select(Post).where(Post.author_id == needer.id))} == {""}
    verdict = await audit.verify(services.database, services.ring, services.settings.audit_heads)
    assert verdict.ok, verdict


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_what_was_erased_is_not_in_sqlites_log_either(house: House) -> None:
    leaver = await house.member()
    await leaver.publish(a_need(note="三天没退烧了"))
    log = Path(f"{make_url(house.services.database.url).database}-wal")

    def written() -> bytes:
        return log.read_bytes()

    assert "退烧".encode() in written()

    assert (await leaver.ask("DELETE", "/me")).status_code == 204

    assert written() == b""


async def test_a_phone_that_was_erased_may_begin_anew(house: House) -> None:
    needer = await house.member()
    before = needer.id
    await needer.ask("DELETE", "/me")
    needer.token = ""

    await needer.sign_in()

    assert needer.id != before
    assert (await needer.get("/me/posts")).json()["items"] == []


async def test_leaving_needs_a_fresh_sign_in_or_a_step_up(house: House) -> None:
    needer = await house.member()
    house.clock.advance(minutes=11)

    refused = await needer.ask("DELETE", "/me")

    assert (refused.status_code, refused.json()["code"]) == (403, "step_up_needed")
    challenge, code = await needer.code()
    await needer.post("/sessions/current/step-up", {"challenge": challenge, "code": code})
    assert (await needer.ask("DELETE", "/me")).status_code == 204


async def test_another_phone_is_taken_only_from_who_has_just_proved_to_hold_the_first(house: House) -> None:
    """Else whoever took a session would prove to be its member by a phone of their own."""
    needer, thief = await house.member(), house.stranger()
    house.clock.advance(minutes=11)

    refused = await needer.ask("PUT", "/me/phone", {"wechat_phone_code": f"phone:{thief.phone}"})

    assert (refused.status_code, refused.json()["code"]) == (403, "step_up_needed")
    challenge, code = await needer.code()
    await needer.post("/sessions/current/step-up", {"challenge": challenge, "code": code})
    changed = await needer.ask("PUT", "/me/phone", {"wechat_phone_code": f"phone:{thief.phone}"})
    assert changed.json()["phone_masked"] == f"{thief.phone[3:6]}****{thief.phone[-4:]}"


async def test_the_job_finishes_an_erasure_whose_process_died(house: House) -> None:
    from mutualaid.account import erasing
    from mutualaid.kit.keystore import KeyDestroyed

    needer = await house.member()
    async with house.services.database.transaction() as session:
        await erasing.erase(session, needer.id, now=house.clock.now)
    assert (await needer.get("/me")).status_code == 401

    await house.work()

    try:
        await house.services.keys.get(needer.id)
        raise AssertionError("the key is still there")
    except KeyDestroyed:
        async with house.services.database.reading() as session:
            assert (await session.get_one(Member, needer.id)).status == "erased"
