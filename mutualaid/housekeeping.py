"""The house's own part of the day's sweeps: what belongs to no room."""

from collections.abc import Mapping
from datetime import datetime

from mutualaid.kit import idempotency, once
from mutualaid.services import Services


async def sweep(services: Services, _payload: Mapping[str, str], *, now: datetime) -> None:
    """Daily: forget the answers kept for repeated requests and the marks of old pushes, destroy the keys of days that are
    over, and empty the log of the database."""
    await idempotency.sweep(services.database, services.keys, now=now)
    async with services.database.transaction() as session:
        await once.sweep(session)
    await services.database.cut_log()
