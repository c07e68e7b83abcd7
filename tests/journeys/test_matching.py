"""Need meets offer over HTTP, by those who know only the public contract."""

import pytest

from tests.harness import House, a_need, an_offer
from tests.journeys.pairs import (
    NEAR,
    a_pledge,
    a_proposal,
    all_of_it,
    amounts_of,
    an_agreement,
    matches_of,
    two_members,
)


async def test_a_need_and_an_offer_are_proposed_to_both_with_reasons(house: House) -> None:
    needer, giver = await two_members(house)
    need = await needer.publish(a_need())
    offer = await giver.publish(an_offer(at=NEAR))

    await house.work()

    seen = (await matches_of(needer))[0]
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
        "objected": None,
    }
    assert 1 < seen["distance_km"] < 2.5
    assert seen["expires_at"] == "2023-01-08T00:00:00Z"
    said = (await needer.get("/me/matches", headers={"accept-language": "en"})).json()["items"][0]["reasons"]
    assert said[0] == f"about {seen['distance_km']} km away"
    assert said[1:] == ["has 4 of your 4: Ibuprofen tablet or capsule", "expires 2023-12"]

    other = (await matches_of(giver))[0]
    assert (other["id"], other["side"], other["counterpart"]["id"]) == (seen["id"], "offer", need["id"])
    assert (await giver.get(f"/posts/{offer['id']}/matches")).json()["items"][0]["id"] == seen["id"]
    assert (await giver.get(f"/posts/{need['id']}/matches")).status_code == 404
    assert (await needer.get(f"/matches/{seen['id']}")).json()["id"] == seen["id"]
    assert (await (await house.newcomer()).get(f"/matches/{seen['id']}")).status_code == 404


async def test_both_accept_and_the_amount_is_held_on_both_sides(house: House) -> None:
    needer, giver = await two_members(house)
    match = await a_proposal(house, needer, giver)
    path = f"/matches/{match['id']}/accept"

    first = await needer.post(path)
    again = await needer.post(path)
    second = await giver.post(path)
    after = await giver.post(path)

    assert (first.json()["state"], first.json()["accepted_by"]) == ("accepted", ["need"])
    assert (again.status_code, again.json()["code"]) == (409, "already_accepted")
    assert (second.json()["state"], second.json()["accepted_by"]) == ("agreed", ["need", "offer"])
    assert (after.status_code, after.json()["code"]) == (409, "already_accepted")
    assert await amounts_of(needer, match["need"]["id"]) == (4, 4)
    assert await amounts_of(giver, match["offer"]["id"]) == (12, 4)
    assert (await house.stranger().get("/posts?kind=need")).json()["items"] == []


async def test_a_part_handed_over_returns_the_rest_and_the_other_side_may_object_for_a_day(house: House) -> None:
    needer, giver = await two_members(house)
    match = await an_agreement(house, needer, giver)
    path = f"/matches/{match['id']}"

    done = await giver.post(f"{path}/complete", all_of_it(match, 2))
    assert (done.json()["state"], done.json()["lines"][0]["completed"]) == ("completed", 2)
    assert await amounts_of(needer, match["need"]["id"]) == (2, 0)
    assert await amounts_of(giver, match["offer"]["id"]) == (10, 0)

    twice = await giver.post(f"{path}/fail", {"reason": "no_show"})
    assert (twice.status_code, twice.json()["code"]) == (409, "match_closed")

    objection = await needer.post(f"{path}/fail", {"reason": "no_show"})
    assert objection.status_code == 200
    assert (objection.json()["state"], objection.json()["disputed"]) == ("completed", True)
    assert await amounts_of(needer, match["need"]["id"]) == (2, 0)
    once_more = await needer.post(f"{path}/complete", all_of_it(match, 2))
    assert (once_more.status_code, once_more.json()["code"]) == (409, "match_closed")


@pytest.mark.parametrize(("answer", "disputed"), [("no_show", True), ("changed_mind", False)])
async def test_who_is_said_not_to_have_come_may_say_that_of_the_other(
    house: House, answer: str, disputed: bool
) -> None:
    needer, giver = await two_members(house)
    match = await an_agreement(house, needer, giver)
    await giver.post(f"/matches/{match['id']}/fail", {"reason": "no_show"})

    said = (await needer.post(f"/matches/{match['id']}/fail", {"reason": answer})).json()

    assert (said["state"], said["reason"], said["disputed"]) == ("failed", "no_show", disputed)


async def test_an_objection_after_a_day_is_too_late(house: House) -> None:
    needer, giver = await two_members(house)
    match = await an_agreement(house, needer, giver)
    await giver.post(f"/matches/{match['id']}/complete", all_of_it(match, 2))

    house.clock.advance(hours=24, seconds=1)
    late = await needer.post(f"/matches/{match['id']}/fail", {"reason": "no_show"})

    assert (late.status_code, late.json()["code"]) == (409, "match_closed")


async def test_the_same_word_from_the_other_side_is_no_objection(house: House) -> None:
    needer, giver = await two_members(house)
    match = await an_agreement(house, needer, giver)
    await giver.post(f"/matches/{match['id']}/complete", all_of_it(match, 4))

    same = await needer.post(f"/matches/{match['id']}/complete", all_of_it(match, 4))
    again = await needer.post(f"/matches/{match['id']}/complete", all_of_it(match, 3))

    assert (same.status_code, same.json()["disputed"]) == (200, False)
    assert (again.status_code, again.json()["code"]) == (409, "match_closed")


async def test_completed_in_full_a_post_resolves_itself(house: House) -> None:
    needer, giver = await two_members(house)
    await needer.publish(a_need())
    await giver.publish(an_offer(quantity=4))
    await house.work()
    match = (await matches_of(giver))[0]
    for person in (giver, needer):
        await person.post(f"/matches/{match['id']}/accept")

    await needer.post(f"/matches/{match['id']}/complete", all_of_it(match, 4))
    await house.work()

    for person, side in ((needer, "need"), (giver, "offer")):
        post = (await person.get(f"/posts/{match[side]['id']}")).json()
        assert (post["state"], post["outcome"]) == ("resolved", "through_platform")
        assert (post["lines"][0]["remaining"], post["lines"][0]["held"]) == (0, 0)
    assert (await house.stranger().get("/stats")).json()["resolved_needs_through_platform"] == 1


async def test_amounts_that_were_not_agreed_on_are_refused_and_change_nothing(house: House) -> None:
    needer, giver = await two_members(house)
    match = await a_proposal(house, needer, giver)
    path = f"/matches/{match['id']}"
    early = await needer.post(f"{path}/complete", all_of_it(match, 4))
    assert (early.status_code, early.json()["code"]) == (409, "match_not_agreed")
    for person in (needer, giver):
        await person.post(f"{path}/accept")

    more = await needer.post(f"{path}/complete", all_of_it(match, 5))
    foreign = await needer.post(f"{path}/complete", {"lines": [{"need_line": "0" * 32, "quantity": 1}]})
    nothing = await needer.post(f"{path}/complete", {"lines": []})
    odd = await needer.post(f"{path}/fail", {"reason": "rain"})

    assert (more.status_code, more.json()["errors"][0]["code"]) == (422, "more_than_held")
    assert (foreign.status_code, foreign.json()["errors"][0]["field"]) == (422, "lines.0.need_line")
    assert (nothing.status_code, odd.status_code) == (422, 422)
    assert (await needer.get(path)).json()["state"] == "agreed"
    assert await amounts_of(needer, match["need"]["id"]) == (4, 4)


async def test_a_declined_pair_never_returns(house: House) -> None:
    needer, giver = await two_members(house)
    match = await a_proposal(house, needer, giver)

    declined = await needer.post(f"/matches/{match['id']}/decline")
    again = await needer.post(f"/matches/{match['id']}/decline")
    await house.work()
    house.clock.advance(hours=13)
    await house.work()

    assert declined.json()["state"] == "declined"
    assert (again.status_code, again.json()["code"]) == (409, "match_not_open")
    assert [m["id"] for m in await matches_of(giver)] == [match["id"]]
    pledge = await giver.post(f"/posts/{match['need']['id']}/matches", a_pledge(match, match["offer"]["id"], 1))
    assert (pledge.status_code, pledge.json()["code"]) == (409, "pair_ended")


async def test_a_proposal_that_nobody_answers_lapses_and_returns_in_a_new_round(house: House) -> None:
    needer, giver = await two_members(house)
    match = await a_proposal(house, needer, giver)

    house.clock.advance(hours=12)
    too_late = await needer.post(f"/matches/{match['id']}/accept")
    await house.work()

    assert (too_late.status_code, too_late.json()["code"]) == (409, "match_not_open")
    newest, oldest = await matches_of(needer)
    assert (oldest["id"], oldest["state"]) == (match["id"], "lapsed")
    assert (newest["state"], newest["round"]) == ("proposed", 2)


async def test_an_urgent_proposal_lapses_after_two_hours(house: House) -> None:
    needer, giver = await two_members(house)
    match = await a_proposal(house, needer, giver, urgency="urgent")

    house.clock.advance(hours=2)
    await house.work()

    assert (await needer.get(f"/matches/{match['id']}")).json()["state"] == "lapsed"


async def test_a_post_that_ends_takes_its_matches_with_it_and_frees_the_others(house: House) -> None:
    needer, giver = await two_members(house)
    match = await an_agreement(house, needer, giver)

    await needer.post(f"/posts/{match['need']['id']}/withdraw")
    late = await giver.post(f"/matches/{match['id']}/accept")
    await house.work()

    assert (late.status_code, late.json()["code"]) == (409, "already_accepted")
    assert (await giver.get(f"/matches/{match['id']}")).json()["state"] == "withdrawn"
    assert await amounts_of(giver, match["offer"]["id"]) == (12, 0)


async def test_an_agreement_defers_the_end_of_a_post_by_a_day_at_most(house: House) -> None:
    needer, giver = await two_members(house)
    match = await an_agreement(house, needer, giver, until="2023-01-07T14:00:00Z")

    house.clock.advance(hours=3)
    await house.work()
    assert (await needer.get(f"/posts/{match['need']['id']}")).json()["state"] == "open"

    house.clock.advance(hours=23)
    await house.work()
    assert (await needer.get(f"/posts/{match['need']['id']}")).json()["state"] == "expired"
    assert (await giver.get(f"/matches/{match['id']}")).json()["state"] == "withdrawn"


async def test_a_deferred_post_ends_with_its_agreement(house: House) -> None:
    needer, giver = await two_members(house)
    match = await an_agreement(house, needer, giver, until="2023-01-07T14:00:00Z")
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

    matches = await matches_of(giver)
    assert [m["lines"][0]["quantity"] for m in matches] == [4, 4, 4]
    for match in matches:
        await giver.post(f"/matches/{match['id']}/accept")
    for needer in needers:
        [mine] = await matches_of(needer)
        assert (await needer.post(f"/matches/{mine['id']}/accept")).json()["state"] == "agreed"
    assert await amounts_of(giver, matches[0]["offer"]["id"]) == (12, 12)

    for _ in range(6):
        await (await house.member()).publish(an_offer(item="rice", quantity=1))
    asking = await house.member()
    await asking.publish(a_need(item="rice", quantity=6))
    await house.work()
    assert len(await matches_of(asking)) == 5


async def test_twelve_tablets_serve_three_needs_of_four_and_what_one_declines_goes_to_the_next(house: House) -> None:
    needers = [await house.member() for _ in range(4)]
    for needer in needers:
        await needer.publish(a_need())
    giver = await house.member("李大力")
    offer = await giver.publish(an_offer(quantity=12, at=NEAR))

    await house.work()

    matches = await matches_of(giver)
    assert [(m["state"], m["lines"][0]["quantity"]) for m in matches] == [("proposed", 4)] * 3
    of_each = [(needer, await matches_of(needer)) for needer in needers]
    [left] = [needer for needer, found in of_each if not found]
    (one, first), (two, second), (three, third) = [(needer, found[0]) for needer, found in of_each if len(found) == 1]
    path = f"/matches/{first['id']}"
    mine = (await one.get(path, headers={"accept-language": "en"})).json()["reasons"]
    theirs = (await giver.get(path)).json()["reasons"]
    assert mine == ["about 1.6 km away", "has 4 of your 4: Ibuprofen tablet or capsule", "expires 2023-12"]
    assert theirs == ["相距约 1.6 公里", "布洛芬片/缓释胶囊：对方要 4 粒，您能给 4 粒", "有效期至 2023-12"]

    assert (await two.post(f"/matches/{second['id']}/decline")).status_code == 200
    await house.work()

    [freed] = await matches_of(left)
    assert (freed["state"], freed["offer"]["id"], freed["lines"][0]["quantity"]) == ("proposed", offer["id"], 4)
    for needer, match in ((one, first), (three, third)):  # nobody else was moved
        assert [m["id"] for m in await matches_of(needer)] == [match["id"]]
    for needer in (one, three, left):
        [match] = await matches_of(needer)
        for person in (needer, giver):
            assert (await person.post(f"/matches/{match['id']}/accept")).status_code == 200
    assert await amounts_of(giver, offer["id"]) == (12, 12)


async def test_lists_are_paged_newest_first_without_repeats(house: House) -> None:
    needer = await house.member()
    need = await needer.publish(a_need(item="rice", quantity=6))
    for _ in range(3):
        house.clock.advance(minutes=1)
        await (await house.member()).publish(an_offer(item="rice", quantity=2))
        await house.work()

    whole = [m["id"] for m in await matches_of(needer)]
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
