"""The one clock. `now()` is asked at the doors only; `sql_now()` stands in every statement that decides something by time.

Both follow the clock file of a dev instance while that file exists (its content is RFC 3339), so a test moves time for
everything at once, the database included.
"""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, bindparam, func
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.functions import FunctionElement

from mutualaid.kit.instants import Instant

SHANGHAI = ZoneInfo("Asia/Shanghai")

_file: Path | None = None
_last_read: datetime | None = None


def follow(file: Path | None) -> None:
    """Follow this clock file from now on (dev only); None returns to the system's clock."""
    global _file, _last_read
    _file, _last_read = file, None


def file_time() -> datetime | None:
    """The clock file's time, None where the system's clock is followed."""
    global _last_read
    if _file is None:
        return None
    try:
        text = _file.read_text().strip()
    except FileNotFoundError:
        _last_read = None
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("a moment without a zone")
    except ValueError:
        if _last_read is None:
            raise ValueError("the clock file holds no RFC 3339 moment") from None
        return _last_read  # it is being rewritten this instant: the last reading still holds
    _last_read = moment.astimezone(UTC)
    return _last_read


def now() -> datetime:
    """This moment, UTC, aware."""
    return file_time() or datetime.now(UTC)


def today(moment: datetime) -> date:
    """The calendar date in Shanghai, by which expiry dates are read."""
    return moment.astimezone(SHANGHAI).date()


class _DatabaseClock(FunctionElement[datetime]):
    """The database's own clock, less the microseconds of its one argument."""

    type = Instant()
    inherit_cache = True


@compiles(_DatabaseClock, "postgresql")
def _postgresql(element: Any, compiler: Any, **options: Any) -> str:
    return f"(clock_timestamp() - {compiler.process(element.clauses, **options)} * interval '1 microsecond')"


@compiles(_DatabaseClock, "sqlite")
def _sqlite(element: Any, compiler: Any, **options: Any) -> str:
    # milliseconds are the finest 'now' that SQLite 3.40 knows; the column type counts microseconds
    seconds, fraction = "CAST(strftime('%s','now') AS INTEGER)", "CAST(substr(strftime('%f','now'), 4) AS INTEGER)"
    return f"({seconds} * 1000000 + {fraction} * 1000 - {compiler.process(element.clauses, **options)})"


# For statements written as text, with `file_time()` as their parameter `now`.
NOW: Final = {
    "postgresql": "coalesce(CAST(:now AS timestamptz), clock_timestamp())",
    "sqlite": "coalesce(:now, CAST(strftime('%s','now') AS INTEGER) * 1000000"
    " + CAST(substr(strftime('%f','now'), 4) AS INTEGER) * 1000)",
}


def sql_now(*, ago: timedelta = timedelta()) -> ColumnElement[datetime]:
    """This moment (less `ago`) as the statement runs: the clock file's time where it exists, else the database's clock."""

    def moved() -> datetime | None:
        moment = file_time()
        return moment - ago if moment else None

    return func.coalesce(bindparam(None, callable_=moved, type_=Instant()), database_now(ago=ago), type_=Instant())


def database_now(*, ago: timedelta = timedelta()) -> ColumnElement[datetime]:
    """The database's own clock (less `ago`), whatever the clock file says: for what no reader sees."""
    return _DatabaseClock(bindparam(None, ago // timedelta(microseconds=1), type_=BigInteger()))
