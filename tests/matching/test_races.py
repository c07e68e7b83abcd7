"""Everybody at once: what is there is promised once, on both databases."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Sequence

import pytest

from mutualaid.kit.database import Database
from mutualaid.kit.errors import AidError
from mutualaid.matching.records import Match
from mutualaid.posts.records import Post
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


async def test_workers_that_look_at_once_propose_each_pair_once_and_no_more_than_there_is(crowded: Street) -> None:
    needs = [await crowded.need() for _ in range(4)]
    offers = [await crowded.offer(quantity=6) for _ in range(3)]

    await asyncio.gather(*(crowded.propose(post) for post in (*needs, *offers, *needs)))
    await _all_is_kept_once(crowded, needs, offers)
    for post in needs:  # one that saw what another was about to change has left it; the next look mends it
        await crowded.propose(post)

    assert await _all_is_kept_once(crowded, needs, offers) == 16


async def _all_is_kept_once(crowded: Street, needs: Sequence[Post], offers: Sequence[Post]) -> int:
    """How much is proposed: each pair once, and each line keeps what its proposals say."""
    proposals = {match.id: match for need in needs for match in await crowded.proposals(need)}.values()
    pairs = Counter(match.post_ids for match in proposals)
    assert set(pairs.values()) == {1}
    for post in (*needs, *offers):
        kept = sum(line.quantity for match in proposals if post.id in match.post_ids for line in match.lines)
        line = (await crowded.post(post)).lines[0]
        assert line.proposed == kept <= line.remaining
    return sum(line.quantity for match in proposals for line in match.lines)


async def test_an_agreement_and_a_look_at_once_keep_both_lines_right(crowded: Street) -> None:
    for _ in range(8):
        wished, other = await crowded.need(quantity=3), await crowded.need(quantity=3)
        offer = await crowded.offer(quantity=4)
        pledge = await crowded.pledge(offer, wished, 3)

        outcome, _ = await asyncio.gather(_outcome(crowded.accept(pledge, offer.author_id)), crowded.propose(other))

        line = (await crowded.post(offer)).lines[0]
        assert outcome in ("agreed", "quantity_gone")
        assert line.held == (3 if outcome == "agreed" else 0) and line.held + line.proposed <= 4
