"""What the worker does for matches."""

from datetime import datetime

from mutualaid.catalogue import snapshot
from mutualaid.kit import outbox
from mutualaid.matching import ending, repairing, store, sweeping
from mutualaid.posts import actions as posts
from mutualaid.posts import store as posts_store
from mutualaid.posts.rules import AGREED_DEFERS_EXPIRY
from mutualaid.services import Services


async def on_post_changed(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """A post is there, or something of it is free again, or it asks for something else: what is proposed round it is put
    right."""
    catalogue = await snapshot.current(services.database)
    await repairing.repair(services.database, payload["post"], catalogue=catalogue, now=now)


async def on_post_hidden(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """A post is out of sight: what nobody has accepted goes to others."""
    async with services.database.transaction() as session:
        await ending.withdraw_unaccepted(session, payload["post"], because="post_hidden", now=now)


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
            key = f"{post.id}:post.due:{last.isoformat()}"
            await outbox.enqueue(session, "post.due", {"post": post.id}, at=last, key=key)
            for match_id in await store.agreed_of(session, post.id):
                await outbox.enqueue(session, "match.unrecorded", {"match": match_id, "post": post.id}, at=now)
        else:
            await posts.expire(session, post, now=now)


async def on_match_due(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """A proposal's time has come."""
    async with services.database.transaction() as session:
        await ending.lapse(session, payload["match"], now=now)


async def announce_sweeps(services: Services, _payload: dict[str, str], *, now: datetime) -> None:
    """Each market is swept by whichever worker claims it."""
    await sweeping.announce(services, await snapshot.current(services.database), now=now)


async def on_sweep(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """One market."""
    catalogue = await snapshot.current(services.database)
    if not await sweeping.sweep(services, catalogue, payload["items"].split(","), now=now):
        key = f"match.sweep:{payload['items'].split(',')[0]}"
        async with services.database.transaction() as session:
            await outbox.enqueue(session, "match.sweep", payload, at=now, key=key, lane=outbox.SEEKING, again=True)
