"""Whom a post could be proposed to: candidates read in bounded statements, judged by the pure rules. It only reads."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, case, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.kit import cells, clock
from mutualaid.kit.clock import sql_now
from mutualaid.matching import rules, store
from mutualaid.matching.rules import PROPOSALS_A_NEED, Side
from mutualaid.members import blocks
from mutualaid.members.records import Member, Status
from mutualaid.posts.records import Post, PostLine
from mutualaid.posts.rules import Kind

READ_MOST: Final = 200  # candidates read for one post and urgency, the nearest first
PROPOSED_MOST: Final = 20  # proposals that one look at an offer makes
_CELLS_AT_ONCE: Final = 200


async def look(session: AsyncSession, post_id: str, *, catalogue: Catalogue, now: datetime) -> list[str]:
    """The posts to propose this one to, the best first; at most as many as there is room for."""
    post = await session.get(Post, post_id)
    if post is None or post.state != "open" or post.until <= now:
        return []
    mine = (await store.sides(session, [post]))[post.id]
    room = PROPOSED_MOST
    if post.kind == "need":
        room = PROPOSALS_A_NEED - (await session.scalar(store.proposals(post.id)) or 0)
    if room <= 0 or not mine.author_here:
        return []
    found = await _eligible(session, mine, post.kind, catalogue, now)
    return [other for _, other in sorted(found)[:room]]


async def _eligible(
    session: AsyncSession, mine: Side, kind: Kind, catalogue: Catalogue, now: datetime
) -> list[tuple[tuple[int, ...], str]]:
    """(cost, post) of every candidate that the rules allow."""
    apart = await blocks.pairs_blocked(session, mine.author_id)
    posts = [post async for post in _candidates(session, mine, kind, catalogue)]
    others = await store.sides(session, posts)
    rounds = await store.rounds(session, mine, kind, list(others))
    found = []
    for other in others.values():
        need, offer = (mine, other) if kind == "need" else (other, mine)
        blocked = other.author_id in apart
        verdict = rules.judge(need, offer, blocked=blocked, find=catalogue.get, now=now, day_of=clock.today)
        if verdict.eligible:
            found.append((rules.cost(need, verdict, rounds=rounds.get(other.id, 0), now=now), other.id))
    return found


async def _candidates(session: AsyncSession, mine: Side, kind: Kind, catalogue: Catalogue) -> AsyncIterator[Post]:
    """Open posts of the other kind that hold a fitting item within reach, urgent needs before others, nearest first."""
    fitting = _fitting_lines(mine, kind, catalogue)
    if fitting is None:
        return
    conditions = _conditions(mine, kind, fitting)
    for urgency in ("urgent", "normal") if kind == "offer" else (None,):
        asked = conditions if urgency is None else [*conditions, Post.urgency == urgency]
        async for post in _nearest(session, mine, asked):
            yield post


async def _nearest(session: AsyncSession, mine: Side, conditions: list[ColumnElement[bool]]) -> AsyncIterator[Post]:
    author = Member.id == Post.author_id
    occupied = await session.scalars(select(Post.cell).join(Member, author).where(*conditions).distinct())
    near = sorted((cells.between_m(mine.cell, cell), cell) for cell in occupied)
    metres = {cell: distance for distance, cell in near if distance <= mine.reach_km * 1000}
    within, read = list(metres), 0
    for start in range(0, len(within), _CELLS_AT_ONCE):
        ring = within[start : start + _CELLS_AT_ONCE]
        distance = case({cell: metres[cell] for cell in ring}, value=Post.cell)
        query = select(Post).join(Member, author).where(*conditions, Post.cell.in_(ring))
        for post in await session.scalars(query.order_by(distance, Post.created_at, Post.id).limit(READ_MOST - read)):
            read += 1
            yield post
        if read >= READ_MOST:
            return


def _fitting_lines(mine: Side, kind: Kind, catalogue: Catalogue) -> ColumnElement[bool] | None:
    """Which lines of others fit one's own; None when nothing of one's own is left."""
    free = [line for line in mine.lines if line.free > 0]
    own = {line.item for line in free}
    if not own:
        return None
    if kind == "need":
        swappable = [line.item for line in free if line.substitutes]
        return PostLine.item.in_(own | rules.substitutes_of(swappable, catalogue.items))
    instead = rules.substitutes_of(list(own), catalogue.items)
    return or_(PostLine.item.in_(own), and_(PostLine.substitutes, PostLine.item.in_(instead)))


def _conditions(mine: Side, kind: Kind, fitting: ColumnElement[bool]) -> list[ColumnElement[bool]]:
    theirs: Any = Post.id
    need, offer = (mine.id, theirs) if kind == "need" else (theirs, mine.id)
    conditions = [
        Post.kind == rules.other(kind),
        Post.state == "open",
        Post.until > sql_now(),
        Post.author_id != mine.author_id,
        Member.status == Status.ACTIVE.value,
        exists().where(PostLine.post_id == Post.id, PostLine.remaining > PostLine.held, fitting),
        ~store.barred(need, offer),
    ]
    if kind == "offer":
        conditions.append(store.proposals(theirs).scalar_subquery() < PROPOSALS_A_NEED)
    return conditions
