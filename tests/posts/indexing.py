"""An index over a test's database, however small, and made anew when a test says so."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mutualaid.posts.index.feed import feed_of
from mutualaid.posts.index.follower import Follower
from mutualaid.services import Services


def no_word_of_memory() -> int | None:
    return None


@asynccontextmanager
async def indexed(services: Services) -> AsyncIterator[Follower]:
    """A follower that nobody drives, with an index from the start."""
    waits = services.database.dialect == "postgresql"
    follower = Follower(feed_of(services.database), least=0, free=no_word_of_memory, waits=waits)
    try:
        await fill(follower)
        yield follower
    finally:
        await follower.close()


async def fill(follower: Follower) -> None:
    """An index of what stands, be it ever so little."""
    await follower.caught_up()
    follower._begin(None)
    await made(follower)


async def renew(follower: Follower) -> None:
    """What stands becomes the base, the tail is empty."""
    standing = await follower.caught_up()
    assert standing is not None
    follower._begin(standing)
    await made(follower)
    after = await follower.caught_up()
    assert after is not None and after is not standing and len(after) == len(standing)


async def made(follower: Follower) -> None:
    """Waits for the index under way."""
    assert follower._making is not None
    await asyncio.wait([follower._making])
    assert follower._made is not None
    assert await follower.caught_up() is not None
