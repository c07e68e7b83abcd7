"""One clock: the doors' and the databases' move together, by the clock file where there is one."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from mutualaid.kit import clock as kit_clock
from mutualaid.kit.clock import sql_now
from mutualaid.kit.database import Database
from tests.moments import START, Clock

NEAR = timedelta(seconds=5)


async def database_now(database: Database, *, ago: timedelta = timedelta()) -> datetime:
    async with database.reading() as session:
        return (await session.execute(select(sql_now(ago=ago)))).scalar_one()


def test_now_is_aware_and_in_utc_without_a_clock_file() -> None:
    kit_clock.follow(None)

    assert kit_clock.now().utcoffset() == timedelta()
    assert abs(kit_clock.now() - datetime.now(UTC)) < NEAR


async def test_the_clock_file_is_every_ones_time_and_the_databases_too(database: Database, clock: Clock) -> None:
    assert kit_clock.now() == await database_now(database) == START

    clock.advance(days=400, microseconds=1)

    assert kit_clock.now() == await database_now(database) == START + timedelta(days=400, microseconds=1)
    assert await database_now(database, ago=timedelta(hours=1)) == clock.now - timedelta(hours=1)

    clock.advance(days=-800, microseconds=-1)

    assert kit_clock.now() == await database_now(database) == START - timedelta(days=400)


async def test_without_the_file_the_databases_own_clock_decides(database: Database, clock: Clock) -> None:
    # given: a statement that was compiled, cached and run while the file was there
    assert await database_now(database) == START

    clock.file.unlink()
    own = await database_now(database)
    assert abs(own - datetime.now(UTC)) < NEAR
    assert abs(await database_now(database, ago=timedelta(days=1)) - (own - timedelta(days=1))) < NEAR

    clock.set(START)
    assert await database_now(database) == START


async def test_the_databases_own_clock_goes_on(database: Database, clock: Clock) -> None:
    clock.file.unlink()

    moments = [await database_now(database) for _ in range(20)]

    assert moments == sorted(moments)


def test_the_file_is_read_in_any_zone(clock: Clock) -> None:
    clock.file.write_text(" 2023-01-07T20:00:00+08:00\n", encoding="utf-8")
    assert kit_clock.now() == START
    clock.file.write_text("2023-01-07T12:00:00Z", encoding="utf-8")
    assert kit_clock.now() == START


@pytest.mark.parametrize("text", ["", "2023-01-0", "yesterday", "2023-01-07T12:00:00"])
def test_a_file_that_is_being_rewritten_leaves_the_last_reading_in_force(clock: Clock, text: str) -> None:
    assert kit_clock.now() == START

    clock.file.write_text(text, encoding="utf-8")

    assert kit_clock.now() == START


def test_a_file_that_never_held_a_moment_is_said_to_be_wrong(tmp_path: Path) -> None:
    (tmp_path / "now").write_text("2023-01-07T12:00:00", encoding="utf-8")  # no zone: whose noon?
    kit_clock.follow(tmp_path / "now")
    try:
        with pytest.raises(ValueError, match="RFC 3339"):
            kit_clock.now()
    finally:
        kit_clock.follow(None)


def test_a_calendar_day_is_shanghais() -> None:
    assert str(kit_clock.today(datetime(2023, 1, 7, 15, 59, tzinfo=UTC))) == "2023-01-07"
    assert str(kit_clock.today(datetime(2023, 1, 7, 16, 0, tzinfo=UTC))) == "2023-01-08"
