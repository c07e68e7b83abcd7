"""What a new instance needs before its first visitor: the regions and the catalogue. Seeding twice changes nothing."""

from datetime import datetime

from mutualaid.catalogue import importing
from mutualaid.kit.database import Database
from mutualaid.regions import actions as regions


async def seed(database: Database, *, now: datetime) -> None:
    """Regions and catalogue as the package ships them; skipped where they are stored already."""
    async with database.transaction() as session:
        await regions.seed(session, now=now)
    await importing.seed(database, now=now)
