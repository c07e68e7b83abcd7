"""Cards: posts with their lines, author and region, read in two statements without the ORM's objects."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Literal

import structlog
from sqlalchemy import ColumnElement, Row, Select, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.kit import cells
from mutualaid.kit.clock import sql_now
from mutualaid.members.records import Member
from mutualaid.posts.records import HiddenBy, Post, PostLine, State
from mutualaid.posts.rules import AgeBand, Contact, Handover, Kind, Outcome, Urgency, Window
from mutualaid.regions.records import RegionRow

log = structlog.get_logger()


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
    """A post with its lines, its author's shown name and its region's, read in two statements. `ValueError` where its place
    is no cell."""

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

    def __post_init__(self) -> None:
        if not cells.is_cell(self.cell):
            raise ValueError("no cell")


def readable(rows: Iterable[Any], card: Callable[[Any], Card]) -> list[Card]:
    """The cards of rows that begin with the post's id. One that was written past every door and makes no sense is left out:
    it stops nobody's list."""
    found = []
    for row in rows:
        try:
            found.append(card(row))
        except (TypeError, ValueError):
            _left_out(row[0])
    return found


@lru_cache(maxsize=1_024)
def _left_out(_post_id: str) -> None:
    """Logged once a post, not at every look at it."""
    log.warning("post_unreadable", count=1)


_POST = (
    *(getattr(Post, name) for name in Card.__dataclass_fields__ if name in Post.__table__.columns),
    Post.available,
    Member.display_name.label("author_name"),
    Member.real_name.label("author_real_name"),
    RegionRow.name.label("region_name"),
    RegionRow.path.label("region_path"),
)


def _cards() -> Select[Any]:
    return (
        select(*_POST)
        .join_from(Post, Member, Member.id == Post.author_id)
        .join(RegionRow, RegionRow.code == Post.region)
    )


def _older(created_at: datetime, post_id: str) -> ColumnElement[bool]:
    return or_(Post.created_at < created_at, and_(Post.created_at == created_at, Post.id > post_id))


async def cards_of(session: AsyncSession, post_ids: Sequence[str]) -> dict[str, Card]:
    """The cards of these posts, whatever their state."""
    rows = (await session.execute(_cards().where(Post.id.in_(post_ids)))).all()
    return {card.id: card for card in await _with_lines(session, rows)}


async def own(session: AsyncSession, author_id: str, *, after: tuple[datetime, str] | None, limit: int) -> list[Card]:
    """One's own posts in every state, newest first; fewer than `limit` only where there are no more."""
    query = _cards().where(Post.author_id == author_id).order_by(Post.created_at.desc(), Post.id).limit(limit)
    found: list[Card] = []
    while len(found) < limit:
        rows = (await session.execute(query if after is None else query.where(_older(*after)))).all()
        found += await _with_lines(session, rows)
        if len(rows) < limit:
            break
        after = rows[-1].created_at, rows[-1].id
    return found[:limit]


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
    return readable(rows, lambda row: _card(row, tuple(lines[row.id])))


def of_rows(post: Mapping[str, Any], lines: Iterable[Mapping[str, Any]], **others: str) -> Card:
    """The card of rows that have just been written. `others`: the names of its author and of its region."""
    values: dict[str, Any] = {name: post[name] for name in _ITS_OWN} | others
    line_cards = tuple(LineCard(*(line[name] for name in _OF_LINE)) for line in lines)
    return Card(**values, windows=_windows(post["available"]), lines=line_cards)


_ITS_OWN = tuple(name for name in Card.__dataclass_fields__ if name in Post.__table__.columns)
_OF_LINE = tuple(LineCard.__dataclass_fields__)


def _card(row: Row[Any], lines: tuple[LineCard, ...]) -> Card:
    values = dict(row._mapping)
    return Card(windows=_windows(values.pop("available")), lines=lines, **values)


def _windows(available: Iterable[Sequence[str]]) -> list[Window]:
    return [Window(datetime.fromisoformat(start), datetime.fromisoformat(end)) for start, end in available]
