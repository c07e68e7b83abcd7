"""What the worker does for the plaza."""

from datetime import datetime

from sqlalchemy import delete, exists, func, select, text, update

from mutualaid.kit import clock
from mutualaid.posts import word_store
from mutualaid.posts.plaza_records import KEPT, PlazaCell, PlazaChange, PlazaEntry
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


async def forget_changes(services: Services, _payload: dict[str, str], *, now: datetime) -> None:
    """The feed is kept for `KEPT` and a little more; its newest old row stays, and tells who comes from before it."""
    old = select(func.max(PlazaChange.id)).where(PlazaChange.at < clock.database_now(ago=KEPT))
    async with services.database.transaction() as session:
        newest = await session.scalar(old)
        if newest is not None:
            await session.execute(delete(PlazaChange).where(PlazaChange.id < newest))


async def wait(services: Services, _payload: dict[str, str], *, now: datetime) -> None:
    """Posts that have waited long come forward in the urgent order: the buckets are stored, so that pages keep their order."""
    for bucket, waited in enumerate(WAITS, start=1):
        late = (Post.state == "open", Post.waiting == bucket - 1, Post.created_at <= now - waited)
        async with services.database.transaction() as session:
            moved = update(Post).where(*late).values(waiting=bucket)
            await session.execute(moved.execution_options(synchronize_session=False))


async def sort_words(services: Services, _payload: dict[str, str], *, now: datetime) -> None:
    """What posts are found by goes where it is found quickly."""
    await word_store.sort_many(services.database)
