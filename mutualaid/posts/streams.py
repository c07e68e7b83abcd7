"""The first entries of many streams of the plaza in one statement: a range of an index each, never more than is asked for.

PostgreSQL reads each stream in a lateral join; SQLite, which has none, in a subquery of row numbers. Both texts are made
once for each shape of question.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any, Final, Literal

from sqlalchemy import BindParameter, Integer, String, TextualSelect, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.kit import clock
from mutualaid.kit.database import Instant

Order = Literal["newest", "rank"]
_ORDERS: Final[dict[Order, str]] = {
    "newest": "{of}created_at DESC, {of}post_id",
    "rank": "{of}rank, {of}created_at DESC, {of}post_id",
}
# `after` in such an order: the first condition is what the index can seek by
_AFTER: Final[dict[Order, str]] = {
    "newest": "x.created_at <= :created AND (x.created_at < :created OR x.post_id > :post)",
    "rank": """x.rank >= :rank AND (x.rank > :rank OR x.created_at < :created
               OR (x.created_at = :created AND x.post_id > :post))""",
}
_SHOWN: Final = "post_id, cell, rank, created_at"


@dataclass(frozen=True, slots=True)
class Stream:
    """Entries of one topic, kind and sort of author; of one cell or region where one is named."""

    topic: str
    kind: str
    real: int
    cell: str | None = None
    region: str | None = None
    regions: tuple[str, str] | None = None

    def at(self, *, cell: str | None = None, region: str | tuple[str, str] | None = None) -> "Stream":
        """This stream at one place. With a cell, `region` is the range that the reader asked for."""
        if isinstance(region, str):
            return replace(self, region=region)
        return replace(self, cell=cell, regions=region)


@dataclass(frozen=True, slots=True)
class Found:
    """An entry: which post, where, and what it is ordered by."""

    post_id: str
    cell: str
    rank: int
    created_at: datetime


async def first(
    session: AsyncSession,
    streams: Sequence[Stream],
    order: Order,
    *,
    after: tuple[int, datetime, str] | None,
    limit: int,
) -> list[Found]:
    """The first `limit` posts of all streams together, each once."""
    return await _read(session, streams, order, after=after, limit=limit, merged=True)


async def each_first(
    session: AsyncSession,
    streams: Sequence[Stream],
    order: Order,
    *,
    after: tuple[int, datetime, str] | None,
    limit: int,
) -> list[Found]:
    """The first `limit` of each stream, in no order; a post of several streams several times."""
    return await _read(session, streams, order, after=after, limit=limit, merged=False)


async def _read(
    session: AsyncSession,
    streams: Sequence[Stream],
    order: Order,
    *,
    after: tuple[int, datetime, str] | None,
    limit: int,
    merged: bool,
) -> list[Found]:
    if not streams or limit <= 0:
        return []
    shape = streams[0]
    place = "cell" if shape.cell is not None else "region" if shape.region is not None else None
    dialect = session.get_bind().dialect.name
    statement = _statement(dialect, order, place, shape.regions is not None, after is not None, merged)
    asked: dict[str, Any] = {
        "streams": json.dumps([[s.topic, s.kind, s.real, s.cell or s.region or ""] for s in streams]),
        "most": limit,
        "now": clock.file_time(),
    }
    if shape.regions is not None:
        asked |= {"lowest": shape.regions[0], "highest": shape.regions[1]}
    if after is not None:
        asked |= {"created": after[1], "post": after[2]} | ({"rank": after[0]} if order == "rank" else {})
    return [Found(*row) for row in await session.execute(statement, asked)]


@cache
def _statement(dialect: str, order: Order, place: str | None, ranged: bool, after: bool, merged: bool) -> TextualSelect:
    fields = [_field(dialect, n) for n in range(4)]
    conditions = [f"x.topic = {fields[0]}", f"x.kind = {fields[1]}", f'x."real" = {fields[2]}']
    conditions += [f"x.{place} = {fields[3]}"] if place else []
    conditions += ["x.region BETWEEN :lowest AND :highest"] if ranged else []
    conditions += [f"x.until > {clock.NOW[dialect]}"]
    conditions += [_AFTER[order]] if after else []
    inner = (
        f"FROM plaza_entries x WHERE {' AND '.join(conditions)} ORDER BY {_ORDERS[order].format(of='x.')} LIMIT :most"
    )
    if dialect == "postgresql":
        source = f"""json_array_elements(CAST(:streams AS json)) AS s(value)
            CROSS JOIN LATERAL (SELECT {_SHOWN} {inner}) e"""
    else:
        source = f"json_each(:streams) s CROSS JOIN plaza_entries e ON e.id IN (SELECT x.id {inner})"
    shown = ", ".join(f"e.{name}" for name in _SHOWN.split(", "))
    ending = f" ORDER BY {_ORDERS[order].format(of='e.')} LIMIT :most" if merged else ""
    said = f"SELECT {'DISTINCT ' if merged else ''}{shown} FROM {source}{ending}"  # noqa: S608
    moments: list[BindParameter[Any]] = [bindparam("now", type_=Instant())]
    moments += [bindparam("created", type_=Instant()), bindparam("post", type_=String())] if after else []
    moments += [bindparam("rank", type_=Integer())] if after and order == "rank" else []
    return (
        text(said)
        .bindparams(bindparam("streams", type_=String()), bindparam("most", type_=Integer()), *moments)
        .columns(post_id=String, cell=String, rank=Integer, created_at=Instant)
    )


def _field(dialect: str, n: int) -> str:
    """The nth word of a stream's row, of its column's own type."""
    if dialect == "postgresql":
        return f"CAST(s.value->>{n} AS {'smallint' if n == 2 else 'varchar'})"
    return f"json_extract(s.value, '$[{n}]')"
