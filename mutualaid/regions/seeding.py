"""What `mutualaid seed` and the first start run."""

from datetime import datetime

from mutualaid.kit.database import Database
from mutualaid.regions import actions, source, store


async def run(database: Database, *, now: datetime) -> int:
    """Fill the table if it holds another version of the source: how many rows were written, 0 when nothing was to do.

    A later start only looks, and takes no write lock for that. Raises `source.SourceBroken` with nothing changed.
    """
    async with database.reading() as session:
        if await store.seeded_version(session) == source.version():
            return 0
    async with database.transaction() as session:
        return await actions.seed(session, now=now)
