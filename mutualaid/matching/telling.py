"""What the two sides are told of a match."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.kit.plain import plain_of
from mutualaid.matching.records import Match
from mutualaid.notices import actions as notices
from mutualaid.notices import settling
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
        urgency = await session.scalar(select(Post.urgency).where(Post.id == match.need_post_id))
        for side, member_id in _sides(match):
            if side not in match.accepted_by:
                subject = Subject("match", match.id)
                params = {"side": side, "post": _post_of(match, side), "urgency": urgency or "normal"}
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
        await _answered(session, match, now=now)
        for side, member_id in _sides(match):
            subject, params = Subject("match", match.id), {"post": _post_of(match, side)}
            await notices.tell(session, member_id, "agreed", subject=subject, params=params, now=now)


async def on_unrecorded(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """`match.unrecorded`: agreed, and nobody has said how it went: both are asked, once more when a post's time is over.

    The second asking is one, though each of the two posts may call for it.
    """
    async with services.database.transaction() as session:
        match = await session.get(Match, payload["match"])
        if match is None or match.state != "agreed":
            return
        occasion = "post_over" if "post" in payload else ""
        for side, member_id in _sides(match):
            subject, params = Subject("match", match.id), {"post": _post_of(match, side)}
            await notices.tell(
                session, member_id, "unrecorded", subject=subject, params=params, occasion=occasion, now=now
            )


async def on_ended(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """`match.ended`: whoever had said yes hears of an end that was not their own doing; others had promised nothing."""
    async with services.database.transaction() as session:
        match = await session.get(Match, payload["match"])
        if match is None or match.live:
            return
        await _answered(session, match, now=now)
        over = await _ended_posts(session, match)
        lapsed = match.agreed_at is not None and match.because == "post_ended" and "expired" in over.values()
        state = "expired" if lapsed else match.state
        for side, member_id in _sides(match):
            post_id = _post_of(match, side)
            own_doing = side == match.closed_by or (match.state == "withdrawn" and post_id in over and not lapsed)
            if side in match.accepted_by and not own_doing:
                subject, params = Subject("match", match.id), {"state": state, "post": post_id}
                await notices.tell(session, member_id, "match_ended", subject=subject, params=params, now=now)


async def _answered(session: AsyncSession, match: Match, *, now: datetime) -> None:
    """Nobody is asked for an answer any more."""
    plain, members = await plain_of(session), [member_id for _, member_id in _sides(match)]
    await settling.answered(plain, [match.id], members, now=now)


def _sides(match: Match) -> Iterable[tuple[Kind, str]]:
    yield "need", match.need_author_id
    yield "offer", match.offer_author_id


def _post_of(match: Match, side: Kind) -> str:
    return match.need_post_id if side == "need" else match.offer_post_id


async def _ended_posts(session: AsyncSession, match: Match) -> dict[str, str]:
    """Which of its posts have ended → how."""
    query = select(Post.id, Post.state).where(Post.id.in_(match.post_ids), Post.state.in_(ENDED))
    return {post_id: state for post_id, state in await session.execute(query)}
