"""A writer's transaction begins at once where it can, and waits in the thread where somebody else is busy."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from mutualaid.kit import direct


class Refusing:
    """A connection whose first BEGIN is refused with this code."""

    def __init__(self, connection: Any, code: int) -> None:
        self._connection, self._code = connection, code

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, sql: str, *values: Any) -> Any:
        if sql.startswith("BEGIN") and self._code:
            refusal = sqlite3.OperationalError("refused")
            refusal.sqlite_errorcode, self._code = self._code, 0
            raise refusal
        return self._connection.execute(sql, *values)


async def refused(folder: Path, code: int) -> bool:
    """Whether a transaction is open after its first BEGIN was refused so."""
    connection = await direct.connect(str(folder / "one.db"))
    connection.isolation_level = None
    real = connection._connection
    connection._connection = Refusing(real, code)  # type: ignore[assignment]
    try:
        await connection.begin()
        return connection.in_transaction
    finally:
        connection._connection = real
        await connection.close()


@pytest.mark.parametrize("code", [sqlite3.SQLITE_BUSY, sqlite3.SQLITE_BUSY_RECOVERY, sqlite3.SQLITE_BUSY_SNAPSHOT])
async def test_whoever_is_busy_is_waited_for_also_one_who_mends_the_file_after_a_crash(
    tmp_path: Path, code: int
) -> None:
    assert await refused(tmp_path, code)


async def test_what_is_no_waiting_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        await refused(tmp_path, sqlite3.SQLITE_FULL)
