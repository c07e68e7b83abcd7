"""What the two sides are told of a match."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.matching.records import Match
from mutualaid.notices import actions as notices
from mutualaid.notices.rules import Subject
from mutualaid.posts.records import ENDED, Post
from mutualaid.posts.rules import Kind
from mutualaid.services import Services


async def on_proposed(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """`match.proposed`: whoever has not said yes yet is asked; after a pledge that is the other side."""
    async with services.database.transaction() as session:
        match = await session.get(Match, payload["match"])
        if match is None or match.state not in ("proposed", "accepted"):
            return
        for side, member_id in _sides(match):
            if side not in match.accepted_by:
                subject, params = Subject("match", match.id), {"side": side, "post": _post_of(match, side)}
                occasion = "pledged" if match.pledged else ""
                await notices.tell(
                    session, member_id, "proposed", subject=subject, params=params, occasion=occasion, now=now
                )


async def on_agreed(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """`match.agreed`: both hear of it, in a text message too."""
    async with services.database.transaction() as session:
        match = await session.get(Match, payload["match"])
        if match is None or match.state != "agreed":
            return
        for side, member_id in _sides(match):
            subject, params = Subject("match", match.id), {"post": _post_of(match, side)}
            await notices.tell(session, member_id, "agreed", subject=subject, params=params, now=now)


async def on_ended(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """`match.ended`: whoever had said yes hears of an end that was not their own doing; others had promised nothing."""
    async with services.database.transaction() as session:
        match = await session.get(Match, payload["match"])
        if match is None or match.live:
            return
        over = await _ended_posts(session, match)
        for side, member_id in _sides(match):
            post_id = _post_of(match, side)
            own_doing = side == match.closed_by or (match.state == "withdrawn" and post_id in over)
            if side in match.accepted_by and not own_doing:
                subject, params = Subject("match", match.id), {"state": match.state, "post": post_id}
                await notices.tell(session, member_id, "match_ended", subject=subject, params=params, now=now)


def _sides(match: Match) -> Iterable[tuple[Kind, str]]:
    yield "need", match.need_author_id
    yield "offer", match.offer_author_id


def _post_of(match: Match, side: Kind) -> str:
    return match.need_post_id if side == "need" else match.offer_post_id


async def _ended_posts(session: AsyncSession, match: Match) -> set[str]:
    return set(await session.scalars(select(Post.id).where(Post.id.in_(match.post_ids), Post.state.in_(ENDED))))
