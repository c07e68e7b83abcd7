"""What authors are told of their posts."""

from datetime import datetime

from mutualaid.notices import actions as notices
from mutualaid.notices.rules import Subject
from mutualaid.posts.records import Post
from mutualaid.posts.rules import EXPIRY_WARNED
from mutualaid.services import Services

_BY_THE_HOUSE = ("urgent_review", "note_review", "reports")


async def on_expiring(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """`post.expiring`: its time is nearly over, unless it ended or was given more time meanwhile."""
    async with services.database.transaction() as session:
        post = await session.get(Post, payload["post"])
        if post is None or post.ended or not now < post.until <= now + EXPIRY_WARNED:
            return
        occasion = post.until.isoformat()
        subject = Subject("post", post.id)
        await notices.tell(session, post.author_id, "expiring", subject=subject, occasion=occasion, now=now)


async def on_unreachable(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """`post.unreachable`: neighbours called twice and nobody answered; does it still stand? Asked anew once confirmed."""
    async with services.database.transaction() as session:
        post = await session.get(Post, payload["post"])
        if post is None or post.state != "open":
            return
        occasion, subject = post.confirmed_at.isoformat(), Subject("post", post.id)
        await notices.tell(session, post.author_id, "unreachable", subject=subject, occasion=occasion, now=now)


async def on_ended(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """`post.ended`: its author hears of an end that was not their own doing. A moderator's close tells its reason itself."""
    async with services.database.transaction() as session:
        post = await session.get(Post, payload["post"])
        if post is None or payload.get("by") or post.state not in ("expired", "resolved"):
            return
        params = {"state": post.state}
        await notices.tell(session, post.author_id, "ended", subject=Subject("post", post.id), params=params, now=now)


async def on_hidden(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """`post.hidden`: for a review or by reports. A ruling that hides it tells its reason itself, so does a suspension."""
    if payload["by"] not in _BY_THE_HOUSE:
        return
    async with services.database.transaction() as session:
        post = await session.get(Post, payload["post"])
        if post is None or post.hidden_at is None or post.hidden_by != payload["by"]:
            return
        params, occasion = {"by": payload["by"]}, post.hidden_at.isoformat()
        subject = Subject("post", post.id)
        await notices.tell(
            session, post.author_id, "hidden", subject=subject, params=params, occasion=occasion, now=now
        )
