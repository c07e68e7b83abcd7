"""The plaza's queries: available open posts of active members, nearest, newest or most urgent first, exact on both databases.

Distance is between shown cells. The distinct cells of the matching posts are few (a city has some 1,500), so the nearest
ones are found first, by the one distance function, and then their posts, cells of the same distance merged; ties go to
the newest, then the lower id. Every order is a keyset order.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Row, Select, and_, case, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.kit import cells
from mutualaid.kit.clock import sql_now
from mutualaid.kit.lists import among
from mutualaid.members.records import Member
from mutualaid.posts.records import HiddenBy, Post, PostLine, State
from mutualaid.posts.rules import AgeBand, Contact, Handover, Kind, Outcome, Urgency, Window
from mutualaid.regions.records import RegionRow

FIRST_CELLS = 16


@dataclass(frozen=True, slots=True)
class Filters:
    """What a reader asks for; None is "any". `items`: any of these codes; `region`: lowest and highest code."""

    kind: Kind | None = None
    items: tuple[str, ...] | None = None
    region: tuple[str, str] | None = None
    real_name: bool | None = None
    cells: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class LineCard:
    """One line as read for a card."""

    id: str
    item: str
    quantity: int
    remaining: int
    held: int
    expires_on: date | None
    substitutes: bool


@dataclass(frozen=True, slots=True)
class Card:
    """A post with its lines, its author's shown name and its region's, read in two statements."""

    id: str
    author_id: str
    kind: Kind
    state: State
    hidden_by: HiddenBy | None
    cell: str
    region: str
    region_name: str
    region_path: str
    urgency: Urgency
    reach_km: int
    handover: list[Handover]
    contact: Contact
    for_other: bool
    beneficiary_age_band: AgeBand | None
    keeps_enough: bool
    windows: list[Window]
    note: str
    scrubbed: bool
    created_at: datetime
    confirmed_at: datetime
    until: datetime
    ended_at: datetime | None
    outcome: Outcome | None
    author_name: str
    author_real_name: Literal["none", "checked", "vouched"]
    lines: tuple[LineCard, ...]


_POST = (
    *(getattr(Post, name) for name in Card.__dataclass_fields__ if name in Post.__table__.columns),
    Post.available,
    Member.display_name.label("author_name"),
    Member.real_name.label("author_real_name"),
    RegionRow.name.label("region_name"),
    RegionRow.path.label("region_path"),
)


def shown(filters: Filters) -> list[ColumnElement[bool]]:
    """What stands on the plaza under these filters."""
    free = [PostLine.post_id == Post.id, PostLine.remaining > PostLine.held]
    if filters.items is not None:
        free.append(PostLine.item.in_(filters.items))
    conditions = [Post.state == "open", Post.until > sql_now(), Member.status == "active", exists().where(*free)]
    if filters.kind is not None:
        conditions.append(Post.kind == filters.kind)
    if filters.region is not None:
        conditions.append(Post.region.between(*filters.region))
    if filters.real_name is not None:
        conditions.append(Member.real_name != "none" if filters.real_name else Member.real_name == "none")
    if filters.cells is not None:
        conditions.append(among(Post.cell, filters.cells))
    return conditions


def _posts(*columns: Any) -> Select[Any]:
    return select(*columns).join_from(Post, Member, Member.id == Post.author_id)


def _cards() -> Select[Any]:
    return _posts(*_POST).join(RegionRow, RegionRow.code == Post.region)


async def newest(
    session: AsyncSession, filters: Filters, *, after: tuple[datetime, str] | None, limit: int
) -> list[Card]:
    """`created_at` descending, then id."""
    query = _cards().where(*shown(filters)).order_by(Post.created_at.desc(), Post.id).limit(limit)
    if after is not None:
        query = query.where(_older(*after))
    return await _with_lines(session, (await session.execute(query)).all())


def _older(created_at: datetime, post_id: str) -> ColumnElement[bool]:
    return or_(Post.created_at < created_at, and_(Post.created_at == created_at, Post.id > post_id))


async def urgent(
    session: AsyncSession, filters: Filters, *, after: tuple[int, datetime, str] | None, limit: int
) -> list[Card]:
    """Urgent ones first, then as `newest`; `after` begins with 0 for an urgent post, 1 for another."""
    rank = case((Post.urgency == "urgent", 0), else_=1)
    query = _cards().where(*shown(filters)).order_by(rank, Post.created_at.desc(), Post.id).limit(limit)
    if after is not None:
        query = query.where(or_(rank > after[0], and_(rank == after[0], _older(*after[1:]))))
    return await _with_lines(session, (await session.execute(query)).all())


async def nearest(
    session: AsyncSession,
    filters: Filters,
    *,
    viewer_cell: str,
    within_m: int | None,
    after: tuple[int, datetime, str] | None,
    limit: int,
) -> list[tuple[int, Card]]:
    """(`distance_m`, card) by distance between shown cells, then newest, then id."""
    occupied = await session.scalars(_posts(Post.cell).where(*shown(filters)).distinct())
    near = sorted((cells.between_m(viewer_cell, cell), cell) for cell in occupied)
    if within_m is not None:
        near = [(metres, cell) for metres, cell in near if metres <= within_m]
    if after is not None:
        near = [(metres, cell) for metres, cell in near if metres >= after[0]]
    found: list[tuple[int, Card]] = []
    taken, width = 0, FIRST_CELLS
    while taken < len(near) and len(found) < limit:
        ring = near[taken : taken + width]
        while taken + len(ring) < len(near) and near[taken + len(ring)][0] == ring[-1][0]:
            ring.append(near[taken + len(ring)])  # cells of one distance are merged, never cut
        found += await _of_cells(
            session, filters, dict((cell, metres) for metres, cell in ring), after, limit - len(found)
        )
        taken, width = taken + len(ring), width * 4
    return found


async def within(session: AsyncSession, filters: Filters, *, viewer_cell: str, within_m: int) -> Filters:
    """These filters, narrowed to the occupied cells at most `within_m` metres from the viewer's."""
    occupied = await session.scalars(_posts(Post.cell).where(*shown(filters)).distinct())
    near = tuple(sorted(cell for cell in occupied if cells.between_m(viewer_cell, cell) <= within_m))
    return replace(filters, cells=near)


async def _of_cells(
    session: AsyncSession, filters: Filters, metres: dict[str, int], after: tuple[int, datetime, str] | None, limit: int
) -> list[tuple[int, Card]]:
    distance = case(metres, value=Post.cell)
    query = (
        _cards()
        .where(*shown(filters), Post.cell.in_(metres))
        .order_by(distance, Post.created_at.desc(), Post.id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(or_(distance > after[0], and_(distance == after[0], _older(*after[1:]))))
    cards = await _with_lines(session, (await session.execute(query)).all())
    return [(metres[card.cell], card) for card in cards]


async def cards_of(session: AsyncSession, post_ids: Sequence[str]) -> dict[str, Card]:
    """The cards of these posts, whatever their state."""
    rows = (await session.execute(_cards().where(Post.id.in_(post_ids)))).all()
    return {card.id: card for card in await _with_lines(session, rows)}


async def own(session: AsyncSession, author_id: str, *, after: tuple[datetime, str] | None, limit: int) -> list[Card]:
    """One's own posts in every state, newest first."""
    query = _cards().where(Post.author_id == author_id).order_by(Post.created_at.desc(), Post.id).limit(limit)
    if after is not None:
        query = query.where(_older(*after))
    return await _with_lines(session, (await session.execute(query)).all())


async def visible(session: AsyncSession, post_id: str, *, reader: str | None) -> Card | None:
    """One post: open ones of active members to everybody, any of one's own to its author."""
    everybody = and_(Post.state == "open", Post.until > sql_now(), Member.status == "active")
    may = or_(everybody, Post.author_id == reader) if reader else everybody
    rows = (await session.execute(_cards().where(Post.id == post_id, may))).all()
    cards = await _with_lines(session, rows)
    return cards[0] if cards else None


async def _with_lines(session: AsyncSession, rows: Sequence[Row[Any]]) -> list[Card]:
    lines: dict[str, list[LineCard]] = {row.id: [] for row in rows}
    if rows:
        query = select(PostLine.post_id, *(getattr(PostLine, name) for name in LineCard.__dataclass_fields__))
        query = query.where(PostLine.post_id.in_(lines)).order_by(PostLine.position)
        for post_id, *values in await session.execute(query):
            lines[post_id].append(LineCard(*values))
    return [_card(row, tuple(lines[row.id])) for row in rows]


def _card(row: Row[Any], lines: tuple[LineCard, ...]) -> Card:
    values = dict(row._mapping)
    windows = [
        Window(datetime.fromisoformat(start), datetime.fromisoformat(end)) for start, end in values.pop("available")
    ]
    return Card(**values, windows=windows, lines=lines)
