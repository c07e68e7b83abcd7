"""Proposals: rows that tell two members of each other. Who is proposed to whom is decided elsewhere, see `moving`."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.kit import audit, outbox
from mutualaid.kit.ids import row_id
from mutualaid.matching import store
from mutualaid.matching.records import Match, MatchLine
from mutualaid.matching.rules import Share
from mutualaid.posts.records import Post


async def new_match(
    session: AsyncSession,
    need: Post,
    offer: Post,
    shares: Sequence[Share],
    *,
    until: datetime,
    reserved: bool,
    now: datetime,
) -> Match:
    """The pair's next round. The posts are locked by the caller, who has seen that none is live."""
    last = await store.latest(session, need.id, offer.id)
    match = Match(
        id=row_id(),
        need_post_id=need.id,
        offer_post_id=offer.id,
        need_author_id=need.author_id,
        offer_author_id=offer.author_id,
        round=last.round + 1 if last else 1,
        state="proposed",
        need_accepted=False,
        offer_accepted=False,
        pledged=False,
        reserved=reserved,
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
            id=row_id(),
            position=n,
            need_line_id=share.need_line,
            offer_line_id=share.offer_line,
            item=share.item,
            quantity=share.quantity,
            completed=0,
        )
        for n, share in enumerate(shares)
    ]


def amounts(shares: Sequence[Share]) -> audit.Facts:
    """What the audit row says of them: each item's sum."""
    found: Counter[str] = Counter()
    for share in shares:
        found[share.item] += share.quantity
    return dict(found)


async def tell(session: AsyncSession, match: Match, *, now: datetime) -> None:
    """Both sides hear of it, and it lapses when its time is over."""
    for row in told_and_due(match.id, match.expires_at, now=now):
        await outbox.write(session, row)


def told_and_due(match_id: str, until: datetime, *, now: datetime) -> list[dict[str, Any]]:
    """The same as rows of jobs."""
    key = f"match.due:{match_id}:{until.isoformat()}"
    return [
        outbox.job("match.proposed", {"match": match_id}, at=now, lane=outbox.SEEKING),
        outbox.job("match.due", {"match": match_id}, at=until, key=key),
    ]
