"""Signing in: by code and by WeChat, the first time as well, however many come at once."""

import asyncio

import pytest
from sqlalchemy import func, select, update

from mutualaid.kit.audit import AuditRow
from mutualaid.kit.clock import now
from mutualaid.kit.errors import AidError, Overloaded
from mutualaid.members import own_phone, sessions, signing_in, store
from mutualaid.members.errors import ChallengeEnded, CodeWrong
from mutualaid.members.records import Member, SessionRow, Status
from mutualaid.providers.wechat import CodeInvalid
from mutualaid.services import Services
from tests.members.people import a_member, another, asked


async def test_the_first_sign_in_makes_a_member_and_the_next_finds_them(services: Services) -> None:
    first = await a_member(services)
    second = await a_member(services)

    assert first.member.id == second.member.id
    assert first.token != second.token
    key = await services.keys.get(first.member.id)
    assert own_phone.masked(first.member, key=key) == "138****8000"
    assert first.member.display_name.startswith("邻居")


async def test_a_wrong_code_makes_nobody(services: Services) -> None:
    challenge, code = await asked(services)

    with pytest.raises(CodeWrong):
        await signing_in.by_code(services, challenge, another(code), language="zh-Hans", now=now())

    async with services.database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(Member)) == 0


async def test_one_code_used_by_many_at_once_makes_one_session(services: Services) -> None:
    challenge, code = await asked(services)
    tries = [signing_in.by_code(services, challenge, code, language="zh-Hans", now=now()) for _ in range(5)]

    outcomes = await asyncio.gather(*tries, return_exceptions=True)

    assert sum(isinstance(found, signing_in.SignedIn) for found in outcomes) == 1
    assert sum(isinstance(found, ChallengeEnded) for found in outcomes) == 4
    async with services.database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(SessionRow)) == 1
        assert await session.scalar(select(func.count()).select_from(Member)) == 1


async def test_first_sign_ins_of_one_phone_at_once_make_one_member(services: Services) -> None:
    pairs = [await asked(services) for _ in range(4)]
    tries = [signing_in.by_code(services, *pair, language="zh-Hans", now=now()) for pair in pairs]

    found = await asyncio.gather(*tries)

    assert len({signed.member.id for signed in found}) == 1
    async with services.database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(Member)) == 1
        assert await session.scalar(select(func.count()).select_from(SessionRow)) == 4


async def test_a_phone_is_found_again_after_its_look_up_key_was_rotated(services: Services) -> None:
    before = await a_member(services)

    services.ring.rotate("lookup")

    assert (await a_member(services)).member.id == before.member.id


async def test_wechat_makes_a_member_without_a_phone(services: Services) -> None:
    first = await signing_in.by_wechat(services, "fake:neighbour", language="en", now=now())
    again = await signing_in.by_wechat(services, "fake:neighbour", language="en", now=now())
    other = await signing_in.by_wechat(services, "fake:another", language="en", now=now())

    assert first.member.id == again.member.id != other.member.id
    caller = await sessions.authenticate(services, again.token)
    assert caller is not None and not caller.has_phone and caller.language == "en"
    assert b"neighbour" not in (first.member.openid or b"")


async def test_a_wechat_code_of_the_other_kind_is_refused(services: Services) -> None:
    with pytest.raises(CodeInvalid):
        await signing_in.by_wechat(services, "phone:+8613800138000", language="zh-Hans", now=now())


async def test_a_suspended_member_may_sign_in_and_is_known_as_such(services: Services) -> None:
    signed = await a_member(services)
    async with services.database.transaction() as session:
        await session.execute(update(Member).values(status=Status.SUSPENDED.value))

    again = await a_member(services)

    caller = await sessions.authenticate(services, again.token)
    assert caller is not None and caller.id == signed.member.id and caller.suspended


async def test_the_phone_of_an_erased_member_begins_anew(services: Services) -> None:
    gone = await a_member(services)
    async with services.database.transaction() as session:
        await session.execute(update(Member).values(status=Status.ERASED.value, phone=None, phone_lookup=None))
    await services.keys.destroy(gone.member.id)

    assert await sessions.authenticate(services, gone.token) is None
    assert (await a_member(services)).member.id != gone.member.id


async def test_somebody_erased_while_signing_in_keeps_the_code_for_the_next_try(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_member(services)
    challenge, code = await asked(services)
    # The look before the transaction still finds the member; the one inside it does not.
    finds = iter([True, False])
    find = store.find

    async def found(session: object, kind: str, value: str) -> Member | None:
        return await find(session, kind, value) if next(finds) else None  # type: ignore[arg-type] # a session, passed through

    monkeypatch.setattr(store, "find", found)
    with pytest.raises(Overloaded):
        await signing_in.by_code(services, challenge, code, language="zh-Hans", now=now())
    monkeypatch.undo()

    assert (await signing_in.by_code(services, challenge, code, language="zh-Hans", now=now())).token


async def test_signing_in_leaves_its_audit_rows(services: Services) -> None:
    await a_member(services)

    async with services.database.reading() as session:
        deeds = list(await session.scalars(select(AuditRow.deed)))

    ours = [deed for deed in deeds if deed.split(".")[0] in ("code", "member", "session")]
    assert sorted(ours) == ["code.asked", "code.tried", "member.joined", "session.begun"]


async def test_wechat_that_does_not_answer_is_a_503(services: Services) -> None:
    services.wechat.told.fail("down", times=1)  # type: ignore[attr-defined] # the fake's own handle

    with pytest.raises(AidError) as refusal:
        await signing_in.by_wechat(services, "fake:neighbour", language="zh-Hans", now=now())

    assert refusal.value.kind == "unavailable"
