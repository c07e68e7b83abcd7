"""May this caller reach anybody by this number, now? One statement decides; whatever goes wrong, nobody is connected.

Order: 404 for a number that is not ours, 403 for a caller who has no seat there (before anything is said about time), 410
when the lease is over, 403 while calls rest. What ends elsewhere needs no message: posts, members and blocks are joined.
"""

from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, exists, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from mutualaid.contacts import people, rules
from mutualaid.contacts.errors import CallsRest, LeaseEnded, NotAParty, NumberUnknown
from mutualaid.contacts.people import Person
from mutualaid.contacts.records import Lease, PoolNumber, Seat
from mutualaid.contacts.rules import Role
from mutualaid.kit.clock import sql_now
from mutualaid.kit.phones import Phone
from mutualaid.members.records import Block, Member, Status
from mutualaid.posts.records import Post
from mutualaid.posts.rules import HIDDEN_STILL_ROUTES
from mutualaid.providers.numbers import Connect
from mutualaid.services import Services


@dataclass(frozen=True, slots=True)
class Route:
    """A call that may go through: by which lease, from which seat, to whom. The keys are HMACs, for the records."""

    lease_id: str = field(repr=False)
    by: Role
    caller_key: bytes = field(repr=False)
    callee_key: bytes = field(repr=False)
    connect: Connect


async def decide(services: Services, caller: Phone, dialled: str, *, now: datetime) -> Route:
    """Raises `NumberUnknown`, `NotAParty`, `LeaseEnded`, `CallsRest`; anything else raised is a refusal as well."""
    keys = people.keys_of(services.ring, caller)
    async with services.database.reading() as session:
        row = await _seat(session, dialled, keys)
        if row is None:
            known = dialled in services.numbers.pool or await session.get(PoolNumber, dialled) is not None
            raise NotAParty if known else NumberUnknown
        if not row.connects:
            raise LeaseEnded
        if rules.resting(services.settings.quiet_hours, now) and not row.urgent:
            raise CallsRest
        callee = await session.get(Member, row.owner_id if row.role == "a" else row.asker_id)
        other = await session.scalar(
            select(Seat.person_key).where(Seat.lease_id == row.lease_id, Seat.person_key != row.person_key)
        )
    person = await _reachable(services, callee, other)
    seconds = rules.longest_call(row.expires_at, now)
    return Route(row.lease_id, row.role, row.person_key, person.key, Connect(person.phone, dialled, seconds))


async def _reachable(services: Services, callee: Member | None, pinned: bytes | None) -> Person:
    """The callee with the phone that the seat was taken for; one whose key or phone is gone is not reached any more."""
    persons = await people.load(services, [callee] if callee is not None else [])
    person = persons.get(callee.id) if callee is not None else None
    if person is None or pinned not in person.keys:
        raise LeaseEnded
    return person


async def _seat(session: AsyncSession, x: str, keys: tuple[bytes, ...]) -> Row[Any] | None:
    found: Row[Any] | None = (await session.execute(_seat_query(), {"x": x, "keys": keys})).first()
    return found


@cache
def _seat_query() -> Select[Any]:
    """Built once: it is long, and asked before every call."""
    asker, owner = aliased(Member), aliased(Member)
    post, other = aliased(Post), aliased(Post)
    here = Status.ACTIVE.value
    between = or_(
        and_(Block.blocker_id == Lease.asker_id, Block.blocked_id == Lease.owner_id),
        and_(Block.blocker_id == Lease.owner_id, Block.blocked_id == Lease.asker_id),
    )
    connects = and_(
        Lease.state == "granted",
        Lease.channel == "call",
        Lease.expires_at > sql_now(),
        asker.status == here,
        owner.status == here,
        _routes(post),
        or_(Lease.other_post_id.is_(None), _routes(other)),
        not_(exists().where(between)),
    ).label("connects")
    urgent = or_(post.urgency == "urgent", and_(other.id.is_not(None), other.urgency == "urgent")).label("urgent")
    return (
        select(Seat.role, Seat.person_key, Seat.lease_id, Lease.asker_id, Lease.owner_id, Lease.expires_at)
        .add_columns(connects, urgent)
        .join(Lease, Lease.id == Seat.lease_id)
        .join(asker, asker.id == Lease.asker_id)
        .join(owner, owner.id == Lease.owner_id)
        .join(post, post.id == Lease.post_id)
        .outerjoin(other, other.id == Lease.other_post_id)
        .where(Seat.x == bindparam("x"), Seat.person_key.in_(bindparam("keys", expanding=True)))
        .order_by(connects.desc())
        .limit(1)
    )


def _routes(post: type[Post]) -> ColumnElement[bool]:
    """An open post routes; a hidden one for a day more, unless its author is suspended."""
    lately = and_(post.hidden_at.is_not(None), post.hidden_at > sql_now(ago=HIDDEN_STILL_ROUTES))
    return or_(post.state == "open", and_(post.state == "hidden", post.hidden_by != "suspension", lately))
