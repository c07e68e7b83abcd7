"""With a real Valkey, and without: two processes' worth of the application on one database, strict limits.

The cache makes things quick and counts; it decides nothing that lasts. So when it is killed midway people go on reading
and posting, what must be counted is refused, and when it is back everything is as before.
"""

import asyncio
import time

import pytest

from mutualaid import worker
from mutualaid.app import working
from tests.harness import House, Person, a_need, id_number
from tests.journeys.two import Two, connected, elsewhere, until

REVOKED_WITHIN_S = 1.0
NEVER_S = 3600.0


async def accepted_for_s(there: Person) -> float:
    """For how long after this moment the token was still taken; asked for two seconds on end."""
    since, last = time.monotonic(), 0.0
    while (asked_at := time.monotonic()) < since + 2 * REVOKED_WITHIN_S:
        if (await there.get("/me")).status_code == 200:
            last = asked_at - since
        await asyncio.sleep(0.01)
    assert (await there.get("/me")).status_code == 401
    return last


async def asks_for_a_code(house: House) -> tuple[int, str]:
    answer = await house.stranger().post("/sessions/otp", {"phone": house.stranger().phone})
    return answer.status_code, answer.json().get("code", "")


# ---- while it is there ------------------------------------------------------------------------------------------


async def test_a_limit_counts_over_both_instances(two: Two) -> None:
    stranger = two.here.stranger()

    first = await stranger.post("/sessions/otp", {"phone": stranger.phone})
    second = await elsewhere(stranger, two.there).post("/sessions/otp", {"phone": stranger.phone})

    assert first.status_code == 202
    assert (second.status_code, second.json()["code"]) == (429, "codes_too_often")
    assert 1 <= int(second.headers["retry-after"]) <= 60


async def test_a_session_revoked_here_is_refused_there_within_a_second(two: Two) -> None:
    member = await two.here.newcomer()
    there = elsewhere(member, two.there)
    assert (await there.get("/me")).status_code == 200  # and is remembered there for a moment

    assert (await member.ask("DELETE", "/sessions")).status_code == 204

    assert await accepted_for_s(there) <= REVOKED_WITHIN_S


async def test_the_bell_wakes_a_worker_in_the_other_process(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    # given: a worker that would look by itself in an hour
    monkeypatch.setattr(worker, "POLL_S", NEVER_S)
    async with working(two.there.services):
        await asyncio.sleep(0.3)  # it has looked, and waits
        stranger = two.here.stranger()

        await stranger.post("/sessions/otp", {"phone": stranger.phone})

        async def told() -> bool:
            return bool(two.here.messages("sms", stranger.phone))

        await until(told)


# ---- killed midway ----------------------------------------------------------------------------------------------


async def test_killed_midway_reading_and_posting_go_on_and_what_must_be_counted_is_refused(two: Two) -> None:
    # given: two members in the middle of things
    needer, giver = await two.here.member(), await two.here.member("李大力")
    before = await needer.publish(a_need())

    two.valkey.kill()

    # then: reading and posting go on, at both instances
    for house in (two.here, two.there):
        assert (await house.client.get("/api/v1/posts")).status_code == 200
        seen = await elsewhere(giver, house).get(f"/posts/{before['id']}")
        assert seen.status_code == 200
    after = await needer.publish(a_need(item="thermometer", quantity=1))
    confirmed = await elsewhere(needer, two.there).post(f"/posts/{after['id']}/confirm")
    assert confirmed.status_code == 200

    # and: codes, sign-in and identity checks fail closed, and say when to come back
    newcomer = two.here.stranger()
    refused = [
        await newcomer.post("/sessions/otp", {"phone": newcomer.phone}),
        await newcomer.post("/sessions", {"challenge": "0" * 32, "code": "123456"}),
        await giver.post("/me/real-name", {"name": "李大力", "id_number": id_number(9)}),
    ]
    assert [(answer.status_code, answer.json()["code"]) for answer in refused] == [(503, "limits_unavailable")] * 3
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)

    # and: it is ready, and says what is missing
    ready = await two.here.client.get("/readyz")
    assert ready.status_code == 200
    assert {check["name"]: check["ok"] for check in ready.json()["checks"]}["cache"] is False


async def test_killed_midway_a_revoked_session_still_ends_within_a_second_there(two: Two) -> None:
    member = await two.here.newcomer()
    there = elsewhere(member, two.there)
    two.valkey.kill()
    assert (await there.get("/me")).status_code == 200

    assert (await member.ask("DELETE", "/sessions")).status_code == 204

    assert await accepted_for_s(there) <= REVOKED_WITHIN_S


async def test_killed_midway_a_worker_goes_on_without_its_bell(two: Two) -> None:
    needer = await two.here.member()
    two.valkey.kill()

    async with working(two.there.services):
        post = await needer.publish(a_need())

        async def done() -> bool:
            return "mutualaid_jobs_due 0.0" in (await two.here.client.get("/metrics")).text

        await until(done)
    assert (await needer.get(f"/posts/{post['id']}")).status_code == 200


async def test_once_it_is_back_everything_is_as_before(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    # given: it died, was missed, and comes back empty
    member = await two.here.newcomer()
    two.valkey.kill()
    assert await asks_for_a_code(two.here) == (503, "limits_unavailable")
    assert (await two.here.client.get("/api/v1/posts")).status_code == 200

    two.valkey.start()

    async def codes_again() -> bool:
        return (await asks_for_a_code(two.here))[0] == 202

    # then: codes, limits, bells and quick revocation are back, and nothing was forgotten that counts
    await until(codes_again)
    await until(lambda: connected(two))
    assert (await elsewhere(member, two.there).get("/me")).status_code == 200
    monkeypatch.setattr(worker, "POLL_S", NEVER_S)
    async with working(two.there.services):
        await asyncio.sleep(0.3)
        newcomer = await two.here.stranger().post("/sessions/otp", {"phone": "13900000001"})
        assert newcomer.status_code == 202

        async def told() -> bool:
            return bool(two.here.messages("sms", "13900000001"))

        await until(told)
    there = elsewhere(member, two.there)
    assert (await there.get("/me")).status_code == 200
    await member.ask("DELETE", "/sessions")
    assert await accepted_for_s(there) <= REVOKED_WITHIN_S
