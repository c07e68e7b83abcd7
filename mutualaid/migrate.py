"""The database's shape: up to the newest migration, or down; and whether it is current."""

from functools import cache
from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.kit.database import Database


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration; no ini file: the scripts are part of the package."""
    found = Config()
    found.set_main_option("script_location", str(files("mutualaid") / "migrations"))
    found.attributes["connection"] = connection
    return found


@cache
def newest() -> str:
    """The id of the newest migration."""
    head = ScriptDirectory.from_config(config()).get_current_head()
    assert head is not None
    return head


async def is_current(session: AsyncSession) -> bool:
    """Whether the database stands at the newest migration."""
    try:
        standing: str | None = await session.scalar(text("SELECT version_num FROM alembic_version"))
    except DBAPIError:
        return False
    return standing == newest()


async def upgrade(database: Database, to: str = "head") -> None:
    """Run what is missing, in one transaction a migration."""
    async with database.engine.connect() as connection:
        await connection.run_sync(lambda c: command.upgrade(config(c), to))


async def downgrade(database: Database, to: str) -> None:
    """Undo down to the migration `to` (`base` is the empty database)."""
    async with database.engine.connect() as connection:
        await connection.run_sync(lambda c: command.downgrade(config(c), to))
