"""Where wrapped keys lie: a SQLite file or a PostgreSQL table, one fixed-size blob a row.

SQLite. A destroyed key must be nowhere in the file. So there is one place where it can be: rows are only ever appended,
and a blob is only overwritten by another of the same size (destroyed = all zeros), so that no row moves and leaves
itself behind; `secure_delete` zeroes what is freed all the same. After a destruction the log is copied into the file
and cut to nothing.

A look-up by owner takes some 5 µs, a hundredth of what handing it to a thread costs, so reads run on the event loop;
only what waits for the disk (writes, and reads that meet a lock) goes to the store's own thread.
"""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final, Protocol, TypeVar

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, Table, Text, insert, select, text, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from mutualaid.kit.errors import Overloaded
from mutualaid.kit.sealing import WRAPPED_BYTES

BLANK: Final = bytes(WRAPPED_BYTES)

_SCHEMA = 1
_CHUNK = 200  # owners a statement: 200 take about 1 ms of the event loop
_BUSY_S = 5.0
_CUT_TRIES = 3

_T = TypeVar("_T")

Swap = tuple[bytes, bytes, int]  # the blob as it was read, the blob to put there, the row


class ShelfRefused(Exception):
    """The store was written by a later release."""

    def __init__(self) -> None:
        super().__init__("the key store was written by a later release")


class Shelf(Protocol):
    """What the key store asks of its storage. Every method raises `Overloaded` where the storage does not answer."""

    async def fetch(self, owners: Sequence[str]) -> dict[str, bytes]:
        """The blobs of those owners that have a row."""

    async def add(self, owner: str, wrapped: bytes) -> None:
        """Append a row, unless the owner has one."""

    async def wipe(self, owner: str) -> None:
        """Overwrite the owner's blob with zeros, or leave a blank row where there was none."""

    async def page(self, after: int, most: int) -> list[tuple[int, str, bytes]]:
        """Up to `most` rows (number, owner, blob) with a number above `after`, in order."""

    async def swap(self, swaps: Sequence[Swap]) -> None:
        """Replace each blob that is still as it was read."""

    async def close(self) -> None:
        """Let go of files and connections."""


class SqliteShelf:
    def __init__(self, path: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="key-store")
        try:
            self._writer = _prepared(path)
            self._reader = _connect(path, busy_s=0.0)
        except BaseException:
            self._thread.shutdown(wait=False)
            raise
        self._reader.execute("PRAGMA query_only=ON")

    @classmethod
    async def open(cls, path: str) -> "SqliteShelf":
        return await asyncio.to_thread(cls, path)

    async def fetch(self, owners: Sequence[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for start in range(0, len(owners), _CHUNK):
            chunk = owners[start : start + _CHUNK]
            if start:
                await asyncio.sleep(0)
            try:
                found.update(_rows(self._reader, chunk))
            except sqlite3.OperationalError:  # locked for a moment: wait where waiting holds nobody up
                found.update(await self._in_thread(partial(_rows, self._writer, chunk)))
        return found

    async def add(self, owner: str, wrapped: bytes) -> None:
        statement = "INSERT INTO data_keys (owner, wrapped) VALUES (?, ?) ON CONFLICT (owner) DO NOTHING"
        await self._in_thread(lambda: self._writer.execute(statement, (owner, wrapped)))

    async def wipe(self, owner: str) -> None:
        await self._in_thread(lambda: self._wipe(owner))

    async def page(self, after: int, most: int) -> list[tuple[int, str, bytes]]:
        statement = "SELECT id, owner, wrapped FROM data_keys WHERE id > ? ORDER BY id LIMIT ?"
        return await self._in_thread(lambda: self._writer.execute(statement, (after, most)).fetchall())

    async def swap(self, swaps: Sequence[Swap]) -> None:
        await self._in_thread(lambda: self._swap(swaps))

    async def close(self) -> None:
        await self._in_thread(self._writer.close)
        self._reader.close()
        self._thread.shutdown()

    def _wipe(self, owner: str) -> None:
        self._writer.execute(
            "INSERT INTO data_keys (owner, wrapped) VALUES (?, ?)"
            " ON CONFLICT (owner) DO UPDATE SET wrapped = excluded.wrapped",
            (owner, BLANK),
        )
        # Also when the blob was blank already: the process that blanked it may have died before it cut the log.
        for _ in range(_CUT_TRIES):
            busy, _, _ = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if not busy:
                return
        raise Overloaded(retry_after=2)

    def _swap(self, swaps: Sequence[Swap]) -> None:
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            statement = "UPDATE data_keys SET wrapped = ? WHERE id = ? AND wrapped = ?"
            self._writer.executemany(statement, ((becomes, row, was) for was, becomes, row in swaps))
            self._writer.execute("COMMIT")
        except BaseException:
            self._writer.execute("ROLLBACK")
            raise

    async def _in_thread(self, deed: Callable[[], _T]) -> _T:
        # The one thread takes deeds in turn and finishes each, also when the task that asked for it was cancelled.
        with _told():
            return await asyncio.get_running_loop().run_in_executor(self._thread, deed)


def _prepared(path: str) -> sqlite3.Connection:
    """The file with its table, readable by its owner only (its log inherits the mode); safe when many start at once."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = _connect(path, busy_s=_BUSY_S)
    try:
        connection.execute("PRAGMA secure_delete=ON")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("BEGIN IMMEDIATE")
        if connection.execute("PRAGMA user_version").fetchone()[0] > _SCHEMA:
            raise ShelfRefused
        connection.execute(
            "CREATE TABLE IF NOT EXISTS data_keys"
            " (id INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT NOT NULL UNIQUE, wrapped BLOB NOT NULL)"
        )
        connection.execute(f"PRAGMA user_version={_SCHEMA}")
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(path: str, *, busy_s: float) -> sqlite3.Connection:
    # Opened in a thread and used in another, never in two at once.
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA busy_timeout={round(busy_s * 1000)}")
    return connection


def _rows(connection: sqlite3.Connection, owners: Sequence[str]) -> list[tuple[str, bytes]]:
    marks = ",".join("?" * len(owners))
    statement = f"SELECT owner, wrapped FROM data_keys WHERE owner IN ({marks})"  # noqa: S608 — only question marks
    return connection.execute(statement, owners).fetchall()


_metadata = MetaData()
_data_keys = Table(
    "data_keys",
    _metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("owner", Text, nullable=False, unique=True),
    Column("wrapped", LargeBinary, nullable=False),
)
_key_store = Table("key_store", _metadata, Column("version", Integer, primary_key=True))


class PostgresShelf:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @classmethod
    async def open(cls, url: str) -> "PostgresShelf":
        # hide_parameters: a failing statement's error would quote the blob.
        engine = create_async_engine(url, pool_size=10, pool_timeout=2.0, pool_pre_ping=True, hide_parameters=True)
        try:
            with _told():
                async with engine.begin() as connection:
                    # "IF NOT EXISTS" fails where two create at once: the first makes the tables, the others wait.
                    await connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('mutualaid key store'))"))
                    await connection.run_sync(_metadata.create_all)
                    version = await connection.scalar(select(_key_store.c.version))
                    if version is None:
                        await connection.execute(insert(_key_store).values(version=_SCHEMA))
                    elif version > _SCHEMA:
                        raise ShelfRefused
        except BaseException:
            await engine.dispose()
            raise
        return cls(engine)

    async def fetch(self, owners: Sequence[str]) -> dict[str, bytes]:
        with _told():
            async with self._engine.connect() as connection:
                rows = await connection.execute(
                    select(_data_keys.c.owner, _data_keys.c.wrapped).where(_data_keys.c.owner.in_(owners))
                )
                return {row.owner: row.wrapped for row in rows}

    async def add(self, owner: str, wrapped: bytes) -> None:
        statement = postgresql.insert(_data_keys).values(owner=owner, wrapped=wrapped)
        with _told():
            async with self._engine.begin() as connection:
                await connection.execute(statement.on_conflict_do_nothing(index_elements=["owner"]))

    async def wipe(self, owner: str) -> None:
        statement = postgresql.insert(_data_keys).values(owner=owner, wrapped=BLANK)
        with _told():
            async with self._engine.begin() as connection:
                await connection.execute(
                    statement.on_conflict_do_update(index_elements=["owner"], set_={"wrapped": BLANK})
                )

    async def page(self, after: int, most: int) -> list[tuple[int, str, bytes]]:
        table = _data_keys.c
        with _told():
            async with self._engine.connect() as connection:
                rows = await connection.execute(
                    select(table.id, table.owner, table.wrapped).where(table.id > after).order_by(table.id).limit(most)
                )
                return [(row.id, row.owner, row.wrapped) for row in rows]

    async def swap(self, swaps: Sequence[Swap]) -> None:
        with _told():
            async with self._engine.begin() as connection:
                for was, becomes, row in swaps:
                    await connection.execute(
                        update(_data_keys)
                        .where(_data_keys.c.id == row, _data_keys.c.wrapped == was)
                        .values(wrapped=becomes)
                    )

    async def close(self) -> None:
        await self._engine.dispose()


@contextmanager
def _told() -> Iterator[None]:
    """A store that is locked, full, or gone is a 503 for whoever asks; nothing was half done."""
    try:
        yield
    except (sqlite3.OperationalError, PoolTimeout, DBAPIError, OSError) as problem:
        raise Overloaded(retry_after=2) from problem
