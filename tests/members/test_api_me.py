"""Oneself over HTTP: consents, the real-name check, leaving."""

import time

import pytest
from sqlalchemy import update

from mutualaid.members.records import Member
from tests.harness import CONSENTS, House, id_number
from tests.members.refusals import refused


async def test_the_consents_are_read_in_the_readers_language_and_given_one_by_one(house: House) -> None:
    chinese = (await house.stranger().get("/consents")).json()
    english = (await house.stranger().get("/consents", headers={"accept-language": "en"})).json()
    assert {text["purpose"] for text in chinese["items"]} == set(CONSENTS)
    assert "撤回" in chinese["items"][0]["text"] and "withdraw" in english["items"][0]["text"]
    person = await house.newcomer()

    for text in chinese["items"][:2]:
        answer = await person.ask("PUT", f"/me/consents/{text['purpose']}", {"version": text["version"]})
        assert answer.status_code == 200
        assert answer.json() == {
            "purpose": text["purpose"],
            "version": text["version"],
            "given_at": "2023-01-07T12:00:00Z",
        }

    given = {text["purpose"] for text in chinese["items"][:2]}
    assert {consent["purpose"] for consent in (await person.get("/me")).json()["consents"]} == given
    for purpose in given:
        assert (await person.ask("DELETE", f"/me/consents/{purpose}")).status_code == 204
        assert (await person.ask("DELETE", f"/me/consents/{purpose}")).status_code == 204
    assert (await person.get("/me")).json()["consents"] == []


async def test_a_purpose_that_is_none_and_a_version_that_is_not_are_refused(house: House) -> None:
    person = await house.newcomer()

    refused(await person.ask("PUT", "/me/consents/everything"), 404, "not_found")
    refused(await person.ask("DELETE", "/me/consents/everything"), 404, "not_found")
    refused(await person.ask("PUT", "/me/consents/notices", {"version": 99}), 422, "invalid", "version")
    refused(await person.ask("PUT", "/me/consents/notices", {"all": True}), 422, "invalid", "all")
    refused(await person.ask("PUT", "/me/consents/notices?all=1"), 422, "invalid", "all")
    long = {"idempotency-key": "k" * 65}
    refused(await person.ask("PUT", "/me/consents/notices", headers=long), 422, "invalid", "Idempotency-Key")
    assert (await person.get("/me")).json()["consents"] == []
    assert (await person.ask("PUT", "/me/consents/notices", {})).status_code == 200


async def test_a_consent_given_twice_under_one_key_answers_the_same(house: House) -> None:
    person = await house.newcomer()
    headers = {"idempotency-key": "once"}

    first = await person.ask("PUT", "/me/consents/notices", {"version": 1}, headers=dict(headers))
    house.clock.advance(minutes=1)
    again = await person.ask("PUT", "/me/consents/notices", {"version": 1}, headers=dict(headers))

    assert again.json() == first.json() and again.headers["idempotency-replayed"] == "true"


async def test_the_real_name_is_checked_in_the_order_of_the_contract(house: House) -> None:
    person = await house.newcomer()
    good = {"name": "王小明", "id_number": id_number(1)}

    refused(await house.stranger().post("/me/real-name", {}), 401, "not_signed_in")
    refused(await person.post("/me/real-name", {}), 422, "invalid", "name", "id_number")
    malformed = {"name": "王2", "id_number": "110101199003077074", "sex": "m"}
    refused(await person.post("/me/real-name", malformed), 422, "invalid", "name", "sex", "id_number")
    refused(await person.post("/me/real-name", good), 428, "consent_needed", "real_name_check")
    await person.consent("real_name_check")
    for name in ("错小明", "无小明"):
        refused(await person.post("/me/real-name", good | {"name": name}), 422, "real_name_mismatch")

    answer = await person.post("/me/real-name", good)

    assert (answer.status_code, answer.json()) == (200, {"real_name": "checked"})
    me = (await person.get("/me")).json()
    assert (me["real_name"], me["display_name"]) == ("checked", "王**")


async def test_malformed_id_numbers_cost_no_try_and_are_never_repeated(house: House) -> None:
    person = await house.newcomer()
    await person.consent("real_name_check")

    for number in (
        "110101199003077074",
        "110101199002300011",
        "0" * 18,
        "110101900307707",
        "1",
        "44052418800101001" + "4",
    ):
        answer = await person.post("/me/real-name", {"name": "王小明", "id_number": number})
        refused(answer, 422, "invalid", "id_number")
        assert len(number) < 2 or number not in answer.text

    assert (await person.verify()).id == person.id


async def test_a_slow_register_is_a_503_within_three_seconds_and_no_try(house: House) -> None:
    person = await house.newcomer()
    await person.consent("real_name_check")
    began = time.monotonic()

    answer = await person.post("/me/real-name", {"name": "慢小明", "id_number": id_number(1)})

    assert answer.status_code == 503 and int(answer.headers["retry-after"]) >= 1
    assert time.monotonic() - began < 3
    for _ in range(5):
        again = await person.post("/me/real-name", {"name": "错小明", "id_number": id_number(1)})
        refused(again, 422, "real_name_mismatch")
    spent = await person.post("/me/real-name", {"name": "王小明", "id_number": id_number(1)})
    refused(spent, 429, "real_name_tries_used")
    assert int(spent.headers["retry-after"]) > 3600


async def test_by_appointment_the_answer_is_202_and_the_state_stays(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(house.services.realname), "by_appointment", True)
    person = await house.newcomer()
    await person.consent("real_name_check")

    answer = await person.post("/me/real-name", {"name": "王小明", "id_number": id_number(1)})

    assert (answer.status_code, answer.json()) == (202, {"real_name": "none"})


async def test_a_child_is_told_so(house: House) -> None:
    person = await house.newcomer()
    await person.consent("real_name_check")

    answer = await person.post("/me/real-name", {"name": "王小明", "id_number": id_number(1, born="20100101")})

    refused(answer, 422, "under_age")


async def test_an_erased_members_token_is_dead(house: House) -> None:
    person = await house.newcomer()

    async with house.services.database.transaction() as session:
        await session.execute(update(Member).where(Member.id == person.id).values(status="erasing"))
    await house.services.bells.ring("sessions")

    refused(await person.get("/me"), 401, "not_signed_in")
