"""What follows from a lease's change: its audit row, word to both, the jobs of its last hour."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.contacts import rules
from mutualaid.contacts.records import Lease
from mutualaid.kit import audit, outbox


async def plan_end(session: AsyncSession, lease: Lease) -> None:
    """Write the jobs of a lease's last hour."""
    await outbox.write_all(session, end_planned(lease))


def end_planned(lease: Lease) -> list[outbox.Row]:
    """A warning, then the end. Each checks whether it still holds."""
    end, until, at = {"lease": lease.id}, lease.expires_at, lease.expires_at.isoformat()
    due = {"contacts.warn": until - rules.WARNED, "contacts.expire": until}
    return [outbox.job(name, end, at=when, key=f"{name}:{lease.id}:{at}") for name, when in due.items()]


async def tell_ready(session: AsyncSession, lease: Lease, *, now: datetime) -> None:
    """Both are told that they can reach each other."""
    await tell_both(session, "contact.ready", lease, now=now, channel=lease.channel)


async def tell_both(session: AsyncSession, name: str, lease: Lease, *, now: datetime, **more: str) -> None:
    """One job for each of the two: `member`, `contact`, `post`, `match` (may be empty), and codes."""
    told = {"contact": lease.id, "post": lease.post_id, "match": lease.match_id or "", **more}
    both = [outbox.job(name, {"member": member_id, **told}, at=now) for member_id in lease.parties()]
    await outbox.write_all(session, both)


def note(
    session: AsyncSession, lease: Lease, deed: str, *, actor: str | None, now: datetime, **facts: str | int | None
) -> None:
    """The audit row of a lease's change."""
    audit.note(session, actor=actor, deed=deed, subject=lease.id, now=now, facts={"channel": lease.channel, **facts})
