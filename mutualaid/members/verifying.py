"""The real-name check: a name and an ID number are compared once by the maker, outside any transaction.

The ID number lives in these calls only. What stays of a match: the sealed name, an HMAC of the number, an age band. One
person may hold two accounts (one by phone, one by WeChat) until they are joined, but nobody gets round a suspension so.
"""

from datetime import date, datetime, time, timedelta
from typing import Final

from sqlalchemy import case, or_, update
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.kit import audit, clock, outbox, sealing
from mutualaid.kit.database import ring_after_commit
from mutualaid.kit.errors import ProviderUnavailable
from mutualaid.kit.limits import LimiterUnavailable
from mutualaid.members import identity, pacing, rules, store
from mutualaid.members.errors import (
    RealNameMismatch,
    RealNameTriesUsed,
    RealNameUnsupported,
    Suspended,
    UnderAge,
)
from mutualaid.members.identity import Identity
from mutualaid.members.needs import require_consents
from mutualaid.members.records import PRESENT, Member, Status
from mutualaid.members.rules import RealName
from mutualaid.members.sessions import BELL
from mutualaid.providers.realname import Result
from mutualaid.services import Services

APPOINTMENT: Final = "members.appointment_asked"


async def check_real_name(
    services: Services, member_id: str, name: str, identity_number: Identity, *, now: datetime
) -> RealName:
    """`checked` when the maker says so. Under `appointment` nothing is kept: a case is asked for and the state stays.

    Raises `ConsentNeeded`, `UnderAge`, `RealNameTriesUsed`, `RealNameMismatch`, `RealNameUnsupported`, `Suspended`, or
    what the maker raises when it does not answer, which costs no try.
    """
    async with services.database.reading() as session:
        await require_consents(session, member_id, ["real_name_check"])
    today = clock.today(now)
    age = identity.age_on(identity_number.birth, today)
    if identity.age_band(age) == "under_14":
        raise UnderAge
    if services.realname.by_appointment:
        return await _ask_for_appointment(services, member_id, now=now)
    result = await _compare(services, member_id, name, identity_number, today=today, now=now)
    if result is Result.UNSUPPORTED:
        raise RealNameUnsupported
    if result is Result.DAILY_LIMIT:
        raise RealNameTriesUsed(retry_after=_until_tomorrow(now))
    if result is not Result.MATCH:
        raise RealNameMismatch
    await _keep(services, member_id, name, identity_number, band=identity.age_band(age), now=now)
    return "checked"


async def _ask_for_appointment(services: Services, member_id: str, *, now: datetime) -> RealName:
    async with services.database.transaction() as session:
        member = await store.get_locked(session, member_id)
        state: RealName = member.real_name  # type: ignore[assignment] # the column holds one of the three
        if state == "none":
            audit.note(session, actor=member_id, deed="real_name.appointment_asked", subject=member_id, now=now)
            payload = {"member": member_id}
            await outbox.enqueue(session, APPOINTMENT, payload, at=now, key=f"{APPOINTMENT}:{member_id}")
    return state


async def _compare(
    services: Services, member_id: str, name: str, identity_number: Identity, *, today: date, now: datetime
) -> Result:
    """Take one of the day's tries, ask the maker, give the try back if the maker did not answer."""
    async with services.database.transaction() as session:
        await _take_try(session, member_id, today=today, now=now)
    try:
        return await _ask_maker(services, member_id, name, identity_number.normalised, today=today, now=now)
    except (ProviderUnavailable, LimiterUnavailable):
        async with services.database.transaction() as session:
            await session.execute(
                update(Member)
                .where(Member.id == member_id, Member.tries_on == today, Member.tries > 0)
                .values(tries=Member.tries - 1)
                .execution_options(synchronize_session=False)
            )
            audit.note(session, actor=member_id, deed="real_name.unanswered", subject=member_id, now=now)
        raise


async def _ask_maker(
    services: Services, member_id: str, name: str, number: str, *, today: date, now: datetime
) -> Result:
    """Ask unless this number has had its wrong guesses of the day, by whichever accounts."""
    if not await pacing.for_identity_number(services, number, today=today):
        raise RealNameTriesUsed(retry_after=_until_tomorrow(now))
    # One question a day about one identity has one key, so that a time-out and its repetition are billed once.
    question = "\n".join((member_id, name, number, today.isoformat()))
    key = sealing.lookup(services.ring, "real_name_question", question).hex()
    try:
        result = await services.realname.check(name, number, key=key)
    except ProviderUnavailable:
        await pacing.no_wrong_guess(services, number, today=today)
        raise
    if result is Result.MATCH:
        await pacing.no_wrong_guess(services, number, today=today)
    return result


async def _take_try(session: AsyncSession, member_id: str, *, today: date, now: datetime) -> None:
    """Decided in the statement: of any number at once, `REAL_NAME_TRIES` a day get through."""
    another_day = or_(Member.tries_on.is_(None), Member.tries_on != today)
    taken = await session.execute(
        update(Member)
        .where(
            Member.id == member_id,
            Member.status.in_(PRESENT),
            or_(another_day, Member.tries < rules.REAL_NAME_TRIES),
        )
        .values(tries=case((another_day, 1), else_=Member.tries + 1), tries_on=today)
        .returning(Member.tries)
        .execution_options(synchronize_session=False)
    )
    row = taken.first()
    if row is None:
        await store.get(session, member_id)
        raise RealNameTriesUsed(retry_after=_until_tomorrow(now))
    audit.note(session, actor=member_id, deed="real_name.tried", subject=member_id, now=now, facts={"try": row.tries})


def _until_tomorrow(now: datetime) -> int:
    """Seconds until the next Shanghai day."""
    local = now.astimezone(clock.SHANGHAI)
    midnight = datetime.combine(local.date() + timedelta(days=1), time(), clock.SHANGHAI)
    return int((midnight - local).total_seconds()) + 1


async def _keep(
    services: Services, member_id: str, name: str, identity_number: Identity, *, band: str, now: datetime
) -> None:
    key = await services.keys.get(member_id)
    async with services.database.transaction() as session:
        await store.take_identity_turn(session, identity_number.normalised)
        member = await store.get_locked(session, member_id)
        await require_consents(session, member_id, ["real_name_check"])  # withdrawn while the maker was asked
        if await store.someone_banned_is(session, identity_number.normalised, but=member_id):
            raise Suspended
        member.legal_name = sealing.seal(key, name, table=Member.__tablename__, column="legal_name", row=member_id)
        member.identity_lookup = sealing.lookup(services.ring, store.IDENTITY, identity_number.normalised)
        member.age_band = band
        member.display_name = rules.masked_name(name)
        set_real_name(session, member, "checked", actor=member_id, now=now)


async def end_real_name(session: AsyncSession, member_id: str, *, actor: str, now: datetime) -> None:
    """The flag ends, and with it all that was kept of the check: of the suspended all but the HMAC of the number.

    Else a ban would be left by withdrawing a consent; it goes when the suspension does (`standing.restore`).
    """
    member = await store.get_locked(session, member_id)
    if member.real_name == "none":
        return
    member.legal_name = member.age_band = None
    if member.status != Status.SUSPENDED.value:
        member.identity_lookup = None
    member.display_name = rules.neighbour_name(member_id)
    set_real_name(session, member, "none", actor=actor, now=now)


def set_real_name(session: AsyncSession, member: Member, how: RealName, *, actor: str, now: datetime) -> None:
    """The flag's one gate: row, audit, and the bell for whoever remembers the old one. Posts read the flag here."""
    member.real_name = how
    member.real_name_at = None if how == "none" else now
    audit.note(session, actor=actor, deed="member.real_name_set", subject=member.id, now=now, facts={"how": how})
    ring_after_commit(session, BELL)
