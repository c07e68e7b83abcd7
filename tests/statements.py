"""Compiled statements, kept for the whole run: each test opens databases of its own, which would compile all anew.

SQLAlchemy keeps them by engine and by the identity of its dialect. Here dialects of one kind are one, as in a process
that opens its database once.
"""

from typing import Any

from sqlalchemy import event
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.util import LRUCache

_KEPT: LRUCache[Any, Any] = LRUCache(5000)


def keep_compiled() -> None:
    for kind in (PGDialect_asyncpg, SQLiteDialect_aiosqlite):
        setattr(kind, "__eq__", lambda one, other: type(one) is type(other))  # noqa: B010 — mypy knows these by heart
        setattr(kind, "__hash__", lambda one: hash(type(one)))  # noqa: B010
    event.listen(Engine, "engine_connect", _share)


def _share(connection: Connection) -> None:
    connection.engine._compiled_cache = _KEPT
