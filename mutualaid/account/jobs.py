"""What the worker does for accounts."""

from collections.abc import Mapping
from datetime import datetime

from mutualaid.account import erasing
from mutualaid.members import leaving
from mutualaid.services import Services


async def on_key_destroy(services: Services, payload: Mapping[str, str], *, now: datetime) -> None:
    """`member.key_destroy`: repeats what the door did, for the case that its process died between commit and key."""
    await erasing.destroy_key(services, payload["member"], now=now)


async def sweep(services: Services, _payload: Mapping[str, str], *, now: datetime) -> None:
    """Daily: what was kept of the banned for a year goes."""
    async with services.database.transaction() as session:
        await leaving.forget_old_bans(session, now=now)
