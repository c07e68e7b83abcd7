"""One page of the plaza, of one's own posts, the counters: what the doors and the pages both read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.kit import cells, cursors, instants
from mutualaid.kit.coordinates import to_wgs84
from mutualaid.kit.reads import tables_of
from mutualaid.kit.ring import KeyRing
from mutualaid.members.records import Member
from mutualaid.posts import nearby
from mutualaid.posts.cards import Card, cards_of, own
from mutualaid.posts.checking import near_point
from mutualaid.posts.drafts import Sort
from mutualaid.posts.orders import FromTables, Hit, Orders
from mutualaid.posts.plaza import Filters
from mutualaid.posts.records import Post
from mutualaid.posts.streams import Found
from mutualaid.posts.wire import LiveQuery, OwnQuery, PlazaQuery, Stats
from mutualaid.posts.words import Term, item_word, words_of, words_of_names
from mutualaid.regions.rules import code_range


@dataclass(frozen=True, slots=True)
class Page:
    """Cards in order, each with its distance in metres where one was asked for; the cursor of the next page."""

    cards: list[tuple[int | None, Card]]
    next_cursor: str | None


def sort_of(query: PlazaQuery) -> Sort:
    """`distance` with `near`, else `newest`."""
    return query.sort or ("distance" if query.near else "newest")


def filters_of(query: LiveQuery, catalogue: Catalogue, viewer: str | None, *, notes: bool) -> Filters:
    """What is asked for, by a viewer in this cell. `notes`: see `read_plaza`."""
    words = words_of(query.q) if query.q else None
    items: tuple[str, ...] | None = None
    if query.item or query.group or (words and not notes):
        chosen = (i for i in catalogue.items if query.item in (None, i.code) and query.group in (None, i.group))
        items = tuple(i.code for i in chosen if notes or not words or words <= words_of_names(i.name, i.name_en))
    within = None if query.within_km is None or viewer is None else (viewer, round(query.within_km * 1000))
    return Filters(
        kind=query.kind,
        items=items,
        region=code_range(query.region) if query.region else None,
        real_name=query.real_name,
        within=within,
        words=_terms(words, catalogue) if words and notes else None,
    )


def _terms(words: frozenset[str], catalogue: Catalogue) -> tuple[Term, ...]:
    """Each word with those of the items whose names have it."""
    named = [(item_word(item.code), words_of_names(item.name, item.name_en)) for item in catalogue.items]
    return tuple((word, *(its for its, names in named if word in names)) for word in sorted(words))


_BOUND: Final = sorted(PlazaQuery.model_fields.keys() - {"limit", "cursor", "near", "crs", "sort"})


def _identity(query: PlazaQuery, viewer: str | None) -> str:
    """The text a cursor is bound to: every filter and the order; the viewer by cell, so that jitter keeps the cursor."""
    return f"plaza|{sort_of(query)}|{viewer}|{[(name, getattr(query, name)) for name in _BOUND]}"


@dataclass(frozen=True, slots=True)
class Places:
    """Which posts stand on a page, in order, each with its distance where one was asked for; the next page's cursor."""

    hits: Sequence[Hit]
    next_cursor: str | None


async def find(orders: Orders, ring: KeyRing, query: PlazaQuery, catalogue: Catalogue, *, notes: bool) -> Places:
    """One page of the plaza. The reader's point is snapped to its cell before anything is computed from it."""
    viewer = cells.cell_of(*to_wgs84(*near_point(query.near), query.crs)) if query.near else None
    filters, bound, one_more = (
        filters_of(query, catalogue, viewer, notes=notes),
        _identity(query, viewer),
        query.limit + 1,
    )
    sort = sort_of(query)
    if sort == "distance" and viewer is not None:
        after = _after_rank(ring, bound, query.cursor)
        within = filters.within[1] if filters.within else None
        filters = replace(filters, within=None)
        found = await orders.nearest(filters, viewer=viewer, within_m=within, after=after, limit=one_more)
    else:
        if sort == "urgent":
            found = await orders.urgent(filters, after=_after_rank(ring, bound, query.cursor), limit=one_more)
        else:
            found = await orders.newest(filters, after=_after_time(ring, bound, query.cursor), limit=one_more)
        if viewer is not None:
            found = [(nearby.metres(viewer, one.cell), one) for _, one in found]
    shown = found[: query.limit]
    more = len(found) > query.limit
    return Places(shown, cursors.encode(ring, bound, _place_of(sort, *shown[-1])) if more else None)


async def read_plaza(
    session: AsyncSession,
    ring: KeyRing,
    query: PlazaQuery,
    catalogue: Catalogue,
    *,
    notes: bool,
    orders: Orders | None = None,
) -> Page:
    """The same with its cards; from the tables, unless other `orders` are given.

    `notes`: whether this reader is shown notes. Who is not finds by words only what is named so: else they could be
    guessed, word by word.
    """
    page = await find(orders or FromTables(await tables_of(session)), ring, query, catalogue, notes=notes)
    by_id = await cards_of(session, [one.post_id for _, one in page.hits])
    return Page([(far, by_id[one.post_id]) for far, one in page.hits if one.post_id in by_id], page.next_cursor)


def _after_time(ring: KeyRing, bound: str, cursor: str | None) -> tuple[datetime, str] | None:
    if cursor is None:
        return None
    micros, post_id = cursors.decode(ring, bound, cursor, kinds=(int, str))
    return instants.moment(micros), post_id


def _after_rank(ring: KeyRing, bound: str, cursor: str | None) -> tuple[int, datetime, str] | None:
    """Behind so many metres, or behind a rank."""
    if cursor is None:
        return None
    rank, micros, post_id = cursors.decode(ring, bound, cursor, kinds=(int, int, str))
    return rank, instants.moment(micros), post_id


def _place_of(sort: Sort, metres: int | None, last: Found) -> list[str | int]:
    place: list[str | int] = [last.created, last.post_id]
    if sort == "distance":
        return [metres or 0, *place]
    return [last.rank, *place] if sort == "urgent" else place


async def read_own(session: AsyncSession, ring: KeyRing, query: OwnQuery, member_id: str) -> Page:
    """One's own posts in every state, newest first."""
    bound = f"own-posts|{member_id}"
    found = await own(session, member_id, after=_after_time(ring, bound, query.cursor), limit=query.limit + 1)
    shown: list[tuple[int | None, Card]] = [(None, card) for card in found[: query.limit]]
    if len(found) <= query.limit:
        return Page(shown, None)
    last = shown[-1][1]
    return Page(shown, cursors.encode(ring, bound, [instants.micros(last.created_at), last.id]))


async def read_stats(session: AsyncSession, now: datetime) -> Stats:
    """The counters, as of now."""
    counts: dict[tuple[str, str, str | None], int] = {}
    for kind, state, outcome, count in await session.execute(
        select(Post.kind, Post.state, Post.outcome, func.count()).group_by(Post.kind, Post.state, Post.outcome)
    ):
        counts[kind, state, outcome] = count

    def total(kind: str, state: str, outcome: str | None = None) -> int:
        return sum(n for (k, s, o), n in counts.items() if (k, s) == (kind, state) and outcome in (None, o))

    lately = (Post.state == "resolved", Post.ended_at > now - timedelta(hours=24))
    return Stats(
        as_of=now,
        open_needs=total("need", "open"),
        open_offers=total("offer", "open"),
        resolved_needs_through_platform=total("need", "resolved", "through_platform"),
        resolved_needs_total=total("need", "resolved"),
        resolved_offers_total=total("offer", "resolved"),
        resolved_24h=await session.scalar(select(func.count()).select_from(Post).where(*lately)) or 0,
        members=await session.scalar(select(func.count()).select_from(Member).where(Member.status == "active")) or 0,
    )
