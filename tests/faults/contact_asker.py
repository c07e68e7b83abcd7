"""A process that asks for contacts as fast as it can: `python -m tests.faults.contact_asker PLAN BOUND KEPT`.

PLAN is a JSON file of [asker, post] pairs. Prints what came of them: {"granted": n, "numbers_exhausted": n, …}. Each ask
is counted in the cache, as at a door; every BOUND-th goes all the way to the provider, the others end while they are asked
for; every KEPT-th stays. Settings from the environment.
"""

import asyncio
import json
import os
import sys
from collections import Counter
from pathlib import Path

from mutualaid.contacts import asking, ending, granting, store
from mutualaid.contacts.stock import Stock
from mutualaid.kit import clock
from mutualaid.kit.errors import AidError, Overloaded
from mutualaid.kit.limits import Rate
from mutualaid.kit.settings import load
from mutualaid.services import Services
from mutualaid.wiring import open_services
from tests.contacts.town import principal

AT_ONCE = 8
OFTEN = Rate(60, per_seconds=3600, burst=10_000)  # nobody is refused, and everybody owes something for a while


async def one(services: Services, asker_id: str, post_id: str, *, bound: bool, keep: bool) -> str:
    """Ask. `bound`: tell the provider. `keep` False: end the contact again, so that quarantine counts too."""
    asker = principal(asker_id)
    await services.limits.take("write", asker_id, rate=OFTEN)
    while True:
        try:
            prepared = await asking.prepare(services, post_id, "call", asker=asker)
            async with services.database.transaction() as session:
                stock = Stock.of(services)
                lease, new = await asking.ask(session, prepared, asker=asker, stock=stock, now=clock.now())
        except Overloaded:
            continue
        except AidError as refusal:
            return refusal.code
        break
    if not new:
        return "same"
    if bound:
        await granting.grant(services, lease.id, now=clock.now())
    if not keep:
        async with services.database.transaction() as session:
            await ending.release_one(session, lease.id, because="by_member", actor=asker_id, now=clock.now())
    async with services.database.reading() as session:
        found = await store.get(session, lease.id)
    return found.failed or found.state if found else "gone"


async def main(asked: list[tuple[str, str]], of_bound: int, of_kept: int) -> None:
    turn = asyncio.Semaphore(AT_ONCE)
    async with open_services(load(os.environ)) as services:

        async def in_turn(n: int, asker: str, post: str) -> str:
            async with turn:
                return await one(services, asker, post, bound=n % of_bound == 0, keep=n % of_kept == 0)

        outcomes = Counter(await asyncio.gather(*(in_turn(n, *pair) for n, pair in enumerate(asked))))
    print(json.dumps(outcomes))


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text()), int(sys.argv[2]), int(sys.argv[3])))
