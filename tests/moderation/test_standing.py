"""Rulings on members: suspended with all that is theirs, restored, vouched for."""

from sqlalchemy import select

from mutualaid.posts.records import PostLine
from tests.harness import House, a_need, an_offer
from tests.moderation.people import a_moderator, deeds_of, promoted, told

WHY = {"reason": "scam", "note": ""}


async def test_a_suspended_members_posts_are_hidden_and_deeds_refused_but_they_stay_signed_in(house: House) -> None:
    member, moderator, neighbour = await house.member(), await a_moderator(house), await house.member("李大力")
    post = await member.publish(a_need())
    theirs = await neighbour.publish(an_offer())

    done = await moderator.post(f"/moderation/members/{member.id}/suspend", WHY)
    await house.work()

    assert done.status_code == 200 and done.json()["suspended"] is True
    assert (await neighbour.get(f"/posts/{post['id']}")).status_code == 404
    own = (await member.get(f"/posts/{post['id']}")).json()
    assert (own["state"], own["hidden_by"]) == ("hidden", "suspension")
    assert "suspended" in await told(member)
    pledge = {"post": post["id"], "lines": [{"need_line": "x", "offer_line": "y", "quantity": 1}]}
    for path, body in (
        ("/posts", a_need()),
        (f"/posts/{theirs['id']}/reports", {"reason": "scam", "note": ""}),
        (f"/posts/{theirs['id']}/matches", pledge),
    ):
        refused = await member.post(path, body)
        assert (refused.status_code, refused.json()["code"]) == (403, "suspended"), path
    again = await moderator.post(f"/moderation/members/{member.id}/suspend", WHY)
    assert (again.status_code, again.json()["code"]) == (409, "already_suspended")


async def test_restoring_reopens_what_the_suspension_hid_and_nothing_else(house: House) -> None:
    member, moderator = await house.member(), await a_moderator(house)
    shown = await member.publish(a_need())
    reviewed = await member.publish(a_need())
    await moderator.post(f"/moderation/posts/{reviewed['id']}/hide", WHY)
    await moderator.post(f"/moderation/members/{member.id}/suspend", WHY)

    refused = await moderator.post(f"/moderation/posts/{shown['id']}/restore", WHY)
    assert (refused.status_code, refused.json()["code"]) == (409, "author_suspended")
    restored = await moderator.post(f"/moderation/members/{member.id}/restore", WHY)
    assert restored.json()["suspended"] is False

    states = {post["id"]: post["state"] for post in (await member.get("/me/posts")).json()["items"]}
    assert states == {shown["id"]: "open", reviewed["id"]: "hidden"}
    assert {"member.restored", "member.suspended"} <= set(await deeds_of(house, member.id))
    assert "unsuspended" in await told(member)
    again = await moderator.post(f"/moderation/members/{member.id}/restore", WHY)
    assert (again.status_code, again.json()["code"]) == (409, "not_suspended")


async def test_a_post_whose_time_ran_out_under_suspension_does_not_come_back(house: House) -> None:
    member, moderator = await house.member(), await a_moderator(house)
    soon = (house.clock.now.replace(minute=5)).isoformat().replace("+00:00", "Z")
    post = await member.publish(a_need(until=soon))
    await moderator.post(f"/moderation/members/{member.id}/suspend", WHY)
    house.clock.advance(minutes=6)

    await moderator.post(f"/moderation/members/{member.id}/restore", WHY)
    assert (await member.get(f"/posts/{post['id']}")).json()["state"] == "hidden"
    await house.work()

    assert (await member.get(f"/posts/{post['id']}")).json()["state"] == "expired"


async def test_a_suspension_withdraws_agreed_matches_and_frees_what_was_held(house: House) -> None:
    needer, giver, moderator = await house.member(), await house.member("李大力"), await a_moderator(house)
    await needer.publish(a_need())
    offer = await giver.publish(an_offer())
    await house.work()
    (match,) = (await needer.get("/me/matches")).json()["items"]
    for person in (needer, giver):
        assert (await person.post(f"/matches/{match['id']}/accept")).status_code == 200
    await house.work()
    (contact,) = (await giver.get("/me/contacts")).json()["items"]
    assert contact["state"] == "granted"

    await moderator.post(f"/moderation/members/{needer.id}/suspend", WHY)

    assert (await giver.get(f"/matches/{match['id']}")).json()["state"] == "withdrawn"
    assert (await giver.get(f"/contacts/{contact['id']}")).json()["state"] == "released"
    async with house.services.database.reading() as session:
        assert set(await session.scalars(select(PostLine.held))) == {0}
    await house.work()
    assert (await giver.get(f"/posts/{offer['id']}")).json()["lines"][0]["held"] == 0
    assert {"match_ended", "number_ended"} <= set(await told(giver))


async def test_nobody_rules_on_themselves_and_only_admins_on_staff(house: House) -> None:
    moderator, other = await a_moderator(house), await a_moderator(house, "钱管事")
    admin = await promoted(house, await house.member("周总"), "admin")

    own = await moderator.post(f"/moderation/members/{moderator.id}/vouch", WHY)
    assert (own.status_code, own.json()["code"]) == (403, "own_ruling")
    staff = await moderator.post(f"/moderation/members/{other.id}/suspend", WHY)
    assert (staff.status_code, staff.json()["code"]) == (403, "forbidden")
    assert (await moderator.post("/moderation/members/nobody/suspend", WHY)).status_code == 404
    assert (await admin.post(f"/moderation/members/{other.id}/suspend", WHY)).status_code == 200
    powerless = await other.get("/moderation/cases")
    assert (powerless.status_code, powerless.json()["code"]) == (403, "suspended")
