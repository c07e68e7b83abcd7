"""What a database says when something is wrong, in our words: come back later, or a fault of ours."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from mutualaid.kit.errors import Overloaded

# SQLSTATE classes that say "not now": connection lost, rolled back by a deadlock, no resources, an operator stepped in
_NOT_NOW = ("08", "40", "53", "57")
_SQLITE_NOT_NOW = frozenset(
    (
        *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY),
        *(sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL),
    )
)


@asynccontextmanager
async def pool_errors() -> AsyncIterator[None]:
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


class _DriverErrors:
    """The same of the drivers' own errors, without their words: those of a broken rule quote the row."""

    __slots__ = ()

    def __enter__(self) -> None:
        """Nothing to prepare: it stands around every prepared statement."""

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, _at: TracebackType | None
    ) -> None:
        if not isinstance(problem, Exception):
            return
        from asyncpg import InterfaceError, PostgresError

        if isinstance(problem, InterfaceError):
            raise Overloaded(retry_after=2) from problem
        if isinstance(problem, PostgresError | sqlite3.Error):
            if _may_pass(problem):
                raise Overloaded(retry_after=2) from problem
            raise Refused(type(problem).__name__) from None


DRIVER_ERRORS = _DriverErrors()


class Refused(Exception):
    """The database would not run a prepared statement: a fault of ours. It holds the kind of the driver's error alone."""


def _not_now(problem: DBAPIError) -> bool:
    """Whether the same statement may well succeed later: the database is away, full or busy; nothing is wrong with us."""
    return problem.connection_invalidated or _may_pass(problem.orig)


def _may_pass(problem: BaseException | None) -> bool:
    state: str = getattr(problem, "sqlstate", None) or ""
    code: int = getattr(problem, "sqlite_errorcode", 0) & 0xFF
    return state.startswith(_NOT_NOW) or code in _SQLITE_NOT_NOW
