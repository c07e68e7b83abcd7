"""What the worker does for matches."""

from datetime import datetime

from mutualaid.catalogue import snapshot
from mutualaid.kit import outbox
from mutualaid.matching import ending, looking, proposing, store
from mutualaid.posts import actions as posts
from mutualaid.posts import store as posts_store
from mutualaid.posts.rules import AGREED_DEFERS_EXPIRY
from mutualaid.services import Services


async def on_post_changed(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """A post is there, or something of it is free again: look for counterparts, and propose what fits."""
    catalogue = await snapshot.current(services.database)
    async with services.database.reading() as session:
        others = await looking.look(session, payload["post"], catalogue=catalogue, now=now)
    if others:
        async with services.database.transaction() as session:
            await proposing.propose(session, payload["post"], others, catalogue=catalogue, now=now)


async def on_post_ended(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """A post is over: its live matches are withdrawn, what they held of other posts is free again."""
    async with services.database.transaction() as session:
        await ending.withdraw_all(session, payload["post"], now=now)


async def on_post_due(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """A post's time has come: it expires, unless it was ended or prolonged; an open agreed match defers it for a day."""
    async with services.database.transaction() as session:
        post = await posts_store.get(session, payload["post"])
        if post is None or post.ended or post.until > now:
            return
        last = post.until + AGREED_DEFERS_EXPIRY
        if now < last and await store.has_agreed(session, post.id):
            key = f"post.due:{post.id}:{last.isoformat()}"
            await outbox.enqueue(session, "post.due", {"post": post.id}, at=last, key=key)
        else:
            await posts.expire(session, post, now=now)


async def on_match_due(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """A proposal's time has come."""
    async with services.database.transaction() as session:
        await ending.lapse(session, payload["match"], now=now)
