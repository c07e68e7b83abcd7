"""Databases on the one PostgreSQL server of the run: the next test's is made ready while this one runs.

To make one costs a quarter of a second of the processor, to empty one a tenth of that: one that was lent before is lent
again, but only when all that was done to it can be seen and undone.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import asyncpg
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

_TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname"
_SEQUENCES = "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public'"
_CATALOGUES = (
    *("pg_class", "pg_attribute", "pg_attrdef", "pg_constraint", "pg_index", "pg_proc", "pg_trigger", "pg_type"),
    *("pg_namespace", "pg_extension", "pg_statistic", "pg_policy", "pg_rewrite"),
)
_SMALL = 200_000  # octets: what is emptied keeps its pages, by which queries are planned
_CONNECTS_S = 3600.0  # the loop stands still while tests run that need none, and a clock in it goes on
_GONE = """
    SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


class Spares:
    """Copies of one template. `one()` lends a database; who gives it back may leave whatever he likes in it."""

    def __init__(self, url: str, engine: AsyncEngine) -> None:
        self._url = make_url(url)
        self._engine = engine
        self._template = f"template_{secrets.token_hex(8)}"
        self._seeded: Seeded | None = None
        self._coming: list[asyncio.Task[str]] = []

    @classmethod
    @asynccontextmanager
    async def of(cls, url: str) -> AsyncIterator[Self]:
        waits = {"timeout": _CONNECTS_S}
        engine = create_async_engine(url, isolation_level="AUTOCOMMIT", pool_size=3, connect_args=waits)
        found = cls(url, engine)
        yield found
        await asyncio.gather(*found._coming)
        await engine.dispose()

    async def template(self) -> str:
        """The address of the template, to be filled before the first is lent. Nobody may be connected to it then."""
        await self._say(f'CREATE DATABASE "{self._template}"')
        return self._address(self._template)

    @asynccontextmanager
    async def one(self) -> AsyncIterator[str]:
        """The address of a database that is as the template was."""
        if self._seeded is None:
            async with self._connected(self._template) as connection:
                self._seeded = await Seeded.read(connection)
            self._coming = [asyncio.create_task(self._make()) for _ in range(2)]
        name = await (self._coming.pop(0) if self._coming else self._make())
        yield self._address(name)
        self._coming.append(asyncio.create_task(self._again(name, self._seeded)))

    async def _again(self, name: str, seeded: "Seeded") -> str:
        """This one emptied, or else another."""
        async with self._connected(name) as connection:
            await connection.execute(_GONE)
            if await seeded.restored(connection):
                return name
        await self._say(f'DROP DATABASE "{name}" WITH (FORCE)')
        return await self._make()

    async def _make(self) -> str:
        name = f"t_{secrets.token_hex(8)}"
        await self._say(f'CREATE DATABASE "{name}" TEMPLATE "{self._template}" STRATEGY FILE_COPY')
        return name

    async def _say(self, statement: str) -> None:
        async with self._engine.connect() as connection:
            await connection.execute(text(statement))

    @asynccontextmanager
    async def _connected(self, name: str) -> AsyncIterator[Any]:
        address = self._url.set(drivername="postgresql", database=name).render_as_string(hide_password=False)
        connection = await asyncpg.connect(address, timeout=_CONNECTS_S)
        try:
            yield connection
        finally:
            await connection.close()

    def _address(self, name: str) -> str:
        return self._url.set(database=name).render_as_string(hide_password=False)


class Seeded:
    """What the template holds, as far as it can be seen whether a copy still does.

    A row that was written later has a later transaction than `before` (`xmin`), and one that was deleted is missing in
    the count. Where the seed, the schema, the statistics or the sizes of tables have changed, the copy is not as good as new.
    """

    def __init__(self, before: int, counts: dict[str, int], sequences: dict[str, int | None]) -> None:
        same = [f'(SELECT count(*) = {n} AND {_old(before)} FROM "{table}")' for table, n in counts.items() if n]
        same += [f"(SELECT {_old(before)} FROM {catalogue})" for catalogue in _CATALOGUES]
        same += [f"pg_relation_size('\"{table}\"') <= {_SMALL}" for table, n in counts.items() if not n]
        self._same = "SELECT " + " AND ".join(same)
        self._empty = ";".join(
            [
                "SET session_replication_role = replica",  # no trigger fires and no reference is looked at
                *(f'DELETE FROM "{table}"' for table, n in counts.items() if not n),
                *(f"SELECT setval('\"{name}\"', {at or 1}, {at is not None!s})" for name, at in sequences.items()),
            ]
        )

    @classmethod
    async def read(cls, template: Any) -> Self:
        before = int(await template.fetchval("SELECT pg_current_xact_id()::text"))
        tables = [row[0] for row in await template.fetch(_TABLES)]
        counts = {table: await template.fetchval(f'SELECT count(*) FROM "{table}"') for table in tables}
        return cls(before, counts, dict(await template.fetch(_SEQUENCES)))

    async def restored(self, copy: Any) -> bool:
        """Empties the tables that the template has empty. False: that would not make it what the template is."""
        if not await copy.fetchval(self._same):
            return False
        try:
            await copy.execute(self._empty)
        except asyncpg.InsufficientPrivilegeError:  # a given server's user may not leave the triggers out
            return False
        return True


def _old(before: int) -> str:
    """No row is of a later transaction (their numbers are far from wrapping on a run's server)."""
    return f"coalesce(max(xmin::text::bigint), 0) <= {before}"
