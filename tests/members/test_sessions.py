"""Sessions: how they end, what they remember, how they are confirmed."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from mutualaid.kit.clock import now
from mutualaid.kit.errors import NotFound
from mutualaid.kit.phones import Phone
from mutualaid.members import codes, jobs, sessions, standing, store
from mutualaid.members.errors import CodeWrong
from mutualaid.members.records import Member, SessionRow, Status
from mutualaid.members.signing_in import SignedIn
from mutualaid.services import Services
from tests.members.people import a_member, asked
from tests.moments import Clock


async def _stepped_up(services: Services, token: str) -> bool:
    caller = await sessions.authenticate(services, token)
    assert caller is not None
    return caller.stepped_up


async def test_a_token_names_its_member_and_another_token_nobody(services: Services) -> None:
    signed = await a_member(services)

    caller = await sessions.authenticate(services, signed.token)

    assert caller is not None
    assert (caller.id, caller.role, caller.real_name, caller.suspended) == (signed.member.id, "member", "none", False)
    assert caller.has_phone and not caller.may_post and caller.session_id == signed.session.id
    assert await sessions.authenticate(services, signed.token + "x") is None
    assert await sessions.authenticate(services, "") is None


async def test_the_token_is_not_in_the_database_and_the_caller_tells_no_ids(services: Services) -> None:
    signed = await a_member(services)
    caller = await sessions.authenticate(services, signed.token)

    async with services.database.reading() as session:
        row = (await session.scalars(select(SessionRow))).one()

    assert signed.token.encode() not in row.token_hash and len(row.token_hash) == 32
    assert signed.token not in repr(signed)
    assert signed.member.id not in repr(caller) and signed.session.id not in repr(caller)


async def test_an_idle_session_ends_after_fourteen_days(services: Services, clock: Clock) -> None:
    signed = await a_member(services)

    clock.advance(days=13, hours=23)
    assert await sessions.authenticate(services, signed.token) is not None
    clock.advance(days=13, hours=23)
    assert await sessions.authenticate(services, signed.token) is not None

    clock.advance(days=14)
    assert await sessions.authenticate(services, signed.token) is None


async def test_a_session_in_daily_use_still_ends_after_ninety_days(services: Services, clock: Clock) -> None:
    signed = await a_member(services)

    for _ in range(8):
        clock.advance(days=11)
        assert await sessions.authenticate(services, signed.token) is not None
    clock.advance(days=2)

    assert await sessions.authenticate(services, signed.token) is None


async def test_being_seen_is_written_at_most_once_an_hour(services: Services, clock: Clock) -> None:
    signed = await a_member(services)
    began = clock.now

    async def seen() -> timedelta:
        await sessions.authenticate(services, signed.token)
        async with services.database.reading() as session:
            row = (await session.scalars(select(SessionRow))).one()
        return row.last_seen_at - began

    clock.advance(minutes=59)
    assert await seen() == timedelta()
    clock.advance(minutes=2)
    assert await seen() == timedelta(minutes=61)


async def test_what_expires_at_says_is_when_the_unused_token_dies(services: Services, clock: Clock) -> None:
    signed = await a_member(services)
    end = sessions.expires_at(signed.session)

    clock.set(end - timedelta(seconds=1))
    found = await store.principal_row(services.database, sessions.hash_of(signed.token))
    assert found is not None
    clock.set(end)

    assert await sessions.authenticate(services, signed.token) is None


async def test_a_member_ends_one_of_their_sessions_but_nobody_elses(services: Services) -> None:
    mine, also_mine = await a_member(services), await a_member(services)
    theirs = await a_member(services, "+8613900139000")

    async with services.database.transaction() as session:
        await sessions.end(session, mine.session.id, member_id=mine.member.id, now=now())
    with pytest.raises(NotFound):
        async with services.database.transaction() as session:
            await sessions.end(session, theirs.session.id, member_id=mine.member.id, now=now())

    assert await sessions.authenticate(services, mine.token) is None
    assert await sessions.authenticate(services, also_mine.token) is not None
    assert await sessions.authenticate(services, theirs.token) is not None


async def test_signing_out_everywhere_ends_all_of_ones_own(services: Services) -> None:
    mine = [await a_member(services) for _ in range(3)]
    theirs = await a_member(services, "+8613900139000")

    async with services.database.transaction() as session:
        await sessions.end_all(session, mine[0].member.id, actor=mine[0].member.id, now=now())

    assert [await sessions.authenticate(services, signed.token) for signed in mine] == [None] * 3
    assert await sessions.authenticate(services, theirs.token) is not None


async def test_the_twenty_first_session_ends_the_oldest(services: Services, clock: Clock) -> None:
    first = await a_member(services)
    for _ in range(19):
        clock.advance(seconds=1)
        await a_member(services)
    assert await sessions.authenticate(services, first.token) is not None

    clock.advance(seconds=1)
    await a_member(services)

    assert await sessions.authenticate(services, first.token) is None
    async with services.database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(SessionRow)) == 20


async def test_a_doorkeeper_remembers_for_reading_and_forgets_when_the_bell_rings(services: Services) -> None:
    signed = await a_member(services)
    async with sessions.watching(services) as keeper:
        assert await keeper.authenticate(signed.token, fresh=False) is not None
        async with services.database.transaction() as session:
            await session.execute(update(Member).values(role="admin"))  # behind the room's back: no bell

        remembered = await keeper.authenticate(signed.token, fresh=False)
        read = await keeper.authenticate(signed.token, fresh=True)
        assert remembered is not None and remembered.role == "member"
        assert read is not None and read.role == "admin"

        async with services.database.transaction() as session:
            await sessions.end_all(session, signed.member.id, actor=None, now=now())
        assert await keeper.authenticate(signed.token, fresh=False) is None


async def test_a_doorkeeper_without_bells_forgets_within_a_second(services: Services) -> None:
    signed = await a_member(services)
    moment = 1000.0
    keeper = sessions.Doorkeeper(services, monotonic=lambda: moment)
    assert await keeper.authenticate(signed.token, fresh=False) is not None
    async with services.database.transaction() as session:
        await sessions.end_all(session, signed.member.id, actor=None, now=now())

    assert await keeper.authenticate(signed.token, fresh=False) is not None
    moment = 1001.0
    assert await keeper.authenticate(signed.token, fresh=False) is None


async def test_a_doorkeeper_does_not_remember_what_a_bell_overtook(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed = await a_member(services)
    keeper = sessions.Doorkeeper(services)
    authenticate = sessions.authenticate

    async def slow(services: Services, token: str, *, seen: bool) -> object:
        found = await authenticate(services, token, seen=seen)
        await keeper.forget()  # it rings after the row was read and before it is remembered
        return found

    monkeypatch.setattr(sessions, "authenticate", slow)
    await keeper.authenticate(signed.token, fresh=False)
    monkeypatch.undo()
    async with services.database.transaction() as session:
        await session.execute(update(Member).values(role="admin"))

    caller = await keeper.authenticate(signed.token, fresh=False)
    assert caller is not None and caller.role == "admin"


async def test_a_doorkeepers_memory_is_bounded(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "_REMEMBERED", 2)
    keeper = sessions.Doorkeeper(services)
    signed = [await a_member(services) for _ in range(4)]

    for one in signed:
        assert await keeper.authenticate(one.token, fresh=False) is not None

    assert len(keeper._seen) == 2


@pytest.mark.parametrize("status", [Status.ERASING, Status.ERASED])
async def test_a_member_marked_for_erasure_is_gone_at_once(services: Services, status: Status) -> None:
    signed = await a_member(services)

    async with services.database.transaction() as session:
        await session.execute(update(Member).values(status=status.value))

    assert await sessions.authenticate(services, signed.token) is None


async def _confirm(services: Services, signed: SignedIn, phone: str = "+8613800138000") -> SessionRow:
    challenge, code = await asked(services, phone)
    proof = await codes.prove(services, challenge, code, now=now())
    async with services.database.transaction() as session:
        return await sessions.step_up(session, signed.session.id, proof, member_id=signed.member.id, now=now())


async def test_a_young_session_counts_as_stepped_up_and_an_older_one_needs_a_code(
    services: Services, clock: Clock
) -> None:
    signed = await a_member(services)
    assert await _stepped_up(services, signed.token)

    clock.advance(minutes=10)
    assert not await _stepped_up(services, signed.token)
    await _confirm(services, signed)
    assert await _stepped_up(services, signed.token)

    clock.advance(minutes=10)
    assert not await _stepped_up(services, signed.token)


async def test_staff_are_stepped_up_for_eight_hours(services: Services, clock: Clock) -> None:
    signed = await a_member(services)
    async with services.database.transaction() as session:
        await standing.promote(session, Phone("+8613800138000"), "moderator", actor=None, now=now())
    clock.advance(hours=1)

    await _confirm(services, signed)
    clock.advance(hours=7, minutes=59)
    assert await _stepped_up(services, signed.token)
    clock.advance(minutes=1)
    assert not await _stepped_up(services, signed.token)


async def test_the_code_of_another_phone_confirms_nothing(services: Services, clock: Clock) -> None:
    signed = await a_member(services)
    clock.advance(minutes=10)

    with pytest.raises(CodeWrong):
        await _confirm(services, signed, "+8613900139000")

    assert not await _stepped_up(services, signed.token)


async def test_one_session_stepped_up_leaves_the_others_as_they_were(services: Services, clock: Clock) -> None:
    one, other = await a_member(services), await a_member(services)
    clock.advance(minutes=10)

    await _confirm(services, one)

    assert await _stepped_up(services, one.token)
    assert not await _stepped_up(services, other.token)


async def test_the_sweep_takes_ended_sessions_only(services: Services, clock: Clock) -> None:
    await a_member(services)
    clock.advance(days=14)
    kept = await a_member(services)

    await jobs.sweep(services, {}, now=now())

    async with services.database.reading() as session:
        assert list(await session.scalars(select(SessionRow.id))) == [kept.session.id]
