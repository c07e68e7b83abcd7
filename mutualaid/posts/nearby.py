"""The nearest cells in which streams of the plaza have entries, by whole metres between centres of cells.

SQLite: best-first search over a quadtree of Morton keys, in which each square is one bounded range of an index.
PostgreSQL: nearest neighbours by `cube` over a GiST index, asked for in growing numbers. Within a region its cells are
few, and all of them are read.
"""

import heapq
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing
from functools import cache
from itertools import count, islice
from operator import attrgetter
from typing import Any, Final, NamedTuple

from sqlalchemy import Integer, String, TextualSelect, bindparam, text

from mutualaid.kit import cells as kit_cells
from mutualaid.kit import spots
from mutualaid.kit.prepared import Prepared
from mutualaid.kit.reads import Tables
from mutualaid.posts.streams import Stream

PROBED: Final = 24  # cells that a square may hold, all streams together, before it is split
_START_LEVEL: Final = 13  # of the square round the viewer: about 2.4 by 5 km
_STRETCH: Final = 16  # cells told at a time
_FIRST_ASKED: Final = 48
SLACK_M: Final = 2  # between PostgreSQL's floating order and whole metres

_NOWHERE_M: Final = 1 << 40
_NOBODYS: Final = -1  # no stream that was asked for

Placed = tuple[int, str]
Probe = Callable[[int, int], list[Placed]]


class Near(NamedTuple):
    """A cell so many metres away in which the stream of this number has, or lately had, entries."""

    metres: int
    stream: int
    cell: str


def metres(viewer: str, cell: str) -> int:
    """`cells.between_m`; what stands there and is no cell lies beyond everything, and stops nobody's search."""
    try:
        return kit_cells.between_m(viewer, cell)
    except ValueError:
        return _NOWHERE_M


async def rings(
    tables: Tables,
    streams: Sequence[Stream],
    viewer: str,
    region: tuple[str, str] | None,
    *,
    from_m: int = 0,
    within_m: int | None = None,
) -> AsyncGenerator[list[Near]]:
    """All cells at one distance together, the nearest distance first, between `from_m` and `within_m` inclusive."""
    ring: list[Near] = []
    async with aclosing(_ordered(tables, streams, viewer, region)) as stretches:
        async for stretch in stretches:
            for near in stretch:
                if near.metres < from_m:
                    continue
                beyond = within_m is not None and near.metres > within_m
                if ring and (beyond or ring[0].metres != near.metres):
                    yield ring
                    ring = []
                if beyond:
                    return
                ring.append(near)
    if ring:
        yield ring


async def cells(
    tables: Tables,
    streams: Sequence[Stream],
    viewer: str,
    region: tuple[str, str] | None,
    *,
    most: int,
    within_m: int,
) -> AsyncIterator[Near]:
    """The cells within a radius, the nearest first; no more than `most` and one ring."""
    told = 0
    async for ring in rings(tables, streams, viewer, region, within_m=within_m):
        for near in ring:
            yield near
        told += len(ring)
        if told > most:
            return


async def _ordered(
    tables: Tables, streams: Sequence[Stream], viewer: str, region: tuple[str, str] | None
) -> AsyncGenerator[Sequence[Near], None]:
    """Stretch by stretch."""
    if not streams:
        return
    if region is not None:
        yield await _of_region(tables, streams, viewer, region)
    elif tables.dialect == "postgresql":
        async for stretch in _by_neighbours(tables, streams, viewer):
            yield stretch
    else:
        found = best_first(_probe(tables, streams), viewer)
        while stretch := list(islice(found, _STRETCH)):
            yield stretch


# ---- SQLite ------------------------------------------------------------------------------------------------------


def _probe(tables: Tables, streams: Sequence[Stream]) -> Probe:
    """All streams of a square in one statement."""
    number = {(stream.topic, stream.kind, stream.real): n for n, stream in enumerate(streams)}
    topics, kinds, reals = (list(dict.fromkeys(each)) for each in zip(*number, strict=True))
    statement, asked = in_square(len(topics), len(kinds), len(reals)), (*topics, *kinds, *reals)

    def probe(first: int, last: int) -> list[Placed]:
        rows = tables.rows(statement, (*asked, first, last, PROBED + 1))
        if len(number) == 1:
            return [(0, cell) for _, _, _, cell in rows]
        return [(number.get((topic, kind, real), _NOBODYS), cell) for topic, kind, real, cell in rows]

    return probe


@cache
def in_square(topics: int, kinds: int, reals: int) -> str:
    """SQLite's statement for the cells of a square, of so many topics, kinds and sorts of author: a range of the index
    each, in no order."""
    each = (", ".join("?" * count) for count in (topics, kinds, reals))
    return """SELECT topic, kind, "real", cell FROM plaza_cells WHERE topic IN ({}) AND kind IN ({}) AND "real" IN ({})
        AND spot BETWEEN ? AND ? LIMIT ?""".format(*each)  # noqa: S608 — question marks


def best_first(probe: Probe, viewer: str) -> Iterator[Near]:
    """Cells by distance. `probe`: (first key, last key) → (number of the stream, cell) of what lies there, at most
    `PROBED` + 1 of them.

    A square is opened when nothing nearer is left; one that holds more than a probe tells is split in four. The search
    begins with a small square round the viewer; what lies beside it is looked at once nothing nearer is left, level by
    level up to the globe.
    """
    here, key = kit_cells.centre(viewer), spots.morton(kit_cells.centre(viewer))
    turn = count()  # equal distances are taken in the order they came in
    queue: list[tuple[int, int, int | None, int, str]] = []  # of a cell: no level, its stream, its name

    def push(first: int, level: int) -> None:
        heapq.heappush(queue, (spots.at_least_m(here, first, level), next(turn), level, first, ""))

    def push_beside(level: int) -> None:
        """What lies outside the viewer's square of this level."""
        inside, _ = spots.square(key, level)
        heapq.heappush(queue, (spots.outside_m(here, inside, level), next(turn), -level, inside, ""))

    push(spots.square(key, _START_LEVEL)[0], _START_LEVEL)
    push_beside(_START_LEVEL)
    while queue:
        away, _, opened, first, cell = heapq.heappop(queue)
        if opened is None:
            yield Near(away, first, cell)
            continue
        if opened < 0:
            level = -opened - 1
            for beside in spots.children(spots.square(key, level)[0], level):
                if beside != first:
                    push(beside, level + 1)
            if level > 0:
                push_beside(level)
            continue
        found = probe(*spots.square(first, opened))
        if len(found) > PROBED and opened < spots.LEVELS:
            for child in spots.children(first, opened):
                push(child, opened + 1)
            continue
        for stream, cell in dict.fromkeys(found):
            if stream != _NOBODYS:
                heapq.heappush(queue, (metres(viewer, cell), next(turn), None, stream, cell))


# ---- PostgreSQL --------------------------------------------------------------------------------------------------

_NEAREST: Final = """
    SELECT s.n - 1, c.cell FROM json_array_elements(CAST(:streams AS json)) WITH ORDINALITY AS s(value, n)
    CROSS JOIN LATERAL (
        SELECT cell FROM plaza_cells
        WHERE topic = CAST(s.value->>0 AS varchar) AND kind = CAST(s.value->>1 AS varchar)
          AND "real" = CAST(s.value->>2 AS smallint)
        ORDER BY spot <-> cube(CAST(:here AS float8[])) LIMIT :most) c"""


def _neighbours(_dialect: str, _prefix: str) -> TextualSelect:
    bound = bindparam("streams", type_=String()), bindparam("here", type_=String()), bindparam("most", type_=Integer())
    return text(_NEAREST).bindparams(*bound).columns(stream=Integer, cell=String)


_NEIGHBOURS: Final = Prepared(_neighbours)


async def _by_neighbours(tables: Tables, streams: Sequence[Stream], viewer: str) -> AsyncIterator[Sequence[Near]]:
    """What is nearer than the last neighbour of every stream that has more of them is sure; then four times as many."""
    asked = {
        "streams": _told(streams),
        "here": "{" + ",".join(map(repr, spots.on_sphere(kit_cells.centre(viewer)))) + "}",
    }
    most, told = _FIRST_ASKED, -1
    while True:
        found: dict[int, list[Near]] = {n: [] for n in range(len(streams))}
        for n, cell in await tables.fetch(_NEIGHBOURS, **asked, most=most):
            found[n].append(Near(metres(viewer, cell), n, cell))
        full = [max(near.metres for near in of_one) - SLACK_M for of_one in found.values() if len(of_one) == most]
        sure = min(full, default=None)
        near = [one for one in _each_once(found.values()) if one.metres > told and (sure is None or one.metres < sure)]
        yield sorted(near, key=attrgetter("metres"))
        if sure is None:
            return
        told, most = max(told, sure - 1), most * 4


def _each_once(found: Any) -> Iterator[Near]:
    for of_one in found:
        yield from dict.fromkeys(of_one)


# ---- both --------------------------------------------------------------------------------------------------------

_REGION: Final[dict[str, str]] = {
    "postgresql": """SELECT DISTINCT s.n - 1, c.cell
        FROM json_array_elements(CAST(:streams AS json)) WITH ORDINALITY AS s(value, n) CROSS JOIN LATERAL (
            SELECT cell FROM plaza_cells
            WHERE topic = CAST(s.value->>0 AS varchar) AND kind = CAST(s.value->>1 AS varchar)
              AND "real" = CAST(s.value->>2 AS smallint) AND region BETWEEN :lowest AND :highest) c""",
    "sqlite": """SELECT DISTINCT s.key, c.cell FROM json_each(:streams) s CROSS JOIN plaza_cells c
        ON c.topic = json_extract(s.value, '$[0]') AND c.kind = json_extract(s.value, '$[1]')
        AND c."real" = json_extract(s.value, '$[2]') AND c.region BETWEEN :lowest AND :highest""",
}


def _in_region(dialect: str, _prefix: str) -> TextualSelect:
    bound = (bindparam(name, type_=String()) for name in ("streams", "lowest", "highest"))
    return text(_REGION[dialect]).bindparams(*bound).columns(stream=Integer, cell=String)


_IN_REGION: Final = Prepared(_in_region)


async def _of_region(tables: Tables, streams: Sequence[Stream], viewer: str, region: tuple[str, str]) -> list[Near]:
    rows = await tables.fetch(_IN_REGION, streams=_told(streams), lowest=region[0], highest=region[1])
    found = [Near(metres(viewer, cell), n, cell) for n, cell in rows]
    return sorted(found, key=attrgetter("metres"))


def _told(streams: Sequence[Stream]) -> str:
    return json.dumps([[stream.topic, stream.kind, stream.real] for stream in streams])
