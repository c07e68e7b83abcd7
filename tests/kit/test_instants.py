"""Moments go into both databases and come back as they were: aware, in UTC, to the microsecond, in order."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import column, literal, select, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import StatementError

from mutualaid.kit.database import Database
from mutualaid.kit.instants import Instant

EARLY, LATE = datetime(1900, 1, 1), datetime(2200, 1, 1)
MOMENTS = st.datetimes(EARLY, LATE, timezones=st.timezones() | st.just(UTC))
EDGES = [
    datetime(1970, 1, 1, tzinfo=UTC) - timedelta(microseconds=1),
    datetime(2023, 1, 7, 23, 59, 59, 999999, tzinfo=timezone(timedelta(hours=8))),
    datetime(2023, 1, 7, 12, tzinfo=UTC),
]


@given(MOMENTS)
def test_a_moment_survives_the_integers_of_sqlite(moment: datetime) -> None:
    stored = Instant().process_bind_param(moment, sqlite.dialect())
    back = Instant().process_result_value(stored, sqlite.dialect())

    assert isinstance(stored, int)
    assert back == moment.astimezone(UTC) and back is not None and back.tzinfo is UTC


@given(MOMENTS, MOMENTS)
def test_the_integers_of_sqlite_are_in_the_order_of_time(one: datetime, other: datetime) -> None:
    stored = [Instant().process_bind_param(moment, sqlite.dialect()) for moment in (one, other)]

    assert (stored[0] < stored[1]) == (one.astimezone(UTC) < other.astimezone(UTC))


@pytest.mark.parametrize("spoken", ["sqlite+aiosqlite://", "postgresql+asyncpg://"])
def test_a_moment_without_a_zone_is_refused_and_none_is_none(spoken: str) -> None:
    dialect = make_url(spoken).get_dialect()()
    with pytest.raises(ValueError, match="without a zone"):
        Instant().process_bind_param(datetime(2023, 1, 7), dialect)
    assert Instant().process_bind_param(None, dialect) is None
    assert Instant().process_result_value(None, dialect) is None


async def test_both_databases_hand_back_what_they_were_given(database: Database) -> None:
    async with database.reading() as session:
        for moment in EDGES:
            back = await session.scalar(select(literal(moment, Instant())))
            assert back == moment and back is not None and back.utcoffset() == timedelta()


async def test_both_databases_compare_moments_by_time_and_not_by_how_they_are_written(database: Database) -> None:
    here = datetime(2023, 1, 7, 20, tzinfo=timezone(timedelta(hours=8)))
    there = datetime(2023, 1, 7, 12, 0, 0, 1, tzinfo=UTC)

    async with database.reading() as session:
        assert await session.scalar(select(literal(here, Instant()) < literal(there, Instant())))


async def test_a_naive_moment_never_reaches_a_database(database: Database) -> None:
    with pytest.raises(StatementError, match="without a zone"):
        async with database.reading() as session:
            await session.execute(select(literal(datetime(2023, 1, 7), Instant())))


async def test_postgresql_hands_back_utc_whatever_zone_a_session_has(database: Database) -> None:
    if database.dialect == "sqlite":
        stored = text("SELECT 0 AS at").columns(column("at", Instant()))
    else:
        stored = text("SELECT timestamptz '1970-01-01 08:00+08' AS at").columns(column("at", Instant()))

    async with database.reading() as session:
        assert (await session.execute(stored)).scalar_one() == datetime(1970, 1, 1, tzinfo=UTC)
