"""The nearest cells in which streams of the plaza have entries, by whole metres between centres of cells.

SQLite: best-first search over a quadtree of Morton keys, in which each square is one bounded range of an index.
PostgreSQL: nearest neighbours by `cube` over a GiST index, asked for in growing numbers. Within a region its cells are
few, and all of them are read.
"""

import heapq
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import Integer, String, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.kit import cells as kit_cells
from mutualaid.kit import spots
from mutualaid.kit.direct import Direct, direct_of
from mutualaid.posts.streams import Stream

metres = kit_cells.between_m

PROBED: Final = 32  # cells that a square may hold before it is split
_START_LEVEL: Final = 12  # of the square round the viewer: about 5 by 10 km
_FIRST_ASKED: Final = 48
_SLACK_M: Final = 2  # between PostgreSQL's floating order and whole metres

Probe = Callable[[int, int], list[tuple[int, str]]]


@dataclass(frozen=True, slots=True)
class Near:
    """A cell so many metres away in which the stream of this number has, or lately had, entries."""

    metres: int
    stream: int
    cell: str


async def rings(
    session: AsyncSession,
    streams: Sequence[Stream],
    viewer: str,
    region: tuple[str, str] | None,
    *,
    from_m: int = 0,
    within_m: int | None = None,
) -> AsyncIterator[list[Near]]:
    """All cells at one distance together, the nearest distance first, between `from_m` and `within_m` inclusive."""
    ring: list[Near] = []
    async for near in _ordered(session, streams, viewer, region):
        if within_m is not None and near.metres > within_m:
            break
        if near.metres < from_m:
            continue
        if ring and ring[0].metres != near.metres:
            yield ring
            ring = []
        ring.append(near)
    if ring:
        yield ring


async def cells(
    session: AsyncSession,
    streams: Sequence[Stream],
    viewer: str,
    region: tuple[str, str] | None,
    *,
    most: int,
    within_m: int,
) -> AsyncIterator[Near]:
    """The cells within a radius, the nearest first; no more than `most` and one ring."""
    told = 0
    async for ring in rings(session, streams, viewer, region, within_m=within_m):
        for near in ring:
            yield near
        told += len(ring)
        if told > most:
            return


async def _ordered(
    session: AsyncSession, streams: Sequence[Stream], viewer: str, region: tuple[str, str] | None
) -> AsyncIterator[Near]:
    if region is not None:
        for near in await _of_region(session, streams, viewer, region):
            yield near
    elif session.get_bind().dialect.name == "postgresql":
        async for near in _by_neighbours(session, streams, viewer):
            yield near
    else:
        direct = await direct_of(session)
        for near in best_first([_probe(direct, stream) for stream in streams], viewer):
            yield near


# ---- SQLite ------------------------------------------------------------------------------------------------------

SQUARE: Final = """SELECT spot, cell FROM plaza_cells
    WHERE topic = ? AND kind = ? AND "real" = ? AND spot BETWEEN ? AND ? ORDER BY spot LIMIT ?"""


def _probe(direct: Direct, stream: Stream) -> Probe:
    def probe(first: int, last: int) -> list[tuple[int, str]]:
        return direct.rows(SQUARE, (stream.topic, stream.kind, stream.real, first, last, PROBED + 1))

    return probe


def best_first(probes: Sequence[Probe], viewer: str) -> Iterator[Near]:
    """Cells by distance. `probes`: one for each stream, (first key, last key) → its cells there, at most `PROBED` + 1.

    A square is opened when nothing nearer is left; one that holds more cells than a probe tells is split in four. The
    search begins with a small square round the viewer and everything beside it, level by level up to the globe.
    """
    here = kit_cells.centre(viewer)
    turn = count()  # equal distances are taken in the order they came in
    queue: list[tuple[int, int, int, int | None, int, str]] = []

    def push(stream: int, first: int, level: int) -> None:
        heapq.heappush(queue, (spots.at_least_m(here, first, level), next(turn), stream, level, first, ""))

    key = spots.morton(here)
    start, _ = spots.square(key, _START_LEVEL)
    for stream in range(len(probes)):
        push(stream, start, _START_LEVEL)
        for level in range(_START_LEVEL):
            parent, _ = spots.square(key, level)
            inside, _ = spots.square(key, level + 1)
            for first in spots.children(parent, level):
                if first != inside:
                    push(stream, first, level + 1)
    while queue:
        away, _, stream, opened, first, cell = heapq.heappop(queue)
        if opened is None:
            yield Near(away, stream, cell)
            continue
        found = probes[stream](*spots.square(first, opened))
        if len(found) > PROBED and opened < spots.LEVELS:
            for child in spots.children(first, opened):
                push(stream, child, opened + 1)
            continue
        for cell in dict.fromkeys(cell for _, cell in found):
            heapq.heappush(queue, (metres(viewer, cell), next(turn), stream, None, 0, cell))


# ---- PostgreSQL --------------------------------------------------------------------------------------------------

_NEIGHBOURS: Final = (
    text("""
    SELECT s.n - 1, c.cell FROM json_array_elements(CAST(:streams AS json)) WITH ORDINALITY AS s(value, n)
    CROSS JOIN LATERAL (
        SELECT cell FROM plaza_cells
        WHERE topic = CAST(s.value->>0 AS varchar) AND kind = CAST(s.value->>1 AS varchar)
          AND "real" = CAST(s.value->>2 AS smallint)
        ORDER BY spot <-> cube(CAST(:here AS float8[])) LIMIT :most) c
    """)
    .bindparams(
        bindparam("streams", type_=String()), bindparam("here", type_=String()), bindparam("most", type_=Integer())
    )
    .columns(stream=Integer, cell=String)
)


async def _by_neighbours(session: AsyncSession, streams: Sequence[Stream], viewer: str) -> AsyncIterator[Near]:
    """What is nearer than the last neighbour of every stream that has more of them is sure; then four times as many."""
    asked = {
        "streams": _told(streams),
        "here": "{" + ",".join(map(repr, spots.on_sphere(kit_cells.centre(viewer)))) + "}",
    }
    most, told = _FIRST_ASKED, -1
    while True:
        found: dict[int, list[Near]] = {n: [] for n in range(len(streams))}
        for n, cell in await session.execute(_NEIGHBOURS, asked | {"most": most}):
            found[n].append(Near(metres(viewer, cell), n, cell))
        full = [max(near.metres for near in of_one) - _SLACK_M for of_one in found.values() if len(of_one) == most]
        sure = min(full, default=None)
        for near in sorted(_each_once(found.values()), key=attrgetter("metres")):
            if near.metres > told and (sure is None or near.metres < sure):
                yield near
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


async def _of_region(
    session: AsyncSession, streams: Sequence[Stream], viewer: str, region: tuple[str, str]
) -> list[Near]:
    statement = text(_REGION[session.get_bind().dialect.name]).bindparams(bindparam("streams", type_=String()))
    asked = {"streams": _told(streams), "lowest": region[0], "highest": region[1]}
    found = [Near(metres(viewer, cell), n, cell) for n, cell in await session.execute(statement, asked)]
    return sorted(found, key=attrgetter("metres"))


def _told(streams: Sequence[Stream]) -> str:
    return json.dumps([[stream.topic, stream.kind, stream.real] for stream in streams])
