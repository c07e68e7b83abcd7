"""Two neighbours reach each other by a number that is neither's own: over HTTP, knowing only the public contract."""

import asyncio
from typing import Any

import pytest

from mutualaid.contacts import rules
from mutualaid.providers.numbers.fake import FakeNumbers
from tests.harness import House, Person, a_need, an_offer


async def _route(house: House, caller: str, dialled: str, **more: Any) -> tuple[int, dict[str, Any]]:
    body = {"call_id": more.pop("call_id", f"c-{caller}-{dialled}"), "caller": caller, "dialled": dialled, **more}
    token = (house.services.settings.keys_dir / "hook-token").read_text().strip()
    answer = await house.client.post(
        "/hooks/numbers/fake/route", json=body, headers={"authorization": f"Bearer {token}"}
    )
    return answer.status_code, answer.json()


async def _code(house: House, caller: str, dialled: str) -> tuple[int, str | None]:
    status, body = await _route(house, caller, dialled)
    return status, body.get("code")


async def _two(house: House) -> tuple[Person, Person, dict[str, Any]]:
    needer, helper = await house.member("王小明"), await house.member("李大力")
    return needer, helper, await needer.publish(a_need())


async def _contact(helper: Person, post: dict[str, Any], status: int = 201, **body: Any) -> dict[str, Any]:
    answer = await helper.post(f"/posts/{post['id']}/contact", body)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def _dev_call(house: House, **body: Any) -> dict[str, Any]:
    answer = await house.client.post("/api/v1/dev/calls", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_plaza_call_reaches_the_other_and_nobody_else(house: House) -> None:
    needer, helper, post = await _two(house)
    stranger = await house.member("张三丰")

    contact = await _contact(helper, post)

    assert (contact["state"], contact["channel"], contact["extension"]) == ("granted", "call", None)
    assert contact["number"].startswith("+8617000000") and contact["post"] == post["id"] and contact["match"] is None
    assert contact["caller"] == f"{helper.phone[3:6]}****{helper.phone[-4:]}"
    assert needer.phone not in str(contact)
    theirs = (await needer.get("/me/contacts")).json()["items"]
    assert [(one["id"], one["number"]) for one in theirs] == [(contact["id"], contact["number"])]
    assert theirs[0]["caller"].endswith(needer.phone[-4:])

    x = contact["number"]
    assert await _route(house, helper.phone, x) == (
        200,
        {"callee": needer.phone, "display": x, "max_seconds": 1800},
    )
    assert (await _route(house, needer.phone, x))[1]["callee"] == helper.phone
    assert await _code(house, stranger.phone, x) == (403, "not_a_party")
    assert await _code(house, helper.phone, "+8617000000050") == (403, "not_a_party")
    assert await _code(house, helper.phone, "+8617099999999") == (404, "number_unknown")


async def test_asking_again_is_the_same_contact(house: House) -> None:
    _, helper, post = await _two(house)

    first = await _contact(helper, post)
    again = await _contact(helper, post, status=200)

    assert again == first
    assert (await helper.get(f"/contacts/{first['id']}")).json() == first


async def test_from_the_answer_that_ends_a_post_on_its_number_refuses(house: House) -> None:
    needer, helper, post = await _two(house)
    contact = await _contact(helper, post)

    answer = await needer.post(f"/posts/{post['id']}/resolve", {"outcome": "through_platform"})
    assert answer.status_code == 200

    assert await _code(house, helper.phone, contact["number"]) == (410, "lease_ended")
    assert await _code(house, needer.phone, contact["number"]) == (410, "lease_ended")
    at_once = (await helper.get(f"/contacts/{contact['id']}")).json()
    for deed, body in (("messages", {"text": "还在吗"}), ("extend", None)):
        refused = await helper.post(f"/contacts/{contact['id']}/{deed}", body)
        assert (refused.status_code, refused.json()["code"]) == (409, "contact_ended"), deed
    await house.work()
    ended = (await helper.get(f"/contacts/{contact['id']}")).json()
    for shown in (at_once, ended):
        assert (shown["state"], shown["number"], shown["reason"]) == ("released", None, "post_ended")
    assert [c["state"] for c in (await needer.get("/me/contacts")).json()["items"]] == ["released"]
    numbers = house.services.numbers
    assert isinstance(numbers, FakeNumbers) and await numbers.bound() == []


async def test_a_contact_is_extended_three_times_and_ends_by_the_clock(house: House) -> None:
    _, helper, post = await _two(house)
    contact = await _contact(helper, post)
    path = f"/contacts/{contact['id']}"
    assert contact["expires_at"] == "2023-01-08T12:00:00Z"

    for day in ("09", "10", "11"):
        extended = await helper.post(f"{path}/extend")
        assert (extended.status_code, extended.json()["expires_at"]) == (200, f"2023-01-{day}T12:00:00Z")
    refused = await helper.post(f"{path}/extend")
    assert (refused.status_code, refused.json()["code"]) == (409, "extensions_used")

    await house.work()
    house.clock.advance(hours=71)
    assert (await _route(house, helper.phone, contact["number"]))[0] in (200, 410)
    house.clock.advance(hours=26)
    assert await _code(house, helper.phone, contact["number"]) == (410, "lease_ended")
    await house.work()
    over = (await helper.get(path)).json()
    assert (over["state"], over["number"]) == ("released", None)
    late = await helper.post(f"{path}/extend")
    assert (late.status_code, late.json()["code"]) == (409, "contact_ended")


async def test_an_expired_contact_refuses_before_any_worker_has_come_by(house: House) -> None:
    _, helper, post = await _two(house)
    contact = await _contact(helper, post)

    house.clock.advance(hours=24)

    assert await _code(house, helper.phone, contact["number"]) == (410, "lease_ended")
    stranger = house.stranger()
    assert await _code(house, stranger.phone, contact["number"]) == (403, "not_a_party")
    assert (await helper.get(f"/contacts/{contact['id']}")).json()["state"] == "released"


async def test_a_block_ends_the_contact_and_what_could_come_after(house: House) -> None:
    needer, helper, post = await _two(house)
    contact = await _contact(helper, post)

    blocked = await needer.post(f"/contacts/{contact['id']}/block")

    assert (blocked.status_code, blocked.json()["state"]) == (200, "released")
    assert await _code(house, helper.phone, contact["number"]) == (410, "lease_ended")
    again = await helper.post(f"/posts/{post['id']}/contact", {})
    assert (again.status_code, again.json()["code"]) == (403, "contact_not_offered")


async def test_ending_it_oneself_frees_the_place_and_is_quarantined(house: House) -> None:
    _, helper, post = await _two(house)
    contact = await _contact(helper, post)

    assert (await helper.ask("DELETE", f"/contacts/{contact['id']}")).status_code == 204
    assert (await helper.ask("DELETE", f"/contacts/{contact['id']}")).status_code == 204

    assert await _code(house, helper.phone, contact["number"]) == (410, "lease_ended")
    again = await _contact(helper, post)
    assert again["id"] != contact["id"]
    assert again["number"] == contact["number"]  # the same two may have their own quarantined number again
    assert (await _route(house, helper.phone, again["number"], call_id="later"))[0] == 200


async def test_words_are_scrubbed_and_reach_the_other_only(house: House) -> None:
    needer, helper, post = await _two(house)
    stranger = await house.member("张三丰")
    contact = await _contact(helper, post, channel="words")
    assert (contact["channel"], contact["number"], contact["state"]) == ("words", None, "granted")
    path = f"/contacts/{contact['id']}/messages"

    said = await helper.post(path, {"text": "我有退烧药,打一三八零零一三八零零零吧"})
    back = await needer.post(path, {"text": "谢谢!"})

    assert said.status_code == back.status_code == 201
    assert said.json()["scrubbed"] is True and "一三八" not in said.json()["text"]
    seen = (await needer.get(path)).json()["items"]
    assert [(one["mine"], one["scrubbed"]) for one in seen] == [(False, True), (True, False)]
    assert seen[1]["text"] == "谢谢!"
    assert (await stranger.get(path)).status_code == 404
    assert (await stranger.post(path, {"text": "?"})).status_code == 404
    for text in ("", "   ", "x" * 501, "a\u202eb"):
        assert (await helper.post(path, {"text": text})).status_code == 422
    await helper.ask("DELETE", f"/contacts/{contact['id']}")
    assert (await helper.post(path, {"text": "noch da?"})).json()["code"] == "contact_ended"


async def test_a_played_call_is_decided_recorded_and_asks_both_whether_it_is_solved(house: House) -> None:
    needer, helper, post = await _two(house)
    contact = await _contact(helper, post)
    x = contact["number"]

    national = helper.phone.removeprefix("+86")
    played = await _dev_call(house, caller=national, dialled=x, seconds=61)
    busy = await _dev_call(house, caller=needer.phone, dialled=x.removeprefix("+86"), outcome="busy")
    refused = await _dev_call(house, caller="+8613912345678", dialled=x)

    assert {**played, "call_id": ""} == {
        "call_id": "",
        "decision": "connect",
        "caller_sees": x,
        "callee_sees": x,
        "outcome": "answered",
    }
    assert busy["outcome"] == "busy"
    assert refused == {"decision": "refuse", "code": "not_a_party"}
    calls = (await helper.get(f"/contacts/{contact['id']}/calls")).json()["items"]
    assert sorted((c["outcome"], c["seconds"], c["by_me"]) for c in calls) == [
        ("answered", 61, True),
        ("busy", 0, False),
    ]
    await house.work()
    for person in (needer, helper):
        kinds = [notice["kind"] for notice in (await person.get("/me/notices")).json()["items"]]
        assert kinds.count("solved") == 1


async def test_a_pushed_event_finishes_the_call_that_was_let_through_once(house: House) -> None:
    _, helper, post = await _two(house)
    contact = await _contact(helper, post)
    await _route(house, helper.phone, contact["number"], call_id="push-1", at="2001-01-01T00:00:00Z")
    assert (await helper.get(f"/contacts/{contact['id']}/calls")).json()["items"] == []
    token = house.services.hook_token
    push = {
        "call_id": "push-1",
        "caller": helper.phone,
        "dialled": contact["number"],
        "outcome": "answered",
        "seconds": 5,
        "ended_at": "2023-01-07T12:01:00Z",
        "vendor": "extra",
    }

    taken = [
        await house.client.post("/hooks/numbers/fake/events", json=[push], headers={"authorization": f"Bearer {token}"})
        for _ in range(2)
    ]

    assert [(one.status_code, one.json()["taken"]) for one in taken] == [(200, 1), (200, 0)]
    (call,) = (await helper.get(f"/contacts/{contact['id']}/calls")).json()["items"]
    assert (call["outcome"], call["seconds"], call["at"]) == ("answered", 5, "2023-01-07T12:00:00Z")
    unproved = await house.client.post("/hooks/numbers/fake/events", json=[push])
    assert (unproved.status_code, unproved.json()["code"]) == (401, "push_not_authentic")


@pytest.mark.parametrize(
    ("maker", "token", "status"), [("fake", "wrong", 401), ("fake", "", 401), ("huawei", None, 404)]
)
async def test_the_route_door_is_for_the_configured_provider(
    house: House, maker: str, token: str | None, status: int
) -> None:
    shown = house.services.hook_token if token is None else token
    answer = await house.client.post(
        f"/hooks/numbers/{maker}/route",
        json={"call_id": "1", "caller": "+8613800138000", "dialled": "+8617000000001"},
        headers={"authorization": f"Bearer {shown}"},
    )

    assert answer.status_code == status and answer.json()["code"]


async def test_a_badly_formed_route_question_connects_nobody(house: House) -> None:
    for body in ({"caller": "anonymous"}, {"dialled": "17000000001"}, {"call_id": ""}):
        asked = {"call_id": "1", "caller": "+8613800138000", "dialled": "+8617000000001", **body}
        answer = await house.client.post(
            "/hooks/numbers/fake/route",
            json=asked,
            headers={"authorization": f"Bearer {house.services.hook_token}"},
        )
        assert answer.status_code == 422


async def test_refusals_come_in_the_order_of_the_contract(house: House) -> None:
    needer, helper, post = await _two(house)
    offer = await helper.publish(an_offer())
    path = f"/posts/{post['id']}/contact"

    async def refusal(person: Person, path: str = path, **body: Any) -> tuple[int, str]:
        answer = await person.post(path, body)
        return answer.status_code, answer.json()["code"]

    nobody, newcomer = house.stranger(), await house.newcomer()
    assert await refusal(nobody) == (401, "not_signed_in")
    assert await refusal(helper, channel="pigeon") == (422, "invalid")
    assert await refusal(newcomer, "/posts/00000000000000000000000000000000/contact") == (404, "not_found")
    assert await refusal(needer, f"/posts/{offer['id']}/contact") == (403, "contact_not_offered")
    assert await refusal(newcomer, f"/posts/{offer['id']}/contact") == (403, "contact_not_offered")
    assert await refusal(newcomer) == (428, "real_name_needed")
    await (await newcomer.consent("real_name_check")).verify("赵云")
    answer = await newcomer.post(path)
    assert (answer.status_code, [e["field"] for e in answer.json()["errors"]]) == (428, ["phone_masking"])
    await _contact(newcomer, post, channel="words")
    assert await refusal(needer) == (409, "own_post")


async def test_a_post_that_lets_others_write_gives_no_number(house: House) -> None:
    needer, helper = await house.member("王小明"), await house.member("李大力")
    post = await needer.publish(a_need(contact="words"))

    refused = await helper.post(f"/posts/{post['id']}/contact", {})
    assert (refused.status_code, refused.json()["code"]) == (403, "contact_not_offered")
    await _contact(helper, post, channel="words")


async def test_three_may_be_in_touch_about_a_post_and_one_asks_for_five(house: House) -> None:
    _, first, post = await _two(house)
    others = [await house.member(name) for name in ("张三", "李四", "赵六")]
    for person in (first, *others[:2]):
        await _contact(person, post)

    refused = await others[2].post(f"/posts/{post['id']}/contact", {})
    assert (refused.status_code, refused.json()["code"]) == (409, "contact_queue_full")

    for n in range(4):
        author = await house.member(f"孙{'一二三四'[n]}")
        await _contact(first, await author.publish(a_need()), channel="words" if n % 2 else "call")
    sixth = await (await house.member("钱五")).publish(a_need())
    limited = await first.post(f"/posts/{sixth['id']}/contact", {})
    assert (limited.status_code, limited.json()["code"]) == (409, "contact_limit")


async def test_an_agreed_match_gives_each_a_number_that_lasts_until_a_post_ends(house: House) -> None:
    needer, giver = await house.member("王小明"), await house.member("李大力")
    await needer.publish(a_need())
    offer = await giver.publish(an_offer())
    await house.work()
    match = (await needer.get("/me/matches")).json()["items"][0]
    for person in (needer, giver):
        assert (await person.post(f"/matches/{match['id']}/accept")).status_code == 200
    await house.work()

    (mine,) = (await needer.get("/me/contacts")).json()["items"]
    (theirs,) = (await giver.get("/me/contacts")).json()["items"]
    assert (mine["state"], mine["channel"], mine["match"]) == ("granted", "call", match["id"])
    assert mine["id"] == theirs["id"] and mine["number"] == theirs["number"]
    assert (await _route(house, giver.phone, mine["number"]))[1]["callee"] == needer.phone
    assert (await giver.post(f"/posts/{mine['post']}/contact", {})).status_code == 200

    part = {"lines": [{"need_line": match["lines"][0]["need_line"], "quantity": 1}]}
    assert (await needer.post(f"/matches/{match['id']}/complete", part)).status_code == 200
    await house.work()
    assert (await _route(house, needer.phone, mine["number"]))[0] == 200
    assert (await giver.post(f"/posts/{offer['id']}/withdraw")).status_code == 200
    assert await _code(house, needer.phone, mine["number"]) == (410, "lease_ended")


async def test_a_report_is_taken_once(house: House) -> None:
    _, helper, post = await _two(house)
    contact = await _contact(helper, post)
    path, body = f"/contacts/{contact['id']}/reports", {"reason": "selling", "note": "要先付钱"}

    assert (await helper.post(path, body)).status_code == 201
    assert (await helper.post(path, body)).json()["code"] == "already_reported"
    assert (await helper.post(path, {"reason": "boring"})).status_code == 422


async def test_foreign_contacts_are_nowhere(house: House) -> None:
    _, helper, post = await _two(house)
    stranger = await house.member("张三丰")
    path = f"/contacts/{(await _contact(helper, post))['id']}"

    for method, where in (
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/extend"),
        ("POST", "/block"),
        ("GET", "/calls"),
        ("GET", "/messages"),
    ):
        assert (await stranger.ask(method, path + where)).status_code == 404
    assert (await stranger.post(f"{path}/reports", {"reason": "scam"})).status_code == 404


async def test_one_key_is_one_contact_and_one_answer(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "PATIENCE_S", 30.0)  # however busy the machine is
    _, helper, post = await _two(house)
    key = {"Idempotency-Key": "tap-tap"}

    answers = await asyncio.gather(*(helper.post(f"/posts/{post['id']}/contact", {}, headers=key) for _ in range(8)))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotency-replayed" in answer.headers for answer in answers) == 7
