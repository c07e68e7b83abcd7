"""What the worker does for the plaza."""

from datetime import datetime

from sqlalchemy import delete, exists, text

from mutualaid.posts.plaza_records import PlazaCell, PlazaEntry
from mutualaid.services import Services


async def sweep(services: Services, _payload: dict[str, str], *, now: datetime) -> None:
    """Cells in which a topic has no entry any more go: each would cost every search that passes it a look in vain.

    Writers of cells wait meanwhile (on SQLite they always do): one who found the row there, and therefore wrote none, must
    have committed before the row is judged.
    """
    same = [
        getattr(PlazaEntry, name) == getattr(PlazaCell, name) for name in ("topic", "kind", "real", "cell", "region")
    ]
    async with services.database.transaction() as session:
        if services.database.dialect == "postgresql":
            await session.execute(text("LOCK TABLE plaza_cells IN SHARE ROW EXCLUSIVE MODE"))
        await session.execute(delete(PlazaCell).where(~exists().where(*same)))
