"""Pledges from the plaza over HTTP, and who may not meet: refused by name, blocked, waiting for a moderator."""

from typing import Any

from sqlalchemy import update

from mutualaid.posts.records import Post
from tests.harness import House, Person, a_need, an_offer
from tests.journeys.pairs import (
    NEAR,
    a_pledge,
    a_pledge_of_first_lines,
    a_proposal,
    amounts_of,
    an_agreement,
    matches_of,
    two_members,
)
from tests.moderation.people import promoted


async def test_a_pledge_from_the_plaza_is_accepted_by_the_other_side(house: House) -> None:
    needer, giver = await two_members(house)
    need = await needer.publish(a_need(reach_km=1))
    offer = await giver.publish(an_offer(at=NEAR))
    await house.work()
    assert await matches_of(needer) == []
    draft = {
        "post": offer["id"],
        "lines": [{"need_line": need["lines"][0]["id"], "offer_line": offer["lines"][0]["id"], "quantity": 3}],
    }

    made = await giver.post(f"/posts/{need['id']}/matches", draft, headers={"idempotency-key": "once"})
    replayed = await giver.post(f"/posts/{need['id']}/matches", draft, headers={"idempotency-key": "once"})
    again = await giver.post(f"/posts/{need['id']}/matches", draft)

    assert (made.status_code, made.json()["state"], made.json()["accepted_by"]) == (201, "accepted", ["offer"])
    assert made.json()["pledged"] is True
    assert (replayed.status_code, replayed.json()["id"]) == (201, made.json()["id"])
    assert (again.status_code, again.json()["id"]) == (200, made.json()["id"])
    yes = await needer.post(f"/matches/{made.json()['id']}/accept")
    assert yes.json()["state"] == "agreed"
    assert await amounts_of(giver, offer["id"]) == (12, 3)
    third = await giver.post(f"/posts/{need['id']}/matches", draft)
    assert (third.status_code, third.json()["code"]) == (409, "already_agreed")


async def test_a_pledge_takes_over_an_open_proposal_or_accepts_what_the_other_side_accepted(house: House) -> None:
    needer, giver = await two_members(house)
    match = await a_proposal(house, needer, giver)

    taken = await giver.post(f"/posts/{match['need']['id']}/matches", a_pledge(match, match["offer"]["id"], 2))
    agreed = await needer.post(f"/posts/{match['offer']['id']}/matches", a_pledge(match, match["need"]["id"], 4))

    assert (taken.status_code, taken.json()["id"], taken.json()["pledged"]) == (200, match["id"], True)
    assert taken.json()["lines"][0]["quantity"] == 2
    assert (agreed.status_code, agreed.json()["state"]) == (200, "agreed")
    assert agreed.json()["lines"][0]["quantity"] == 2


async def test_pledges_that_cannot_be_are_refused_by_name(house: House) -> None:
    needer, giver = await two_members(house)
    need, offer = await needer.publish(a_need()), await giver.publish(an_offer())
    mine_too = await giver.publish(a_need(item="smectite", quantity=2))
    other = await giver.publish(an_offer(item="smectite"))
    line = {"need_line": need["lines"][0]["id"], "offer_line": offer["lines"][0]["id"], "quantity": 1}
    path = f"/posts/{need['id']}/matches"

    async def refusal(path: str, post: str, **change: Any) -> tuple[int, str]:
        answer = (await giver.post(path, {"post": post, "lines": [line | change]})).json()
        return answer["status"], answer["errors"][0]["code"] if answer["errors"] else answer["code"]

    assert await refusal(path, mine_too["id"]) == (422, "same_kind")
    assert await refusal(path, need["id"]) == (404, "not_found")
    assert await refusal("/posts/unknown/matches", offer["id"]) == (404, "not_found")
    assert await refusal(f"/posts/{offer['id']}/matches", mine_too["id"]) == (409, "own_post")
    assert await refusal(path, offer["id"], offer_line=other["lines"][0]["id"]) == (422, "line_unknown")
    assert await refusal(path, offer["id"], quantity=5) == (409, "quantity_gone")
    assert await refusal(path, offer["id"], quantity=0) == (422, "too_small")
    assert await refusal(path, other["id"], offer_line=other["lines"][0]["id"]) == (422, "item_differs")

    await needer.post(f"/posts/{need['id']}/resolve", {"outcome": "elsewhere"})
    assert await refusal(path, offer["id"]) == (404, "not_found")


async def test_a_pledge_needs_a_name_a_phone_and_consent_in_this_order(house: House) -> None:
    needer, giver = await two_members(house)
    newcomer, by_wechat = await house.newcomer(), house.stranger()
    by_wechat.token = (await by_wechat.post("/sessions", {"wechat_code": "fake:neighbour"})).json()["token"]
    await (await by_wechat.consent()).verify()
    need, offer = await needer.publish(a_need()), await giver.publish(an_offer())
    path, draft = f"/posts/{need['id']}/matches", a_pledge_of_first_lines(need, offer, offer)

    async def refusal(person: Person, body: Any) -> tuple[int, str]:
        answer = await person.post(path, body)
        return answer.status_code, answer.json()["code"]

    assert await refusal(newcomer, {"nonsense": 1}) == (428, "real_name_needed")
    assert await refusal(by_wechat, {"nonsense": 1}) == (422, "invalid")
    assert await refusal(by_wechat, draft) == (428, "phone_needed")
    await giver.ask("DELETE", "/me/consents/phone_masking")
    async with house.services.database.transaction() as session:  # a post of before such consents were asked for
        await session.execute(update(Post).where(Post.id == offer["id"]).values(contact="matches"))
    refused = await giver.post(path, draft)
    assert (refused.status_code, refused.json()["code"]) == (428, "consent_needed")
    assert [e["field"] for e in refused.json()["errors"]] == ["phone_masking"]


async def test_where_one_post_is_for_words_only_no_number_is_masked_and_no_consent_needed(house: House) -> None:
    needer, giver = await two_members(house)
    await needer.ask("DELETE", "/me/consents/phone_masking")
    need, offer = await needer.publish(a_need(contact="words")), await giver.publish(an_offer())

    made = await needer.post(f"/posts/{offer['id']}/matches", a_pledge_of_first_lines(need, offer, need))

    assert made.status_code == 201
    assert (await giver.post(f"/matches/{made.json()['id']}/accept")).json()["state"] == "agreed"


async def test_whoever_is_blocked_or_declined_reads_nothing_written_afterwards(house: House) -> None:
    needer, giver = await two_members(house)
    hours = {"available": [{"from": "2023-01-07T13:00:00Z", "to": "2023-01-07T15:00:00Z"}]}
    match = await a_proposal(house, needer, giver, note="三天没退烧了", **hours)
    before = (await giver.get(f"/matches/{match['id']}")).json()
    assert before["counterpart"]["note"] == "三天没退烧了" and len(before["counterpart"]["available"]) == 1

    await needer.post(f"/matches/{match['id']}/block")
    changed = await needer.ask("PATCH", f"/posts/{match['need']['id']}", {"note": "今晚我一个人在家"})

    assert changed.status_code == 200
    after = (await giver.get(f"/matches/{match['id']}")).json()
    assert (after["counterpart"]["note"], after["counterpart"]["available"]) == (None, [])
    assert "一个人" not in str(after) and not any("13:00" in r or "21:00" in r for r in after["reasons"])
    assert (await needer.get(f"/matches/{match['id']}")).json()["need"]["note"] == "今晚我一个人在家"


async def test_a_note_that_waits_for_a_moderator_is_not_read_by_a_match_either(house: House) -> None:
    needer, giver = await two_members(house)
    match = await a_proposal(house, needer, giver, note="急用")
    moderator = await promoted(house, await house.member())
    await moderator.post(f"/moderation/posts/{match['need']['id']}/hide", {"reason": "note_review", "note": ""})

    seen = (await giver.get(f"/matches/{match['id']}")).json()

    assert (seen["counterpart"]["state"], seen["counterpart"]["note"]) == ("hidden", None)


async def test_whoever_is_blocked_meets_nobody_again(house: House) -> None:
    needer, giver = await two_members(house)
    match = await an_agreement(house, needer, giver)

    blocked = await needer.post(f"/matches/{match['id']}/block")
    twice = await needer.post(f"/matches/{match['id']}/block")
    await house.work()

    assert (blocked.json()["state"], twice.status_code) == ("withdrawn", 200)
    assert await amounts_of(giver, match["offer"]["id"]) == (12, 0)
    pledge = await giver.post(f"/posts/{match['need']['id']}/matches", a_pledge(match, match["offer"]["id"], 1))
    assert pledge.status_code == 404
    await giver.publish(an_offer())
    await house.work()
    assert len(await matches_of(needer)) == 1
