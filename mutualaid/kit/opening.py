"""How a database is opened: its pool, what SQLite is set to, and whose its file is."""

import os
from contextlib import suppress
from functools import partial
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from mutualaid.kit import direct

# the most that SQLite allows; a page is then read where it lies, not by a call to the system and a copy
MAPPED = f"mmap_size={(1 << 31) - (1 << 16)}"

# secure_delete: what is deleted or overwritten is zeroed in its page, also where SQLite was built without that
# wal_autocheckpoint: 16 MB, a log whose pages SQLite still finds by one look; what was erased leaves it by `cut_log`
PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "busy_timeout=5000",
    "foreign_keys=ON",
    "secure_delete=ON",
    "wal_autocheckpoint=4000",
    MAPPED,
)


def engine(url: str, dialect: str, pool_size: int, pool_timeout: float) -> AsyncEngine:
    """A pool of connections. On SQLite each is opened as `PRAGMAS` say, and says BEGIN as its `sqlite_begin` option says."""
    # hide_parameters: an error's text would repeat what people wrote
    options: dict[str, Any] = {"pool_size": pool_size, "pool_timeout": pool_timeout, "hide_parameters": True}
    if dialect != "sqlite":
        return create_async_engine(url, max_overflow=5, connect_args={"timeout": 5.0}, **options)
    path = make_url(url).database or ":memory:"
    _private_file(path)
    made = create_async_engine(url, max_overflow=0, async_creator=partial(direct.connect, path), **options)

    @event.listens_for(made.sync_engine, "connect")
    def _open(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # it is told here, see _begin
        cursor = connection.cursor()
        for pragma in PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(made.sync_engine, "begin")
    def _begin(connection: Any) -> None:
        mode = connection.get_execution_options().get("sqlite_begin", "IMMEDIATE")
        connection.exec_driver_sql(f"BEGIN {mode}")

    return made


def _private_file(path: str | None) -> None:
    """Make the file, readable by its owner only, before SQLite would make it readable by all; its log inherits the mode.

    A folder that cannot be written to is left to be told by the first statement.
    """
    if path and path != ":memory:":
        with suppress(OSError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
