"""From a report to a ruling, and what both sides of a match are told on the way; knowing only the public contract."""

from typing import Any

from tests.harness import House, Person, a_need, an_offer
from tests.moderation.people import a_moderator, a_report, cases, promoted, told


async def call(house: House, caller: Person, number: str) -> dict[str, Any]:
    answer = await house.stranger().post("/dev/calls", {"caller": caller.phone, "dialled": number})
    assert answer.status_code == 200, answer.text
    played: dict[str, Any] = answer.json()
    return played


async def agreed(house: House) -> tuple[Person, Person, dict[str, Any], dict[str, Any], str]:
    """Needer, giver, their posts, and the number by which they reach each other."""
    needer, giver = await house.member("王小明"), await house.member("李大力")
    need, offer = await needer.publish(a_need()), await giver.publish(an_offer())
    await house.work()
    (match,) = (await giver.get("/me/matches")).json()["items"]
    for person in (giver, needer):
        assert (await person.post(f"/matches/{match['id']}/accept")).status_code == 200
    await house.work()
    (contact,) = (await needer.get("/me/contacts")).json()["items"]
    assert contact["state"] == "granted"
    return needer, giver, need, offer, contact["number"]


async def test_a_sellers_post_is_reported_closed_and_its_number_reaches_nobody(house: House) -> None:
    needer, giver, need, offer, number = await agreed(house)
    moderator = await a_moderator(house)
    assert (await call(house, needer, number))["decision"] == "connect"
    await a_report(house, offer["id"], "selling", note="他要收钱")
    (case,) = await cases(moderator, "?state=open&reason=selling")
    assert case["reports"][0]["note"] == "他要收钱" and case["post"]["id"] == offer["id"]
    assert (await moderator.post(f"/moderation/cases/{case['id']}/claim")).status_code == 200

    closed = await moderator.post(f"/moderation/posts/{offer['id']}/close", {"reason": "selling", "note": "属实"})

    assert closed.json()["state"] == "closed"
    assert (await call(house, needer, number))["decision"] == "refuse"  # from the answer on, before any job has run
    await house.work()
    assert (await needer.get("/me/contacts")).json()["items"][0]["state"] == "released"
    assert (await needer.get("/me/matches")).json()["items"][0]["state"] == "withdrawn"
    card = (await needer.get(f"/posts/{need['id']}")).json()
    assert (card["state"], card["lines"][0]["held"]) == ("open", 0)
    assert "closed" in await told(giver) and "match_ended" not in await told(giver)
    assert {"proposed", "agreed", "number_ready", "match_ended", "number_ended"} <= set(await told(needer))
    assert (await moderator.get("/moderation/log/verify")).json()["ok"] is True


async def test_both_sides_get_two_text_messages_and_nothing_in_them(house: House) -> None:
    needer, giver, *_ = await agreed(house)

    for person in (needer, giver):
        sent = [m for m in house.messages("sms", person.phone) if m["template"] != "code"]
        assert [m["template"] for m in sent] == ["agreed", "number_ready"]
        assert all("布洛芬" not in m["text"] and not any(c.isdigit() for c in m["text"]) for m in sent)


async def test_a_hidden_post_still_connects_unless_the_ruling_cuts_its_contacts(house: House) -> None:
    needer, _giver, _need, offer, number = await agreed(house)
    moderator = await a_moderator(house)
    why = {"reason": "abuse", "note": ""}

    await moderator.post(f"/moderation/posts/{offer['id']}/hide", why)
    await house.work()
    assert (await call(house, needer, number))["decision"] == "connect"
    cut = await moderator.post(f"/moderation/posts/{offer['id']}/hide", {**why, "cut_contacts": True})

    assert cut.status_code == 200
    assert (await call(house, needer, number))["decision"] == "refuse"
    assert (await needer.get("/me/contacts")).json()["items"][0]["state"] == "released"


async def test_two_who_say_different_things_have_a_case_that_a_ruling_on_either_post_closes(house: House) -> None:
    needer, giver, need, offer, _ = await agreed(house)
    moderator = await a_moderator(house)
    (match,) = (await giver.get("/me/matches")).json()["items"]
    line = {key: match["lines"][0][key] for key in ("need_line", "offer_line", "quantity")}
    await giver.post(f"/matches/{match['id']}/complete", {"lines": [{**line, "quantity": 2}]})
    await house.work()
    assert "match_ended" in await told(needer) and "match_ended" not in await told(giver)

    objected = await needer.post(f"/matches/{match['id']}/fail", {"reason": "no_show"})
    await house.work()

    assert objected.json()["disputed"] is True
    (case,) = await cases(moderator, "?reason=contradiction")
    assert case["match"] == match["id"] and case["post"]["id"] == need["id"]
    assert case["members"] == [{"id": needer.id, "role": "need"}, {"id": giver.id, "role": "offer"}]
    assert "disputed" in await told(needer) and "disputed" in await told(giver)
    assert (await needer.get(f"/matches/{match['id']}")).json()["settled_at"] is None
    await moderator.post(f"/moderation/posts/{offer['id']}/approve", {"reason": "contradiction", "note": "已电话核实"})
    assert (await cases(moderator, "?reason=contradiction"))[0]["state"] == "closed"
    for person in (needer, giver):
        seen = (await person.get(f"/matches/{match['id']}")).json()
        assert seen["settled_at"] and (seen["disputed"], seen["objection"]) == (True, "no_show")
        assert (await told(person)).count("dispute_ruled") == 1


async def test_a_reported_contact_has_a_case_about_the_other_member(house: House) -> None:
    needer, giver, need, offer, _ = await agreed(house)
    moderator = await a_moderator(house)
    (contact,) = (await needer.get("/me/contacts")).json()["items"]

    reported = await needer.post(f"/contacts/{contact['id']}/reports", {"reason": "wrong_number", "note": "不是本人"})
    await house.work()

    assert reported.status_code == 201
    (case,) = await cases(moderator, "?reason=wrong_number")
    assert case["contact"] == contact["id"] and case["reports"][0]["note"] == "不是本人"
    parts = {(part["id"], part["role"]) for part in case["members"]}
    assert parts == {(needer.id, "reporter"), (giver.id, "reported")}
    assert case["post"]["id"] == offer["id"]
    await giver.post(f"/contacts/{contact['id']}/reports", {"reason": "abuse", "note": ""})
    await house.work()
    assert (await cases(moderator, "?reason=abuse"))[0]["post"]["id"] == need["id"]
    await moderator.post(f"/moderation/members/{giver.id}/suspend", {"reason": "wrong_number", "note": ""})
    await house.work()
    assert (await cases(moderator, "?reason=wrong_number"))[0]["state"] == "closed"
    assert "report_ruled" in await told(needer) and "suspended" in await told(giver)


async def test_after_a_call_both_are_asked_whether_it_is_solved(house: House) -> None:
    needer, giver, _need, _offer, number = await agreed(house)

    await call(house, needer, number)
    await house.work()
    await call(house, needer, number)
    await house.work()

    for person in (needer, giver):
        assert (await told(person)).count("solved") == 1


async def test_a_moderator_who_is_a_side_of_a_contradiction_rules_on_neither_post(house: House) -> None:
    needer, giver, need, offer, _ = await agreed(house)
    await promoted(house, giver)
    (match,) = (await giver.get("/me/matches")).json()["items"]
    line = {key: match["lines"][0][key] for key in ("need_line", "offer_line", "quantity")}
    await giver.post(f"/matches/{match['id']}/complete", {"lines": [{**line, "quantity": 2}]})
    await needer.post(f"/matches/{match['id']}/fail", {"reason": "no_show"})
    await house.work()

    for post in (need, offer):
        answer = await giver.post(f"/moderation/posts/{post['id']}/approve", {"reason": "contradiction", "note": ""})
        assert (answer.status_code, answer.json()["code"]) == (403, "own_ruling")
    assert await cases(giver, "?reason=contradiction") == []
    (case,) = await cases(await a_moderator(house), "?reason=contradiction")
    assert case["state"] == "open"


async def test_a_moderator_who_was_reported_neither_reads_it_nor_rules_on_who_reported_it(house: House) -> None:
    needer, giver, need, _, _ = await agreed(house)
    reported, other = await promoted(house, giver), await promoted(house, await house.member(), "admin")
    (contact,) = (await needer.get("/me/contacts")).json()["items"]
    await needer.post(f"/contacts/{contact['id']}/reports", {"reason": "abuse", "note": "他骂人"})
    await house.work()
    (case,) = await cases(other)
    why = {"reason": "abuse", "note": ""}

    assert await cases(reported) == []
    refused = [
        await reported.post(f"/moderation/cases/{case['id']}/claim"),
        await reported.post(f"/moderation/members/{needer.id}/suspend", why),
        await reported.post(f"/moderation/posts/{need['id']}/hide", why),
    ]
    assert [(answer.status_code, answer.json()["code"]) for answer in refused] == [(403, "own_ruling")] * 3
    assert (await other.post(f"/moderation/members/{giver.id}/suspend", why)).status_code == 200


async def test_an_agreement_that_nobody_records_is_asked_about_and_its_lapse_is_told(house: House) -> None:
    needer, giver, *_ = await agreed(house)

    house.clock.advance(hours=24, seconds=1)  # the contact is over
    await house.work()
    for person in (needer, giver):
        kinds = await told(person)
        assert kinds.count("unrecorded") == 1 and kinds.count("number_ended") == 1

    house.clock.advance(hours=48)  # the posts' time is over, an agreement keeps them for a day
    await house.work()
    for person in (needer, giver):
        assert (await told(person)).count("unrecorded") == 2  # though both posts' time is over at this moment
    house.clock.advance(hours=24)
    await house.work()
    for person in (needer, giver):
        (ended,) = [n for n in (await person.get("/me/notices")).json()["items"] if n["kind"] == "match_ended"]
        assert "作废" in ended["text"]


async def test_who_ends_a_contact_is_not_told_of_it_and_the_last_hour_offers_what_there_is(house: House) -> None:
    needer, giver, *_ = await agreed(house)
    (contact,) = (await needer.get("/me/contacts")).json()["items"]
    for _ in range(3):
        assert (await needer.post(f"/contacts/{contact['id']}/extend")).status_code == 200
    house.clock.advance(hours=71, minutes=30)
    await house.work()
    said = [n["text"] for n in (await needer.get("/me/notices")).json()["items"] if n["kind"] == "number_expiring"]
    assert said == []  # three days and a half hour are not yet the last hour

    house.clock.advance(hours=24)
    await house.work()
    said = [n["text"] for n in (await needer.get("/me/notices")).json()["items"] if n["kind"] == "number_expiring"]
    assert said == ["与对方的联系方式一小时后到期。"]

    assert (await needer.ask("DELETE", f"/contacts/{contact['id']}")).status_code == 204
    await house.work()
    assert "number_ended" not in await told(needer) and "number_ended" in await told(giver)
