"""What the worker does for posts."""

from datetime import datetime

from mutualaid.posts import actions, store
from mutualaid.services import Services


async def on_due(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """A post's time has come: it expires, unless it was ended or prolonged meanwhile."""
    async with services.database.transaction() as session:
        post = await store.get(session, payload["post"])
        if post is not None and not post.ended and post.until <= now:
            await actions.expire(session, post, now=now)
