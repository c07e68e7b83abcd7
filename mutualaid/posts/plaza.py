"""The plaza's orders over the rows that stand on it: newest, urgent, nearest, exact on both databases at any size.

Entries are kept in streams: one topic (an item, or anything), one kind, real names or not. Each stream is a range of an
index in the order that is asked for, so a question reads the first few of each of its streams and merges them; nothing is
ever scanned or sorted as a whole. Every order is a keyset order, its ties broken by the newest, then the lower id.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, product
from operator import attrgetter

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.posts import nearby, streams
from mutualaid.posts.plaza_records import ANYTHING
from mutualaid.posts.rules import Kind
from mutualaid.posts.streams import Found, Stream
from mutualaid.regions.records import RegionRow

_CELLS_MERGED = 1_000  # more cells than these within a radius are not read one by one: the order is walked instead
_WALKED_AT_ONCE = 500
_FIRST_PAIRS = 12


@dataclass(frozen=True, slots=True)
class Filters:
    """What a reader asks for; None is "any". `items`: any of these codes; `region`: lowest and highest code; `within`:
    (the viewer's cell, metres)."""

    kind: Kind | None = None
    items: tuple[str, ...] | None = None
    region: tuple[str, str] | None = None
    real_name: bool | None = None
    within: tuple[str, int] | None = None

    def streams(self) -> list[Stream]:
        """Every stream that holds what is asked for. A post with two of the items stands in two of them."""
        topics = (ANYTHING,) if self.items is None else tuple(dict.fromkeys(self.items))
        kinds = ("need", "offer") if self.kind is None else (self.kind,)
        reals = (0, 1) if self.real_name is None else (int(self.real_name),)
        return [Stream(*each) for each in product(topics, kinds, reals)]


async def newest(
    session: AsyncSession, filters: Filters, *, after: tuple[datetime, str] | None, limit: int
) -> list[Found]:
    """`created_at` descending, then id."""
    return await _in_time(session, filters, "newest", after=(0, *after) if after else None, limit=limit)


async def urgent(
    session: AsyncSession, filters: Filters, *, after: tuple[int, datetime, str] | None, limit: int
) -> list[Found]:
    """By `rules.urgent_rank`, then as `newest`."""
    return await _in_time(session, filters, "rank", after=after, limit=limit)


async def _in_time(
    session: AsyncSession,
    filters: Filters,
    order: streams.Order,
    *,
    after: tuple[int, datetime, str] | None,
    limit: int,
) -> list[Found]:
    chosen = filters.streams()
    if filters.within is None:
        if filters.region is None:
            return await streams.first(session, chosen, order, after=after, limit=limit)
        placed = [each.at(region=code) for code in await _regions(session, *filters.region) for each in chosen]
        return await streams.first(session, placed, order, after=after, limit=limit)
    viewer, metres = filters.within
    near = [
        cell
        async for cell in nearby.cells(session, chosen, viewer, filters.region, most=_CELLS_MERGED, within_m=metres)
    ]
    if len(near) <= _CELLS_MERGED:
        placed = [chosen[cell.stream].at(cell=cell.cell, region=filters.region) for cell in near]
        return await streams.first(session, placed, order, after=after, limit=limit)
    return await _walked(session, filters, order, after=after, limit=limit)


async def _regions(session: AsyncSession, lowest: str, highest: str) -> Sequence[str]:
    query = select(RegionRow.code).where(RegionRow.code.between(lowest, highest))
    return (await session.scalars(query)).all()


async def _walked(
    session: AsyncSession,
    filters: Filters,
    order: streams.Order,
    *,
    after: tuple[int, datetime, str] | None,
    limit: int,
) -> list[Found]:
    """A radius over much of the country: what lies outside it is passed over, page by page of the order itself."""
    assert filters.within is not None
    viewer, metres = filters.within
    everywhere = Filters(filters.kind, filters.items, filters.region, filters.real_name)
    found: list[Found] = []
    while len(found) < limit:
        page = await _in_time(session, everywhere, order, after=after, limit=_WALKED_AT_ONCE)
        found += (one for one in page if nearby.metres(viewer, one.cell) <= metres)
        if len(page) < _WALKED_AT_ONCE:
            break
        after = (page[-1].rank, page[-1].created_at, page[-1].post_id)
    return found[:limit]


async def nearest(
    session: AsyncSession,
    filters: Filters,
    *,
    viewer: str,
    within_m: int | None,
    after: tuple[int, datetime, str] | None,
    limit: int,
) -> list[tuple[int, Found]]:
    """(`distance_m`, entry) by distance between shown cells, then newest, then id.

    The nearest cells are found first, then their entries: those of all cells at one distance are merged.
    """
    chosen = filters.streams()
    found: list[tuple[int, Found]] = []
    rings = nearby.rings(session, chosen, viewer, filters.region, from_m=after[0] if after else 0, within_m=within_m)
    batch: list[nearby.Near] = []
    most = _FIRST_PAIRS
    async for ring in rings:
        batch += ring
        boundary = after is not None and ring[0].metres == after[0]
        if boundary or len(batch) >= most:
            found += await _of_cells(session, filters, chosen, batch, after if boundary else None, limit - len(found))
            batch, most = [], most * 4
            if len(found) >= limit:
                break
    if batch and len(found) < limit:
        found += await _of_cells(session, filters, chosen, batch, None, limit - len(found))
    return found[:limit]


async def _of_cells(
    session: AsyncSession,
    filters: Filters,
    chosen: Sequence[Stream],
    near: Sequence[nearby.Near],
    after: tuple[int, datetime, str] | None,
    limit: int,
) -> list[tuple[int, Found]]:
    metres = {one.cell: one.metres for one in near}
    placed = [chosen[one.stream].at(cell=one.cell, region=filters.region) for one in near]
    bound = (0, *after[1:]) if after else None
    entries = await streams.each_first(session, placed, "newest", after=bound, limit=limit)
    ordered = sorted(entries, key=attrgetter("post_id"))
    ordered.sort(key=attrgetter("created_at"), reverse=True)
    ordered.sort(key=lambda one: metres[one.cell])
    return [(metres[one.cell], one) for one in islice(_once(ordered), limit)]


def _once(entries: Sequence[Found]) -> Iterator[Found]:
    """Each post once, however many of its items were asked for."""
    seen: set[str] = set()
    for one in entries:
        if one.post_id not in seen:
            seen.add(one.post_id)
            yield one
