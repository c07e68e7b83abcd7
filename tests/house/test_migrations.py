"""The database's shape: up, down and up again on both databases, equal to what the code declares, one at a time."""

import asyncio
import os
import secrets
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Column, Connection, String, Table, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from mutualaid import migrate
from mutualaid.kit import clock, outbox
from mutualaid.kit.database import Database
from mutualaid.kit.ring import KeyRing
from mutualaid.tables import METADATA

ROOT = Path(__file__).resolve().parents[2]
BEFORE_ANY = {"alembic_version"}


@pytest.fixture
async def empty(dialect: str, tmp_path: Path, postgres_url: str) -> AsyncIterator[Database]:
    """A database without a single table."""
    ring = KeyRing.open(tmp_path / "keys")
    if dialect == "sqlite":
        database = Database(f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}", ring)
        yield database
        await database.close()
        return
    name = f"empty_{secrets.token_hex(8)}"
    administrator = create_async_engine(postgres_url, isolation_level="AUTOCOMMIT")
    async with administrator.connect() as connection:
        await connection.execute(text(f'CREATE DATABASE "{name}"'))
    database = Database(make_url(postgres_url).set(database=name).render_as_string(hide_password=False), ring)
    yield database
    await database.close()
    async with administrator.connect() as connection:
        await connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    await administrator.dispose()


async def tables(database: Database) -> set[str]:
    async with database.connected() as connection:
        return set(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))


async def shape(database: Database) -> dict[str, object]:
    """Tables, columns, keys and indexes, as the database itself tells them."""

    def read(connection: Connection) -> dict[str, object]:
        found = inspect(connection)
        return {
            table: (
                sorted((c["name"], str(c["type"]), c["nullable"]) for c in found.get_columns(table)),
                sorted((str(i["name"]), i["column_names"], i["unique"]) for i in found.get_indexes(table)),
                sorted(str(f["name"]) for f in found.get_foreign_keys(table)),
                found.get_pk_constraint(table)["constrained_columns"],
            )
            for table in found.get_table_names()
        }

    async with database.connected() as connection:
        return await connection.run_sync(read)


async def check(database: Database) -> None:
    """`alembic check`: raises where the code declares something else."""
    async with database.connected() as connection:
        await connection.run_sync(lambda sync: command.check(migrate.config(sync)))


async def current(database: Database) -> bool:
    async with database.reading() as session:
        return await migrate.is_current(session)


async def test_up_makes_every_declared_table_and_nothing_is_left_to_do(empty: Database) -> None:
    assert not await current(empty)

    await migrate.upgrade(empty)

    assert await current(empty)
    assert await tables(empty) == set(METADATA.tables) | BEFORE_ANY
    await check(empty)


async def test_down_takes_everything_away_and_up_makes_it_the_same_again(empty: Database) -> None:
    await migrate.upgrade(empty)
    first = await shape(empty)

    await migrate.downgrade(empty, "base")
    assert await tables(empty) == BEFORE_ANY
    assert not await current(empty)

    await migrate.upgrade(empty)
    assert await shape(empty) == first
    await check(empty)


async def test_every_migration_goes_up_and_down_by_itself(empty: Database) -> None:
    scripts = ScriptDirectory.from_config(migrate.config())
    steps = [script.revision for script in scripts.walk_revisions()][::-1]

    for revision in steps:
        await migrate.upgrade(empty, revision)
        after = await shape(empty)
        await migrate.downgrade(empty, "-1")
        await migrate.upgrade(empty, revision)
        assert await shape(empty) == after, revision

    assert await current(empty)


def test_the_newest_migration_is_alembics_head() -> None:
    assert ScriptDirectory.from_config(migrate.config()).get_heads() == [migrate.newest()]


async def test_up_where_all_is_done_changes_nothing(empty: Database) -> None:
    await migrate.upgrade(empty)
    async with empty.transaction() as session:
        await outbox.enqueue(session, "house.daily", {}, at=clock.now())

    await migrate.upgrade(empty)

    async with empty.reading() as session:
        assert await session.scalar(text("SELECT count(*) FROM jobs")) == 1


async def test_a_database_is_there_once_it_was_migrated(empty: Database) -> None:
    assert not await migrate.is_there(empty.url)

    await migrate.upgrade(empty)

    assert await migrate.is_there(empty.url)


async def test_processes_that_start_together_take_turns(empty: Database, tmp_path: Path) -> None:
    environ = os.environ | {"MUTUALAID_DATABASE_URL": empty.url, "MUTUALAID_DATA": str(tmp_path / "data")}

    async def start() -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "mutualaid.cli", "migrate"), cwd=ROOT, env=environ, stderr=asyncio.subprocess.PIPE
        )
        _, told = await process.communicate()
        return process.returncode, told.decode()

    ended = await asyncio.gather(*(start() for _ in range(4)))

    assert [code for code, _ in ended] == [0] * 4, ended
    assert await current(empty)
    await check(empty)


async def test_a_table_that_no_migration_makes_is_found(empty: Database) -> None:
    """Somebody declares a table and forgets its migration."""
    await migrate.upgrade(empty)
    planted = Table("forgotten", METADATA, Column("id", String, primary_key=True))
    try:
        with pytest.raises(CommandError, match="New upgrade operations detected"):
            await check(empty)
    finally:
        METADATA.remove(planted)


async def test_a_migration_that_fails_leaves_the_database_as_it_was(
    empty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrate.upgrade(empty)
    before = await shape(empty)
    async with empty.transaction() as session:  # something stands in the way of the way up
        await session.execute(text("CREATE TABLE blocker (id TEXT PRIMARY KEY)"))
    await migrate.downgrade(empty, "base")
    async with empty.transaction() as session:
        await session.execute(text("CREATE TABLE posts (id TEXT PRIMARY KEY)"))

    with pytest.raises(Exception, match="posts"):
        await migrate.upgrade(empty)
    assert await tables(empty) == BEFORE_ANY | {"blocker", "posts"}

    async with empty.transaction() as session:
        await session.execute(text("DROP TABLE posts"))
        await session.execute(text("DROP TABLE blocker"))
    await migrate.upgrade(empty)
    assert await shape(empty) == before
