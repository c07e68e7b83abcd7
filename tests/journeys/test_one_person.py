"""One person, several accounts, or one after another: with one ID card they count once; knowing only the public contract."""

import pytest

from tests.harness import House, Person, a_need
from tests.moderation.people import a_moderator

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
