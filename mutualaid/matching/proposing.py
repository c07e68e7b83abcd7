"""Proposals: rows that tell two members of each other. Nothing is reserved before both have agreed."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.kit import audit, clock, outbox
from mutualaid.kit.database import new_id
from mutualaid.matching import rules, store
from mutualaid.matching.records import Match, MatchLine
from mutualaid.matching.rules import PROPOSALS_A_NEED, Share, Side
from mutualaid.members import blocks
from mutualaid.posts import store as posts_store
from mutualaid.posts.records import Post


async def propose(
    session: AsyncSession, post_id: str, others: Sequence[str], *, catalogue: Catalogue, now: datetime
) -> list[Match]:
    """Propose this post to those, in their order. Everything is judged again under the locks: time has passed since."""
    posts = await posts_store.lock(session, [post_id, *others])
    sides = await store.sides(session, posts.values())
    if (mine := posts.get(post_id)) is None:
        return []
    apart = await blocks.pairs_blocked(session, mine.author_id)
    made = []
    for other in (posts[other_id] for other_id in others if other_id in posts):
        need, offer = (mine, other) if mine.kind == "need" else (other, mine)
        blocked = other.author_id in apart
        verdict = rules.judge(
            sides[need.id], sides[offer.id], blocked=blocked, find=catalogue.get, now=now, day_of=clock.today
        )
        if verdict.eligible and await _room(session, need.id, offer.id):
            made.append(await _propose(session, need, offer, sides, verdict.shares, now=now))
    return made


async def _room(session: AsyncSession, need_id: str, offer_id: str) -> bool:
    last = await store.latest(session, need_id, offer_id)
    if last is not None and last.state not in ("lapsed", "withdrawn"):
        return False
    return (await session.scalar(store.proposals(need_id)) or 0) < PROPOSALS_A_NEED


async def _propose(
    session: AsyncSession, need: Post, offer: Post, sides: dict[str, Side], shares: Sequence[Share], *, now: datetime
) -> Match:
    match = await new_match(session, need, offer, shares, until=_until(sides, need, offer, now), now=now)
    await session.flush()
    audit.note(session, actor=None, deed="match.proposed", subject=match.id, now=now, facts={"round": match.round})
    await tell(session, match, now=now)
    return match


def _until(sides: dict[str, Side], need: Post, offer: Post, now: datetime) -> datetime:
    return rules.stands_until(sides[need.id], sides[offer.id], now=now)


async def new_match(
    session: AsyncSession, need: Post, offer: Post, shares: Sequence[Share], *, until: datetime, now: datetime
) -> Match:
    """The pair's next round. The posts are locked by the caller, who has seen that none is live."""
    last = await store.latest(session, need.id, offer.id)
    match = Match(
        id=new_id(),
        need_post_id=need.id,
        offer_post_id=offer.id,
        need_author_id=need.author_id,
        offer_author_id=offer.author_id,
        round=last.round + 1 if last else 1,
        state="proposed",
        need_accepted=False,
        offer_accepted=False,
        pledged=False,
        proposed_at=now,
        expires_at=until,
        answered=False,
        disputed=False,
        lines=match_lines(shares),
    )
    session.add(match)
    return match


def match_lines(shares: Sequence[Share]) -> list[MatchLine]:
    return [
        MatchLine(
            id=new_id(),
            position=n,
            need_line_id=share.need_line,
            offer_line_id=share.offer_line,
            item=share.item,
            quantity=share.quantity,
            completed=0,
        )
        for n, share in enumerate(shares)
    ]


async def tell(session: AsyncSession, match: Match, *, now: datetime) -> None:
    """Both sides hear of it, and it lapses when its time is over."""
    await outbox.enqueue(session, "match.proposed", {"match": match.id}, at=now, lane=outbox.SEEKING)
    key = f"match.due:{match.id}:{match.expires_at.isoformat()}"
    await outbox.enqueue(session, "match.due", {"match": match.id}, at=match.expires_at, key=key)
