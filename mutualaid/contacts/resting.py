"""Quarantine cut short: where no number is free for a pair, one that has rested a day for both of them may be given again.

Never one of a contact whose two have blocked each other: there a call that reached the wrong person would do harm, so its
number rests the whole week. Never one that the maker may still hold.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import and_, delete, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.contacts import stock
from mutualaid.contacts.records import Lease, Seat
from mutualaid.contacts.rules import LEAST_REST, LIVE, QUARANTINE
from mutualaid.kit import audit
from mutualaid.kit.clock import sql_now
from mutualaid.members import blocks


@dataclass(frozen=True, slots=True)
class Rest:
    """The seats of one or both of two persons on a number, all of which have rested long enough. `until`: the latest."""

    x: str = field(repr=False)
    keys: tuple[bytes, ...] = field(repr=False)
    leases: tuple[str, ...]
    until: datetime


async def long_enough(session: AsyncSession, keys: Collection[bytes]) -> list[Rest]:
    """Numbers on which these persons' seats may be cut short, the one that rested longest first."""
    rested = and_(
        or_(Lease.state.not_in(LIVE), Lease.expires_at <= sql_now()),
        Seat.until <= sql_now(ago=LEAST_REST - QUARANTINE),
        not_(stock.bound()),
        not_(blocks.apart(Lease.asker_id, Lease.owner_id)),
    ).label("rested")
    query = (
        select(Seat.x, Seat.person_key, Seat.lease_id, Seat.until, rested)
        .join(Lease, Lease.id == Seat.lease_id)
        .where(Seat.person_key.in_(keys), Seat.extension == "")
    )
    on_x = defaultdict(list)
    for row in await session.execute(query):
        on_x[row.x].append(row)
    found = [
        Rest(
            x,
            tuple(row.person_key for row in rows),
            tuple(sorted({row.lease_id for row in rows})),
            max(row.until for row in rows),
        )
        for x, rows in on_x.items()
        if all(row.rested for row in rows)
    ]
    return sorted(found, key=lambda rest: (rest.until, rest.x))


async def cut_short(session: AsyncSession, rest: Rest, *, now: datetime) -> None:
    """These seats end now. The persons' members are held locked, so that the rest is as it was read."""
    own = (Seat.x == rest.x, Seat.extension == "", Seat.person_key.in_(rest.keys))
    await session.execute(delete(Seat).where(*own))
    for lease_id in rest.leases:
        audit.note(session, actor=None, deed="contact.rest_cut_short", subject=lease_id, now=now, facts={})
