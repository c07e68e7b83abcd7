"""Leaving for good: what this room holds of a member goes with the deed; the sealed rest goes with the data key."""

from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.kit import audit
from mutualaid.members import anchors, blocks, consents, sessions
from mutualaid.members.consent_texts import PURPOSES
from mutualaid.members.records import Member, Status

BAN_KEPT = timedelta(days=365)
NOBODY = "已注销成员"


async def forget(session: AsyncSession, member: Member, *, now: datetime) -> None:
    """End the sessions, take back the consents, destroy the points, empty the row; the member reads as erased.

    Only of somebody who was suspended does the HMAC of the ID number stay, for `BAN_KEPT`, so that a ban is not left by
    erasing oneself. `member` is locked by the caller.
    """
    banned = member.status == Status.SUSPENDED.value
    for purpose in PURPOSES:
        await consents.withdraw(session, member.id, purpose, now=now)
    await anchors.destroy_anchors(session, member.id)
    await blocks.forget(session, member.id)
    await sessions.end_all(session, member.id, actor=member.id, now=now)
    identity = member.identity_lookup
    member.phone = member.phone_lookup = member.openid = member.openid_lookup = member.unionid = None
    member.legal_name = member.age_band = None
    member.identity_lookup = identity if banned else None
    member.real_name, member.real_name_at = "none", None
    member.display_name = NOBODY
    member.role = "member"
    member.status, member.left_at = Status.ERASING.value, now
    audit.note(session, actor=member.id, deed="member.erased", subject=member.id, now=now)


async def finished(session: AsyncSession, member_id: str, *, now: datetime) -> None:
    """The data key is destroyed: nothing of the member can be read any more."""
    done = await session.scalars(
        update(Member)
        .where(Member.id == member_id, Member.status == Status.ERASING.value)
        .values(status=Status.ERASED.value)
        .returning(Member.id)
        .execution_options(synchronize_session=False)
    )
    if done.first() is not None:
        audit.note(session, actor=None, deed="member.key_destroyed", subject=member_id, now=now)


async def waiting(session: AsyncSession) -> list[str]:
    """Members whose erasure was committed and whose key may still be there."""
    return list(await session.scalars(select(Member.id).where(Member.status == Status.ERASING.value)))


async def forget_old_bans(session: AsyncSession, *, now: datetime) -> None:
    """Daily: the look-up of an erased member's ID number goes after a year."""
    old = (Member.left_at <= now - BAN_KEPT, Member.identity_lookup.is_not(None))
    await session.execute(update(Member).where(*old).values(identity_lookup=None))
