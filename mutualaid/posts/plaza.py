"""The plaza's orders over the rows that stand on it: newest, urgent, nearest, exact on both databases at any size.

Entries are kept in streams: one topic (an item, or anything), one kind, real names or not. Each stream is a range of an
index in the order that is asked for, so a question reads the first few of each of its streams and merges them; nothing is
ever scanned or sorted as a whole. Every order is a keyset order, its ties broken by the newest, then the lower id.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import product
from typing import Final

from sqlalchemy import ColumnElement, Select, String, bindparam, select

from mutualaid.kit.prepared import Prepared
from mutualaid.kit.reads import Tables
from mutualaid.posts import nearby, neighbours, searching, streams
from mutualaid.posts.plaza_records import ANYTHING, PlazaEntry
from mutualaid.posts.rules import Kind
from mutualaid.posts.searching import Order, Place
from mutualaid.posts.streams import Found, Part, Stream
from mutualaid.posts.words import Term
from mutualaid.regions.records import RegionRow

_CELLS_MERGED = 1_000  # more cells than these within a radius are not read one by one: the order is walked instead
_WALKED_AT_ONCE = 500
_CELLS_TRIED: Final = 400  # round somebody who asks for a region, before all of its cells are read
# cells looked into at first: on PostgreSQL a round trip is dearer than a few more of them
_FIRST_PAIRS: Final = {"sqlite": 2, "postgresql": 12}


@dataclass(frozen=True, slots=True)
class Filters:
    """What a reader asks for; None is "any". `items`: any of these codes; `region`: lowest and highest code; `within`:
    (the viewer's cell, metres); `words`: all of these, see `words`."""

    kind: Kind | None = None
    items: tuple[str, ...] | None = None
    region: tuple[str, str] | None = None
    real_name: bool | None = None
    within: tuple[str, int] | None = None
    words: tuple[Term, ...] | None = None

    def streams(self) -> list[Stream]:
        """Every stream that holds what is asked for. A post with two of the items stands in two of them."""
        topics = (ANYTHING,) if self.items is None else tuple(dict.fromkeys(self.items))
        kinds = ("need", "offer") if self.kind is None else (self.kind,)
        reals = (0, 1) if self.real_name is None else (int(self.real_name),)
        return [Stream(*each) for each in product(topics, kinds, reals)]

    def conditions(self) -> list[ColumnElement[bool]]:
        """The same of an entry, for whoever finds it otherwise; neither the radius nor the words."""
        chosen, named = self.streams(), ("topic", "kind", "real")
        found = [getattr(PlazaEntry, name).in_({getattr(each, name) for each in chosen}) for name in named]
        return found + ([PlazaEntry.region.between(*self.region)] if self.region else [])


async def newest(tables: Tables, filters: Filters, *, after: tuple[datetime, str] | None, limit: int) -> list[Found]:
    """`created_at` descending, then id."""
    return await _in_time(tables, filters, Part("newest", (0, *after) if after else None, limit))


async def urgent(
    tables: Tables, filters: Filters, *, after: tuple[int, datetime, str] | None, limit: int
) -> list[Found]:
    """By `rules.urgent_rank`, then as `newest`."""
    return await _in_time(tables, filters, Part("rank", after, limit))


async def _in_time(tables: Tables, filters: Filters, part: Part) -> list[Found]:
    if filters.words is not None:
        return await _in_time_having(tables, filters.words, replace(filters, words=None), part)
    chosen = filters.streams()
    if filters.within is not None:
        return await _within(tables, filters, *filters.within, part)
    if filters.region is not None:
        codes = await _regions(tables, *filters.region)
        chosen = [each.at(region=code) for code in codes for each in chosen]
    return await streams.first(tables, chosen, part)


def _codes(_dialect: str, prefix: str) -> Select[str]:
    lowest, highest = (bindparam(f"{prefix}{name}", type_=String(), required=True) for name in ("lowest", "highest"))
    return select(RegionRow.code).where(RegionRow.code.between(lowest, highest))


_CODES: Final = Prepared(_codes)


async def _regions(tables: Tables, lowest: str, highest: str) -> Sequence[str]:
    return [code for (code,) in await tables.fetch(_CODES, lowest=lowest, highest=highest)]


async def _within(tables: Tables, filters: Filters, viewer: str, metres: int, part: Part) -> list[Found]:
    """The cells of a small radius are read one by one; over much of the country the order itself is walked."""
    chosen = filters.streams()
    cells = nearby.cells(tables, chosen, viewer, filters.region, most=_CELLS_MERGED, within_m=metres)
    near = [cell async for cell in cells]
    if len(near) <= _CELLS_MERGED:
        placed = [chosen[cell.stream].at(cell=cell.cell, region=filters.region) for cell in near]
        return await streams.first(tables, placed, part)
    return await _walked(tables, replace(filters, within=None), viewer, metres, part)


async def _walked(tables: Tables, filters: Filters, viewer: str, metres: int, part: Part) -> list[Found]:
    """What lies outside the radius is passed over, page by page of the order."""
    found: list[Found] = []
    after = part.after
    while len(found) < part.limit:
        page = await _in_time(tables, filters, Part(part.order, after, _WALKED_AT_ONCE))
        found += (one for one in page if nearby.metres(viewer, one.cell) <= metres)
        if len(page) < _WALKED_AT_ONCE:
            break
        after = (page[-1].rank, page[-1].created_at, page[-1].post_id)
    return found[: part.limit]


async def _in_time_having(tables: Tables, words: Sequence[Term], filters: Filters, part: Part) -> list[Found]:
    def place(one: Found) -> Place | None:
        if filters.within is not None and nearby.metres(filters.within[0], one.cell) > filters.within[1]:
            return None
        return (one.rank if part.order == "rank" else 0, one.created_at, one.post_id)

    async def page(after: Place | None, limit: int) -> list[Found]:
        return await _in_time(tables, filters, Part(part.order, after, limit))

    order = Order(place, filters.conditions(), page)
    return await searching.first(await tables.session(), words, order, after=part.after, limit=part.limit)


async def nearest(
    tables: Tables,
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
    if filters.words is not None:
        plain = replace(filters, words=None)
        return await _nearest_having(tables, filters.words, plain, viewer, within_m, after, limit)
    chosen = filters.streams()
    from_m, part = after[0] if after else 0, Part("newest", after, limit)
    if filters.region is not None:  # most who ask for a region are in it: then what is near them lies there
        rings = nearby.rings(tables, chosen, viewer, None, from_m=from_m, within_m=within_m)
        found = await _of_rings(tables, filters, rings, part, most=_CELLS_TRIED)
        if found is not None:
            return found
    elif after is None and tables.dialect == "postgresql":
        return await neighbours.nearest(tables, chosen, viewer=viewer, within_m=within_m, limit=limit)
    rings = nearby.rings(tables, chosen, viewer, filters.region, from_m=from_m, within_m=within_m)
    return await _of_rings(tables, filters, rings, part, most=None) or []


async def _of_rings(
    tables: Tables, filters: Filters, rings: AsyncGenerator[list[nearby.Near]], part: Part, *, most: int | None
) -> list[tuple[int, Found]] | None:
    """This part of the entries in these rings of cells; None where so many cells hold too few, or the first ones none."""
    found: list[tuple[int, Found]] = []
    batch: list[nearby.Near] = []
    size, looked, after, limit = _FIRST_PAIRS[tables.dialect], 0, part.after, part.limit
    async with aclosing(rings):
        async for ring in rings:
            batch += ring
            boundary = after is not None and ring[0].metres == after[0]
            if boundary or len(batch) >= size:
                bound = after if boundary else None
                found += await _of_cells(tables, filters, batch, bound, limit - len(found))
                looked, batch = looked + len(batch), []
                if len(found) >= limit:
                    return found[:limit]
                if most is not None and not boundary and (looked > most or not found):
                    return None
                size = min(size * 4, (limit - len(found)) * looked // max(1, len(found)) + 2)
    if batch:
        found += await _of_cells(tables, filters, batch, None, limit - len(found))
    return found[:limit]


async def _nearest_having(
    tables: Tables,
    words: Sequence[Term],
    filters: Filters,
    viewer: str,
    within_m: int | None,
    after: Place | None,
    limit: int,
) -> list[tuple[int, Found]]:
    def place(one: Found) -> Place | None:
        metres = nearby.metres(viewer, one.cell)
        return (metres, one.created_at, one.post_id) if within_m is None or metres <= within_m else None

    async def page(after: Place | None, limit: int) -> list[Found]:
        near = await nearest(tables, filters, viewer=viewer, within_m=within_m, after=after, limit=limit)
        return [one for _, one in near]

    order = Order(place, filters.conditions(), page)
    found = await searching.first(await tables.session(), words, order, after=after, limit=limit)
    return [(nearby.metres(viewer, one.cell), one) for one in found]


async def _of_cells(
    tables: Tables,
    filters: Filters,
    near: Sequence[nearby.Near],
    after: tuple[int, datetime, str] | None,
    limit: int,
) -> list[tuple[int, Found]]:
    metres, chosen = {one.cell: one.metres for one in near}, filters.streams()
    placed = [chosen[one.stream].at(cell=one.cell, region=filters.region) for one in near]
    bound = (0, *after[1:]) if after else None
    entries = await streams.each_first(tables, placed, Part("newest", bound, limit))
    return streams.nearest_first([(metres[one.cell], one) for one in entries], limit)
