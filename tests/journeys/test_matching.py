"""Need meets offer over HTTP, by those who know only the public contract."""

from typing import Any

from sqlalchemy import update

from mutualaid.posts.records import Post
from tests.harness import House, Person, a_need, an_offer
from tests.moderation.people import promoted

NEAR = (22.8300, 108.3665)  # about 1.5 km north of home


async def _two(house: House) -> tuple[Person, Person]:
    return await house.member("王小明"), await house.member("李大力")


async def _matches(person: Person) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await person.get("/me/matches")).json()["items"]
    return found


async def _proposed(house: House, needer: Person, giver: Person, **more: Any) -> dict[str, Any]:
    await needer.publish(a_need(**more))
    await giver.publish(an_offer())
    await house.work()
    return (await _matches(needer))[0]


async def _agreed(house: House, needer: Person, giver: Person, **more: Any) -> dict[str, Any]:
    match = await _proposed(house, needer, giver, **more)
    for person in (needer, giver):
        assert (await person.post(f"/matches/{match['id']}/accept")).status_code == 200
    return match


def _all(match: dict[str, Any], quantity: int) -> dict[str, Any]:
    return {"lines": [{"need_line": match["lines"][0]["need_line"], "quantity": quantity}]}


async def _line(person: Person, post_id: str) -> tuple[int, int]:
    line = (await person.get(f"/posts/{post_id}")).json()["lines"][0]
    return line["remaining"], line["held"]


async def test_a_need_and_an_offer_are_proposed_to_both_with_reasons(house: House) -> None:
    needer, giver = await _two(house)
    need = await needer.publish(a_need())
    offer = await giver.publish(an_offer(at=NEAR))

    await house.work()

    seen = (await _matches(needer))[0]
    assert (seen["state"], seen["accepted_by"], seen["pledged"], seen["round"]) == ("proposed", [], False, 1)
    assert (seen["need"]["id"], seen["offer"]["id"], seen["counterpart"]["id"]) == (
        need["id"],
        offer["id"],
        offer["id"],
    )
    assert seen["lines"][0] | {"name": "", "unit": ""} == {
        "need_line": need["lines"][0]["id"],
        "offer_line": offer["lines"][0]["id"],
        "item": "ibuprofen",
        "name": "",
        "unit": "",
        "quantity": 4,
        "completed": 0,
    }
    assert 1 < seen["distance_km"] < 2.5
    assert seen["expires_at"] == "2023-01-08T00:00:00Z"
    said = (await needer.get("/me/matches", headers={"accept-language": "en"})).json()["items"][0]["reasons"]
    assert said[0] == f"about {seen['distance_km']} km away"
    assert said[1:] == ["has 4 of your 4: Ibuprofen tablet or capsule", "expires 2023-12"]

    other = (await _matches(giver))[0]
    assert (other["id"], other["side"], other["counterpart"]["id"]) == (seen["id"], "offer", need["id"])
    assert (await giver.get(f"/posts/{offer['id']}/matches")).json()["items"][0]["id"] == seen["id"]
    assert (await giver.get(f"/posts/{need['id']}/matches")).status_code == 404
    assert (await needer.get(f"/matches/{seen['id']}")).json()["id"] == seen["id"]
    assert (await (await house.newcomer()).get(f"/matches/{seen['id']}")).status_code == 404


async def test_both_accept_and_the_amount_is_held_on_both_sides(house: House) -> None:
    needer, giver = await _two(house)
    match = await _proposed(house, needer, giver)
    path = f"/matches/{match['id']}/accept"

    first = await needer.post(path)
    again = await needer.post(path)
    second = await giver.post(path)
    after = await giver.post(path)

    assert (first.json()["state"], first.json()["accepted_by"]) == ("accepted", ["need"])
    assert (again.status_code, again.json()["code"]) == (409, "already_accepted")
    assert (second.json()["state"], second.json()["accepted_by"]) == ("agreed", ["need", "offer"])
    assert (after.status_code, after.json()["code"]) == (409, "already_accepted")
    assert await _line(needer, match["need"]["id"]) == (4, 4)
    assert await _line(giver, match["offer"]["id"]) == (12, 4)
    assert (await house.stranger().get("/posts?kind=need")).json()["items"] == []


async def test_a_part_handed_over_returns_the_rest_and_the_other_side_may_object_for_a_day(house: House) -> None:
    needer, giver = await _two(house)
    match = await _agreed(house, needer, giver)
    path = f"/matches/{match['id']}"

    done = await giver.post(f"{path}/complete", _all(match, 2))
    assert (done.json()["state"], done.json()["lines"][0]["completed"]) == ("completed", 2)
    assert await _line(needer, match["need"]["id"]) == (2, 0)
    assert await _line(giver, match["offer"]["id"]) == (10, 0)

    twice = await giver.post(f"{path}/fail", {"reason": "no_show"})
    assert (twice.status_code, twice.json()["code"]) == (409, "match_closed")

    objection = await needer.post(f"{path}/fail", {"reason": "no_show"})
    assert objection.status_code == 200
    assert (objection.json()["state"], objection.json()["disputed"]) == ("completed", True)
    assert await _line(needer, match["need"]["id"]) == (2, 0)
    once_more = await needer.post(f"{path}/complete", _all(match, 2))
    assert (once_more.status_code, once_more.json()["code"]) == (409, "match_closed")


async def test_an_objection_after_a_day_is_too_late(house: House) -> None:
    needer, giver = await _two(house)
    match = await _agreed(house, needer, giver)
    await giver.post(f"/matches/{match['id']}/complete", _all(match, 2))

    house.clock.advance(hours=24, seconds=1)
    late = await needer.post(f"/matches/{match['id']}/fail", {"reason": "no_show"})

    assert (late.status_code, late.json()["code"]) == (409, "match_closed")


async def test_the_same_word_from_the_other_side_is_no_objection(house: House) -> None:
    needer, giver = await _two(house)
    match = await _agreed(house, needer, giver)
    await giver.post(f"/matches/{match['id']}/complete", _all(match, 4))

    same = await needer.post(f"/matches/{match['id']}/complete", _all(match, 4))
    again = await needer.post(f"/matches/{match['id']}/complete", _all(match, 3))

    assert (same.status_code, same.json()["disputed"]) == (200, False)
    assert (again.status_code, again.json()["code"]) == (409, "match_closed")


async def test_completed_in_full_a_post_resolves_itself(house: House) -> None:
    needer, giver = await _two(house)
    await needer.publish(a_need())
    await giver.publish(an_offer(quantity=4))
    await house.work()
    match = (await _matches(giver))[0]
    for person in (giver, needer):
        await person.post(f"/matches/{match['id']}/accept")

    await needer.post(f"/matches/{match['id']}/complete", _all(match, 4))
    await house.work()

    for person, side in ((needer, "need"), (giver, "offer")):
        post = (await person.get(f"/posts/{match[side]['id']}")).json()
        assert (post["state"], post["outcome"]) == ("resolved", "through_platform")
        assert (post["lines"][0]["remaining"], post["lines"][0]["held"]) == (0, 0)
    assert (await house.stranger().get("/stats")).json()["resolved_needs_through_platform"] == 1


async def test_amounts_that_were_not_agreed_on_are_refused_and_change_nothing(house: House) -> None:
    needer, giver = await _two(house)
    match = await _proposed(house, needer, giver)
    path = f"/matches/{match['id']}"
    early = await needer.post(f"{path}/complete", _all(match, 4))
    assert (early.status_code, early.json()["code"]) == (409, "match_not_agreed")
    for person in (needer, giver):
        await person.post(f"{path}/accept")

    more = await needer.post(f"{path}/complete", _all(match, 5))
    foreign = await needer.post(f"{path}/complete", {"lines": [{"need_line": "0" * 32, "quantity": 1}]})
    nothing = await needer.post(f"{path}/complete", {"lines": []})
    odd = await needer.post(f"{path}/fail", {"reason": "rain"})

    assert (more.status_code, more.json()["errors"][0]["code"]) == (422, "more_than_held")
    assert (foreign.status_code, foreign.json()["errors"][0]["field"]) == (422, "lines.0.need_line")
    assert (nothing.status_code, odd.status_code) == (422, 422)
    assert (await needer.get(path)).json()["state"] == "agreed"
    assert await _line(needer, match["need"]["id"]) == (4, 4)


async def test_a_declined_pair_never_returns(house: House) -> None:
    needer, giver = await _two(house)
    match = await _proposed(house, needer, giver)

    declined = await needer.post(f"/matches/{match['id']}/decline")
    again = await needer.post(f"/matches/{match['id']}/decline")
    await house.work()
    house.clock.advance(hours=13)
    await house.work()

    assert declined.json()["state"] == "declined"
    assert (again.status_code, again.json()["code"]) == (409, "match_not_open")
    assert [m["id"] for m in await _matches(giver)] == [match["id"]]
    pledge = await giver.post(f"/posts/{match['need']['id']}/matches", _pledge(match, match["offer"]["id"], 1))
    assert (pledge.status_code, pledge.json()["code"]) == (409, "pair_ended")


def _pledge(match: dict[str, Any], mine: str, quantity: int) -> dict[str, Any]:
    line = match["lines"][0]
    return {
        "post": mine,
        "lines": [{"need_line": line["need_line"], "offer_line": line["offer_line"], "quantity": quantity}],
    }


async def test_a_proposal_that_nobody_answers_lapses_and_returns_in_a_new_round(house: House) -> None:
    needer, giver = await _two(house)
    match = await _proposed(house, needer, giver)

    house.clock.advance(hours=12)
    too_late = await needer.post(f"/matches/{match['id']}/accept")
    await house.work()

    assert (too_late.status_code, too_late.json()["code"]) == (409, "match_not_open")
    newest, oldest = await _matches(needer)
    assert (oldest["id"], oldest["state"]) == (match["id"], "lapsed")
    assert (newest["state"], newest["round"]) == ("proposed", 2)


async def test_an_urgent_proposal_lapses_after_two_hours(house: House) -> None:
    needer, giver = await _two(house)
    match = await _proposed(house, needer, giver, urgency="urgent")

    house.clock.advance(hours=2)
    await house.work()

    assert (await needer.get(f"/matches/{match['id']}")).json()["state"] == "lapsed"


async def test_a_pledge_from_the_plaza_is_accepted_by_the_other_side(house: House) -> None:
    needer, giver = await _two(house)
    need = await needer.publish(a_need(reach_km=1))
    offer = await giver.publish(an_offer(at=NEAR))
    await house.work()
    assert await _matches(needer) == []
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
    assert await _line(giver, offer["id"]) == (12, 3)
    third = await giver.post(f"/posts/{need['id']}/matches", draft)
    assert (third.status_code, third.json()["code"]) == (409, "already_agreed")


async def test_a_pledge_takes_over_an_open_proposal_or_accepts_what_the_other_side_accepted(house: House) -> None:
    needer, giver = await _two(house)
    match = await _proposed(house, needer, giver)

    taken = await giver.post(f"/posts/{match['need']['id']}/matches", _pledge(match, match["offer"]["id"], 2))
    agreed = await needer.post(f"/posts/{match['offer']['id']}/matches", _pledge(match, match["need"]["id"], 4))

    assert (taken.status_code, taken.json()["id"], taken.json()["pledged"]) == (200, match["id"], True)
    assert taken.json()["lines"][0]["quantity"] == 2
    assert (agreed.status_code, agreed.json()["state"]) == (200, "agreed")
    assert agreed.json()["lines"][0]["quantity"] == 2


async def test_pledges_that_cannot_be_are_refused_by_name(house: House) -> None:
    needer, giver = await _two(house)
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


def _first_lines(need: dict[str, Any], offer: dict[str, Any], mine: dict[str, Any]) -> dict[str, Any]:
    pair = {"need_line": need["lines"][0]["id"], "offer_line": offer["lines"][0]["id"], "quantity": 2}
    return {"post": mine["id"], "lines": [pair]}


async def test_a_pledge_needs_a_name_a_phone_and_consent_in_this_order(house: House) -> None:
    needer, giver = await _two(house)
    newcomer, by_wechat = await house.newcomer(), house.stranger()
    by_wechat.token = (await by_wechat.post("/sessions", {"wechat_code": "fake:neighbour"})).json()["token"]
    await (await by_wechat.consent()).verify()
    need, offer = await needer.publish(a_need()), await giver.publish(an_offer())
    path, draft = f"/posts/{need['id']}/matches", _first_lines(need, offer, offer)

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
    needer, giver = await _two(house)
    await needer.ask("DELETE", "/me/consents/phone_masking")
    need, offer = await needer.publish(a_need(contact="words")), await giver.publish(an_offer())

    made = await needer.post(f"/posts/{offer['id']}/matches", _first_lines(need, offer, need))

    assert made.status_code == 201
    assert (await giver.post(f"/matches/{made.json()['id']}/accept")).json()["state"] == "agreed"


async def test_whoever_is_blocked_or_declined_reads_nothing_written_afterwards(house: House) -> None:
    needer, giver = await _two(house)
    hours = {"available": [{"from": "2023-01-07T13:00:00Z", "to": "2023-01-07T15:00:00Z"}]}
    match = await _proposed(house, needer, giver, note="三天没退烧了", **hours)
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
    needer, giver = await _two(house)
    match = await _proposed(house, needer, giver, note="急用")
    moderator = await promoted(house, await house.member())
    await moderator.post(f"/moderation/posts/{match['need']['id']}/hide", {"reason": "note_review", "note": ""})

    seen = (await giver.get(f"/matches/{match['id']}")).json()

    assert (seen["counterpart"]["state"], seen["counterpart"]["note"]) == ("hidden", None)


async def test_whoever_is_blocked_meets_nobody_again(house: House) -> None:
    needer, giver = await _two(house)
    match = await _agreed(house, needer, giver)

    blocked = await needer.post(f"/matches/{match['id']}/block")
    twice = await needer.post(f"/matches/{match['id']}/block")
    await house.work()

    assert (blocked.json()["state"], twice.status_code) == ("withdrawn", 200)
    assert await _line(giver, match["offer"]["id"]) == (12, 0)
    pledge = await giver.post(f"/posts/{match['need']['id']}/matches", _pledge(match, match["offer"]["id"], 1))
    assert pledge.status_code == 404
    await giver.publish(an_offer())
    await house.work()
    assert len(await _matches(needer)) == 1


async def test_a_post_that_ends_takes_its_matches_with_it_and_frees_the_others(house: House) -> None:
    needer, giver = await _two(house)
    match = await _agreed(house, needer, giver)

    await needer.post(f"/posts/{match['need']['id']}/withdraw")
    late = await giver.post(f"/matches/{match['id']}/accept")
    await house.work()

    assert (late.status_code, late.json()["code"]) == (409, "already_accepted")
    assert (await giver.get(f"/matches/{match['id']}")).json()["state"] == "withdrawn"
    assert await _line(giver, match["offer"]["id"]) == (12, 0)


async def test_an_agreement_defers_the_end_of_a_post_by_a_day_at_most(house: House) -> None:
    needer, giver = await _two(house)
    match = await _agreed(house, needer, giver, until="2023-01-07T14:00:00Z")

    house.clock.advance(hours=3)
    await house.work()
    assert (await needer.get(f"/posts/{match['need']['id']}")).json()["state"] == "open"

    house.clock.advance(hours=23)
    await house.work()
    assert (await needer.get(f"/posts/{match['need']['id']}")).json()["state"] == "expired"
    assert (await giver.get(f"/matches/{match['id']}")).json()["state"] == "withdrawn"


async def test_a_deferred_post_ends_with_its_agreement(house: House) -> None:
    needer, giver = await _two(house)
    match = await _agreed(house, needer, giver, until="2023-01-07T14:00:00Z")
    house.clock.advance(hours=3)
    await house.work()

    await giver.post(f"/matches/{match['id']}/fail", {"reason": "unreachable"})
    await house.work()

    assert (await needer.get(f"/posts/{match['need']['id']}")).json()["state"] == "expired"
    assert (await needer.get(f"/matches/{match['id']}")).json()["reason"] == "unreachable"


async def test_one_offer_serves_three_needs_and_one_need_is_proposed_to_five_offers(house: House) -> None:
    giver = await house.member("李大力")
    needers = [await house.member() for _ in range(3)]
    for needer in needers:
        await needer.publish(a_need())
    await giver.publish(an_offer(quantity=12))
    await house.work()

    matches = await _matches(giver)
    assert [m["lines"][0]["quantity"] for m in matches] == [4, 4, 4]
    for match in matches:
        await giver.post(f"/matches/{match['id']}/accept")
    for needer in needers:
        [mine] = await _matches(needer)
        assert (await needer.post(f"/matches/{mine['id']}/accept")).json()["state"] == "agreed"
    assert await _line(giver, matches[0]["offer"]["id"]) == (12, 12)

    for _ in range(6):
        await (await house.member()).publish(an_offer(item="smectite"))
    asking = await house.member()
    await asking.publish(a_need(item="smectite", quantity=6))
    await house.work()
    assert len(await _matches(asking)) == 5


async def test_lists_are_paged_newest_first_without_repeats(house: House) -> None:
    needer = await house.member()
    need = await needer.publish(a_need())
    for _ in range(3):
        house.clock.advance(minutes=1)
        await (await house.member()).publish(an_offer())
        await house.work()

    whole = [m["id"] for m in await _matches(needer)]
    seen: list[str] = []
    for path in ("/me/matches", f"/posts/{need['id']}/matches"):
        seen, cursor = [], ""
        while True:
            page = (await needer.get(f"{path}?limit=2{cursor}")).json()
            seen += [m["id"] for m in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
        assert seen == whole
    assert len(seen) == 3
    refused = await needer.get("/me/matches?cursor=abc")
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "cursor_invalid")
