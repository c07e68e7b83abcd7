"""Two instances of the application on one database, and a real Valkey between them."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests import servers
from tests.harness import House, Person


@dataclass
class Two:
    """Two instances, and the cache between them."""

    here: House
    there: House
    valkey: servers.ValkeyServer


async def connected(two: Two) -> bool:
    return two.here.services.bells.connected and two.there.services.bells.connected


async def until(holds: Callable[[], Awaitable[bool]], patience_s: float = 20) -> None:
    async with asyncio.timeout(patience_s):
        while not await holds():  # noqa: ASYNC110 — what is waited for happens in another process and sets no event
            await asyncio.sleep(0.02)


def elsewhere(person: Person, house: House) -> Person:
    """The same person with the same token, at the other instance."""
    return Person(house, person.phone, person.token, person.id)
