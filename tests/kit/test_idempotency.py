"""One effect for one key: over the real doors, on both databases, whatever is repeated, raced or cut off."""

import asyncio
from typing import Any

import pytest
from httpx2 import ASGITransport, AsyncClient, Response
from sqlalchemy import func, select
from starlette.responses import Response as Answered
from starlette.types import Message, Receive, Scope, Send

from mutualaid import housekeeping
from mutualaid.kit import doors, idempotency
from mutualaid.kit.idempotency import Once, Slot
from mutualaid.kit.sealing import DataKey
from mutualaid.posts import api as posts_api
from mutualaid.posts.records import Post
from tests.harness import House, Person, a_need, id_number
from tests.moments import Clock

KEY = {"idempotency-key": "k-1"}


async def publish(person: Person, draft: dict[str, Any] | None = None, key: str = "k-1") -> Response:
    return await person.post("/posts", draft or a_need(note="三天没退烧了"), headers={"idempotency-key": key})


async def count(house: House, table: Any) -> int:
    async with house.services.database.reading() as session:
        return await session.scalar(select(func.count()).select_from(table)) or 0


# ---- repeated ---------------------------------------------------------------------------------------------------


async def test_the_same_request_again_gets_the_same_answer_and_says_so(house: House) -> None:
    member = await house.member()

    first, again = await publish(member), await publish(member)

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["content-type"] == first.headers["content-type"]
    assert await count(house, Post) == 1


async def test_an_answer_without_content_is_replayed_too(house: House) -> None:
    member = await house.member()

    answers = [await member.ask("DELETE", "/me/consents/notices", headers=KEY) for _ in range(2)]

    assert [(answer.status_code, answer.content) for answer in answers] == [(204, b""), (204, b"")]
    assert answers[1].headers["idempotency-replayed"] == "true"


async def test_another_body_under_the_same_key_is_refused_and_changes_nothing(house: House) -> None:
    member = await house.member()
    await publish(member)

    other = await publish(member, a_need(quantity=3))

    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
    assert other.json()["errors"][0]["field"] == "Idempotency-Key"
    assert await count(house, Post) == 1


async def test_a_key_is_one_members_for_one_method_and_path(house: House) -> None:
    one, other = await house.member(), await house.member("李大力")

    posts = [(await publish(person)).json()["id"] for person in (one, other)]
    confirmed = [await one.post(f"/posts/{posts[0]}/confirm", headers=KEY) for _ in range(2)]

    assert len(set(posts)) == 2
    assert [answer.headers.get("idempotency-replayed") for answer in confirmed] == [None, "true"]


async def test_another_session_of_the_member_is_the_same_member(house: House) -> None:
    member = await house.member()
    first = await publish(member)
    house.clock.advance(minutes=2)

    again = await publish(await Person(house, member.phone).sign_in())

    assert again.content == first.content and "idempotency-replayed" in again.headers


async def test_without_a_key_a_deed_is_done_each_time(house: House) -> None:
    member = await house.member()

    for _ in range(2):
        await member.publish(a_need())

    assert (await count(house, Post), await count(house, Slot)) == (2, 0)


@pytest.mark.parametrize("key", ["", "x" * 65, "tab\there", "caf\u00e9"])
async def test_a_key_that_is_none_is_a_bad_field(house: House, key: str) -> None:
    member = await house.member()

    answer = await member.post("/posts", a_need(), headers={"idempotency-key": key.encode("latin-1")})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["Idempotency-Key"]
    assert await count(house, Post) == 0


# ---- raced ------------------------------------------------------------------------------------------------------


async def test_a_hundred_at_once_have_one_effect_and_one_answer(house: House) -> None:
    member = await house.member()

    answers = await asyncio.gather(*(publish(member) for _ in range(100)))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert (await count(house, Post), await count(house, Slot)) == (1, 1)


async def test_of_two_bodies_at_once_one_wins_and_the_other_is_told(house: House) -> None:
    member = await house.member()

    answers = await asyncio.gather(*(publish(member, a_need(quantity=1 + n % 2)) for n in range(20)))

    assert sorted({answer.status_code for answer in answers}) == [201, 422]
    assert await count(house, Post) == 1
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1


# ---- cut off ----------------------------------------------------------------------------------------------------


async def test_an_answer_lost_after_the_commit_is_given_by_the_next_try(house: House) -> None:
    """The process dies, or the line breaks, between the commit and the answer."""
    member = await house.member()

    class Cut(Exception):
        pass

    transport = house.client._transport
    assert isinstance(transport, ASGITransport)

    async def cut_off(scope: Scope, receive: Receive, send: Send) -> None:
        async def dying(message: Message) -> None:
            raise Cut

        await transport.app(scope, receive, dying)

    async with AsyncClient(transport=ASGITransport(cut_off), base_url="http://testserver") as client:
        with pytest.raises(Cut):
            await client.post(
                "/api/v1/posts",
                json=a_need(note="三天没退烧了"),
                headers={"authorization": f"Bearer {member.token}", **KEY},
            )
    assert await count(house, Post) == 1

    again = await publish(member)

    assert (again.status_code, again.headers["idempotency-replayed"]) == (201, "true")
    assert await count(house, Post) == 1


async def test_a_deed_that_fails_before_its_commit_leaves_the_key_free(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = await house.member()
    put = idempotency.put

    async def dies(*written: Any, **how: Any) -> None:
        await put(*written, **how)
        raise RuntimeError

    monkeypatch.setattr(idempotency, "put", dies)
    assert (await publish(member)).status_code == 500
    assert (await count(house, Post), await count(house, Slot)) == (0, 0)

    monkeypatch.setattr(idempotency, "put", put)
    assert (await publish(member)).status_code == 201


async def test_a_refusal_is_not_kept(house: House) -> None:
    member = await house.member()

    refused = await publish(member, a_need(quantity=0))
    mended = await publish(member)

    assert (refused.status_code, mended.status_code) == (422, 201)
    assert "idempotency-replayed" not in mended.headers


# ---- kept, forgotten --------------------------------------------------------------------------------------------


async def test_nothing_of_the_request_can_be_read_in_the_table(house: House) -> None:
    member = await house.member()
    await publish(member, a_need(note="三天没退烧了"))

    async with house.services.database.reading() as session:
        (slot,) = (await session.scalars(select(Slot))).all()

    for secret in ("k-1", "退烧", "ibuprofen", "/api/v1/posts"):
        for held in (slot.id, slot.fingerprint, slot.answer or b""):
            assert secret.encode() not in held


def test_a_request_is_not_shown_in_tracebacks() -> None:
    key = DataKey.make()

    assert repr(Once("owner", "door", "k-1", b"body", key, key, "day")) == (
        "Once(data_key=DataKey(…), day_key=DataKey(…), day_key_name='day')"
    )


async def test_a_key_is_kept_for_a_day_and_over_midnight(house: House, clock: Clock) -> None:
    # given: a minute before midnight in Shanghai
    member = await house.member()
    clock.advance(hours=3, minutes=59)
    first = await publish(member)

    clock.advance(hours=23, minutes=59)
    assert (await publish(member)).content == first.content

    clock.advance(minutes=1)
    anew = await publish(member)
    assert anew.json()["id"] != first.json()["id"] and "idempotency-replayed" not in anew.headers
    assert (await publish(member)).content == anew.content


async def test_a_rotated_look_up_key_forgets_no_answer(house: House) -> None:
    member = await house.member()
    first = await publish(member)
    house.services.ring.rotate("lookup")

    assert (await publish(member)).content == first.content


async def test_the_days_sweep_forgets_old_slots_and_destroys_their_days_keys(house: House, clock: Clock) -> None:
    member = await house.member()
    await publish(member)
    keys = house.services.keys
    (day_key,) = await keys.get_many(["idempotency:2023-01-07"])

    clock.advance(hours=24)
    await housekeeping.sweep(house.services, {}, now=clock.now)
    assert (await count(house, Slot), list(await keys.get_many([day_key]))) == (0, [day_key])

    clock.advance(hours=24)
    await housekeeping.sweep(house.services, {}, now=clock.now)
    assert await keys.get_many([day_key]) == {}


async def test_a_worker_that_rested_for_weeks_destroys_what_it_missed(house: House, clock: Clock) -> None:
    member = await house.member()
    await publish(member)

    clock.advance(days=30)
    await housekeeping.sweep(house.services, {}, now=clock.now)

    assert await house.services.keys.get_many(["idempotency:2023-01-07"]) == {}


async def test_a_clock_that_goes_back_over_a_sweep_stops_nobody(house: House, clock: Clock) -> None:
    member = await house.member()
    await publish(member)
    clock.advance(days=3)
    await housekeeping.sweep(house.services, {}, now=clock.now)
    clock.advance(days=-3)

    first, again = await publish(member, key="k-2"), await publish(member, key="k-2")

    assert (first.status_code, again.content) == (201, first.content)


# ---- exempt -----------------------------------------------------------------------------------------------------


async def test_nothing_is_kept_of_sessions_and_phones(house: House) -> None:
    person = house.stranger()
    challenge = (await person.ask("POST", "/sessions/otp", {"phone": person.phone}, headers=KEY)).json()["challenge"]
    await house.work()
    code = house.messages("sms", person.phone)[-1]["params"]["code"]
    body = {"challenge": challenge, "code": code}

    signed_in = await person.ask("POST", "/sessions", body, headers=KEY)
    again = await person.ask("POST", "/sessions", body, headers=KEY)

    assert signed_in.status_code == 201
    assert (again.status_code, again.json()["code"]) == (422, "challenge_ended")  # the second try is a second try
    person.token = signed_in.json()["token"]
    assert (await person.ask("DELETE", "/sessions/current", headers=KEY)).status_code == 204
    assert await count(house, Slot) == 0


async def test_nothing_is_kept_of_an_identity_check(house: House) -> None:
    person = await (await house.newcomer()).consent()

    answer = await person.post("/me/real-name", {"name": "王小明", "id_number": id_number(1)}, headers=KEY)

    assert answer.status_code == 200, answer.text
    assert await count(house, Slot) == 0


async def test_a_deed_that_ends_without_its_answer_is_not_committed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def forgetful(*_: Any) -> Answered:
        return doors.answer(None)

    member = await house.member()
    post = await member.publish(a_need())
    monkeypatch.setattr(posts_api, "answer_own", forgetful)

    assert (await member.post(f"/posts/{post['id']}/withdraw", headers=KEY)).status_code == 500
    assert (await member.get(f"/posts/{post['id']}")).json()["state"] == "open"
    assert await count(house, Slot) == 0
