"""The counterparts nearest to a post that could go with it, by the plaza's own cells: no more is read than is thought about."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import SmallInteger, String, bindparam, case, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.kit import cells
from mutualaid.kit.clock import sql_now
from mutualaid.kit.plain import Plain
from mutualaid.kit.prepared import Prepared, among
from mutualaid.kit.reads import tables_of
from mutualaid.matching import rules
from mutualaid.matching.rules import Side
from mutualaid.posts import nearby
from mutualaid.posts.plaza_records import PlazaEntry
from mutualaid.posts.records import PostLine
from mutualaid.posts.rules import Kind
from mutualaid.posts.streams import Stream

FAR: Final[tuple[int, ...]] = (
    12,
    60,
    180,
)  # cells looked into together, the nearest first, as long as too little was found
NEAR: Final[tuple[int, ...]] = (24,)
_READ_MOST: Final = 200  # of one batch: those with something to spare first, then who has waited longest
_NOT_URGENT: Final = 10_000  # the plaza's rank of what is not urgent begins here, see `posts.rules.urgent_rank`

_entry, _line = PlazaEntry.__table__.c, PostLine.__table__.c
_spare = case((_line.remaining - _line.held - _line.proposed > 0, 1), else_=0).label("spare")


def _in_cells(dialect: str, prefix: str) -> Any:
    kind: Any = bindparam(f"{prefix}kind", type_=String(), required=True)
    line = (_line.post_id == _entry.post_id) & (_line.item == _entry.topic)
    query = (
        select(_entry.post_id, _entry.cell, _entry.rank, _spare)
        .join_from(PlazaEntry.__table__, PostLine.__table__, line)
        .where(
            among(_entry.topic, "topics", dialect, prefix),
            _entry.kind == kind,
            _entry.real.in_([literal(real, SmallInteger()) for real in (0, 1)]),
            among(_entry.cell, "cells", dialect, prefix),
            _entry.until > sql_now(),
        )
    )
    return query.order_by(_spare.desc(), _entry.created_at, _entry.post_id).limit(literal(_READ_MOST))


_IN_CELLS: Final = Prepared(_in_cells)


class _Entry(NamedTuple):
    post_id: str
    cell: str
    rank: int
    spare: int


async def nearest(
    session: AsyncSession,
    plain: Plain,
    mine: Side,
    kind: Kind,
    *,
    topics: Sequence[str],
    most: int,
    batches: Sequence[int] = FAR,
) -> set[str]:
    """The nearest with something to spare; a third beside them whatever they have, since a proposal may be re-routed; and
    of an offer's counterparts as many urgent ones. `topics`: the items that are looked for."""
    other = rules.other(kind)
    rows: list[_Entry] = []
    async for batch in _cells(session, mine, other, topics, batches):
        rows += [_Entry(*row) for row in await plain.fetch(_IN_CELLS, topics=topics, kind=other, cells=batch)]
        if sum(row.spare for row in rows) >= most:
            break
    rows.sort(key=lambda row: cells.between_m(mine.cell, row.cell))
    chosen = [row for row in rows if row.spare][:most] + rows[: most // 3]
    if kind == "offer":
        chosen += [row for row in rows if row.rank < _NOT_URGENT][: most // 3]
    return {row.post_id for row in chosen} - {mine.id}


def topics_of(mine: Side, catalogue: Catalogue) -> list[str]:
    """The items that could go with its lines; the rules say later which really do."""
    own = list(dict.fromkeys(line.item for line in mine.lines))
    return [*own, *sorted(rules.substitutes_of(own, catalogue.items))]


async def _cells(
    session: AsyncSession, mine: Side, kind: Kind, topics: Sequence[str], batches: Sequence[int]
) -> AsyncIterator[list[str]]:
    """The cells within reach in which there are some, in batches."""
    streams = [Stream(topic, kind, real) for topic in topics for real in (0, 1)]
    sizes = iter(batches)
    batch: dict[str, None] = {}
    size = next(sizes)
    reach = mine.reach_km * 1000
    async for near in nearby.cells(
        await tables_of(session), streams, mine.cell, None, most=sum(batches), within_m=reach
    ):
        batch[near.cell] = None
        if len(batch) == size:
            yield list(batch)
            batch, size = {}, next(sizes, 0)
            if not size:
                return
    if batch:
        yield list(batch)
