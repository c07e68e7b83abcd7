"""Rulings on posts: what each does, what it needs, who hears of it."""

import json
from typing import Any

import pytest
from sqlalchemy import select

from mutualaid.kit import sealing
from mutualaid.kit.audit import AuditRow
from mutualaid.moderation.records import Ruling
from mutualaid.moderation.rulings import commitment
from mutualaid.posts.records import Report
from tests.harness import House, Person, a_need
from tests.moderation.people import a_moderator, a_report, cases, deeds_of, told


async def rule(moderator: Person, post: dict[str, Any], deed: str, reason: str = "other", **more: Any) -> Any:
    return await moderator.post(f"/moderation/posts/{post['id']}/{deed}", {"reason": reason, "note": "", **more})


async def state(author: Person, post: dict[str, Any]) -> tuple[str, str | None]:
    found = (await author.get(f"/posts/{post['id']}")).json()
    return found["state"], found["hidden_by"]


async def test_a_close_ends_the_post_closes_its_cases_and_is_told_with_its_reason(house: House) -> None:
    author, moderator = await house.member(), await a_moderator(house)
    post = await author.publish(a_need())
    reporter = await a_report(house, post["id"], "selling")

    done = await rule(moderator, post, "close", "selling")
    await house.work()

    assert done.status_code == 200 and done.json()["state"] == "closed"
    assert (await reporter.get(f"/posts/{post['id']}")).status_code == 404
    (case,) = await cases(moderator)
    assert case["state"] == "closed" and case["closed_at"] is not None
    assert await told(author) == ["closed"] and "买卖" in (await author.get("/me/notices")).json()["items"][0]["text"]
    assert await told(reporter) == ["report_ruled"]
    assert await deeds_of(house, post["id"]) == ["post.closed", "post.published", "post.reported", "ruling.made"]
    assert await deeds_of(house, case["id"]) == ["case.closed", "case.opened"]
    async with house.services.database.reading() as session:
        assert await session.scalar(select(Report.ruled_at)) is not None


async def test_the_note_is_sealed_and_the_chain_holds_a_commitment_to_it(house: House) -> None:
    author, moderator = await house.member(), await a_moderator(house)
    post = await author.publish(a_need())

    await rule(moderator, post, "hide", "abuse", note="第三次警告")

    async with house.services.database.reading() as session:
        ruling = (await session.scalars(select(Ruling))).one()
        row = (await session.scalars(select(AuditRow).where(AuditRow.deed == "ruling.made"))).one()
    assert ruling.note is not None and ruling.salt is not None and "第三次".encode() not in ruling.note
    key = await house.services.keys.get(moderator.id)
    assert sealing.unseal_text(key, ruling.note, table="rulings", column="note", row=ruling.id) == "第三次警告"
    facts = json.loads(row.facts)
    assert facts["note"] == commitment(ruling.salt, "第三次警告") and "警告" not in row.facts
    assert (facts["deed"], facts["reason"], facts["ruling"]) == ("hide", "abuse", ruling.id)


async def test_a_hidden_post_is_shown_again_by_a_restore(house: House) -> None:
    author, moderator = await house.member(), await a_moderator(house)
    post = await author.publish(a_need())

    hidden = await rule(moderator, post, "hide", "abuse")
    assert (hidden.json()["state"], hidden.json()["hidden_by"]) == ("hidden", "moderator")
    assert (await moderator.get("/posts")).json()["items"] == []
    restored = await rule(moderator, post, "restore")

    assert restored.json()["state"] == "open" and restored.json()["hidden_by"] is None
    assert [card["id"] for card in (await moderator.get("/posts")).json()["items"]] == [post["id"]]
    assert sorted(await told(author)) == ["hidden", "restored"]


async def test_three_reports_then_a_restore_and_it_takes_three_new_reporters_to_hide_it_again(house: House) -> None:
    author, moderator = await house.member(), await a_moderator(house)
    post = await author.publish(a_need())
    for _ in range(3):
        await a_report(house, post["id"])
    assert await state(author, post) == ("hidden", "reports")

    house.clock.advance(minutes=1)
    await rule(moderator, post, "restore")
    assert await state(author, post) == ("open", None)
    assert await cases(moderator, "?state=open") == []
    await a_report(house, post["id"])
    await a_report(house, post["id"])
    assert await state(author, post) == ("open", None)
    await a_report(house, post["id"])

    assert await state(author, post) == ("hidden", "reports")
    assert sorted(await told(author)) == ["hidden", "hidden", "restored"]


async def test_approving_shows_a_reviewed_post_and_a_changed_note_hides_it_again(house: House) -> None:
    author, moderator = await house.member(), await a_moderator(house)
    await author.publish(a_need(urgency="urgent"))
    post = await author.publish(a_need(item="paracetamol-tablet", quantity=2, urgency="urgent", note="孩子发烧"))
    await house.work()
    assert await state(author, post) == ("hidden", "urgent_review")

    approved = await rule(moderator, post, "approve", "urgent_review")
    assert approved.json()["state"] == "open" and await cases(moderator, "?state=open") == []
    changed = await author.ask("PATCH", f"/posts/{post['id']}", {"note": "换一句话"})
    await house.work()

    assert changed.json()["state"] == "hidden"
    (case,) = await cases(moderator, "?state=open")
    assert case["reason"] == "note_review" and case["post"]["note"] == "换一句话"
    await rule(moderator, post, "hide", "note_review")
    assert await state(author, post) == ("hidden", "moderator") and await cases(moderator, "?state=open") == []


@pytest.mark.parametrize("body", [{}, {"note": "x"}, {"reason": "because"}, {"reason": "scam", "note": "x" * 501}])
async def test_a_ruling_without_a_proper_reason_changes_nothing(house: House, body: dict[str, str]) -> None:
    author, moderator = await house.member(), await a_moderator(house)
    post = await author.publish(a_need())

    answer = await moderator.post(f"/moderation/posts/{post['id']}/close", body)
    suspended = await moderator.post(f"/moderation/members/{author.id}/suspend", body)

    assert answer.status_code == suspended.status_code == 422
    assert answer.json()["errors"][0]["field"] in ("reason", "note")
    assert await state(author, post) == ("open", None)
    assert await deeds_of(house, post["id"]) == ["post.published"]


async def test_nobody_rules_on_their_own_post(house: House) -> None:
    moderator = await a_moderator(house)
    post = await moderator.publish(a_need())

    for deed in ("close", "hide", "restore", "approve"):
        answer = await rule(moderator, post, deed)
        assert (answer.status_code, answer.json()["code"]) == (403, "own_ruling")
    assert await state(moderator, post) == ("open", None)


async def test_a_ruling_needs_no_claim_but_waits_for_anothers(house: House) -> None:
    author, one, other = await house.member(), await a_moderator(house), await a_moderator(house, "钱管事")
    post = await author.publish(a_need())
    await a_report(house, post["id"])
    (case,) = await cases(one)
    await one.post(f"/moderation/cases/{case['id']}/claim")

    refused = await rule(other, post, "close")
    assert (refused.status_code, refused.json()["code"]) == (409, "case_claimed")
    assert await state(author, post) == ("open", None)
    house.clock.advance(minutes=9)
    assert (await rule(one, post, "hide")).status_code == 200
    assert (await rule(other, post, "close")).status_code == 200


async def test_a_claim_that_ran_out_holds_nobody_up(house: House) -> None:
    author, one, other = await house.member(), await a_moderator(house), await a_moderator(house, "钱管事")
    post = await author.publish(a_need())
    await a_report(house, post["id"])
    (case,) = await cases(one)
    await one.post(f"/moderation/cases/{case['id']}/claim")
    house.clock.advance(minutes=10)

    refused = await rule(other, post, "close")

    assert (refused.status_code, refused.json()["code"]) == (403, "step_up_needed")
    await step_up(other)
    assert (await rule(other, post, "close")).status_code == 200


async def step_up(person: Person) -> None:
    challenge, code = await person.code()
    answer = await person.post("/sessions/current/step-up", {"challenge": challenge, "code": code})
    assert answer.status_code == 200, answer.text


async def test_a_claim_needs_no_step_up_and_a_ruling_does(house: House) -> None:
    author, moderator = await house.member(), await a_moderator(house)
    post = await author.publish(a_need())
    await a_report(house, post["id"])
    house.clock.advance(minutes=11)
    (case,) = await cases(moderator)

    assert (await moderator.post(f"/moderation/cases/{case['id']}/claim")).status_code == 200
    for path in (f"posts/{post['id']}/close", f"members/{author.id}/suspend"):
        refused = await moderator.post(f"/moderation/{path}", {"reason": "other"})
        assert (refused.status_code, refused.json()["code"]) == (403, "step_up_needed")
    await step_up(moderator)
    house.clock.advance(hours=7)
    assert (await rule(moderator, post, "close")).status_code == 200


async def test_what_has_ended_stays_ended_and_its_cases_can_still_be_closed(house: House) -> None:
    author, moderator = await house.member(), await a_moderator(house)
    post = await author.publish(a_need())
    await a_report(house, post["id"])
    await author.post(f"/posts/{post['id']}/withdraw")

    for deed in ("close", "hide", "restore"):
        answer = await rule(moderator, post, deed)
        assert (answer.status_code, answer.json()["code"]) == (409, "post_not_open")
    assert len(await cases(moderator, "?state=open")) == 1
    approved = await rule(moderator, post, "approve")

    assert approved.status_code == 200 and approved.json()["state"] == "withdrawn"
    assert await cases(moderator, "?state=open") == []
    assert await told(author) == []


async def test_an_open_post_has_nothing_to_restore_and_an_unknown_one_is_not_found(house: House) -> None:
    author, moderator = await house.member(), await a_moderator(house)
    post = await author.publish(a_need())

    answer = await rule(moderator, post, "restore")

    assert (answer.status_code, answer.json()["code"]) == (409, "post_not_hidden")
    assert (await rule(moderator, {"id": "nowhere"}, "close")).status_code == 404


async def test_the_same_ruling_sent_twice_under_one_key_is_made_once(house: House) -> None:
    author, moderator = await house.member(), await a_moderator(house)
    post = await author.publish(a_need())
    path, body, key = f"/moderation/posts/{post['id']}/close", {"reason": "scam"}, {"idempotency-key": "once"}

    first = await moderator.post(path, body, headers=key)
    again = await moderator.post(path, body, headers=key)

    assert first.status_code == again.status_code == 200 and first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    async with house.services.database.reading() as session:
        assert len(list(await session.scalars(select(Ruling)))) == 1
