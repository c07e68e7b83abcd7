"""What becomes of a post over HTTP, on both databases: changed, confirmed, ended, hidden, reported."""

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import select

from mutualaid.members.records import Member
from mutualaid.posts.records import Post, PostLine, Report
from tests.harness import House, Person, a_need, an_offer
from tests.posts.test_api import errors

ENDINGS: Sequence[tuple[str, Any]] = [("resolve", {"outcome": "elsewhere"}), ("withdraw", None)]


async def on_plaza(house: House) -> list[str]:
    return [card["id"] for card in (await house.stranger().get("/posts")).json()["items"]]


async def write(house: House, post_id: str, **values: Any) -> None:
    """What another room would have written into the row of a post."""
    async with house.services.database.transaction() as session:
        post = await session.get_one(Post, post_id)
        for name, value in values.items():
            setattr(post, name, value)


async def hold(house: House, post_id: str, amount: int) -> None:
    """As an agreed match reserves it."""
    async with house.services.database.transaction() as session:
        line = (await session.scalars(select(PostLine).where(PostLine.post_id == post_id))).one()
        line.hold(amount)


# ---- amend ----------------------------------------------------------------------------------------------------


async def test_an_author_changes_what_is_named_and_nothing_else(house: House) -> None:
    author = await house.member()
    post = await author.publish(an_offer(note="晚上在家"))
    change = {
        "lines": [{"id": post["lines"][0]["id"], "quantity": 6}],
        "urgency": "urgent",
        "until": "2023-01-20T00:00:00Z",
        "available": [{"from": "2023-01-08T01:00:00Z", "to": "2023-01-08T02:00:00Z"}],
        "reach_km": 3,
        "handover": ["delivery"],
        "contact": "anyone",
        "note": "白天也在家",
    }

    changed = (await author.ask("PATCH", f"/posts/{post['id']}", change)).json()

    line = post["lines"][0] | {"quantity": 6, "remaining": 6}
    assert changed == post | change | {"lines": [line]}
    assert (await author.get(f"/posts/{post['id']}")).json() == changed
    one = (await author.ask("PATCH", f"/posts/{post['id']}", {"reach_km": 4})).json()
    assert one == changed | {"reach_km": 4}


async def test_a_bad_change_names_every_field_and_changes_nothing(house: House) -> None:
    author, other = await house.member(), await house.member()
    post, foreign = await author.publish(an_offer()), await other.publish(an_offer())
    line = post["lines"][0]["id"]
    cases: list[tuple[dict[str, Any], set[tuple[str, str]]]] = [
        ({}, {("", "nothing_to_change")}),
        ({"kind": "need", "reach_km": 51}, {("kind", "unknown_field"), ("reach_km", "too_large")}),
        (
            {"until": "2023-01-21T12:00:01Z", "available": [{"from": "x", "to": "2023-01-08T02:00:00Z"},
             {"from": "2023-01-08T03:00:00Z", "to": "2023-01-08T02:00:00Z"}]},
            {("until", "until_too_far"), ("available.0.from", "not_a_time"), ("available.1.to", "window_backwards")},
        ),
        (
            {"lines": [{"id": line, "quantity": 25}, {"id": foreign["lines"][0]["id"], "quantity": 1}]},
            {("lines.0.quantity", "over_cap"), ("lines.1.id", "line_unknown")},
        ),
        (
            {"lines": [{"id": line, "quantity": 1}, {"id": line, "quantity": 2}]},
            {("lines.1.id", "line_repeated")},
        ),
        ({"note": "a\u202eb", "handover": []}, {("note", "bidi_control"), ("handover", "too_few_entries")}),
    ]  # fmt: skip

    for change, told in cases:
        refused = await author.ask("PATCH", f"/posts/{post['id']}", change)
        assert (refused.status_code, errors(refused)) == (422, told), change
    assert (await author.get(f"/posts/{post['id']}")).json() == post


async def test_a_cap_holds_for_all_lines_of_an_item_together(house: House) -> None:
    author = await house.member()
    half = {"item": "ibuprofen", "quantity": 12, "sealed": True, "expires_on": "2023-12-31"}
    post = await author.publish(an_offer(lines=[half, half | {"expires_on": "2024-06-30"}]))
    first, second = (line["id"] for line in post["lines"])

    async def amend(**amounts: int) -> int:
        lines = [{"id": {"first": first, "second": second}[name], "quantity": n} for name, n in amounts.items()]
        return (await author.ask("PATCH", f"/posts/{post['id']}", {"lines": lines})).status_code

    assert await amend(first=13) == 422
    assert await amend(first=14, second=10) == 200
    assert await amend(second=9) == 200


async def test_an_amount_below_what_is_promised_is_refused(house: House) -> None:
    author = await house.member()
    post = await author.publish(an_offer())
    await hold(house, post["id"], 5)
    line = post["lines"][0]["id"]

    below = await author.ask("PATCH", f"/posts/{post['id']}", {"lines": [{"id": line, "quantity": 4}], "reach_km": 2})
    just = await author.ask("PATCH", f"/posts/{post['id']}", {"lines": [{"id": line, "quantity": 5}]})

    assert (below.status_code, below.json()["code"]) == (409, "quantity_held")
    held = just.json()["lines"][0]
    assert (held["quantity"], held["remaining"], held["held"], just.json()["reach_km"]) == (5, 5, 5, 10)
    assert await on_plaza(house) == []  # nothing of it is free: off the plaza, and still open
    assert (await house.stranger().get(f"/posts/{post['id']}")).json()["state"] == "open"


async def test_letting_numbers_be_asked_for_needs_the_consent_it_needed_at_first(house: House) -> None:
    author = await house.member()
    post = await author.publish(a_need())
    await author.ask("DELETE", "/me/consents/phone_masking")
    assert (await author.get(f"/posts/{post['id']}")).json()["contact"] == "words"

    refused = await author.ask("PATCH", f"/posts/{post['id']}", {"contact": "anyone"})

    assert (refused.status_code, errors(refused)) == (428, {("phone_masking", "consent_needed")})
    assert (await author.ask("PATCH", f"/posts/{post['id']}", {"contact": "words"})).status_code == 200


async def test_an_approved_note_is_reviewed_again_once_it_is_changed(house: House) -> None:
    author = await house.member()
    post = await author.publish(a_need(note="三天没退烧了"))
    await write(house, post["id"], note_approved=True)

    same = await author.ask("PATCH", f"/posts/{post['id']}", {"note": "三天没退烧了"})
    changed = await author.ask("PATCH", f"/posts/{post['id']}", {"note": "五天没退烧了"})

    assert same.json()["state"] == "open"
    assert (changed.json()["state"], changed.json()["hidden_by"]) == ("hidden", "note_review")
    assert await on_plaza(house) == []


@pytest.mark.parametrize("word", ["复核", "违禁"])
async def test_a_doubtful_note_waits_for_a_moderator_when_new_and_when_changed(house: House, word: str) -> None:
    author = await house.member()

    new = await author.publish(a_need(note=f"{word}这句话"))
    plain = await author.publish(a_need())
    changed = await author.ask("PATCH", f"/posts/{plain['id']}", {"note": f"{word}这句话"})

    for post in (new, changed.json()):
        assert (post["state"], post["hidden_by"]) == ("hidden", "note_review")


# ---- urgency --------------------------------------------------------------------------------------------------


async def test_a_second_urgent_post_within_seven_days_waits_for_a_moderator(house: House) -> None:
    author, other = await house.member(), await house.member()
    posts = [await author.publish(a_need(urgency="urgent")) for _ in range(2)]
    await other.publish(a_need(urgency="urgent"))
    house.clock.advance(days=7, microseconds=-1)
    posts.append(await author.publish(a_need(urgency="urgent")))
    house.clock.advance(days=7)
    posts.append(await author.publish(a_need(urgency="urgent")))

    assert [post["state"] for post in posts] == ["open", "hidden", "hidden", "open"]
    assert [post["hidden_by"] for post in posts[1:3]] == ["urgent_review"] * 2
    assert (await other.get(f"/posts/{posts[2]['id']}")).status_code == 404


async def test_nor_does_a_change_make_a_second_urgent_post(house: House) -> None:
    author = await house.member()
    await author.publish(a_need(urgency="urgent"))
    post = await author.publish(a_need())

    changed = await author.ask("PATCH", f"/posts/{post['id']}", {"urgency": "urgent"})

    assert (changed.json()["state"], changed.json()["hidden_by"]) == ("hidden", "urgent_review")


# ---- the end --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", [False, True], ids=["open", "hidden"])
@pytest.mark.parametrize(("deed", "body"), ENDINGS)
async def test_a_post_ends_once_and_only_its_author_still_sees_it(
    house: House, deed: str, body: Any, hidden: bool
) -> None:
    author, other = await house.member(), await house.member()
    post = await author.publish(a_need(note="复核" if hidden else ""))
    path = f"/posts/{post['id']}"

    first, second = await author.post(f"{path}/{deed}", body), await author.post(f"{path}/{deed}", body)

    assert (first.status_code, first.json()["state"]) == (200, {"resolve": "resolved", "withdraw": "withdrawn"}[deed])
    assert first.json()["ended_at"] == "2023-01-07T12:00:00Z"
    assert first.json()["outcome"] == ("elsewhere" if deed == "resolve" else None)
    assert (second.status_code, second.json()["code"]) == (409, "post_not_open")
    for method, tail, draft in [("PATCH", "", {"reach_km": 2}), ("POST", "/confirm", None)]:
        late = await author.ask(method, path + tail, draft)
        assert (late.status_code, late.json()["code"]) == (409, "post_not_open")
    assert (await author.get(path)).json() == first.json()
    assert (await other.get(path)).status_code == (await house.stranger().get(path)).status_code == 404
    assert await on_plaza(house) == []


async def test_what_is_not_ones_own_is_not_there(house: House) -> None:
    author, other = await house.member(), await house.member()
    post = await author.publish(a_need())
    strange = ["f" * 32, "%00", "..%2f..", "%F0%9F%98%80", "a b", "x" * 200, "' or 1=1 --"]

    for post_id in [post["id"], *strange]:
        for method, tail, body in [
            ("PATCH", "", {"reach_km": 2}),
            ("POST", "/confirm", None),
            ("POST", "/resolve", {"outcome": "elsewhere"}),
            ("POST", "/withdraw", {}),
        ]:
            refused = await other.ask(method, f"/posts/{post_id}{tail}", body)
            assert (refused.status_code, refused.json()["code"]) == (404, "not_found"), (post_id, method, tail)
    assert (await author.get(f"/posts/{post['id']}")).json() == post
    for post_id in strange:
        assert (await other.get(f"/posts/{post_id}")).status_code == 404
        assert (await other.post(f"/posts/{post_id}/reports", {"reason": "scam"})).status_code == 404


async def test_still_here_is_said_with_its_time(house: House) -> None:
    author = await house.member()
    post = await author.publish(a_need())
    house.clock.advance(hours=5)

    confirmed = await author.post(f"/posts/{post['id']}/confirm", {})

    assert confirmed.json() == post | {"confirmed_at": "2023-01-07T17:00:00Z"}


async def test_a_post_whose_time_is_over_is_gone_at_once_and_expired_by_the_worker(house: House) -> None:
    author = await house.member()
    post, longer = await author.publish(a_need()), await author.publish(a_need())
    house.clock.advance(hours=71)
    await house.work()
    await author.ask("PATCH", f"/posts/{longer['id']}", {"until": "2023-01-12T12:00:00Z"})
    assert set(await on_plaza(house)) == {post["id"], longer["id"]}

    house.clock.advance(hours=1)
    assert await on_plaza(house) == [longer["id"]]
    assert (await house.stranger().get(f"/posts/{post['id']}")).status_code == 404
    await house.work()

    ended = (await author.get(f"/posts/{post['id']}")).json()
    assert (ended["state"], ended["ended_at"]) == ("expired", "2023-01-10T12:00:00Z")
    assert (await author.get(f"/posts/{longer['id']}")).json()["state"] == "open"
    house.clock.advance(days=2)
    await house.work()
    assert (await author.get(f"/posts/{longer['id']}")).json()["state"] == "expired"


# ---- reports --------------------------------------------------------------------------------------------------


async def report(person: Person, post_id: str, **more: Any) -> tuple[int, str | bool]:
    answer = await person.post(f"/posts/{post_id}/reports", {"reason": "scam", **more})
    body = answer.json()
    return answer.status_code, body["hidden"] if answer.status_code == 201 else body["code"]


async def test_three_verified_reporters_hide_a_post(house: House) -> None:
    author, unverified = await house.member(), await house.newcomer()
    post_id = (await author.publish(an_offer()))["id"]
    verified = [await house.member() for _ in range(3)]

    assert await report(unverified, post_id) == (201, False)
    assert await report(verified[0], post_id, note="要钱") == (201, False)
    assert await report(verified[0], post_id) == (409, "already_reported")
    assert await report(author, post_id) == (409, "own_post")
    assert await report(verified[1], post_id, reason="selling") == (201, False)
    assert await on_plaza(house) == [post_id]
    assert await report(verified[2], post_id) == (201, True)
    assert await on_plaza(house) == []
    assert (await author.get(f"/posts/{post_id}")).json()["hidden_by"] == "reports"
    assert await report(await house.member(), post_id) == (404, "not_found")
    async with house.services.database.reading() as session:
        kept = (await session.scalars(select(Report).where(Report.post_id == post_id))).all()
    assert [one.counts for one in kept].count(True) == 3 and len(kept) == 4
    assert [one.note for one in kept if one.note is not None and "要钱".encode() in one.note] == []


async def test_one_person_with_three_accounts_is_one_reporter(house: House) -> None:
    author = await house.member()
    post_id = (await author.publish(an_offer()))["id"]
    serial = house.next_serial()

    for _ in range(3):
        account = await (await (await house.newcomer()).consent()).verify("张三丰", serial=serial)
        assert await report(account, post_id) == (201, False)

    assert await report(await house.member(), post_id) == (201, False)
    assert await on_plaza(house) == [post_id]
    assert await report(await house.member(), post_id) == (201, True)


async def test_a_report_says_why_in_the_words_of_the_contract(house: House) -> None:
    author, reader = await house.member(), await house.newcomer()
    path = f"/posts/{(await author.publish(a_need()))['id']}/reports"

    assert errors(await reader.post(path, {"reason": "ugly", "note": "\u0000", "colour": "red"})) == {
        ("reason", "not_one_of"),
        ("note", "control_character"),
        ("colour", "unknown_field"),
    }
    assert errors(await reader.post(path, {"reason": "scam", "note": "x" * 501})) == {("note", "too_long")}
    assert (await house.stranger().post(path, {"reason": "scam"})).status_code == 401


async def test_the_suspended_neither_change_nor_report_but_may_end_their_own(house: House) -> None:
    author, other = await house.member(), await house.member()
    post, foreign = await author.publish(a_need()), await other.publish(a_need())
    async with house.services.database.transaction() as session:
        (await session.get_one(Member, author.id)).status = "suspended"

    change = await author.ask("PATCH", f"/posts/{post['id']}", {"reach_km": 2})

    assert (change.status_code, change.json()["code"]) == (403, "suspended")
    assert await report(author, foreign["id"]) == (403, "suspended")
    assert await on_plaza(house) == [foreign["id"]]  # what the suspended posted is nobody's to see
    assert (await other.get(f"/posts/{post['id']}")).status_code == 404
    assert await report(other, post["id"]) == (404, "not_found")
    assert (await author.post(f"/posts/{post['id']}/withdraw")).status_code == 200
