"""A process that asks for contacts as fast as it can: `python -m tests.faults.contact_asker PLAN`, settings from the environment.

PLAN is a JSON file of [asker, post] pairs. Prints what came of them: {"granted": n, "numbers_exhausted": n, …}.
"""

import asyncio
import json
import os
import sys
from collections import Counter
from pathlib import Path

from mutualaid.contacts import asking, ending, granting, store
from mutualaid.kit import clock
from mutualaid.kit.errors import AidError, Overloaded
from mutualaid.kit.settings import load
from mutualaid.services import Services
from mutualaid.wiring import open_services
from tests.contacts.town import principal

AT_ONCE = 8


async def one(services: Services, asker_id: str, post_id: str, *, keep: bool) -> str:
    """Ask, tell the provider; `keep` False: end the contact again, so that quarantine counts too."""
    asker = principal(asker_id)
    while True:
        try:
            prepared = await asking.prepare(services, post_id, "call", asker=asker)
            async with services.database.transaction() as session:
                pool, caps = services.numbers.pool, services.numbers.caps
                lease, new = await asking.ask(session, prepared, asker=asker, pool=pool, caps=caps, now=clock.now())
        except Overloaded:
            continue
        except AidError as refusal:
            return refusal.code
        break
    if not new:
        return "same"
    await granting.grant(services, lease.id, now=clock.now())
    if not keep:
        async with services.database.transaction() as session:
            await ending.release_one(session, lease.id, because="by_member", actor=asker_id, now=clock.now())
    async with services.database.reading() as session:
        found = await store.get(session, lease.id)
    return found.failed or found.state if found else "gone"


async def main(asked: list[tuple[str, str]]) -> None:
    turn = asyncio.Semaphore(AT_ONCE)
    async with open_services(load(os.environ)) as services:

        async def in_turn(n: int, asker: str, post: str) -> str:
            async with turn:
                return await one(services, asker, post, keep=n % 2 == 0)

        outcomes = Counter(await asyncio.gather(*(in_turn(n, *pair) for n, pair in enumerate(asked))))
    print(json.dumps(outcomes))


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text())))
