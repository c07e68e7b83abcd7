"""The feed of changes: which posts have changed since a place in it, and how they stand now.

SQLite commits one transaction after another, so the change's number is the place. PostgreSQL's transactions overlap: a
number may be taken long before it is committed. There the place is a snapshot, and what has changed since is what was
written by transactions that the snapshot does not see: none is passed over, and an open one holds up nobody.
"""

import asyncio
import json
import re
import sqlite3
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final, Protocol

from sqlalchemy.engine import make_url

from mutualaid.kit import cells, opening
from mutualaid.kit.database import Database
from mutualaid.posts import raw_cards
from mutualaid.posts.cards import Card, readable
from mutualaid.posts.index.rows import Row
from mutualaid.posts.plaza_records import KEPT

Changes = dict[str, bool]
"""Each post that changed: whether it stood on the plaza before."""

_AT_ONCE: Final = 500  # rows read at a stretch: a few milliseconds
_BETWEEN: Final = "\x1f"
_NUMBER: Final = re.compile(r"[0-9]{1,18}")
_SNAPSHOT: Final = re.compile(r"[0-9]{1,20}:[0-9]{1,20}:([0-9]{1,20}(,[0-9]{1,20}){0,500})?")


class Feed(Protocol):
    """`place`: where this reader stands; a text that any process of the same database understands."""

    place: str

    async def open(self) -> None:
        """Stand at the end of the feed."""

    async def changes(self) -> Changes | None:
        """What changed since `place`, which moves on; None where the feed no longer reaches back so far."""

    async def since(self, place: str) -> Changes | None:
        """The same for somebody else's place; also None for what is no place."""

    async def rows(self, post_ids: Collection[str]) -> dict[str, Row]:
        """How these posts stand on the plaza now; who is not there does not, and whose place is no cell does not."""

    async def cards(self, post_ids: Collection[str]) -> list[Card]:
        """The cards of these posts, whatever their state."""

    def every(self) -> AsyncIterator[list[Row]]:
        """All that stands, some at a time, not at one moment: what changes meanwhile is in the feed."""

    async def many(self, least: int) -> bool:
        """Whether at least so many entries stand."""

    async def close(self) -> None: ...


def feed_of(database: Database) -> Feed:
    """The feed of this database."""
    return PostgresFeed(database) if database.dialect == "postgresql" else SqliteFeed(database)


_ROW: Final = (
    'post_id, min(kind), min("real"), min(cell), min(region), min(rank), min({created}), min({until}), {topics}'
)
_MANY: Final = "SELECT count(*) FROM (SELECT 1 FROM plaza_entries LIMIT {}) AS found"


def _row(found: Any) -> Row:
    post_id, kind, real, cell, region, rank, created, until, topics = found
    return Row(post_id, kind, real, cell, int(region), rank, created, until, tuple(topics.split(_BETWEEN)))


def _placed(rows: Iterable[Row]) -> list[Row]:
    """Without those that somebody put where there is no place."""
    return [row for row in rows if cells.is_cell(row.cell)]


# ---- SQLite ------------------------------------------------------------------------------------------------------

_LITE: Final = _ROW.format(created="created_at", until="until", topics="group_concat(topic, char(31))")
_LITE_ROWS: Final = f"""SELECT {_LITE} FROM plaza_entries
    WHERE post_id IN (SELECT value FROM json_each(?)) GROUP BY post_id"""  # noqa: S608 — words of ours
_LITE_EVERY: Final = f"SELECT {_LITE} FROM plaza_entries WHERE post_id > ? GROUP BY post_id ORDER BY post_id LIMIT ?"  # noqa: S608
_LITE_SINCE: Final = "SELECT id, post_id, stood FROM plaza_changes WHERE id > ? ORDER BY id"


class SqliteFeed:
    """A connection of its own, asked in the loop: a few microseconds where nothing has changed."""

    def __init__(self, database: Database) -> None:
        self._path = make_url(database.url).database or ""
        self._connection: Any = None
        self.place = ""

    async def open(self) -> None:
        self._connection = self._connect()
        self.place = str(self._one("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'plaza_changes'"))

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA query_only = ON")
        connection.execute(f"PRAGMA {opening.MAPPED}")
        return connection

    def _one(self, sql: str, *values: Any) -> Any:
        return self._connection.execute(sql, values).fetchone()[0]

    async def changes(self) -> Changes | None:
        found, self.place = self._since(int(self.place))
        return found

    async def since(self, place: str) -> Changes | None:
        return self._since(int(place))[0] if _NUMBER.fullmatch(place) else None

    def _since(self, place: int) -> tuple[Changes | None, str]:
        found = self._connection.execute(_LITE_SINCE, (place,)).fetchall()
        if not found:
            return {}, str(place)
        whole = found[0][0] == place + 1  # numbers are given in order, and none twice: a hole was swept
        changed: Changes = {}
        for _, post_id, stood in found:
            changed.setdefault(post_id, bool(stood))
        return (changed if whole else None), str(found[-1][0])

    async def rows(self, post_ids: Collection[str]) -> dict[str, Row]:
        found = self._connection.execute(_LITE_ROWS, (json.dumps(list(post_ids)),))
        return {row.id: row for row in _placed(map(_row, found))}

    async def cards(self, post_ids: Collection[str]) -> list[Card]:
        asked = raw_cards.CARDS.text("sqlite")
        found = self._connection.execute(asked.sql, asked.values({"ids": json.dumps(list(post_ids))}))
        return readable(found, raw_cards.card)

    async def every(self) -> AsyncIterator[list[Row]]:
        after = ""
        connection = await asyncio.to_thread(self._connect)
        try:
            while rows := await asyncio.to_thread(self._some, connection, after):
                after = rows[-1].id
                yield _placed(rows)
        finally:
            connection.close()

    @staticmethod
    def _some(connection: sqlite3.Connection, after: str) -> list[Row]:
        return [_row(found) for found in connection.execute(_LITE_EVERY, (after, _AT_ONCE))]

    async def many(self, least: int) -> bool:
        return bool(self._one(_MANY.format("?"), least) == least)

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


# ---- PostgreSQL --------------------------------------------------------------------------------------------------

_MICROS: Final = "(extract(epoch FROM {}) * 1000000)::bigint"
_GRES: Final = _ROW.format(
    created=_MICROS.format("created_at"), until=_MICROS.format("until"), topics="string_agg(topic, chr(31))"
)
_GRES_ROWS: Final = f"SELECT {_GRES} FROM plaza_entries WHERE post_id = ANY($1) GROUP BY post_id"  # noqa: S608
_GRES_EVERY: Final = f"""SELECT {_GRES} FROM plaza_entries WHERE post_id > $1
    GROUP BY post_id ORDER BY post_id LIMIT $2"""  # noqa: S608
_GRES_SINCE: Final = """SELECT pg_current_snapshot()::text, array(SELECT post_id || stood FROM plaza_changes
    WHERE xid >= pg_snapshot_xmin($1::text::pg_snapshot) AND NOT pg_visible_in_snapshot(xid, $1::text::pg_snapshot)
    ORDER BY id)"""
# The oldest row that is left: a place that does not see it, old as it is, may also miss what was swept before it.
_GRES_LOST: Final = """SELECT NOT pg_visible_in_snapshot(xid, $1::text::pg_snapshot) AND at < clock_timestamp() - $2::interval
    FROM plaza_changes ORDER BY id LIMIT 1"""


def _changes(found: Sequence[str]) -> Changes:
    changed: Changes = {}
    for one in found:
        changed.setdefault(one[:-1], one[-1] == "1")
    return changed


class PostgresFeed:
    """One connection of the pool, kept; lost, it is taken anew at the next question, and the place still stands."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._stack = AsyncExitStack()
        self._connection: Any = None
        self.place = ""

    async def open(self) -> None:
        self.place = await (await self._asyncpg()).fetchval("SELECT pg_current_snapshot()::text")

    async def _asyncpg(self) -> Any:
        if self._connection is None or self._connection.is_closed():
            await self.close()
            connection = await self._stack.enter_async_context(self._database.engine.connect())
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            self._connection = (await connection.get_raw_connection()).driver_connection
        return self._connection

    async def changes(self) -> Changes | None:
        self.place, found = await (await self._asyncpg()).fetchrow(_GRES_SINCE, self.place)
        return _changes(found)

    async def since(self, place: str) -> Changes | None:
        from asyncpg import DataError

        if not _SNAPSHOT.fullmatch(place):
            return None
        connection = await self._asyncpg()
        try:
            if await connection.fetchval(_GRES_LOST, place, KEPT):
                return None
            return _changes((await connection.fetchrow(_GRES_SINCE, place))[1])
        except DataError:  # numbers that are no snapshot
            return None

    async def rows(self, post_ids: Collection[str]) -> dict[str, Row]:
        found = await (await self._asyncpg()).fetch(_GRES_ROWS, list(post_ids))
        return {row.id: row for row in _placed(map(_row, found))}

    async def cards(self, post_ids: Collection[str]) -> list[Card]:
        found = await self._database.glance(raw_cards.CARDS, ids=json.dumps(list(post_ids)))
        return readable(found, raw_cards.card)

    async def every(self) -> AsyncIterator[list[Row]]:
        after = ""
        async with self._database.engine.connect() as connection:
            asked = (await connection.get_raw_connection()).driver_connection
            assert asked is not None
            while found := await asked.fetch(_GRES_EVERY, after, _AT_ONCE):
                after = found[-1][0]
                yield _placed(map(_row, found))

    async def many(self, least: int) -> bool:
        return bool(await (await self._asyncpg()).fetchval(_MANY.format("$1"), least) == least)

    async def close(self) -> None:
        self._connection = None
        await self._stack.aclose()
        self._stack = AsyncExitStack()
