"""One person, several accounts, or one after another: with one ID card they count once; knowing only the public contract."""

import pytest
from httpx2 import Response

from tests.harness import House, Person, a_need, an_offer
from tests.moderation.people import a_moderator, cases, deeds_of, promoted, told

CARD = 900
WHY = {"reason": "scam", "note": ""}


async def an_account(house: House, card: int = CARD) -> Person:
    """One more account of whoever holds this ID card, every consent given."""
    account = await (await house.newcomer()).consent()
    return await account.verify(serial=card)


async def leave(account: Person) -> None:
    answer = await account.ask("DELETE", "/me")
    assert answer.status_code in (200, 202, 204), answer.text


async def lose_the_name(account: Person) -> None:
    answer = await account.ask("DELETE", "/me/consents/real_name_check")
    assert answer.status_code in (200, 204), answer.text


async def agree(needer: Person, giver: Person) -> tuple[str, Response]:
    """All that seven days allow is pledged, and accepted if it may be: the match, and the answer to accepting it."""
    need, offer = await needer.publish(a_need()), await giver.publish(an_offer())
    line = {"need_line": need["lines"][0]["id"], "offer_line": offer["lines"][0]["id"], "quantity": 4}
    pledged = await giver.post(f"/posts/{need['id']}/matches", {"post": offer["id"], "lines": [line]})
    assert pledged.status_code in (200, 201), pledged.text
    match: str = pledged.json()["id"]
    return match, await needer.post(f"/matches/{match}/accept")


@pytest.mark.parametrize("then", [None, lose_the_name, leave])
async def test_one_person_hides_nobodys_post(house: House, then: object) -> None:
    author = await house.member()
    post = await author.publish(a_need())

    for _ in range(4):
        account = await an_account(house)
        assert (await account.post(f"/posts/{post['id']}/reports", WHY)).status_code == 201
        if callable(then):
            await then(account)

    assert (await author.get(f"/posts/{post['id']}")).json()["state"] == "open"


async def test_three_people_of_whom_one_is_vouched_for_hide_it(house: House) -> None:
    author = await house.member()
    post = await author.publish(a_need())
    vouched = await house.newcomer()
    moderator = await a_moderator(house)
    assert (await moderator.post(f"/moderation/members/{vouched.id}/vouch", WHY)).status_code == 200

    for account in (vouched, await an_account(house), await house.member()):
        assert (await account.post(f"/posts/{post['id']}/reports", WHY)).status_code == 201

    assert (await author.get(f"/posts/{post['id']}")).json()["state"] == "hidden"


@pytest.mark.parametrize("then", [None, leave])
async def test_one_person_is_no_crowd(house: House, then: object) -> None:
    object.__setattr__(house.services, "settings", house.services.settings.model_copy(update={"crowd_k": 4}))
    shown = []

    for _ in range(4):
        account = await an_account(house)
        shown.append((await account.publish(a_need()))["place"]["cell"])
        if callable(then):
            await then(account)

    assert len(set(shown)) == 1
    others = [(await (await house.member()).publish(a_need()))["place"]["cell"] for _ in range(3)]
    assert others[:2] == shown[:2] and others[2] != shown[0]


async def test_a_suspension_and_its_end_are_for_every_account_of_a_person(house: House) -> None:
    first, second, neighbour = await an_account(house), await an_account(house), await house.member()
    moderator = await a_moderator(house)
    posts = [await account.publish(a_need()) for account in (first, second, neighbour)]

    done = await moderator.post(f"/moderation/members/{first.id}/suspend", WHY)

    assert done.json()["suspended"] is True
    assert (await second.post("/posts", a_need())).json()["code"] == "suspended"
    seen = [(await moderator.get(f"/posts/{post['id']}")).status_code for post in posts]
    assert seen == [404, 404, 200]
    await house.work()
    for account in (first, second):
        assert "suspended" in await told(account) and "member.suspended" in await deeds_of(house, account.id)
    lifted = await moderator.post(f"/moderation/members/{second.id}/restore", WHY)
    assert lifted.json()["suspended"] is False
    for account, post in zip((first, second), posts, strict=False):
        assert (await account.get(f"/posts/{post['id']}")).json()["state"] == "open"
        assert "member.restored" in await deeds_of(house, account.id)


async def test_a_member_whose_other_account_moderates_is_suspended_by_an_admin_only(house: House) -> None:
    account, other = await an_account(house), await an_account(house)
    await promoted(house, other)
    moderator, admin = await a_moderator(house), await promoted(house, await house.member(), "admin")

    refused = await moderator.post(f"/moderation/members/{account.id}/suspend", WHY)

    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert (await admin.post(f"/moderation/members/{account.id}/suspend", WHY)).status_code == 200
    assert (await other.get("/moderation/cases")).json()["code"] == "suspended"


async def test_what_seven_days_allow_is_for_a_person_not_for_each_account(house: House) -> None:
    first, second, neighbour, giver = (
        await an_account(house),
        await an_account(house),
        await house.member(),
        await house.member("李大力"),
    )

    assert (await agree(first, giver))[1].json()["state"] == "agreed"
    _, refused = await agree(second, giver)
    assert (refused.status_code, refused.json()["code"]) == (409, "need_cap_reached")
    assert (await agree(neighbour, giver))[1].json()["state"] == "agreed"
    house.clock.advance(days=7, seconds=1)
    assert (await agree(second, giver))[1].json()["state"] == "agreed"


async def test_ones_own_objection_frees_nothing_until_a_moderator_has_looked(house: House) -> None:
    needer, giver, moderator = await house.member(), await house.member("李大力"), await a_moderator(house)
    match, agreed = await agree(needer, giver)
    line = agreed.json()["lines"][0]
    done = {"lines": [{"need_line": line["need_line"], "quantity": 4}]}
    assert (await giver.post(f"/matches/{match}/complete", done)).status_code == 200

    objected = await needer.post(f"/matches/{match}/fail", {"reason": "no_show"})
    await house.work()

    assert objected.json()["disputed"] is True
    waits, refused = await agree(needer, giver)
    assert (refused.status_code, refused.json()["code"]) == (409, "need_cap_reached")
    post = agreed.json()["offer"]["id"]
    assert (await moderator.post(f"/moderation/posts/{post}/approve", WHY)).status_code == 200
    assert (await needer.post(f"/matches/{waits}/accept")).json()["state"] == "agreed"


async def test_a_block_holds_against_every_account_of_both(house: House) -> None:
    blocked, other, blocker, also_hers = (
        await an_account(house),
        await an_account(house),
        await an_account(house, CARD + 1),
        await an_account(house, CARD + 1),
    )
    before = await blocker.publish(a_need(quantity=1))
    before_that = await also_hers.publish(a_need("smectite", quantity=1))
    items = ("ibuprofen", "smectite")
    offers = [await other.publish(an_offer(item, 2, contact="anyone")) for item in items]
    contact = await other.post(f"/posts/{before['id']}/contact")
    assert contact.status_code in (201, 202)
    await house.work()
    assert len((await other.get("/me/matches")).json()["items"]) == 2
    mine = await blocked.publish(a_need("thermometer", quantity=1))
    asked = await blocker.post(f"/posts/{mine['id']}/contact", {"channel": "words"})

    assert (await blocker.post(f"/contacts/{asked.json()['id']}/block")).status_code in (200, 204)

    assert (await other.get(f"/contacts/{contact.json()['id']}")).json()["state"] == "released"
    await house.work()
    states = {match["state"] for match in (await other.get("/me/matches")).json()["items"]}
    assert states == {"declined"}
    for reader, post in ((other, before), (other, before_that), (blocker, offers[0]), (also_hers, offers[1])):
        refused = await reader.post(f"/posts/{post['id']}/contact")
        assert (refused.status_code, refused.json()["code"]) == (403, "contact_not_offered")
    again = await also_hers.publish(a_need("smectite", quantity=1))
    await house.work()
    assert not (await also_hers.get(f"/posts/{again['id']}/matches")).json()["items"]
    line = {"need_line": again["lines"][0]["id"], "offer_line": offers[1]["lines"][0]["id"], "quantity": 1}
    pledge = {"post": offers[1]["id"], "lines": [line]}
    assert (await other.post(f"/posts/{again['id']}/matches", pledge)).status_code == 404
    stranger = await house.member()
    assert (await stranger.post(f"/posts/{again['id']}/contact")).status_code in (201, 202)


async def test_a_moderator_rules_on_no_account_of_theirs_and_reads_no_case_about_one(house: House) -> None:
    moderator, other = await promoted(house, await an_account(house)), await an_account(house)
    post = await other.publish(a_need())
    reporter = await house.member()
    assert (await reporter.post(f"/posts/{post['id']}/reports", WHY | {"note": "骗子"})).status_code == 201
    await house.work()
    (case,) = await cases(await a_moderator(house))

    assert await cases(moderator) == []
    deeds = [f"/moderation/posts/{post['id']}/{deed}" for deed in ("hide", "restore", "approve", "close")]
    deeds += [f"/moderation/members/{other.id}/{deed}" for deed in ("vouch", "suspend", "restore")]
    for path in (*deeds, f"/moderation/members/{reporter.id}/suspend"):
        refused = await moderator.post(path, WHY)
        assert (refused.status_code, refused.json()["code"]) == (403, "own_ruling"), path
    refused = await moderator.post(f"/moderation/cases/{case['id']}/claim")
    assert (refused.status_code, refused.json()["code"]) == (403, "own_ruling")
