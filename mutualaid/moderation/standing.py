"""Rulings on members: suspended with all that is theirs, restored, vouched for."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.contacts import ending as contacts
from mutualaid.kit.errors import Forbidden
from mutualaid.kit.sealing import DataKey
from mutualaid.matching import ending as matching
from mutualaid.members import persons, standing
from mutualaid.members.records import Member, Principal, Status
from mutualaid.members.rules import STAFF
from mutualaid.moderation import cases, rulings, store
from mutualaid.moderation.errors import AlreadySuspended, NotSuspended
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
    """Rule on a member; what it ends in other rooms is ended in this transaction. A suspension, and its end, is for every
    account of the person: else they would go on by another.

    404; 403 `own_ruling`, and `forbidden` for a moderator who would rule on staff; 409 `case_claimed`,
    `already_suspended`, `not_suspended`.
    """
    await store.require_staff(session, by.id)
    accounts = await persons.lock(session, member_id)
    member = next(each for each in accounts if each.id == member_id)
    await cases.refuse_own(session, [each.id for each in accounts], by=by.id)
    concerned = [member] if deed == "vouch" else [each for each in accounts if each.status == member.status]
    if any(each.role in STAFF for each in concerned) and by.role != "admin":
        raise Forbidden
    suspended = member.status == Status.SUSPENDED.value
    if deed == "suspend" and suspended:
        raise AlreadySuspended
    if deed == "restore" and not suspended:
        raise NotSuspended
    if deed == "suspend":
        await _suspend(session, concerned, by=by.id, now=now)
    elif deed == "restore":
        await _restore(session, concerned, by=by.id, now=now)
    else:
        standing.vouch(session, member, actor=by.id, now=now)
    settled = await store.lock_of_members(session, [each.id for each in concerned], SETTLES[deed])
    await cases.refuse_if_not_free(session, settled, by=by.id)
    ruling = await rulings.record(session, deed, draft, by=by, key=key, member_id=member_id, now=now)
    await rulings.settle(session, settled, ruling, now=now)
    params = {"reason": draft.reason} if deed == "suspend" else {}
    for each in concerned:
        subject = Subject("member", each.id)
        await notices.tell(session, each.id, _TOLD[deed], subject=subject, params=params, occasion=ruling.id, now=now)
    await session.flush()
    return member


async def _suspend(session: AsyncSession, accounts: Sequence[Member], *, by: str, now: datetime) -> None:
    """The accounts' rows are locked, then posts, then leases: the order of the house."""
    ids = [account.id for account in accounts]
    for account in accounts:
        standing.suspend(session, account, actor=by, now=now)
    await matching.withdraw_for_members(session, ids, because="suspended", actor=by, now=now)
    for post in await posts_store.unfinished_of_all(session, ids, "open"):
        await posts.hide(session, post, by="suspension", actor=by, now=now)
    await contacts.release_for_members(session, ids, because="suspended", actor=by, now=now)


async def _restore(session: AsyncSession, accounts: Sequence[Member], *, by: str, now: datetime) -> None:
    """What the suspension hid comes back; what was hidden for other reasons waits for its own ruling."""
    for account in accounts:
        standing.restore(session, account, actor=by, now=now)
    await session.flush()
    for post in await posts_store.unfinished_of_all(session, [account.id for account in accounts], "hidden"):
        if post.hidden_by == "suspension" and post.until > now:
            await posts.restore(session, post, actor=by, now=now)
