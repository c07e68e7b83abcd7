"""The first entries of many streams of the plaza: a range of an index each, never more than is asked for.

PostgreSQL reads all streams in one statement, each in a lateral join. SQLite, which has none and needs no round trip, is
asked for one after the other. The texts are made once for each shape of question.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Any, Final, Literal

from sqlalchemy import BindParameter, Integer, String, TextualSelect, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.kit import clock
from mutualaid.kit.direct import direct_of
from mutualaid.kit.instants import Instant, micros, moment

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
    bounds: dict[str, Any] = {"most": limit, "now": clock.file_time()}
    if streams[0].regions is not None:
        bounds |= {"lowest": streams[0].regions[0], "highest": streams[0].regions[1]}
    if after is not None:
        bounds |= {"created": after[1], "post": after[2]} | ({"rank": after[0]} if order == "rank" else {})
    if session.get_bind().dialect.name == "postgresql":
        asked = bounds | {"streams": json.dumps([[s.topic, s.kind, s.real, s.cell or s.region or ""] for s in streams])}
        statement = _lateral(order, _place(streams[0]), streams[0].regions is not None, after is not None, merged)
        return [Found(*row) for row in await session.execute(statement, asked)]
    found = await _one_by_one(session, streams, order, bounds)
    return _first_of(found, order, limit) if merged else found


def _place(stream: Stream) -> str | None:
    return "cell" if stream.cell is not None else "region" if stream.region is not None else None


@cache
def _range(order: Order, place: str | None, ranged: bool, after: bool, now: str, fields: tuple[str, ...]) -> str:
    """The first entries `x` of one stream, whose topic, kind, real and place are `fields`."""
    conditions = [f"x.topic = {fields[0]}", f"x.kind = {fields[1]}", f'x."real" = {fields[2]}']
    conditions += [f"x.{place} = {fields[3]}"] if place else []
    conditions += ["x.region BETWEEN :lowest AND :highest"] if ranged else []
    conditions += [f"x.until > {now}"]
    conditions += [_AFTER[order]] if after else []
    return f"""SELECT {_SHOWN} FROM plaza_entries x WHERE {" AND ".join(conditions)}
        ORDER BY {_ORDERS[order].format(of="x.")} LIMIT :most"""  # noqa: S608 — words of ours


@cache
def _lateral(order: Order, place: str | None, ranged: bool, after: bool, merged: bool) -> TextualSelect:
    types = ("varchar", "varchar", "smallint", "varchar")
    fields = tuple(f"CAST(s.value->>{n} AS {kind})" for n, kind in enumerate(types))
    each = _range(order, place, ranged, after, clock.NOW["postgresql"], fields)
    shown = ", ".join(f"e.{name}" for name in _SHOWN.split(", "))
    ending = f"ORDER BY {_ORDERS[order].format(of='e.')} LIMIT :most" if merged else ""
    said = f"""SELECT {"DISTINCT" if merged else ""} {shown}
        FROM json_array_elements(CAST(:streams AS json)) AS s(value) CROSS JOIN LATERAL ({each}) e {ending}"""  # noqa: S608
    bound: list[BindParameter[Any]] = [bindparam("now", type_=Instant())]
    bound += [bindparam("created", type_=Instant()), bindparam("post", type_=String())] if after else []
    bound += [bindparam("rank", type_=Integer())] if after and order == "rank" else []
    return (
        text(said)
        .bindparams(bindparam("streams", type_=String()), bindparam("most", type_=Integer()), *bound)
        .columns(post_id=String, cell=String, rank=Integer, created_at=Instant)
    )


async def _one_by_one(
    session: AsyncSession, streams: Sequence[Stream], order: Order, bounds: dict[str, Any]
) -> list[Found]:
    connection = await direct_of(session)
    said = range_of_one(order, _place(streams[0]), streams[0].regions is not None, "created" in bounds)
    asked = bounds | {name: micros(value) for name, value in bounds.items() if isinstance(value, datetime)}
    found = []
    for stream in streams:
        asked |= {
            "topic": stream.topic,
            "kind": stream.kind,
            "real": stream.real,
            "place": stream.cell or stream.region,
        }
        for post_id, cell, rank, created in connection.rows(said, asked):
            found.append(Found(post_id, cell, rank, moment(created)))
    return found


def range_of_one(order: Order, place: str | None, ranged: bool, after: bool) -> str:
    """SQLite's statement for one stream."""
    return _range(order, place, ranged, after, clock.NOW["sqlite"], (":topic", ":kind", ":real", ":place"))


def _first_of(found: Sequence[Found], order: Order, limit: int) -> list[Found]:
    """The first distinct ones of several streams together."""
    once = sorted(set(found), key=attrgetter("post_id"))
    once.sort(key=attrgetter("created_at"), reverse=True)
    if order == "rank":
        once.sort(key=attrgetter("rank"))
    return once[:limit]
