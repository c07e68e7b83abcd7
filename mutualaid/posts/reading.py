"""One page of the plaza, of one's own posts, the counters: what the doors and the pages both read."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.kit import cells, cursors, instants
from mutualaid.kit.coordinates import to_wgs84
from mutualaid.kit.ring import KeyRing
from mutualaid.members.records import Member
from mutualaid.posts import plaza
from mutualaid.posts.cards import Card, cards_of, own
from mutualaid.posts.checking import near_point
from mutualaid.posts.drafts import Sort
from mutualaid.posts.plaza import Filters
from mutualaid.posts.records import Post
from mutualaid.posts.streams import Found
from mutualaid.posts.wire import OwnQuery, PlazaQuery, Stats
from mutualaid.posts.words import words_of
from mutualaid.regions.rules import code_range


@dataclass(frozen=True, slots=True)
class Page:
    """Cards in order, each with its distance in metres where one was asked for; the cursor of the next page."""

    cards: list[tuple[int | None, Card]]
    next_cursor: str | None


def sort_of(query: PlazaQuery) -> Sort:
    """`distance` with `near`, else `newest`."""
    return query.sort or ("distance" if query.near else "newest")


def _filters(query: PlazaQuery, catalogue: Catalogue, *, notes: bool) -> Filters:
    words = words_of(query.q) if query.q else None
    items: tuple[str, ...] | None = None
    if query.item or query.group or (words and not notes):
        chosen = (i for i in catalogue.items if query.item in (None, i.code) and query.group in (None, i.group))
        items = tuple(i.code for i in chosen if notes or not words or words <= words_of(i.name, i.name_en))
    return Filters(
        kind=query.kind,
        items=items,
        region=code_range(query.region) if query.region else None,
        real_name=query.real_name,
        words=tuple(sorted(words)) if words and notes else None,
    )


def _identity(query: PlazaQuery, viewer: str | None) -> str:
    """The text a cursor is bound to: every filter and the order; the viewer by cell, so that jitter keeps the cursor."""
    named = query.model_dump(exclude={"limit", "cursor", "near", "crs", "sort"}, mode="json")
    return f"plaza|{sort_of(query)}|{viewer}|{sorted(named.items())}"


async def read_plaza(
    session: AsyncSession, ring: KeyRing, query: PlazaQuery, catalogue: Catalogue, *, notes: bool
) -> Page:
    """One page of the plaza. The reader's point is snapped to its cell before anything is computed from it.

    `notes`: whether this reader is shown notes. Who is not finds by words only what is named so: else they could be
    guessed, word by word.
    """
    viewer = cells.cell_of(*to_wgs84(*near_point(query.near), query.crs)) if query.near else None
    filters, bound, one_more = _filters(query, catalogue, notes=notes), _identity(query, viewer), query.limit + 1
    within = round(query.within_km * 1000) if query.within_km is not None else None
    sort = sort_of(query)
    if sort == "distance" and viewer is not None:
        after = _after_distance(ring, bound, query.cursor)
        near = await plaza.nearest(session, filters, viewer=viewer, within_m=within, after=after, limit=one_more)
        found: list[tuple[int | None, Found]] = [*near]
    else:
        if within is not None and viewer is not None:
            filters = replace(filters, within=(viewer, within))
        in_time = await _in_time(session, ring, filters, sort, bound, query.cursor, one_more)
        found = [(cells.between_m(viewer, one.cell) if viewer else None, one) for one in in_time]
    shown = found[: query.limit]
    by_id = await cards_of(session, [one.post_id for _, one in shown])
    cards = [(metres, by_id[one.post_id]) for metres, one in shown if one.post_id in by_id]
    more = len(found) > query.limit
    return Page(cards, cursors.encode(ring, bound, _place_of(sort, *shown[-1])) if more else None)


async def _in_time(
    session: AsyncSession, ring: KeyRing, filters: Filters, sort: Sort, bound: str, cursor: str | None, limit: int
) -> list[Found]:
    if sort == "urgent":
        after = None
        if cursor is not None:
            rank, micros, post_id = cursors.decode(ring, bound, cursor, kinds=(int, int, str))
            after = rank, instants.moment(micros), post_id
        return await plaza.urgent(session, filters, after=after, limit=limit)
    return await plaza.newest(session, filters, after=_after_time(ring, bound, cursor), limit=limit)


def _after_time(ring: KeyRing, bound: str, cursor: str | None) -> tuple[datetime, str] | None:
    if cursor is None:
        return None
    micros, post_id = cursors.decode(ring, bound, cursor, kinds=(int, str))
    return instants.moment(micros), post_id


def _after_distance(ring: KeyRing, bound: str, cursor: str | None) -> tuple[int, datetime, str] | None:
    if cursor is None:
        return None
    metres, micros, post_id = cursors.decode(ring, bound, cursor, kinds=(int, int, str))
    return metres, instants.moment(micros), post_id


def _place_of(sort: Sort, metres: int | None, last: Found) -> list[str | int]:
    place: list[str | int] = [instants.micros(last.created_at), last.post_id]
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
