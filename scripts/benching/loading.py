"""Posts by the ten thousand into an empty database: triggers and indexes are set aside, and what the plaza reads is derived
in one go at the end."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy import Table, insert, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from benching.towns import Batch, Row
from mutualaid import tables
from mutualaid.migrations import plaza_triggers
from tests.bench import records as twin

_WRITTEN: Final = ("members", "posts", "post_lines")  # ours, and the twin's
_OURS: Final = {name: tables.METADATA.tables[name] for name in _WRITTEN}
_THEIRS: Final = {name: twin.Base.metadata.tables[name] for name in _WRITTEN}

# What makes writing slow, and how it is taken away and put back.
_SQLITE: Final = "SELECT type, name, sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL"
_POSTGRESQL: Final = """SELECT indexname, indexdef FROM pg_indexes i WHERE schemaname = 'public' AND tablename = '{table}'
    AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = i.indexname)"""


async def load(ours: AsyncEngine, theirs: AsyncEngine, batches: AsyncIterator[Batch]) -> AsyncGenerator[int]:
    """The batches into our database and into the twin's; yields how many posts are there."""
    done = 0
    async with ours.connect() as here, theirs.connect() as there:
        async with _light(here, _WRITTEN), _light(there, _WRITTEN):
            async for batch in batches:
                await _write(here, _OURS, batch)
                await _write(there, _THEIRS, batch)
                done += len(batch.posts)
                yield done
        async with _light(here, await _derived(here)):
            for statement in plaza_triggers.refill():
                await here.execute(text(statement))
            await here.commit()
    for engine in (ours, theirs):
        await _analyze(engine)


async def _write(connection: AsyncConnection, tables: dict[str, Table], batch: Batch) -> None:
    for name, rows in zip(_WRITTEN, (batch.members, batch.posts, batch.lines), strict=True):
        if rows:
            await connection.execute(insert(tables[name]), list(_of(tables[name], rows)))
    await connection.commit()


def _of(table: Table, rows: Sequence[Row]) -> Iterator[Row]:
    """Of each row what the table has a column for."""
    names = [column.name for column in table.columns if column.name in rows[0]]
    return ({name: row[name] for name in names} for row in rows)


async def _derived(connection: AsyncConnection) -> list[str]:
    """The plaza's own tables."""
    names = await connection.run_sync(lambda c: c.dialect.get_table_names(c))
    await connection.rollback()
    return [name for name in names if name.startswith("plaza_")]


@asynccontextmanager
async def _light(connection: AsyncConnection, tables: Sequence[str]) -> AsyncIterator[None]:
    """Within the block these tables have neither triggers nor the indexes that only make reading quick."""
    aside, back = await (_of_postgresql if connection.dialect.name == "postgresql" else _of_sqlite)(connection, tables)
    await _say(connection, aside)
    yield
    await _say(connection, back)


async def _say(connection: AsyncConnection, statements: Sequence[str]) -> None:
    for statement in statements:
        await connection.exec_driver_sql(statement)
    await connection.commit()


async def _of_sqlite(connection: AsyncConnection, tables: Sequence[str]) -> tuple[list[str], list[str]]:
    named = ", ".join(f"'{table}'" for table in tables)
    found = (await connection.exec_driver_sql(f"{_SQLITE} AND tbl_name IN ({named}) ORDER BY type")).all()
    aside = ["PRAGMA cache_size = -200000", *(f"DROP {row.type} {row.name}" for row in found)]
    return aside, [row.sql for row in found]


async def _of_postgresql(connection: AsyncConnection, tables: Sequence[str]) -> tuple[list[str], list[str]]:
    aside, back = [], []
    for table in tables:
        for row in await connection.exec_driver_sql(_POSTGRESQL.format(table=table)):
            aside.append(f"DROP INDEX {row.indexname}")
            back.append(row.indexdef)
        aside.append(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        back.append(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    return aside, back


async def _analyze(engine: AsyncEngine) -> None:
    postgresql = engine.dialect.name == "postgresql"
    async with engine.connect() as connection:
        if postgresql:
            connection = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.exec_driver_sql("VACUUM (ANALYZE)" if postgresql else "ANALYZE")
        await connection.commit()
