"""The first entries of many streams of the plaza: a range of an index each, never more than is asked for.

PostgreSQL reads all streams in one statement, each in a lateral join. SQLite, which has none and needs no round trip, is
asked for one after the other. The texts are made once for each shape of question.
"""

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import islice
from operator import attrgetter, itemgetter
from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import BindParameter, Integer, String, bindparam, text

from mutualaid.kit import clock
from mutualaid.kit.instants import Instant, micros, moment
from mutualaid.kit.prepared import Prepared
from mutualaid.kit.reads import Tables

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
_AT_A_STRETCH: Final = 200  # streams that SQLite is asked for before other requests have their turn
_SHOWN: Final = "post_id, cell, {rank}, created_at"


class Stream(NamedTuple):
    """Entries of one topic, kind and sort of author; of one cell or region where one is named."""

    topic: str
    kind: str
    real: int
    cell: str | None = None
    region: str | None = None
    regions: tuple[str, str] | None = None

    def at(self, *, cell: str | None = None, region: str | tuple[str, str] | None = None) -> "Stream":
        """This stream at one place. With a cell, `region` is the range that the reader asked for."""
        topic, kind, real, *_ = self
        if isinstance(region, str):
            return Stream(topic, kind, real, region=region)
        return Stream(topic, kind, real, cell, None, region)


class Found(NamedTuple):
    """An entry: which post, where, and what it is ordered by. `rank`: 0 where the order does not go by it and it was not
    read; `created`: microseconds since 1970."""

    post_id: str
    cell: str
    rank: int
    created: int

    @property
    def created_at(self) -> datetime:
        return moment(self.created)


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of an order: the first `limit` behind the place `after` (rank, moment, id); `newest` ignores the rank."""

    order: Order
    after: tuple[int, datetime, str] | None
    limit: int

    def bounds(self) -> dict[str, Any]:
        """As parameters of a statement."""
        found: dict[str, Any] = {"most": self.limit, "now": clock.file_time()}
        if self.after is not None:
            rank, created, post_id = self.after
            found |= {"created": created, "post": post_id} | ({"rank": rank} if self.order == "rank" else {})
        return found


def found(post_id: str, cell: str, rank: int, created_at: datetime) -> Found:
    """An entry as the databases tell it."""
    return Found(post_id, cell, rank, micros(created_at))


def nearest_first(entries: Iterable[tuple[int, Found]], limit: int) -> list[tuple[int, Found]]:
    """The first of these (metres away, entry): the nearest, then the newest, then the lowest id; each post once, however
    many of its items were asked for."""
    ordered = sorted(entries, key=lambda one: one[1].post_id)
    ordered.sort(key=lambda one: one[1].created, reverse=True)
    ordered.sort(key=itemgetter(0))
    return list(islice({one[1].post_id: one for one in ordered}.values(), limit))


async def first(tables: Tables, streams: Sequence[Stream], part: Part) -> list[Found]:
    """This part of all streams together, each post once."""
    found = await each_first(tables, streams, part, merged=True)
    once = sorted(set(found), key=attrgetter("post_id"))
    once.sort(key=attrgetter("created"), reverse=True)
    if part.order == "rank":
        once.sort(key=attrgetter("rank"))
    return once[: part.limit]


async def each_first(tables: Tables, streams: Sequence[Stream], part: Part, *, merged: bool = False) -> list[Found]:
    """This part of each stream, in no order; a post of several streams several times.

    `merged`: what cannot be among the first of all streams together may be left out, which saves its way here.
    """
    if not streams or part.limit <= 0:
        return []
    bounds, shape = part.bounds(), streams[0]
    if shape.regions is not None:
        bounds |= {"lowest": shape.regions[0], "highest": shape.regions[1]}
    if tables.dialect != "postgresql":
        return await _one_by_one(tables, streams, part, bounds)
    bounds["streams"] = json.dumps([[s.topic, s.kind, s.real, s.cell or s.region or ""] for s in streams])
    statement = _lateral(part.order, _place(shape), shape.regions is not None, part.after is not None, merged)
    return [found(*row) for row in await tables.fetch(statement, **bounds)]


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
    # By cell its index tells everything but the rank. In no other order: PostgreSQL would read that index whole, and sort.
    rank = "0 AS rank" if order == "newest" and place == "cell" else "rank"
    return f"""SELECT {_SHOWN.format(rank=rank)} FROM plaza_entries x WHERE {" AND ".join(conditions)}
        ORDER BY {_ORDERS[order].format(of="x.")} LIMIT :most"""  # noqa: S608 — words of ours


@cache
def _lateral(order: Order, place: str | None, ranged: bool, after: bool, merged: bool) -> Prepared:
    types = ("varchar", "varchar", "smallint", "varchar")
    fields = tuple(f"CAST(s.value->>{n} AS {kind})" for n, kind in enumerate(types))
    each = _range(order, place, ranged, after, clock.NOW["postgresql"], fields)
    shown = ", ".join(f"e.{name}" for name in _SHOWN.format(rank="rank").split(", "))
    ending = f"ORDER BY {_ORDERS[order].format(of='e.')} LIMIT :most" if merged else ""
    said = f"""SELECT {"DISTINCT" if merged else ""} {shown}
        FROM json_array_elements(CAST(:streams AS json)) AS s(value) CROSS JOIN LATERAL ({each}) e {ending}"""  # noqa: S608
    bound: list[BindParameter[Any]] = [bindparam("now", type_=Instant())]
    bound += [bindparam("created", type_=Instant()), bindparam("post", type_=String())] if after else []
    bound += [bindparam("rank", type_=Integer())] if after and order == "rank" else []
    bound += [bindparam("lowest", type_=String()), bindparam("highest", type_=String())] if ranged else []
    statement = (
        text(said)
        .bindparams(bindparam("streams", type_=String()), bindparam("most", type_=Integer()), *bound)
        .columns(post_id=String, cell=String, rank=Integer, created_at=Instant)
    )
    return Prepared(lambda _dialect, _prefix: statement)


async def _one_by_one(tables: Tables, streams: Sequence[Stream], part: Part, bounds: dict[str, Any]) -> list[Found]:
    shape = streams[0]
    said = range_of_one(part.order, _place(shape), shape.regions is not None, part.after is not None)
    asked = bounds | {name: micros(value) for name, value in bounds.items() if isinstance(value, datetime)}
    found: list[Found] = []
    for n, each in enumerate(streams, start=1):
        if n % _AT_A_STRETCH == 0:
            await asyncio.sleep(0)  # a group of items all over a province is thousands of streams
        asked |= {"topic": each.topic, "kind": each.kind, "real": each.real, "place": each.cell or each.region}
        rows = tables.rows(said, asked)
        found += map(Found._make, rows)
    return found


def range_of_one(order: Order, place: str | None, ranged: bool, after: bool) -> str:
    """SQLite's statement for one stream."""
    return _range(order, place, ranged, after, clock.NOW["sqlite"], (":topic", ":kind", ":real", ":place"))
