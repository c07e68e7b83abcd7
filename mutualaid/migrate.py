"""The database's shape: up to the newest migration, or down; and whether it is current.

Most starts have nothing to migrate, so alembic is imported only where it is used: it costs a fifth of a second.
"""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from sqlalchemy import Connection, NullPool, make_url, text
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, create_async_engine

from mutualaid.kit.database import Database

if TYPE_CHECKING:
    from alembic.config import Config

_ONE_AT_A_TIME = (
    0x6D61_6D69  # PostgreSQL's advisory lock of whoever changes the shape; on SQLite the write lock does it
)


def config(connection: Connection | None = None) -> "Config":
    """Alembic's configuration; no ini file: the scripts are part of the package."""
    from alembic.config import Config

    found = Config()
    found.set_main_option("script_location", str(files("mutualaid") / "migrations"))
    found.attributes["connection"] = connection
    return found


@cache
def newest() -> str:
    """The id of the newest migration: the number that its file begins with (a test holds alembic to the same)."""
    scripts = files("mutualaid") / "migrations" / "versions"
    return max(script.name.partition("_")[0] for script in scripts.iterdir() if script.name[0].isdigit())


async def is_current(session: AsyncSession) -> bool:
    """Whether the database stands at the newest migration."""
    try:
        standing: str | None = await session.scalar(text("SELECT version_num FROM alembic_version"))
    except DBAPIError:
        return False
    return standing == newest()


async def is_there(url: str) -> bool:
    """Whether a database of ours, of whatever age, is at this address. Looks without making anything.

    One that does not answer counts as there: whoever opens it says what is wrong with it.
    """
    asked, address = "SELECT version_num FROM alembic_version", make_url(url)
    if address.get_backend_name() == "sqlite":
        return _file_is_there(Path(address.database or ""), asked)
    engine = create_async_engine(address, poolclass=NullPool, connect_args={"timeout": 5.0})
    try:
        async with engine.connect() as connection:
            return await connection.scalar(text(asked)) is not None
    except ProgrammingError:
        return False  # no such table
    except (OSError, DBAPIError):
        return True
    finally:
        await engine.dispose()


def _file_is_there(path: Path, asked: str) -> bool:
    if not path.is_file():
        return False
    with closing(sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=rw", uri=True)) as connection:
        try:
            return connection.execute(asked).fetchone() is not None
        except sqlite3.DatabaseError:
            return False  # no such table, or no database


async def upgrade(database: Database, to: str = "head") -> None:
    """Run what is missing, in one transaction a migration. Processes that start together take turns."""
    from alembic import command

    async with _alone(database) as connection:
        await connection.run_sync(lambda c: command.upgrade(config(c), to))


async def downgrade(database: Database, to: str) -> None:
    """Undo down to the migration `to` (`base` is the empty database)."""
    from alembic import command

    async with _alone(database) as connection:
        await connection.run_sync(lambda c: command.downgrade(config(c), to))


@asynccontextmanager
async def _alone(database: Database) -> AsyncIterator[AsyncConnection]:
    async with database.connected() as connection:
        if database.dialect != "postgresql":
            yield connection
            return
        await connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _ONE_AT_A_TIME})
        await connection.commit()  # the lock is the session's; each migration has a transaction of its own
        try:
            yield connection
        finally:
            await connection.rollback()
            await connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": _ONE_AT_A_TIME})
            await connection.commit()
