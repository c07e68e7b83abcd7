"""The database: SQLite on one machine, PostgreSQL for many workers; the same statements on both."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

from sqlalchemy import MetaData, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.util import greenlet_spawn

from mutualaid.kit import direct, opening
from mutualaid.kit.errors import Overloaded
from mutualaid.kit.instants import Instant
from mutualaid.kit.losses import DRIVER_ERRORS, pool_errors
from mutualaid.kit.lots import Lots
from mutualaid.kit.plain import RING, RUNG, Plain, PostgresPlain, TooEarly
from mutualaid.kit.prepared import Prepared, Put, together, values_together
from mutualaid.kit.reads import Reads, Tables
from mutualaid.kit.ring import KeyRing
from mutualaid.kit.together import Together

__all__ = ["RING", "Base", "Database", "Instant"]

T = TypeVar("T")

_PATIENCE_S = 5.0
_KEPT = 10  # connections of PostgreSQL for prepared statements
_WRITERS_CACHE = 16_000  # kilobytes of SQLite's pages that the writer keeps: most of what a post touches again
_CUT_PATIENCE_MS = 250  # for those who read the log that is to be cut, while nobody writes
_WRITER_PATIENCE_S = 10.0  # for SQLite's one writer; whoever waits longer is told to come back
_DURABLE = ("fsync", "full_page_writes", "synchronous_commit")


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
        self.engine = opening.engine(url, self.dialect, pool_size, pool_timeout)
        self._reader: direct.Direct | None = None
        self._opening = asyncio.Lock()
        self._kept: list[tuple[Any, Any]] = []  # what the pool lent, and the driver's connection in it
        self._lots = Lots(self._driver)
        self._reads = Reads(self._connect if self._writer else None, self.glance, self.reading)
        self._together = Together(keys, writing=self._alone, connect=self._connect, committed=self._ring)

    async def together(self, deed: Callable[[Plain], Awaitable[T]]) -> T:
        """Do a deed of prepared statements in a transaction, and give its result once that is committed; rolled back if it
        raises. On SQLite deeds that come at once share their commit, so one awaits nothing but its statements. On
        PostgreSQL it is tried without a transaction first, in statements shared with others, see `EarlyPlain`: it may be begun
        twice.
        """
        with DRIVER_ERRORS:
            if self._writer is not None:
                found: T = await self._together.do(deed)
                return found
            rung: set[str] = set()
            async with pool_errors():
                try:
                    result = await deed(self._lots.early(self.keys, rung))
                except TooEarly:
                    rung.clear()
                    async with self._driver() as connection:
                        result = await self._in_transaction(connection, deed, rung)
        await self._ring(rung)
        return result

    async def _in_transaction(self, connection: Any, deed: Callable[[Plain], Awaitable[T]], rung: set[str]) -> T:
        plain = PostgresPlain(connection, self.keys, rung, begun=False)
        try:
            result = await deed(plain)
            if plain.begun:
                await connection.execute("COMMIT")
        except BaseException:
            if plain.begun:
                await _roll_back(connection)
            raise
        return result

    async def put(self, first: Put, *others: Put) -> Sequence[Any]:
        """Write all of them or none, and give what the first returns, once that is committed: on PostgreSQL in one statement,
        which is a transaction of its own, so in one round trip.
        """
        if self._writer is not None:
            return await self.together(lambda plain: plain.put(first, *others))
        text = together(first.prepared, *(put.prepared for put in others))
        with DRIVER_ERRORS:
            async with pool_errors(), self._driver() as connection:
                rows: Sequence[Any] = await connection.fetch(text.sql, *text.values(values_together((first, *others))))
                return rows

    async def glance(self, asked: Prepared, **values: Any) -> Sequence[Any]:
        """The rows of one prepared reading statement, as the driver hands them out, in a snapshot of its own."""
        text = asked.text(self.dialect)
        with DRIVER_ERRORS:
            if self._writer is not None:
                reader = self._reader or await self._open_reader()
                return reader.rows(text.sql, text.values(values))
            async with pool_errors():
                if asked.shared:
                    return await self._lots.look(asked, values)
                async with self._driver() as connection:
                    rows: Sequence[Any] = await connection.fetch(text.sql, *text.values(values))
                    return rows

    @property
    def glancing(self) -> "Glancing":
        """For readers of one prepared statement after the other, whose snapshots may differ."""
        return Glancing(self)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        assert self._writer is not None
        async with _held(self._writer):
            yield

    async def _open_reader(self) -> direct.Direct:
        async with self._opening:  # one for all who ask at once
            self._reader = self._reader or await self._connect()
            return self._reader

    async def _connect(self) -> direct.Direct:
        connection = await direct.connect(make_url(self.url).database or ":memory:")
        connection.isolation_level = None
        # temp_store: what a savepoint would restore is held in memory; past 64 kB it went to a file, for most deeds
        for pragma in (*opening.PRAGMAS, f"cache_size=-{_WRITERS_CACHE}", "temp_store=MEMORY"):
            await connection.execute(f"PRAGMA {pragma}")
        return connection

    @asynccontextmanager
    async def _driver(self) -> AsyncIterator[Any]:
        """PostgreSQL's own connection. A few are kept out of the pool, where lending and taking back costs as much as a
        statement does."""
        while self._kept and self._kept[-1][1].is_closed():
            await greenlet_spawn(self._kept.pop()[0].invalidate)
        if self._kept:
            lent, driver = self._kept.pop()
        else:
            lent = await self.engine.raw_connection()
            driver = lent.driver_connection
        try:
            yield driver
        finally:
            if driver.is_closed():
                await greenlet_spawn(lent.invalidate)
            elif len(self._kept) < _KEPT and not driver.is_in_transaction():
                self._kept.append((lent, driver))
            else:
                await greenlet_spawn(lent.close)

    async def _ring(self, rung: set[str]) -> None:
        if self.on_commit is not None:
            for bell in sorted(rung):
                await self.on_commit(bell)

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
            async with pool_errors(), session.begin():
                yield session
        await self._ring(session.info.pop(RUNG, set()))

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A session that only reads: one consistent snapshot on SQLite, and never the write lock."""
        async with self._session("DEFERRED") as session, pool_errors(), session.begin():
            yield session

    def tables(self) -> AbstractAsyncContextManager[Tables]:
        """The same for prepared statements, by the driver alone; on PostgreSQL each sees its own moment, as there it does."""
        return self._reads.lend()

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
        async with pool_errors(), self.engine.connect() as connection:
            yield connection

    async def losing_settings(self) -> list[str]:
        """The server's settings under which a power cut could lose what was acknowledged; SQLite is opened without any."""
        if self.dialect == "sqlite":
            return []
        async with self.reading() as session:
            found = await session.execute(text("SELECT name FROM pg_settings WHERE setting = 'off'"))
            return sorted({row.name for row in found} & set(_DURABLE))

    async def cut_log(self) -> bool:
        """SQLite's log is written back and emptied, so that what was erased is in neither file. False where somebody reads it
        just now, or writes for long: then it is left to the next time, and whatever it follows is done all the same."""
        if self._writer is None:
            return True
        try:
            with DRIVER_ERRORS:
                async with self._alone():
                    return await self._cut()
        except Overloaded:
            return False

    async def _cut(self) -> bool:
        connection = await self._connect()
        try:
            await connection.execute(f"PRAGMA busy_timeout={_CUT_PATIENCE_MS}")
            cursor = await connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            busy, _, _ = await cursor.fetchone() or (1, 0, 0)
        finally:
            await connection.close()
        return not busy

    async def close(self) -> None:
        await self._together.close()
        await self._lots.close()
        await self._reads.close()
        if self._reader is not None:
            await self._reader.close()
            self._reader = None
        while self._kept:
            await greenlet_spawn(self._kept.pop()[0].close)
        await self.engine.dispose()


class Glancing:
    """Each question in a snapshot of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def fetch(self, asked: Prepared, **values: Any) -> Sequence[Any]:
        return await self._database.glance(asked, **values)


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


async def _roll_back(connection: Any) -> None:
    """Whatever befell it: the transaction ends, or the connection does."""
    try:
        await asyncio.wait_for(connection.execute("ROLLBACK"), _PATIENCE_S)
    except Exception:
        connection.terminate()
