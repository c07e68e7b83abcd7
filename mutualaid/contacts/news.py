"""What follows from a lease's change: its audit row, word to both, the jobs of its last hour."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.contacts import rules
from mutualaid.contacts.records import Lease
from mutualaid.kit import audit, outbox


async def plan_end(session: AsyncSession, lease: Lease) -> None:
    """The jobs of a lease's last hour: a warning, then the end. Each checks whether it still holds."""
    end, at = {"lease": lease.id}, lease.expires_at.isoformat()
    warned_at = lease.expires_at - rules.WARNED
    await outbox.enqueue(session, "contacts.warn", end, at=warned_at, key=f"contacts.warn:{lease.id}:{at}")
    await outbox.enqueue(session, "contacts.expire", end, at=lease.expires_at, key=f"contacts.expire:{lease.id}:{at}")


async def tell_ready(session: AsyncSession, lease: Lease, *, now: datetime) -> None:
    """Both are told that they can reach each other."""
    await tell_both(session, "contact.ready", lease, now=now, channel=lease.channel)


async def tell_both(session: AsyncSession, name: str, lease: Lease, *, now: datetime, **more: str) -> None:
    """One job for each of the two: `member`, `contact`, `post`, `match` (may be empty), and codes."""
    told = {"contact": lease.id, "post": lease.post_id, "match": lease.match_id or "", **more}
    for member_id in lease.parties():
        await outbox.enqueue(session, name, {"member": member_id, **told}, at=now)


def note(
    session: AsyncSession, lease: Lease, deed: str, *, actor: str | None, now: datetime, **facts: str | int | None
) -> None:
    """The audit row of a lease's change."""
    audit.note(session, actor=actor, deed=deed, subject=lease.id, now=now, facts={"channel": lease.channel, **facts})
