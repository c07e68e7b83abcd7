"""SQLite without a thread between: statements run where they are asked, and only what may wait runs in the thread.

aiosqlite hands every step of a statement (make a cursor, execute, fetch, close) to a thread of its own: some eighty hand-
overs for one published post, each dearer than the step itself. A statement of ours takes microseconds; what may take
longer is waiting for the write lock (BEGIN IMMEDIATE) and waiting for the disk (COMMIT): those two keep the thread.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import aiosqlite
from sqlalchemy.ext.asyncio import AsyncSession

_KIND = 0xFF  # of an extended error code: busy, whatever with (another writer, recovery after a crash)
_WAITS = frozenset({"commit", "close", "backup"})  # of the connection; a cursor closes at once
_WAITING = ("BEGIN IMMEDIATE", "COMMIT", "VACUUM", "PRAGMA")


class Direct(aiosqlite.Connection):
    """A connection whose statements run in the loop; see above."""

    _only_reads = False  # the transaction that is open, if it keeps its word: then nothing waits for its end

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self._may_wait(fn, args) or not self._running or self._connection is None:
            return await super()._execute(fn, *args, **kwargs)  # type: ignore[no-untyped-call] # theirs
        return fn(*args, **kwargs)

    def rows(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any]) -> list[Any]:
        """All rows of a reading statement of a few microseconds, in the transaction that is open."""
        return self._conn.execute(sql, parameters).fetchall()

    async def begin(self) -> None:
        """BEGIN IMMEDIATE: here where nobody else writes, in the thread where it must wait."""
        (patience,) = self._conn.execute("PRAGMA busy_timeout").fetchone()
        self._conn.execute("PRAGMA busy_timeout=0")
        try:
            self._conn.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as problem:
            if problem.sqlite_errorcode & _KIND != sqlite3.SQLITE_BUSY:
                raise
        finally:
            self._conn.execute(f"PRAGMA busy_timeout={patience}")
        if not self.in_transaction:
            await self.waits("BEGIN IMMEDIATE")

    async def waits(self, sql: str) -> None:
        """A statement that may wait for the lock or for the disk, in the thread."""
        await super()._execute(self._conn.execute, sql)  # type: ignore[no-untyped-call] # theirs

    def _may_wait(self, fn: Callable[..., Any], args: tuple[Any, ...]) -> bool:
        if getattr(fn, "__self__", None) is self._connection:
            name = getattr(fn, "__name__", "")
            return name in _WAITS and not (name == "commit" and self._only_reads)
        said = args[0] if args and isinstance(args[0], str) else ""
        if said.startswith("BEGIN"):
            self._only_reads = said == "BEGIN DEFERRED"
        return said.startswith(_WAITING)


async def connect(path: str) -> Direct:
    """An open connection to the file, used by one task at a time: by its loop and by its own thread, never by both."""
    connection = Direct(partial(sqlite3.connect, path, check_same_thread=False), iter_chunk_size=64)
    connection._thread.daemon = True  # a process that ends does not wait for it
    await connection
    return connection


async def direct_of(session: AsyncSession) -> Direct:
    """The connection of a session on SQLite, within its transaction."""
    connection = (await (await session.connection()).get_raw_connection()).driver_connection
    assert isinstance(connection, Direct)
    return connection
