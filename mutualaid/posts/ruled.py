"""What a moderator's ruling does to a post besides closing, hiding and restoring it."""

from datetime import datetime

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.kit import audit
from mutualaid.posts import actions
from mutualaid.posts.records import Post, Report


async def approve(session: AsyncSession, post: Post, *, actor: str, now: datetime) -> None:
    """Its words are fine: a hidden one is shown again, and stays so unless the note is changed. An ended one stays ended."""
    post.note_approved = True
    audit.note(session, actor=actor, deed="post.approved", subject=post.id, now=now)
    if post.state == "hidden":
        await actions.restore(session, post, actor=actor, now=now)


async def settle_reports(session: AsyncSession, post: Post, *, now: datetime) -> None:
    """The reports so far are ruled on: they count no longer towards hiding the post."""
    standing = (Report.post_id == post.id, Report.ruled_at.is_(None))
    await session.execute(update(Report).where(*standing).values(ruled_at=now))
