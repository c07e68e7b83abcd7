"""Rulings on members: suspended with all that is theirs, restored, vouched for."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.contacts import ending as contacts
from mutualaid.kit.errors import Forbidden
from mutualaid.kit.sealing import DataKey
from mutualaid.matching import ending as matching
from mutualaid.members import standing
from mutualaid.members import store as members
from mutualaid.members.records import Member, Principal, Status
from mutualaid.members.rules import STAFF
from mutualaid.moderation import cases, rulings, store
from mutualaid.moderation.errors import AlreadySuspended, NotSuspended, OwnRuling
from mutualaid.moderation.rules import SETTLES, MemberDeed
from mutualaid.moderation.wire import MemberRulingDraft
from mutualaid.notices import actions as notices
from mutualaid.notices.rules import Kind, Subject
from mutualaid.posts import actions as posts
from mutualaid.posts import store as posts_store

_TOLD: dict[MemberDeed, Kind] = {"suspend": "suspended", "restore": "unsuspended", "vouch": "vouched"}


async def rule(
    session: AsyncSession,
    member_id: str,
    deed: MemberDeed,
    draft: MemberRulingDraft,
    *,
    by: Principal,
    key: DataKey,
    now: datetime,
) -> Member:
    """Rule on a member; what it ends in other rooms is ended in this transaction.

    404; 403 `own_ruling`, and `forbidden` for a moderator who would rule on staff; 409 `case_claimed`,
    `already_suspended`, `not_suspended`.
    """
    await store.require_staff(session, by.id)
    member = await members.get_locked(session, member_id)
    if member.id == by.id:
        raise OwnRuling
    if member.role in STAFF and by.role != "admin":
        raise Forbidden
    suspended = member.status == Status.SUSPENDED.value
    if deed == "suspend" and suspended:
        raise AlreadySuspended
    if deed == "restore" and not suspended:
        raise NotSuspended
    if deed == "suspend":
        await _suspend(session, member, by=by.id, now=now)
    elif deed == "restore":
        await _restore(session, member, by=by.id, now=now)
    else:
        standing.vouch(session, member, actor=by.id, now=now)
    settled = await store.lock_of_member(session, member_id, SETTLES[deed])
    await cases.refuse_if_not_free(session, settled, by=by.id)
    ruling = await rulings.record(session, deed, draft, by=by, key=key, member_id=member_id, now=now)
    await rulings.settle(session, settled, ruling, now=now)
    params = {"reason": draft.reason} if deed == "suspend" else {}
    subject = Subject("member", member_id)
    await notices.tell(session, member_id, _TOLD[deed], subject=subject, params=params, occasion=ruling.id, now=now)
    await session.flush()
    return member


async def _suspend(session: AsyncSession, member: Member, *, by: str, now: datetime) -> None:
    """The member's row is locked, then posts, then leases: the order of the house."""
    standing.suspend(session, member, actor=by, now=now)
    await matching.withdraw_for_member(session, member.id, because="suspended", actor=by, now=now)
    for post in await posts_store.unfinished_of(session, member.id, "open"):
        await posts.hide(session, post, by="suspension", actor=by, now=now)
    await contacts.release_for_member(session, member.id, because="suspended", actor=by, now=now)


async def _restore(session: AsyncSession, member: Member, *, by: str, now: datetime) -> None:
    """What the suspension hid comes back; what was hidden for other reasons waits for its own ruling."""
    standing.restore(session, member, actor=by, now=now)
    await session.flush()
    for post in await posts_store.unfinished_of(session, member.id, "hidden"):
        if post.hidden_by == "suspension" and post.until > now:
            await posts.restore(session, post, actor=by, now=now)
