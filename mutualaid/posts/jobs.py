"""What the worker does for the plaza."""

from datetime import datetime

from sqlalchemy import delete, exists, text, update

from mutualaid.posts.plaza_records import PlazaCell, PlazaEntry
from mutualaid.posts.records import Post
from mutualaid.posts.rules import WAITS
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


async def wait(services: Services, _payload: dict[str, str], *, now: datetime) -> None:
    """Posts that have waited long come forward in the urgent order: the buckets are stored, so that pages keep their order."""
    for bucket, waited in enumerate(WAITS, start=1):
        late = (Post.state == "open", Post.waiting == bucket - 1, Post.created_at <= now - waited)
        async with services.database.transaction() as session:
            moved = update(Post).where(*late).values(waiting=bucket)
            await session.execute(moved.execution_options(synchronize_session=False))
