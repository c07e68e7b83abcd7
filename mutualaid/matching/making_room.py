"""Proposals that nobody has accepted give way: to two who agree, and to an author who asks for less or has less."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.matching import ending, reserving, store
from mutualaid.matching.records import OPEN, Match, WithdrawnBecause
from mutualaid.matching.store import Pair
from mutualaid.posts.records import PostLine


async def for_agreement(session: AsyncSession, pair: Pair, *, now: datetime) -> None:
    """What two agree on, and what nothing was kept for, is taken from proposals around, the newest first."""
    wanted = reserving.amounts(pair.match.lines)
    lines = {line.id: line for post in (pair.need, pair.offer) for line in post.lines}
    await _until_it_fits(session, pair.around, lines, wanted, because="rerouted", now=now)


async def for_less(
    session: AsyncSession, post_id: str, quantities: Mapping[str, int], *, by: str, now: datetime
) -> None:
    """The author is about to post these quantities (by line): what no longer fits is withdrawn, what somebody has accepted
    last. What was agreed on stays. Locks the post and all that are proposed to it."""
    kept = Match.state.in_(OPEN) & Match.reserved
    open_ones = await store.lock_live(session, store.of_post(post_id), store.of_member(by), kept, also=[post_id])
    if not open_ones or open_ones[0].post(post_id).author_id != by:
        return
    lines = {line.id: line for line in open_ones[0].post(post_id).lines}
    more = {
        line_id: max(0, lines[line_id].quantity - quantity)
        for line_id, quantity in quantities.items()
        if line_id in lines
    }
    unaccepted_first = sorted(open_ones, key=_given_up)
    await _until_it_fits(session, unaccepted_first, lines, more, because="amended", now=now)


def _given_up(pair: Pair) -> tuple[int, float]:
    """What goes first: what nobody has accepted, the newest of it."""
    return len(pair.match.accepted_by), -pair.match.proposed_at.timestamp()


async def _until_it_fits(
    session: AsyncSession,
    pairs: Iterable[Pair],
    lines: Mapping[str, PostLine],
    wanted: Mapping[str, int],
    *,
    because: WithdrawnBecause,
    now: datetime,
) -> None:
    for pair in pairs:
        short = {line_id for line_id, amount in wanted.items() if amount > lines[line_id].spare}
        if not short:
            return
        if short & set(reserving.amounts(pair.match.lines)):
            await ending.give_way(session, pair, because=because, now=now)
