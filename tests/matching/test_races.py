"""Everybody at once: what is there is promised once, on both databases."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable

import pytest

from mutualaid.kit.database import Database
from mutualaid.kit.errors import AidError
from mutualaid.matching.records import Match
from tests.matching.street import Street, amounts

BOX = "lianhua-qingwen"


@pytest.fixture
async def crowded(street: Street) -> AsyncIterator[Street]:
    """The same street through a pool that waits for its turn: the test is about rows, not about connections."""
    database = Database(street.database.url, street.database.keys, pool_timeout=60)
    yield Street(database, street.catalogue, street.now)
    await database.close()


async def _outcome(deed: Awaitable[Match]) -> str:
    try:
        return (await deed).state
    except AidError as refusal:
        return refusal.code


async def test_of_fifty_pledges_for_one_last_box_exactly_one_is_agreed(crowded: Street) -> None:
    offer = await crowded.offer(item=BOX, quantity=1)
    needs = [await crowded.need(item=BOX, quantity=1) for _ in range(50)]

    pledged = await asyncio.gather(*(crowded.pledge(offer, need, 1) for need in needs))
    outcomes = Counter(await asyncio.gather(*(_outcome(crowded.accept(m, offer.author_id)) for m in pledged)))

    assert outcomes == {"agreed": 1, "quantity_gone": 49}
    assert amounts(await crowded.post(offer)) == [(1, 1)]
    held = [amounts(await crowded.post(need))[0][1] for need in needs]
    assert sum(held) == 1


async def test_a_member_agrees_twice_at_once_and_the_cap_still_holds(crowded: Street) -> None:
    needer = await crowded.member()
    pledges = [
        await crowded.pledge(await crowded.need(by=needer, quantity=3), await crowded.offer(), 3) for _ in range(4)
    ]

    outcomes = Counter(await asyncio.gather(*(_outcome(crowded.accept(m, needer.id)) for m in pledges)))

    assert outcomes == {"agreed": 1, "need_cap_reached": 3}


async def test_both_sides_pledge_and_accept_at_once_and_one_match_comes_of_it(crowded: Street) -> None:
    pairs = [(await crowded.need(), await crowded.offer()) for _ in range(10)]

    for need, offer in pairs:
        await asyncio.gather(crowded.pledge(need, offer, 2), crowded.pledge(offer, need, 4))
        held = amounts(await crowded.post(need))[0][1]
        assert held in (2, 4) and amounts(await crowded.post(offer)) == [(12, held)]


async def test_two_workers_that_look_at_once_propose_a_pair_once(crowded: Street) -> None:
    needs = [await crowded.need() for _ in range(4)]
    offers = [await crowded.offer() for _ in range(4)]

    made = await asyncio.gather(*(crowded.propose(post) for post in (*needs, *offers, *needs)))

    pairs = Counter(match.post_ids for matches in made for match in matches)
    assert set(pairs.values()) == {1} and len(pairs) == 16
