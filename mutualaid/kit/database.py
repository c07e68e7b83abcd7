"""The database: SQLite on one machine, PostgreSQL for many workers; the same statements on both."""

import asyncio
import os
import secrets
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Any

from sqlalchemy import MetaData, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from mutualaid.kit import direct
from mutualaid.kit.errors import Overloaded
from mutualaid.kit.instants import Instant
from mutualaid.kit.ring import KeyRing

__all__ = ["Base", "Database", "Instant", "new_id"]

RUNG = "bells to ring after the commit"
RING = "the key ring that audit rows are signed with"

_WRITER_PATIENCE_S = 10.0  # for SQLite's one writer; whoever waits longer is told to come back
# secure_delete: what is deleted or overwritten is zeroed in its page, also where SQLite was built without that
_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000", "foreign_keys=ON", "secure_delete=ON")
_DURABLE = ("fsync", "full_page_writes", "synchronous_commit")
# SQLSTATE classes that say "not now": connection lost, rolled back by a deadlock, no resources, an operator stepped in
_NOT_NOW = ("08", "40", "53", "57")
_SQLITE_NOT_NOW = frozenset(
    (
        *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY),
        *(sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL),
    )
)


class Base(DeclarativeBase):
    """Every table of the house. Names of constraints are fixed, so that migrations can speak of them on both databases."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def new_id() -> str:
    """128 random bits as 32 lower-case hex digits: opaque, and sorted alike by Python and by every collation."""
    return secrets.token_hex(16)


def ring_after_commit(session: AsyncSession, bell: str) -> None:
    """Ask for a bell to be rung once this transaction is committed: never before, never when it is rolled back."""
    session.info.setdefault(RUNG, set()).add(bell)


class Database:
    """Sessions for reading and for writing. `on_commit` is called with the name of each bell after a commit."""

    def __init__(self, url: str, keys: KeyRing, *, pool_size: int = 20, pool_timeout: float = 10.0) -> None:
        self.url = url
        self.keys = keys
        self.dialect: str = make_url(url).get_backend_name()
        self.on_commit: Callable[[str], Awaitable[None]] | None = None
        self._writer = asyncio.Lock() if self.dialect == "sqlite" else None
        self.engine = _engine(url, self.dialect, pool_size, pool_timeout)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """A session that writes: committed at the end of the block, rolled back whole if it raises.

        SQLite has one writer: it takes the write lock at BEGIN (`BEGIN IMMEDIATE`), and the tasks of one process queue
        here fairly instead of polling the file's lock.
        """
        async with AsyncExitStack() as stack:
            if self._writer is not None:
                await stack.enter_async_context(_held(self._writer))
            session = await stack.enter_async_context(self._session("IMMEDIATE"))
            async with _pool_errors(), session.begin():
                yield session
        if self.on_commit is not None:
            for bell in sorted(session.info.pop(RUNG, ())):
                await self.on_commit(bell)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A session that only reads: one consistent snapshot on SQLite, and never the write lock."""
        async with self._session("DEFERRED") as session, _pool_errors(), session.begin():
            yield session

    @asynccontextmanager
    async def _session(self, begin: str) -> AsyncIterator[AsyncSession]:
        bind: AsyncEngine | AsyncConnection = self.engine
        if self.dialect == "sqlite":
            bind = self.engine.execution_options(sqlite_begin=begin)
        async with AsyncSession(bind, expire_on_commit=False, info={RING: self.keys}) as session:
            yield session

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[AsyncConnection]:
        """A bare connection, for whoever changes the database's shape."""
        async with _pool_errors(), self.engine.connect() as connection:
            yield connection

    async def losing_settings(self) -> list[str]:
        """The server's settings under which a power cut could lose what was acknowledged; SQLite is opened without any."""
        if self.dialect == "sqlite":
            return []
        async with self.reading() as session:
            found = await session.execute(text("SELECT name FROM pg_settings WHERE setting = 'off'"))
            return sorted({row.name for row in found} & set(_DURABLE))

    async def close(self) -> None:
        await self.engine.dispose()


@asynccontextmanager
async def _held(lock: asyncio.Lock) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(_WRITER_PATIENCE_S):
            await lock.acquire()
    except TimeoutError as problem:
        raise Overloaded(retry_after=2) from problem
    try:
        yield
    finally:
        lock.release()


@asynccontextmanager
async def _pool_errors() -> AsyncIterator[None]:
    """No free connection and a lost database are 503 with Retry-After, never a 500."""
    try:
        yield
    except PoolTimeout as problem:
        raise Overloaded(retry_after=1) from problem
    except DBAPIError as problem:
        if not _not_now(problem):
            raise
        raise Overloaded(retry_after=2) from problem
    except (
        OSError
    ) as problem:  # nobody listens there, or the network is away: asyncpg says so in the system's own words
        raise Overloaded(retry_after=2) from problem


def _not_now(problem: DBAPIError) -> bool:
    """Whether the same statement may well succeed later: the database is away, full or busy; nothing is wrong with us."""
    state: str = getattr(problem.orig, "sqlstate", None) or ""
    code: int = getattr(problem.orig, "sqlite_errorcode", 0) & 0xFF
    return problem.connection_invalidated or state.startswith(_NOT_NOW) or code in _SQLITE_NOT_NOW


def _engine(url: str, dialect: str, pool_size: int, pool_timeout: float) -> AsyncEngine:
    # hide_parameters: an error's text would repeat what people wrote
    options: dict[str, Any] = {"pool_size": pool_size, "pool_timeout": pool_timeout, "hide_parameters": True}
    if dialect != "sqlite":
        return create_async_engine(url, max_overflow=5, connect_args={"timeout": 5.0}, **options)
    path = make_url(url).database or ":memory:"
    _private_file(path)
    engine = create_async_engine(url, max_overflow=0, async_creator=partial(direct.connect, path), **options)

    @event.listens_for(engine.sync_engine, "connect")
    def _open(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # this file says BEGIN itself, see _begin
        cursor = connection.cursor()
        for pragma in _PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:
        mode = connection.get_execution_options().get("sqlite_begin", "IMMEDIATE")
        connection.exec_driver_sql(f"BEGIN {mode}")

    return engine


def _private_file(path: str | None) -> None:
    """Make the file, readable by its owner only, before SQLite would make it readable by all; its log inherits the mode.

    A folder that cannot be written to is left to be told by the first statement.
    """
    if path and path != ":memory:":
        with suppress(OSError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
