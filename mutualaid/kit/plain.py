"""A transaction run by the driver alone, for statements that are prepared; see `prepared` and `Database.together`."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.kit.direct import Direct, direct_of
from mutualaid.kit.prepared import Prepared, Put, Values, rows_of, together, values_together
from mutualaid.kit.ring import KeyRing

_ROWS_AT_ONCE = 32
RUNG = "bells to ring after the commit"
RING = "the key ring that audit rows are signed with"
CHANGED: Final = "MA001"  # the SQLSTATE of `still_so`, see migrations/marks.py


class Asked(Protocol):
    """Whoever answers prepared questions: a transaction, or `Glancing`."""

    async def fetch(self, asked: Prepared, **values: Any) -> Sequence[Any]:
        """The rows of a statement, as the driver hands them out: moments of SQLite are numbers."""


class Plain(Asked, Protocol):
    """The open transaction. `rung`: the bells to ring once it is committed. `early`: nothing is locked yet, see `EarlyPlain`."""

    dialect: str
    early: bool
    ring: KeyRing
    rung: set[str]

    async def hold(self, table: str, row: str) -> None:
        """Until the transaction ends nobody else changes this row (by its `id`), or whatever is guarded by it. Rows that
        merely refer to it do not wait."""

    async def guarded(self, asked: Prepared, **values: Any) -> Sequence[Any]:
        """As `fetch`, of what the held row guards: the one question that may also be asked ahead of the lock."""

    def seen(self, of: str, mark: str) -> None:
        """The answer was this version of what `of` guards."""

    async def put(self, first: Put, *others: Put) -> Sequence[Any]:
        """Write; what the first of them returns."""


class SqlitePlain:
    dialect = "sqlite"
    early = False

    def __init__(self, connection: Direct, ring: KeyRing, rung: set[str]) -> None:
        self.ring = ring
        self.rung = rung
        self._connection = connection

    async def hold(self, table: str, row: str) -> None:
        """It has one writer anyhow."""

    async def fetch(self, asked: Prepared, **values: Any) -> Sequence[Any]:
        text = asked.text("sqlite")
        return self._connection.rows(text.sql, text.values(values))

    guarded = fetch

    def seen(self, of: str, mark: str) -> None:
        """And nobody changes it meanwhile."""

    async def put(self, first: Put, *others: Put) -> Sequence[Any]:
        run = self._connection.rows
        found = run(*first.text_values("sqlite"))
        for put in others:
            run(*put.text_values("sqlite"))
        return found


class PostgresPlain:
    """`begun`: whether BEGIN was said; else the first statement says it."""

    dialect = "postgresql"
    early = False

    def __init__(self, connection: Any, ring: KeyRing, rung: set[str], *, begun: bool) -> None:
        self.ring = ring
        self.rung = rung
        self.begun = begun
        self._connection = connection

    async def hold(self, table: str, row: str) -> None:
        """In one round trip with BEGIN, where it comes first: such a message takes no parameters."""
        if not (table.isidentifier() and row.isascii() and row.isalnum()):
            raise ValueError("what is held is a row of ours, by an id of ours")
        begin, self.begun = "" if self.begun else "BEGIN; ", True
        await self._connection.execute(f"{begin}SELECT 1 FROM {table} WHERE id = '{row}' FOR NO KEY UPDATE")  # noqa: S608

    async def _begin(self) -> None:
        self.begun = True
        await self._connection.execute("BEGIN")

    async def fetch(self, asked: Prepared, **values: Any) -> Sequence[Any]:
        if not self.begun:
            await self._begin()
        text = asked.text("postgresql")
        rows: Sequence[Any] = await self._connection.fetch(text.sql, *text.values(values))
        return rows

    guarded = fetch

    def seen(self, of: str, mark: str) -> None:
        """It is held."""

    async def put(self, first: Put, *others: Put) -> Sequence[Any]:
        """All in one statement, so in one round trip."""
        if not self.begun:
            await self._begin()
        text = together(first.prepared, *(put.prepared for put in others))
        rows: Sequence[Any] = await self._connection.fetch(text.sql, *text.values(values_together((first, *others))))
        return rows


async def told(plain: Plain, asked: Prepared, **values: Any) -> list[list[Any]]:
    """The rows of a statement, in Python's types."""
    return asked.text(plain.dialect).told(await plain.fetch(asked, **values))


async def put_rows(plain: Plain, table: Any, rows: Sequence[dict[str, Any]]) -> None:
    """Any number of rows of one table, in lots that are powers of two, so that few statements are ever compiled."""
    begin = 0
    while begin < len(rows):
        lot = min(_ROWS_AT_ONCE, 1 << ((len(rows) - begin).bit_length() - 1))
        await plain.put(rows_of(table, rows[begin : begin + lot]))
        begin += lot


class TooEarly(Exception):
    """What is asked can be answered under the lock only, or what was seen ahead of it is so no more."""


class EarlyPlain:
    """PostgreSQL without a transaction: a deed that is decided by one look ahead of the lock, and written by one statement
    which takes the lock first and goes through only where what was seen is still so. Both go out with those of others.
    `TooEarly` where that will not do: then the deed is done anew in a transaction."""

    dialect = "postgresql"
    early = True

    def __init__(
        self,
        ring: KeyRing,
        rung: set[str],
        *,
        look: Callable[[Prepared, Values], Awaitable[Sequence[Any]]],
        write: Callable[[Sequence[Put]], Awaitable[Sequence[Any]]],
    ) -> None:
        self.ring = ring
        self.rung = rung
        self._look = look
        self._write = write
        self._seen: tuple[str, str] | None = None

    async def hold(self, table: str, row: str) -> None:
        """The statement that writes does."""

    async def guarded(self, asked: Prepared, **values: Any) -> Sequence[Any]:
        return await self._look(asked, values)

    def seen(self, of: str, mark: str) -> None:
        self._seen = of, mark

    async def fetch(self, asked: Prepared, **values: Any) -> Sequence[Any]:
        raise TooEarly

    async def put(self, first: Put, *others: Put) -> Sequence[Any]:
        if self._seen is None or first.ahead is None:
            raise TooEarly
        of, mark = self._seen
        return await self._write((Put(first.ahead, {**first.values, "seen_of": of, "seen_mark": mark}), *others))


async def plain_of(session: AsyncSession) -> Plain:
    """The transaction of a session, which goes on in it; what the session has yet to write is written first."""
    await session.flush()
    ring, rung = session.info[RING], session.info.setdefault(RUNG, set())
    if session.get_bind().dialect.name == "sqlite":
        return SqlitePlain(await direct_of(session), ring, rung)
    connection = await session.connection()
    await connection.exec_driver_sql("SELECT 1")  # its adapter says BEGIN with the first statement, not before
    return PostgresPlain((await connection.get_raw_connection()).driver_connection, ring, rung, begun=True)
