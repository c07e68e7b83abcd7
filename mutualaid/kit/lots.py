"""PostgreSQL's questions and writings of many deeds, each lot in one statement; see `EarlyPlain` and `lot_texts`."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from sqlalchemy.exc import TimeoutError as PoolTimeout

from mutualaid.kit import lot_texts
from mutualaid.kit.gathering import Gathering
from mutualaid.kit.plain import CHANGED, EarlyPlain, TooEarly
from mutualaid.kit.prepared import Prepared, Put, Values
from mutualaid.kit.ring import KeyRing

# what says that a deed must be decided under the lock: seen is so no more, locked by another, its key is taken, deadlock
_TOO_EARLY: Final = frozenset({CHANGED, "55P03", "23505", "40P01"})
_AWAY: Final = ("08", "53", "57")  # classes: connection lost, no resources, an operator stepped in

Puts = Sequence[Put]


class Lots:
    """`lend` lends a connection of the driver's."""

    def __init__(self, lend: Callable[[], AbstractAsyncContextManager[Any]]) -> None:
        self._lend = lend
        self._looks: dict[Prepared, Gathering[Values, Sequence[Any]]] = {}
        self._writes: Gathering[Puts, Sequence[Any] | Exception] = Gathering(self._write_all)

    def early(self, ring: KeyRing, rung: set[str]) -> EarlyPlain:
        """For a deed that is tried ahead of the lock."""
        return EarlyPlain(ring, rung, look=self.look, write=self.write)

    async def look(self, asked: Prepared, values: Values) -> Sequence[Any]:
        """The rows of a question that is `shared`, in a snapshot of after it was asked."""
        gathering = self._looks.get(asked)
        if gathering is None:
            gathering = self._looks[asked] = Gathering(lambda lot: self._ask(asked, lot))
        return await gathering.ask(values)

    async def write(self, puts: Puts) -> Sequence[Any]:
        """What the first put returns, once all of them are committed; `TooEarly` where nothing was written."""
        written = await self._writes.ask(puts)
        if not isinstance(written, Exception):
            return written
        if getattr(written, "sqlstate", None) in _TOO_EARLY:
            raise TooEarly from None
        raise written

    async def close(self) -> None:
        for look in self._looks.values():
            await look.close()
        await self._writes.close()

    async def _ask(self, asked: Prepared, lot: Sequence[Values]) -> Sequence[Sequence[Any]]:
        rows = await self._fetch(*lot_texts.asking(asked, lot))
        found: list[list[Any]] = [[] for _ in lot]
        for *row, asker in rows:
            found[asker - 1].append(row)
        return found

    async def _fetch(self, sql: str, values: Sequence[Any]) -> Sequence[Any]:
        async with self._lend() as connection:
            try:
                rows: Sequence[Any] = await connection.fetch(sql, *values)
            except asyncio.CancelledError:  # no answer came: nobody shall ask this connection again
                connection.terminate()
                raise
        return rows

    async def _write_all(self, lot: Sequence[Puts]) -> Sequence[Sequence[Any] | Exception]:
        """One statement for all. Where one of them spoils it, nothing was written, and each is written by itself."""
        try:
            rows = await self._fetch(*lot_texts.writing(lot))
        except Exception as problem:
            if len(lot) == 1 or _is_away(problem):
                return [problem] * len(lot)
            return [(await self._write_all([puts]))[0] for puts in lot]
        return [[row] for row in rows]


def _is_away(problem: Exception) -> bool:
    """Whether the database itself is the trouble, and not what was to be written."""
    from asyncpg import DataError, InterfaceError

    if isinstance(problem, DataError):
        return False
    state: str = getattr(problem, "sqlstate", None) or ""
    return isinstance(problem, InterfaceError | OSError | PoolTimeout) or state.startswith(_AWAY)
