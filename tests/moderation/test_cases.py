"""Cases: opened once, joined by others, claimed by one for ten minutes."""

import asyncio

from sqlalchemy import select, update

from mutualaid.kit import outbox
from mutualaid.members.records import Member
from mutualaid.moderation import leaving
from mutualaid.moderation.records import Ruling
from tests.harness import House, a_need
from tests.moderation.people import a_moderator, a_report, cases, deeds_of, promoted


async def test_three_reporters_hide_a_post_and_share_a_case_for_each_reason(house: House) -> None:
    author, moderator = await house.member(), await a_moderator(house)
    post = await author.publish(a_need())

    first = await a_report(house, post["id"], "selling")
    second = await a_report(house, post["id"], "selling")
    assert (await author.get(f"/posts/{post['id']}")).json()["state"] == "open"
    third = await a_report(house, post["id"], "scam")

    assert (await author.get(f"/posts/{post['id']}")).json()["hidden_by"] == "reports"
    found = {case["reason"]: case for case in await cases(moderator)}
    assert set(found) == {"selling", "scam"}
    assert found["selling"]["post"]["id"] == post["id"] and found["selling"]["post"]["hidden_by"] == "reports"
    parts = {(part["id"], part["role"]) for part in found["selling"]["members"]}
    assert parts == {(author.id, "author"), (first.id, "reporter"), (second.id, "reporter")}
    assert {"id": third.id, "role": "reporter"} in found["scam"]["members"]
    assert await deeds_of(house, found["selling"]["id"]) == ["case.joined", "case.opened"]


async def test_a_case_shows_what_the_reporter_wrote_until_they_are_gone(house: House) -> None:
    author, moderator = await house.member(), await a_moderator(house)
    post = await author.publish(a_need())
    reporter = await a_report(house, post["id"], "abuse", note="他骂人")

    reports = (await cases(moderator))[0]["reports"]
    assert [(report["reason"], report["note"]) for report in reports] == [("abuse", "他骂人")]

    await house.services.keys.destroy(reporter.id)
    assert (await cases(moderator))[0]["reports"][0]["note"] is None


async def test_a_second_urgent_post_waits_in_a_case(house: House) -> None:
    author, moderator = await house.member(), await a_moderator(house)
    await author.publish(a_need(urgency="urgent"))

    post = await author.publish(a_need(item="paracetamol-tablet", quantity=2, urgency="urgent"))
    await house.work()

    assert post["state"] == "hidden"
    (case,) = await cases(moderator, "?state=open&reason=urgent_review")
    assert case["post"]["id"] == post["id"] and case["members"] == [{"id": author.id, "role": "author"}]


async def test_a_claim_holds_for_ten_minutes_and_no_longer(house: House) -> None:
    author, one, other = await house.member(), await a_moderator(house), await a_moderator(house, "钱管事")
    post = await author.publish(a_need())
    await a_report(house, post["id"])
    (case,) = await cases(one)

    taken = await one.post(f"/moderation/cases/{case['id']}/claim")
    assert taken.status_code == 200
    assert (taken.json()["state"], taken.json()["claimed_by"]) == ("claimed", one.id)
    assert taken.json()["claimed_until"] == "2023-01-07T12:10:00Z"
    refused = await other.post(f"/moderation/cases/{case['id']}/claim")
    assert (refused.status_code, refused.json()["code"]) == (409, "case_claimed")
    assert await cases(other, "?state=open") == [] and len(await cases(other, "?state=claimed")) == 1

    house.clock.advance(minutes=9)
    assert (await one.post(f"/moderation/cases/{case['id']}/claim")).json()["claimed_until"] == "2023-01-07T12:19:00Z"
    house.clock.advance(minutes=10)
    (again,) = await cases(other, "?state=open")
    assert again["state"] == "open" and again["claimed_by"] is None and again["claimed_until"] is None
    assert (await other.post(f"/moderation/cases/{case['id']}/claim")).json()["claimed_by"] == other.id


async def test_of_two_who_claim_at_once_exactly_one_has_it(house: House) -> None:
    author, one, other = await house.member(), await a_moderator(house), await a_moderator(house, "钱管事")
    post = await author.publish(a_need())
    await a_report(house, post["id"])
    (case,) = await cases(one)

    for _ in range(5):
        claims = [who.post(f"/moderation/cases/{case['id']}/claim") for who in (one, other)]
        answers = await asyncio.gather(*claims)
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        house.clock.advance(minutes=10)


async def test_a_case_that_is_unknown_closed_or_ones_own_cannot_be_claimed(house: House) -> None:
    author, moderator = await a_moderator(house), await a_moderator(house, "钱管事")
    post = await author.publish(a_need())
    await a_report(house, post["id"])
    (case,) = await cases(moderator)

    own = await author.post(f"/moderation/cases/{case['id']}/claim")
    assert (own.status_code, own.json()["code"]) == (403, "own_ruling")
    assert (await moderator.post("/moderation/cases/nowhere/claim")).status_code == 404
    await moderator.post(f"/moderation/posts/{post['id']}/approve", {"reason": "other"})
    closed = await moderator.post(f"/moderation/cases/{case['id']}/claim")
    assert (closed.status_code, closed.json()["code"]) == (409, "case_closed")


async def test_only_moderators_see_cases_and_a_demoted_one_does_not_any_more(house: House) -> None:
    author, moderator = await house.member(), await a_moderator(house)
    post = await author.publish(a_need())
    await a_report(house, post["id"])
    (case,) = await cases(moderator)

    for path in ("cases", "log", "log/verify"):
        assert (await house.stranger().get(f"/moderation/{path}")).status_code == 401
        assert (await author.get(f"/moderation/{path}")).status_code == 403
    await promoted(house, moderator, "member")
    assert (await moderator.get("/moderation/cases")).status_code == 403
    assert (await moderator.post(f"/moderation/cases/{case['id']}/claim")).status_code == 403
    ruled = await moderator.post(f"/moderation/posts/{post['id']}/close", {"reason": "selling", "note": ""})
    assert ruled.status_code == 403
    assert (await author.get(f"/posts/{post['id']}")).json()["state"] == "open"


async def test_the_queue_is_oldest_first_and_its_pages_have_no_gaps(house: House) -> None:
    author, moderator = await house.member(), await a_moderator(house)
    made = []
    for _ in range(5):
        post = await author.publish(a_need())
        await a_report(house, post["id"])
        made.append(post["id"])
        house.clock.advance(minutes=1)

    seen, cursor = [], ""
    while True:
        page = (await moderator.get(f"/moderation/cases?state=open&limit=2{cursor}")).json()
        seen += [case["post"]["id"] for case in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"

    assert seen == made
    wrong = await moderator.get(f"/moderation/cases?state=closed{cursor}")
    assert (wrong.status_code, wrong.json()["errors"][0]["code"]) == (422, "cursor_invalid")
    assert (await moderator.get("/moderation/cases?reason=nothing")).status_code == 422


async def test_an_appointment_opens_a_case_and_vouching_closes_it(house: House) -> None:
    member, moderator = await (await house.newcomer()).consent(), await a_moderator(house)
    for _ in range(2):
        async with house.services.database.transaction() as session:
            await outbox.enqueue(session, "members.appointment_asked", {"member": member.id}, at=house.clock.now)
        await house.work()

    (case,) = await cases(moderator, "?reason=real_name")
    assert case["post"] is None and case["members"] == [{"id": member.id, "role": "applicant"}]
    vouched = await moderator.post(f"/moderation/members/{member.id}/vouch", {"reason": "real_name", "note": "身份证"})

    assert vouched.status_code == 200 and vouched.json()["real_name"] == "vouched"
    assert (await member.get("/me")).json()["real_name"] == "vouched"
    assert await cases(moderator, "?state=open") == []
    post = await member.publish(a_need())
    assert post["author"]["real_name_how"] == "vouched"


async def test_a_job_that_comes_twice_opens_no_second_case_after_the_ruling(house: House) -> None:
    author, moderator = await house.member(), await a_moderator(house)
    post = await author.publish(a_need())
    reporter = await house.member()
    report = (await reporter.post(f"/posts/{post['id']}/reports", {"reason": "scam", "note": ""})).json()
    await house.work()
    await moderator.post(f"/moderation/posts/{post['id']}/approve", {"reason": "other", "note": ""})

    async with house.services.database.transaction() as session:
        payload = {"post": post["id"], "report": report["id"]}
        await outbox.enqueue(session, "post.reported", payload, at=house.clock.now)
    await house.work()

    assert [case["state"] for case in await cases(moderator)] == ["closed"]


async def test_an_erased_moderator_leaves_no_note_and_no_claim_and_an_erased_applicant_no_case(house: House) -> None:
    author, moderator, other = await house.member(), await a_moderator(house), await a_moderator(house, "钱管事")
    ruled, claimed = await author.publish(a_need()), await author.publish(a_need())
    await moderator.post(f"/moderation/posts/{ruled['id']}/hide", {"reason": "abuse", "note": "骂人"})
    await a_report(house, claimed["id"])
    (case,) = await cases(moderator)
    await moderator.post(f"/moderation/cases/{case['id']}/claim")
    async with house.services.database.transaction() as session:
        await outbox.enqueue(session, "members.appointment_asked", {"member": moderator.id}, at=house.clock.now)
        await session.execute(update(Member).where(Member.id == moderator.id).values(real_name="none"))
    await house.work()
    assert len(await cases(other, "?reason=real_name&state=open")) == 1

    async with house.services.database.transaction() as session:
        await leaving.forget(session, moderator.id, now=house.clock.now)

    assert await cases(other, "?reason=real_name&state=open") == []
    assert (await other.post(f"/moderation/cases/{case['id']}/claim")).status_code == 200
    async with house.services.database.reading() as session:
        ruling = (await session.scalars(select(Ruling))).one()
    assert ruling.note is None and ruling.salt is None and ruling.reason == "abuse"
