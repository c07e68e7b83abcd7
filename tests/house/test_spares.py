"""A database that was lent before is as good as new when it is lent again, or it is not lent again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from tests.spares import Spares


@asynccontextmanager
async def lent(spares: Spares) -> AsyncIterator[Any]:
    async with spares.one() as url:
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        yield connection
        await connection.close()


async def name_and(spares: Spares, statement: str) -> list[tuple[str, Any]]:
    """Of each of the next two that are lent: its name, and what it answers."""
    found = []
    for _ in range(2):
        async with lent(spares) as database:
            found.append((await database.fetchval("SELECT current_database()"), await database.fetchval(statement)))
    return found


async def test_what_was_written_is_gone_from_a_database_that_is_lent_again(spares: Spares) -> None:
    async with lent(spares) as database:
        name = await database.fetchval("SELECT current_database()")
        await database.execute(
            "INSERT INTO crowd_marks SELECT gen_random_uuid()::text, E'\\x01'::bytea FROM generate_series(1, 3)"
        )

    assert (name, 0) in await name_and(spares, "SELECT count(*)::int FROM crowd_marks")


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM catalogue_items WHERE code = (SELECT min(code) FROM catalogue_items)",
        "UPDATE catalogue_items SET rank = rank",
        "CREATE TABLE left_over (a int)",
        "ALTER TABLE posts DISABLE TRIGGER ALL",
        "ANALYZE regions",
        "INSERT INTO crowd_marks SELECT gen_random_uuid()::text, E'\\x01'::bytea FROM generate_series(1, 9000)",
    ],
)
async def test_a_database_whose_seed_or_shape_has_changed_is_not_lent_again(spares: Spares, change: str) -> None:
    async with lent(spares) as database:
        name = await database.fetchval("SELECT current_database()")
        await database.execute(change)

    assert name not in dict(await name_and(spares, "SELECT 1"))
