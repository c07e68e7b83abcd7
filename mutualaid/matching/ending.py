"""How a match ends without a handover: declined, blocked, lapsed, withdrawn. What was held is free again at once."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import or_
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.kit import audit, outbox
from mutualaid.matching import reserving, store
from mutualaid.matching.records import OPEN, Match, WithdrawnBecause
from mutualaid.matching.store import Pair
from mutualaid.members import blocks, persons
from mutualaid.posts import actions as posts


async def decline(session: AsyncSession, match_id: str, *, by: str, now: datetime) -> Match:
    """No, thank you: this pair never returns."""
    pair = await store.lock_own(session, match_id, by)
    pair.match.still_open(now)
    await _decline(session, pair, by=by, now=now)
    return pair.match


async def _decline(session: AsyncSession, pair: Pair, *, by: str, now: datetime) -> None:
    reserving.let_go(pair)
    pair.match.decline(pair.match.side_of(by), now)
    await ended(session, pair, actor=by, why="declined", now=now)


async def block(session: AsyncSession, match_id: str, *, by: str, now: datetime) -> Match:
    """Nothing more with this person: every match between the two ends, whatever posts it is about."""
    match = await store.own(session, match_id, by)
    whom = match.counterpart(by)
    await blocks.block(session, by, whom, now)
    await end_between(session, by, whom, now=now)
    return await store.own(session, match_id, by)


async def end_between(session: AsyncSession, by: str, whom: str, *, now: datetime) -> None:
    """End what is live between two people, one of whom has blocked the other: open ones declined, agreed withdrawn."""
    ones, others = await persons.ids_of(session, by), await persons.ids_of(session, whom)
    for pair in await store.lock_live(session, store.of_both(ones, others)):
        if pair.match.state in OPEN:
            await _decline(session, pair, by=by, now=now)
        else:
            await _withdraw(session, pair, because="blocked", actor=by, now=now)
    await session.flush()


async def lapse(session: AsyncSession, match_id: str, *, now: datetime) -> None:
    """Its time is over, unless it was answered or prolonged meanwhile."""
    pair = await store.lock(session, match_id)
    if pair is not None and pair.match.state in OPEN and pair.match.expires_at <= now:
        await lapse_locked(session, pair, now=now)


async def lapse_locked(session: AsyncSession, pair: Pair, *, now: datetime) -> None:
    """The same for a match whose posts are locked already."""
    reserving.let_go(pair)
    pair.match.lapse(now)
    await ended(session, pair, actor=None, why="lapsed", now=now)


async def withdraw_all(session: AsyncSession, post_id: str, *, now: datetime) -> int:
    """A post has ended: its live matches with it. How many there were; doing it again finds none."""
    pairs = await store.lock_live(session, store.of_post(post_id))
    return await _withdraw_each(session, pairs, because="post_ended", actor=None, now=now)


async def withdraw_for_members(
    session: AsyncSession, member_ids: Collection[str], *, because: WithdrawnBecause, actor: str | None, now: datetime
) -> int:
    """Somebody is suspended, with all accounts of theirs, or erased: all their live matches end. How many there were.

    Locks their own unfinished posts too, in one order with the others': call it before the transaction locks any post
    itself.
    """
    also = await store.unfinished_posts(session, member_ids)
    theirs = or_(*(store.of_member(member_id) for member_id in member_ids))
    pairs = await store.lock_live(session, theirs, also=also)
    return await _withdraw_each(session, pairs, because=because, actor=actor, now=now)


async def withdraw_unaccepted(session: AsyncSession, post_id: str, *, because: WithdrawnBecause, now: datetime) -> int:
    """A post is out of sight: what nobody has accepted goes to others. How many there were."""
    pairs = [
        pair
        for pair in await store.lock_live(session, store.of_post(post_id), Match.state == "proposed")
        if pair.post(post_id).state != "open"
    ]
    return await _withdraw_each(session, pairs, because=because, actor=None, now=now)


async def _withdraw_each(
    session: AsyncSession, pairs: Sequence[Pair], *, because: WithdrawnBecause, actor: str | None, now: datetime
) -> int:
    for pair in pairs:
        await _withdraw(session, pair, because=because, actor=actor, now=now)
    await session.flush()
    return len(pairs)


async def _withdraw(
    session: AsyncSession, pair: Pair, *, because: WithdrawnBecause, actor: str | None, now: datetime
) -> None:
    reserving.let_go(pair)
    pair.match.withdraw(because, now)
    await ended(session, pair, actor=actor, why=because, now=now)


async def give_way(
    session: AsyncSession, pair: Pair, *, because: WithdrawnBecause, now: datetime, look: bool = True
) -> None:
    """A proposal is withdrawn for a better one, or for what its author wishes. `look`: its posts are looked at again."""
    reserving.let_go(pair)
    pair.match.withdraw(because, now)
    await ended(session, pair, actor=None, why=because, now=now, look=look)


async def ended(
    session: AsyncSession,
    pair: Pair,
    *,
    actor: str | None,
    why: str,
    now: datetime,
    facts: audit.Facts | None = None,
    look: bool = True,
) -> None:
    """What follows from every end: its audit row, word to whom it concerns, and another look for the posts that go on.

    A post whose own time was over and that only an agreement had kept is looked at by its clock instead.
    """
    match = pair.match
    said = {"why": why, **(facts or {})}
    audit.note(session, actor=actor, deed=f"match.{match.state}", subject=match.id, now=now, facts=said)
    if match.accepted_by or match.state != "withdrawn":  # where nobody had said yes, nobody waits
        await outbox.enqueue(session, "match.ended", {"match": match.id, "why": why}, at=now)
    for post in (pair.need, pair.offer):
        if post.ended:
            continue
        if post.until <= now:
            await outbox.enqueue(session, "post.due", {"post": post.id}, at=now)
        elif look:
            await posts.look_again(session, post.id, now=now)
