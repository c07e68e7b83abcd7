"""Rulings on posts: close, hide, restore, approve. Each in one transaction with the cases it closes and who is told."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.contacts import ending as contacts
from mutualaid.kit.errors import NotFound
from mutualaid.kit.sealing import DataKey
from mutualaid.members import persons
from mutualaid.members.records import Member, Principal, Status
from mutualaid.moderation import cases, rulings, store
from mutualaid.moderation.errors import AuthorSuspended, PostNotHidden
from mutualaid.moderation.records import Ruling
from mutualaid.moderation.rules import PostDeed
from mutualaid.moderation.wire import PostRulingDraft
from mutualaid.notices import actions as notices
from mutualaid.notices.rules import Kind, Subject
from mutualaid.posts import actions as posts
from mutualaid.posts import ruled
from mutualaid.posts import store as posts_store
from mutualaid.posts.errors import PostNotOpen
from mutualaid.posts.records import Post


async def rule(
    session: AsyncSession,
    post_id: str,
    deed: PostDeed,
    draft: PostRulingDraft,
    *,
    by: Principal,
    key: DataKey,
    now: datetime,
) -> Post:
    """Rule on a post; no claim is needed. Approving, which changes nothing of an ended post, also closes its cases.

    `key`: the moderator's data key. 404; 403 `own_ruling`; 409 `case_claimed` under another's claim, `post_not_open`,
    `post_not_hidden`, `author_suspended`.
    """
    await store.require_staff(session, by.id)
    post = await posts_store.get(session, post_id)
    if post is None:
        raise NotFound
    await cases.refuse_own(session, await persons.ids_of(session, post.author_id), by=by.id)
    standing = await store.lock_of_post(session, post_id)
    await cases.refuse_if_not_free(session, standing, by=by.id)
    was_hidden = post.state == "hidden"
    ruling = await rulings.record(
        session, deed, draft, by=by, key=key, post_id=post_id, cut_contacts=draft.cut_contacts, now=now
    )
    await _do(session, post, ruling, now=now)
    if draft.cut_contacts:
        await contacts.release_for_post(session, post_id, because="ruling", actor=by.id, now=now)
    await ruled.settle_reports(session, post, now=now)
    await rulings.settle(session, standing, ruling, now=now)
    await _tell_author(session, post, ruling, was_hidden=was_hidden, now=now)
    await session.flush()
    return post


async def _do(session: AsyncSession, post: Post, ruling: Ruling, *, now: datetime) -> None:
    actor = ruling.moderator_id
    if ruling.deed == "close":
        await posts.close(session, post, actor=actor, now=now, facts={"reason": ruling.reason, "ruling": ruling.id})
    elif ruling.deed == "hide":
        await posts.hide(session, post, by="moderator", actor=actor, now=now)
    elif ruling.deed == "restore":
        await _may_return(session, post, now=now)
        await posts.restore(session, post, actor=actor, now=now)
    else:
        if post.state == "hidden":
            await _may_return(session, post, now=now)
        await ruled.approve(session, post, actor=actor, now=now)


async def _may_return(session: AsyncSession, post: Post, *, now: datetime) -> None:
    """Whether a post may be shown again: hidden, within its time, its author in good standing."""
    if post.ended or post.until <= now:
        raise PostNotOpen
    if post.state != "hidden":
        raise PostNotHidden
    status = await session.scalar(select(Member.status).where(Member.id == post.author_id))
    if status != Status.ACTIVE.value:
        raise AuthorSuspended


async def _tell_author(session: AsyncSession, post: Post, ruling: Ruling, *, was_hidden: bool, now: datetime) -> None:
    told: dict[str, Kind] = {"close": "closed", "hide": "hidden", "restore": "restored"}
    kind = told.get(ruling.deed, "restored" if was_hidden else None)
    if kind is None:
        return
    params = {"reason": ruling.reason} if kind in ("closed", "hidden") else {}
    subject = Subject("post", post.id)
    await notices.tell(session, post.author_id, kind, subject=subject, params=params, occasion=ruling.id, now=now)
