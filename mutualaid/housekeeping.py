"""The house's own part of the day's sweeps: what belongs to no room."""

from collections.abc import Mapping
from datetime import datetime

from mutualaid.kit import idempotency
from mutualaid.services import Services


async def sweep(services: Services, _payload: Mapping[str, str], *, now: datetime) -> None:
    """Daily: forget the answers kept for repeated requests, and destroy the keys of days that are over."""
    await idempotency.sweep(services.database, services.keys, now=now)
