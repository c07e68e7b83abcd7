"""The real-name check: what it keeps, what it counts, what it refuses."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select, update

from mutualaid.kit import clock as kit_clock
from mutualaid.kit import sealing
from mutualaid.kit.audit import AuditRow
from mutualaid.kit.clock import now
from mutualaid.kit.errors import ProviderUnavailable
from mutualaid.kit.limits import LimiterUnavailable
from mutualaid.kit.outbox import Job
from mutualaid.members import consents, identity, leaving, sessions, standing, store, verifying
from mutualaid.members.errors import (
    ConsentNeeded,
    RealNameMismatch,
    RealNameTriesUsed,
    RealNameUnsupported,
    Suspended,
    UnderAge,
)
from mutualaid.members.records import Member, Status
from mutualaid.members.signing_in import SignedIn
from mutualaid.providers.realname import Result
from mutualaid.providers.realname.appointment import Appointment
from mutualaid.services import Services
from tests.harness import id_number
from tests.members.people import a_member, consenting
from tests.moments import Clock

NUMBER = "45010319950615001" + "4"
OTHERS = id_number(7)


async def _consenting(services: Services, phone: str = "+8613800138000") -> SignedIn:
    signed = await a_member(services, phone)
    await consenting(services, signed.member.id, "real_name_check")
    return signed


async def _check(services: Services, signed: SignedIn, name: str = "王小明", number: str = NUMBER) -> str:
    found = identity.check(number, today=kit_clock.today(now()))
    return await verifying.check_real_name(services, signed.member.id, name, found, now=now())


async def _member(services: Services, signed: SignedIn) -> Member:
    async with services.database.reading() as session:
        return (await session.scalars(select(Member).where(Member.id == signed.member.id))).one()


def _answering(services: Services, monkeypatch: pytest.MonkeyPatch, result: Result) -> list[str]:
    """The maker answers this; the keys of its questions are collected."""
    keys: list[str] = []

    async def check(_name: str, _number: str, *, key: str) -> Result:
        keys.append(key)
        return result

    monkeypatch.setattr(services.realname, "check", check)
    return keys


async def test_a_match_keeps_the_name_sealed_an_hmac_and_an_age_band(services: Services) -> None:
    signed = await _consenting(services)

    assert await _check(services, signed) == "checked"

    member = await _member(services, signed)
    key = await services.keys.get(member.id)
    assert (member.real_name, member.real_name_at, member.age_band) == ("checked", now(), "adult")
    assert member.display_name == "王**"
    assert member.legal_name is not None and "王小明".encode() not in member.legal_name
    kept = sealing.unseal_text(key, member.legal_name, table="members", column="legal_name", row=member.id)
    assert kept == "王小明"
    caller = await sessions.authenticate(services, signed.token)
    assert caller is not None and caller.may_post and caller.real_name == "checked"


async def test_the_id_number_and_the_name_stand_nowhere(services: Services) -> None:
    signed = await _consenting(services)

    await _check(services, signed)

    async with services.database.reading() as session:
        rows = [
            str(list(row))
            for table in (Member, AuditRow, Job)
            for row in await session.execute(select(table.__table__))
        ]
    assert not [row for row in rows if NUMBER in row or "王小明" in row or NUMBER.encode().hex() in row]


async def test_without_consent_the_maker_is_not_asked(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    signed = await a_member(services)
    keys = _answering(services, monkeypatch, Result.MATCH)

    with pytest.raises(ConsentNeeded) as refusal:
        await _check(services, signed)

    assert [error.field for error in refusal.value.fields] == ["real_name_check"]
    assert keys == []


@pytest.mark.parametrize("name", ["错小明", "无小明"])
async def test_a_mismatch_and_no_record_are_told_alike(services: Services, name: str) -> None:
    signed = await _consenting(services)

    with pytest.raises(RealNameMismatch) as refusal:
        await _check(services, signed, name)

    assert refusal.value.fields == []
    assert (await _member(services, signed)).real_name == "none"


async def test_the_sixth_try_of_a_day_is_refused_and_the_next_day_begins_anew(services: Services, clock: Clock) -> None:
    signed = await _consenting(services)
    for _ in range(5):
        with pytest.raises(RealNameMismatch):
            await _check(services, signed, "错小明")

    with pytest.raises(RealNameTriesUsed) as refusal:
        await _check(services, signed)
    assert refusal.value.retry_after == 4 * 3600 + 1  # 20:00 in Shanghai; the day there ends at midnight

    clock.advance(hours=4, seconds=1)
    assert await _check(services, signed) == "checked"


async def test_of_many_tries_at_once_five_reach_the_maker(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    signed = await _consenting(services)
    keys = _answering(services, monkeypatch, Result.MISMATCH)

    outcomes = await asyncio.gather(*(_check(services, signed) for _ in range(9)), return_exceptions=True)

    assert len(keys) == 5
    assert sum(isinstance(found, RealNameTriesUsed) for found in outcomes) == 4


async def test_a_maker_that_does_not_answer_costs_no_try(services: Services) -> None:
    signed = await _consenting(services)
    services.realname.told.fail("down", times=8)  # type: ignore[attr-defined] # the fake's own handle

    for _ in range(8):
        with pytest.raises(ProviderUnavailable) as refusal:
            await _check(services, signed)
        assert refusal.value.retry_after

    assert (await _member(services, signed)).tries == 0
    assert await _check(services, signed) == "checked"


async def test_a_number_has_five_tries_a_day_whoever_asks(
    services: Services, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    keys = _answering(services, monkeypatch, Result.MISMATCH)
    for n in range(5):
        with pytest.raises(RealNameMismatch):
            await _check(services, await _consenting(services, f"+861390000{n:04d}"))
    sixth = await _consenting(services)

    with pytest.raises(RealNameTriesUsed) as refusal:
        await _check(services, sixth)

    assert refusal.value.retry_after == 4 * 3600 + 1 and len(keys) == 5
    with pytest.raises(RealNameMismatch):
        await _check(services, sixth, number=OTHERS)
    clock.advance(days=1)
    with pytest.raises(RealNameMismatch):
        await _check(services, sixth)


async def test_what_is_no_wrong_guess_costs_the_number_nothing(services: Services) -> None:
    signed = await _consenting(services)
    services.realname.told.fail("down", times=8)  # type: ignore[attr-defined] # the fake's own handle

    for _ in range(8):
        with pytest.raises(ProviderUnavailable):
            await _check(services, signed)

    for n in range(6):
        assert await _check(services, await _consenting(services, f"+861390000{n:04d}")) == "checked"
    with pytest.raises(RealNameMismatch):
        await _check(services, signed, "错小明")


async def test_without_the_limiter_nobody_is_asked_and_no_try_is_lost(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed, keys = await _consenting(services), _answering(services, monkeypatch, Result.MATCH)

    async def lost(*_args: Any, **options: Any) -> Any:
        assert options["on_loss"] == "closed"
        raise LimiterUnavailable

    monkeypatch.setattr(services.limits, "take", lost)
    with pytest.raises(LimiterUnavailable):
        await _check(services, signed)

    assert keys == [] and (await _member(services, signed)).tries == 0


async def test_the_same_question_has_the_same_key_for_a_day(
    services: Services, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    signed = await _consenting(services)
    keys = _answering(services, monkeypatch, Result.MISMATCH)

    for name in ("王小明", "王小明", "李小明"):
        with pytest.raises(RealNameMismatch):
            await _check(services, signed, name)
    clock.advance(days=1)
    with pytest.raises(RealNameMismatch):
        await _check(services, signed)

    assert keys[0] == keys[1] and len(set(keys)) == 3


@pytest.mark.parametrize(
    ("result", "refusal"), [(Result.UNSUPPORTED, RealNameUnsupported), (Result.DAILY_LIMIT, RealNameTriesUsed)]
)
async def test_what_the_register_cannot_say_is_told(
    services: Services, monkeypatch: pytest.MonkeyPatch, result: Result, refusal: type[Exception]
) -> None:
    signed = await _consenting(services)
    _answering(services, monkeypatch, result)

    with pytest.raises(refusal):
        await _check(services, signed)


def _born(day: str) -> str:
    digits = f"450103{day}101"
    return digits + identity.check_digit(digits)


async def test_a_child_is_refused_before_anybody_is_asked(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    signed = await _consenting(services)
    keys = _answering(services, monkeypatch, Result.MATCH)

    with pytest.raises(UnderAge):
        await _check(services, signed, number=_born("20090108"))  # fourteen tomorrow
    assert keys == []

    assert await _check(services, signed, number=_born("20090107")) == "checked"
    assert (await _member(services, signed)).age_band == "14_17"


async def test_one_person_may_hold_two_accounts(services: Services) -> None:
    one, other = await _consenting(services), await _consenting(services, "+8613900139000")

    assert await _check(services, one) == await _check(services, other) == "checked"


async def test_a_suspended_person_does_not_come_back_by_another_account(services: Services) -> None:
    suspended, other = await _consenting(services), await _consenting(services, "+8613900139000")
    await _check(services, suspended)
    async with services.database.transaction() as session:
        suspend = update(Member).where(Member.id == suspended.member.id)
        await session.execute(suspend.values(status=Status.SUSPENDED.value))
    services.ring.rotate("lookup")

    with pytest.raises(Suspended):
        await _check(services, other)

    assert (await _member(services, other)).real_name == "none"


@pytest.mark.parametrize("way", ["withdrawn", "erased", "withdrawn and erased"])
async def test_a_ban_is_left_neither_by_withdrawing_the_consent_nor_by_erasing_oneself(
    services: Services, way: str
) -> None:
    suspended, other = await _consenting(services), await _consenting(services, "+8613900139000")
    await _check(services, suspended)
    async with services.database.transaction() as session:
        member = await store.get_locked(session, suspended.member.id)
        standing.suspend(session, member, actor=other.member.id, now=now())
        if "withdrawn" in way:
            await consents.withdraw(session, member.id, "real_name_check", now=now())
        if "erased" in way:
            await leaving.forget(session, member, now=now())

    with pytest.raises(Suspended):
        await _check(services, other)

    kept = await _member(services, suspended)
    assert (kept.legal_name, kept.age_band, kept.real_name) == (None, None, "none")


async def test_what_only_a_ban_had_kept_goes_with_the_ban(services: Services) -> None:
    suspended, other = await _consenting(services), await _consenting(services, "+8613900139000")
    await _check(services, suspended)
    async with services.database.transaction() as session:
        member = await store.get_locked(session, suspended.member.id)
        standing.suspend(session, member, actor=other.member.id, now=now())
        await consents.withdraw(session, member.id, "real_name_check", now=now())
        standing.restore(session, member, actor=other.member.id, now=now())

    assert (await _member(services, suspended)).identity_lookup is None
    assert await _check(services, other) == "checked"


async def test_by_appointment_nothing_is_kept_and_a_case_is_asked_for_once(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed = await _consenting(services)
    monkeypatch.setattr(type(services.realname), "by_appointment", True)
    monkeypatch.setattr(services.realname, "check", Appointment().check)

    assert await _check(services, signed) == "none"
    assert await _check(services, signed) == "none"

    member = await _member(services, signed)
    assert (member.real_name, member.legal_name, member.identity_lookup, member.tries) == ("none", None, None, 0)
    async with services.database.reading() as session:
        jobs = list(await session.scalars(select(Job.payload).where(Job.name == verifying.APPOINTMENT)))
    assert jobs == [{"member": signed.member.id}]


async def test_withdrawing_the_consent_ends_the_flag_and_all_that_was_kept(services: Services) -> None:
    signed = await _consenting(services)
    await _check(services, signed)

    async with services.database.transaction() as session:
        await consents.withdraw(session, signed.member.id, "real_name_check", now=now())

    member = await _member(services, signed)
    assert (member.real_name, member.real_name_at, member.legal_name) == ("none", None, None)
    assert (member.identity_lookup, member.age_band) == (None, None)
    assert member.display_name.startswith("邻居")


async def test_a_consent_withdrawn_while_the_maker_was_asked_keeps_nothing(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed = await _consenting(services)

    async def check(*_args: Any, **_options: Any) -> Result:
        async with services.database.transaction() as session:
            await consents.withdraw(session, signed.member.id, "real_name_check", now=now())
        return Result.MATCH

    monkeypatch.setattr(services.realname, "check", check)
    with pytest.raises(ConsentNeeded):
        await _check(services, signed)

    assert (await _member(services, signed)).legal_name is None
