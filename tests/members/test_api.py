"""The doors of this room, over HTTP, as the public contract describes them."""

import re
from typing import Any

import pytest

from mutualaid.kit.clock import now
from mutualaid.kit.phones import Phone
from mutualaid.members import standing
from tests.harness import House, Person
from tests.members.refusals import refused


async def test_somebody_signs_in_and_sees_who_they_are(house: House) -> None:
    person = await house.newcomer()

    me = (await person.get("/me")).json()

    assert me["id"] == person.id and re.fullmatch(r"[0-9a-f]{32}", person.id)
    assert me["phone_masked"] == f"138****{person.phone[-4:]}"
    assert (me["real_name"], me["role"], me["consents"]) == ("none", "member", [])
    assert me["created_at"] == "2023-01-07T12:00:00Z"
    assert set(me) == {"id", "display_name", "phone_masked", "real_name", "role", "consents", "created_at"}


async def test_a_code_is_asked_for_and_nothing_tells_whether_the_phone_is_known(house: House) -> None:
    known, stranger = await house.newcomer(), house.stranger()

    answers = [await house.stranger().post("/sessions/otp", {"phone": person.phone}) for person in (known, stranger)]

    assert [answer.status_code for answer in answers] == [202, 202]
    for answer in answers:
        body = answer.json()
        assert set(body) == {"challenge", "expires_in"} and body["expires_in"] == 600
    wrong = [
        await house.stranger().post("/sessions", {"challenge": answer.json()["challenge"], "code": "000000"})
        for answer in answers
    ]
    assert wrong[0].text == wrong[1].text
    refused(wrong[0], 422, "code_wrong")


async def test_a_session_tells_its_token_once_and_when_it_ends(house: House) -> None:
    person = house.stranger()
    challenge, code = await person.code()

    answer = await person.post("/sessions", {"challenge": challenge, "code": code})

    body = answer.json()
    assert answer.status_code == 201 and set(body) == {"token", "expires_at", "member"}
    assert len(body["token"]) >= 43 and body["expires_at"] == "2023-01-21T12:00:00Z"
    assert answer.headers["cache-control"] == "no-store"
    refused(await person.post("/sessions", {"challenge": challenge, "code": code}), 422, "challenge_ended")


@pytest.mark.parametrize(
    ("phone", "code"),
    [
        ("0771-5881234", "phone_landline"),
        ("1380013", "phone_too_short"),
        ("138001380001234", "phone_too_long"),
        ("+14155552671", "phone_foreign"),
        ("14800138000", "phone_unknown_range"),
        ("10086", "phone_too_short"),
        ("幺三八", "phone_not_a_number"),
        ("+8617000000001", "phone_ours"),
        ("17000000050", "phone_ours"),
    ],
)
async def test_a_phone_that_cannot_sign_in_is_named(house: House, phone: str, code: str) -> None:
    answer = await house.stranger().post("/sessions/otp", {"phone": phone})

    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert (error["field"], error["code"]) == ("phone", code) and phone not in answer.text


async def test_national_spaced_and_full_width_phones_are_one_phone(house: House) -> None:
    person = await house.newcomer()
    digits = person.phone.removeprefix("+86")
    wide = "".join(chr(ord(digit) + 0xFEE0) for digit in digits)

    for typed in (digits, f"{digits[:3]} {digits[3:7]} {digits[7:]}", f"0086{digits}", wide):
        other = Person(house, person.phone)
        challenge = (await other.post("/sessions/otp", {"phone": typed})).json()["challenge"]
        await house.work()
        code = house.messages("sms", person.phone)[-1]["params"]["code"]
        answer = await other.post("/sessions", {"challenge": challenge, "code": code})
        assert answer.json()["member"]["id"] == person.id


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["challenge", "code"]),
        ({"challenge": "a" * 32}, ["code"]),
        ({"code": "123456"}, ["challenge"]),
        ({"challenge": "a" * 32, "code": "12345"}, ["code"]),
        ({"challenge": "a" * 32, "code": 123456}, ["code"]),
        ({"challenge": "a" * 32, "code": "123456", "wechat_code": "fake:x"}, ["wechat_code"]),
        ({"wechat_code": "fake:x", "remember": True}, ["remember"]),
        ({"wechat_code": ""}, ["wechat_code", "challenge", "code"]),
    ],
)
async def test_signing_in_takes_exactly_one_proof(house: House, body: dict[str, Any], fields: list[str]) -> None:
    refused(await house.stranger().post("/sessions", body), 422, "invalid", *fields)


async def test_a_sixth_code_ends_the_challenge(house: House) -> None:
    person = house.stranger()
    challenge, code = await person.code()
    wrong = str((int(code) + 1) % 10**6).zfill(6)

    for _ in range(5):
        refused(await person.post("/sessions", {"challenge": challenge, "code": wrong}), 422, "code_wrong")

    refused(await person.post("/sessions", {"challenge": challenge, "code": code}), 422, "challenge_ended")


async def test_wechat_signs_in_without_a_phone_and_adds_one(house: House) -> None:
    person = house.stranger()
    answer = await person.post("/sessions", {"wechat_code": "fake:neighbour"})
    assert answer.status_code == 201 and answer.json()["member"]["phone_masked"] is None
    person.token = answer.json()["token"]

    answer = await person.ask("PUT", "/me/phone", {"wechat_phone_code": f"phone:{person.phone}"})

    assert answer.status_code == 200 and answer.json()["phone_masked"] == f"138****{person.phone[-4:]}"
    assert (await Person(house, person.phone).sign_in()).id == answer.json()["id"]


@pytest.mark.parametrize("number", ["+85261234567", "+8617000000001", "+867715881234"])
async def test_a_phone_from_wechat_must_be_one_that_can_be_used(house: House, number: str) -> None:
    person = await house.newcomer()

    answer = await person.ask("PUT", "/me/phone", {"wechat_phone_code": f"phone:{number}"})

    refused(answer, 422, "invalid", "wechat_phone_code")


async def test_a_phone_changes_by_code_unless_another_account_holds_it(house: House) -> None:
    person, other = await house.newcomer(), await house.newcomer()
    free = house.stranger()

    challenge, code = await free.code()
    answer = await person.ask("PUT", "/me/phone", {"challenge": challenge, "code": code})
    assert answer.json()["phone_masked"] == f"138****{free.phone[-4:]}"

    challenge, code = await other.code()
    refused(await person.ask("PUT", "/me/phone", {"challenge": challenge, "code": code}), 409, "phone_taken")
    assert (await person.get("/me")).json()["phone_masked"] == f"138****{free.phone[-4:]}"


async def test_without_a_token_or_with_a_wrong_one_nobody_is_let_in(house: House) -> None:
    for headers in (
        {},
        {"authorization": "Bearer nonsense"},
        {"authorization": "Basic dTpw"},
        {"authorization": "Bearer"},
    ):
        for method, path in [
            ("GET", "/me"),
            ("GET", "/me/sessions"),
            ("DELETE", "/sessions"),
            ("POST", "/me/real-name"),
        ]:
            answer = await house.stranger().ask(method, path, headers=dict(headers))
            refused(answer, 401, "not_signed_in")
            assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_sessions_are_listed_page_by_page_and_ended_one_by_one(house: House) -> None:
    person = await house.newcomer()
    others = []
    for _ in range(4):
        house.clock.advance(seconds=1)
        others.append(await Person(house, person.phone).sign_in())

    seen: list[dict[str, Any]] = []
    cursor = None
    for _ in range(3):
        page = (await person.get("/me/sessions", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))).json()
        seen += page["items"]
        cursor = page["next_cursor"]
    assert cursor is None and len({one["id"] for one in seen}) == 5
    assert [one["signed_in_at"] for one in seen] == sorted((one["signed_in_at"] for one in seen), reverse=True)
    assert [one["current"] for one in seen] == [False] * 4 + [True]

    assert (await person.ask("DELETE", f"/me/sessions/{seen[0]['id']}")).status_code == 204
    refused(await others[-1].get("/me"), 401, "not_signed_in")
    refused(await person.ask("DELETE", f"/me/sessions/{seen[0]['id']}"), 404, "not_found")
    stranger = await house.newcomer()
    refused(await stranger.ask("DELETE", f"/me/sessions/{seen[1]['id']}"), 404, "not_found")
    refused(await person.get("/me/sessions", params={"cursor": "nonsense"}), 422, "invalid", "cursor")
    refused(await person.get("/me/sessions", params={"limit": "51"}), 422, "invalid", "limit")
    refused(await person.get("/me/sessions", params={"order": "x"}), 422, "invalid", "order")


async def test_signing_out_ends_this_session_and_everywhere_ends_all_at_once(house: House) -> None:
    person = await house.newcomer()
    other, third = await Person(house, person.phone).sign_in(), await Person(house, person.phone).sign_in()
    for one in (person, other, third):
        assert (await one.get("/me")).status_code == 200  # and is remembered from now on

    assert (await person.ask("DELETE", "/sessions/current")).status_code == 204
    refused(await person.get("/me"), 401, "not_signed_in")
    assert (await other.get("/me")).status_code == 200

    assert (await other.ask("DELETE", "/sessions")).status_code == 204
    refused(await other.get("/me"), 401, "not_signed_in")
    refused(await third.get("/me"), 401, "not_signed_in")


async def test_a_session_is_confirmed_by_a_code_to_ones_own_phone(house: House) -> None:
    person = await house.newcomer()
    house.clock.advance(hours=1)
    challenge, code = await person.code()

    answer = await person.post("/sessions/current/step-up", {"challenge": challenge, "code": code})

    assert answer.status_code == 200, answer.text
    assert answer.json()["current"] and answer.json()["stepped_up_until"] == "2023-01-07T13:10:00Z"
    again = await person.post("/sessions/current/step-up", {"challenge": challenge, "code": code})
    refused(again, 422, "challenge_ended")
    theirs, their_code = await house.stranger().code()
    foreign = await person.post("/sessions/current/step-up", {"challenge": theirs, "code": their_code})
    refused(foreign, 422, "code_wrong")


async def test_a_role_given_at_the_command_line_is_in_force_at_once(house: House) -> None:
    person = await house.newcomer()
    await person.get("/me")

    async with house.services.database.transaction() as session:
        await standing.promote(session, Phone(person.phone), "moderator", actor=None, now=now())

    assert (await person.get("/me")).json()["role"] == "moderator"
