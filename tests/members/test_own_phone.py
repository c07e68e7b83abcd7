"""A member's own phone: changed with proof, held by one account, never one of the house's numbers."""

import asyncio

import pytest
from sqlalchemy import select

from mutualaid.kit.clock import now
from mutualaid.kit.phones import Phone
from mutualaid.members import own_phone, signing_in, standing, store
from mutualaid.members.errors import MemberUnknown, PhoneTaken
from mutualaid.members.records import Member
from mutualaid.providers.numbers.words import WordsOnly
from mutualaid.services import Services
from tests.members.people import a_member

FIRST, SECOND = "+8613800138000", "+8613900139000"


async def _change(services: Services, member_id: str, phone: str) -> Member:
    key = await services.keys.get(member_id)
    async with services.database.transaction() as session:
        await own_phone.change(session, member_id, Phone(phone), key=key, now=now())
        return await store.get(session, member_id)


async def test_a_changed_phone_signs_in_to_the_same_account_and_the_old_one_begins_anew(services: Services) -> None:
    signed = await a_member(services, FIRST)

    await _change(services, signed.member.id, SECOND)

    assert (await a_member(services, SECOND)).member.id == signed.member.id
    assert (await a_member(services, FIRST)).member.id != signed.member.id


async def test_a_phone_of_another_account_is_taken_and_nothing_changes(services: Services) -> None:
    mine, theirs = await a_member(services, FIRST), await a_member(services, SECOND)

    with pytest.raises(PhoneTaken):
        await _change(services, mine.member.id, SECOND)

    assert (await a_member(services, FIRST)).member.id == mine.member.id
    assert (await a_member(services, SECOND)).member.id == theirs.member.id


async def test_a_phone_under_an_older_look_up_key_is_taken_as_well(services: Services) -> None:
    mine = await a_member(services, FIRST)
    await a_member(services, SECOND)
    services.ring.rotate("lookup")

    with pytest.raises(PhoneTaken):
        await _change(services, mine.member.id, SECOND)


async def test_ones_own_phone_again_changes_nothing(services: Services) -> None:
    signed = await a_member(services, FIRST)

    member = await _change(services, signed.member.id, FIRST)

    assert member.phone == signed.member.phone


async def test_of_two_accounts_that_take_one_phone_at_once_one_gets_it(services: Services) -> None:
    people = [await signing_in.by_wechat(services, f"fake:{n}", language="zh-Hans", now=now()) for n in range(4)]

    outcomes = await asyncio.gather(
        *(_change(services, person.member.id, FIRST) for person in people), return_exceptions=True
    )

    assert sum(isinstance(found, Member) for found in outcomes) == 1
    assert sum(isinstance(found, PhoneTaken) for found in outcomes) == 3
    async with services.database.reading() as session:
        assert len(list(await session.scalars(select(Member.id).where(Member.phone_lookup.is_not(None))))) == 1


@pytest.mark.parametrize(
    ("number", "ours"),
    [
        ("+8617000000000", False),
        ("+8617000000001", True),
        ("+8617000000050", True),
        ("+8617000000051", False),
        ("+8613800138000", False),
        ("+85261234567", False),
    ],
)
async def test_the_makers_numbers_are_known_as_ours(number: str, ours: bool, services: Services) -> None:
    assert own_phone.is_ours(Phone(number), services.numbers) is ours


def test_where_no_numbers_are_handed_out_none_is_ours() -> None:
    assert not own_phone.is_ours(Phone("+8617000000001"), WordsOnly())


async def test_promoting_finds_the_member_by_phone_and_a_stranger_not_at_all(services: Services) -> None:
    signed = await a_member(services, FIRST)

    async with services.database.transaction() as session:
        member = await standing.promote(session, Phone(FIRST), "moderator", actor=None, now=now())
    assert (member.id, member.role) == (signed.member.id, "moderator")

    with pytest.raises(MemberUnknown):
        async with services.database.transaction() as session:
            await standing.promote(session, Phone(SECOND), "moderator", actor=None, now=now())
