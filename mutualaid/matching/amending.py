"""Amending a post that is proposed to others: what no longer fits is withdrawn in the same transaction."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.matching import making_room
from mutualaid.members.records import Principal
from mutualaid.posts import actions as posts
from mutualaid.posts.drafts import PostAmendment
from mutualaid.posts.needs import consents_for_change, still_may
from mutualaid.posts.records import Post


async def amend(
    session: AsyncSession,
    post_id: str,
    change: PostAmendment,
    *,
    by: Principal,
    doubtful: bool,
    catalogue: Catalogue,
    now: datetime,
) -> Post:
    """As `posts.actions.amend`. Less than what is proposed: proposals are withdrawn; less than what is held: 409."""
    await still_may(session, by.id, consents_for_change(change))  # the author is locked before any post
    if change.lines:
        quantities = {line.id: line.quantity for line in change.lines}
        await making_room.for_less(session, post_id, quantities, by=by.id, now=now)
    return await posts.amend(session, post_id, change, by=by, doubtful=doubtful, catalogue=catalogue, now=now)
