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

_WAITS = frozenset({"commit", "close", "backup"})  # of the connection; a cursor closes at once
_WAITING = ("BEGIN IMMEDIATE", "COMMIT", "VACUUM", "PRAGMA")


class Direct(aiosqlite.Connection):
    """A connection whose statements run in the loop; see above."""

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self._may_wait(fn, args) or not self._running or self._connection is None:
            return await super()._execute(fn, *args, **kwargs)  # type: ignore[no-untyped-call] # theirs
        return fn(*args, **kwargs)

    def rows(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any]) -> list[Any]:
        """All rows of a reading statement of a few microseconds, in the transaction that is open."""
        return self._conn.execute(sql, parameters).fetchall()

    def _may_wait(self, fn: Callable[..., Any], args: tuple[Any, ...]) -> bool:
        if getattr(fn, "__self__", None) is self._connection:
            return getattr(fn, "__name__", "") in _WAITS
        return bool(args) and isinstance(args[0], str) and args[0].startswith(_WAITING)


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
