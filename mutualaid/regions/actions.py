"""Seed the table from its source, once for each version of it."""

from datetime import datetime
from itertools import islice

from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.kit import audit
from mutualaid.regions import source, store
from mutualaid.regions.records import RegionSource

_BATCH = 200


async def seed(session: AsyncSession, *, now: datetime) -> int:
    """Fill the table if it does not hold this source's version yet: how many rows were written, 0 when there was
    nothing to do. About two seconds. Raises `source.SourceBroken` with nothing changed."""
    version = source.version()
    if await store.seeded_version(session) == version:
        return 0
    await store.clear(session)
    rows, count = source.rows(source.folder()), 0
    while batch := list(islice(rows, _BATCH)):
        await store.add(session, batch)
        count += len(batch)
    session.add(RegionSource(version=version, seeded_at=now))
    audit.note(session, actor=None, deed="regions.seeded", subject="regions", now=now, facts={"rows": count})
    return count
