"""The tables as a reader asks them by the driver alone: for the pages that are read most.

A session of SQLAlchemy's costs more to open and to close than the statements of such a page cost to run. On SQLite a reader
sees one moment; on PostgreSQL, as in a transaction there (read committed), each question sees its own.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.kit.direct import Direct, direct_of
from mutualaid.kit.losses import DRIVER_ERRORS, pool_errors
from mutualaid.kit.prepared import Prepared

_KEPT: Final = 4  # SQLite's open connections; a page hardly ever waits while it has one

Glance = Callable[..., Awaitable[Sequence[Any]]]


class Tables:
    """Who answers reading statements. `direct`: SQLite's connection, within a transaction; `glance`: asks PostgreSQL one
    prepared statement; `opened`: a session, when the first statement comes that is not prepared. See `tables_of`, `Reads`."""

    def __init__(self, direct: Direct | None, glance: Glance, opened: Callable[[], Awaitable[AsyncSession]]) -> None:
        self.dialect = "postgresql" if direct is None else "sqlite"
        self._direct = direct
        self._glance = glance
        self._opened = opened
        self._session: AsyncSession | None = None

    async def fetch(self, asked: Prepared, **values: Any) -> Sequence[Any]:
        """The rows of a statement, as the driver hands them out."""
        if self._direct is None:
            return await self._glance(asked, **values)
        text = asked.text("sqlite")
        return self.rows(text.sql, text.values(values))

    def rows(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any]) -> list[Any]:
        """All rows of a statement of a few microseconds: SQLite's alone, which answers here and now."""
        assert self._direct is not None
        with DRIVER_ERRORS:
            return self._direct.rows(sql, parameters)

    async def session(self) -> AsyncSession:
        """For statements that are not prepared."""
        if self._session is None:
            self._session = await self._opened()
        return self._session


async def tables_of(session: AsyncSession) -> Tables:
    """The tables as a session sees them, within its transaction."""

    async def glance(asked: Prepared, **values: Any) -> Sequence[Any]:
        text, connection = asked.text("postgresql"), await (await session.connection()).get_raw_connection()
        driver: Any = connection.driver_connection
        with DRIVER_ERRORS:
            rows: Sequence[Any] = await driver.fetch(text.sql, *text.values(values))
        return rows

    async def itself() -> AsyncSession:
        return session

    sqlite = session.get_bind().dialect.name == "sqlite"
    return Tables(await direct_of(session) if sqlite else None, glance, itself)


class Reads:
    """Lends tables without a session until one is asked for, which sees a moment of its own. `connect`: a connection to
    SQLite, None on PostgreSQL; `reading`: a session that reads."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[Direct]] | None,
        glance: Glance,
        reading: Callable[[], AbstractAsyncContextManager[AsyncSession]],
    ) -> None:
        self._connect = connect
        self._glance = glance
        self._reading = reading
        self._kept: list[Direct] = []

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[Tables]:
        async with AsyncExitStack() as stack:
            direct = await stack.enter_async_context(self._moment(self._connect)) if self._connect else None
            yield Tables(direct, self._glance, lambda: stack.enter_async_context(self._reading()))

    @asynccontextmanager
    async def _moment(self, connect: Callable[[], Awaitable[Direct]]) -> AsyncIterator[Direct]:
        """A connection within a transaction, which is rolled back: nothing was written."""
        with DRIVER_ERRORS:
            async with pool_errors():
                direct = self._kept.pop() if self._kept else await connect()
        sound = False
        try:
            with DRIVER_ERRORS:
                direct.rows("BEGIN", ())
            try:
                yield direct
            finally:
                if direct.in_transaction:  # some errors of the disk have ended it
                    with DRIVER_ERRORS:
                        direct.rows("ROLLBACK", ())
                sound = True
        finally:
            if sound and len(self._kept) < _KEPT:
                self._kept.append(direct)
            else:
                await direct.close()

    async def close(self) -> None:
        """Close what is kept."""
        while self._kept:
            await self._kept.pop().close()
