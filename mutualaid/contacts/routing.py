"""May this caller reach anybody by this number, now? One statement decides; whatever goes wrong, nobody is connected.

Order: 404 for a number that is not ours, 403 for a caller who has no seat there (before anything is said about time), 410
when the lease is over, 403 while calls rest, 429 for too many calls. What ends elsewhere needs no message: posts, matches,
members and blocks are joined. The time is the database's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    Boolean,
    ColumnElement,
    LargeBinary,
    Select,
    String,
    and_,
    bindparam,
    exists,
    func,
    literal,
    not_,
    or_,
    select,
)
from sqlalchemy.orm import aliased

from mutualaid.contacts import people, rules
from mutualaid.contacts.errors import (
    CallsRest,
    CallsTooMany,
    ExtensionNeeded,
    LeaseEnded,
    NotAParty,
    NumberUnknown,
)
from mutualaid.contacts.records import Call, Lease, PoolNumber, Seat
from mutualaid.contacts.rules import Role
from mutualaid.kit.clock import sql_now
from mutualaid.kit.instants import given
from mutualaid.kit.phones import Phone
from mutualaid.kit.prepared import Prepared
from mutualaid.matching.records import Match
from mutualaid.members import blocks
from mutualaid.members.records import Member, Status
from mutualaid.posts.records import Post
from mutualaid.posts.rules import HIDDEN_STILL_ROUTES
from mutualaid.providers.numbers import Connect
from mutualaid.services import Services

REFUSALS: Final = (NumberUnknown, NotAParty, ExtensionNeeded, LeaseEnded, CallsRest, CallsTooMany)


@dataclass(frozen=True, slots=True)
class Route:
    """A call that may go through: by which lease, from which seat, to whom. The keys are HMACs, for the records."""

    lease_id: str = field(repr=False)
    by: Role
    caller_key: bytes = field(repr=False)
    callee_key: bytes = field(repr=False)
    connect: Connect


class _Seated(NamedTuple):
    """A seat of the caller on the number that is dialled, and what decides whether it connects now."""

    role: Role
    person_key: bytes
    extension: str
    lease_id: str
    other_key: bytes | None
    asker_id: str
    owner_id: str
    expires_at: datetime
    at: datetime
    asker_phone: bytes | None
    owner_phone: bytes | None
    connects: bool
    urgent: bool
    by_lease: int
    by_caller: int


async def decide(services: Services, caller: Phone, dialled: str, digits: str | None = None) -> Route:
    """Raises one of `REFUSALS`; anything else raised is a refusal as well. `digits`: what was keyed in after the number."""
    keys = people.keys_of(services.ring, caller)
    asked = {"x": dialled, "any_line": not digits, "extension": digits or ""}
    found = await services.database.glance(_seats(len(keys)), **asked, **_numbered(keys))
    rows = [_Seated._make(row) for row in found]
    if not rows:
        raise NotAParty if await _is_ours(services, dialled) else NumberUnknown
    row = _chosen(rows, digits)
    if not row.connects:
        raise LeaseEnded
    now, until = given(row.at), given(row.expires_at)
    if rules.resting(services.settings.quiet_hours, now) and not row.urgent:
        raise CallsRest
    if row.by_lease >= rules.A_PAIR_CALLS or row.by_caller >= rules.A_CALLER_CALLS:
        raise CallsTooMany(retry_after=int(rules.RATES_OVER.total_seconds()))
    callee, sealed = (row.owner_id, row.owner_phone) if row.role == "a" else (row.asker_id, row.asker_phone)
    person = (await people.opened(services, {callee: sealed})).get(callee)
    if (
        person is None or row.other_key not in person.keys
    ):  # the phone that the seat was taken for is not theirs any more
        raise LeaseEnded
    seconds = rules.longest_call(until, now)
    return Route(row.lease_id, row.role, row.person_key, person.key, Connect(person.phone, dialled, seconds))


async def _is_ours(services: Services, x: str) -> bool:
    """Also a number that we had once."""
    return x in services.numbers.pool or bool(await services.database.glance(_OURS, x=x))


def _chosen(rows: Sequence[_Seated], digits: str | None) -> _Seated:
    """By which lease the caller calls. Without digits: by the one that needs none, else by the only one that connects."""
    plain = [row for row in rows if not row.extension]
    if digits or plain:
        return (plain or rows)[0] if not digits else rows[0]
    connecting = [row for row in rows if row.connects]
    if len(connecting) > 1:
        raise ExtensionNeeded
    return (connecting or rows)[0]


def _numbered(keys: Sequence[bytes]) -> dict[str, bytes]:
    return {f"key_{n}": key for n, key in enumerate(keys)}


@cache
def _seats(keys: int) -> Prepared:
    """The caller's seats on a number, those that connect first. `keys`: under how many versions the caller is looked for."""
    return Prepared(lambda _dialect, prefix: _seats_query(prefix, keys))


def _seats_query(prefix: str, count: int) -> Select[Any]:
    asker, owner, theirs = aliased(Member), aliased(Member), aliased(Seat)
    post, other = aliased(Post), aliased(Post)
    here = Status.ACTIVE.value
    failed = and_(Match.id == Lease.match_id, Match.state.not_in([literal("agreed"), literal("completed")]))
    keys = [bindparam(f"{prefix}key_{n}", type_=LargeBinary(), required=True) for n in range(count)]
    any_line = bindparam(f"{prefix}any_line", type_=Boolean(), required=True)
    extension = bindparam(f"{prefix}extension", type_=String(), required=True)
    lately = Call.at > sql_now(ago=rules.RATES_OVER)
    connects = and_(
        Lease.state == "granted",
        Lease.channel == "call",
        Lease.expires_at > sql_now(),
        asker.status == here,
        owner.status == here,
        _routes(post),
        or_(Lease.other_post_id.is_(None), _routes(other)),
        not_(exists().where(failed)),
        not_(blocks.apart(Lease.asker_id, Lease.owner_id)),
    ).label("connects")
    urgent = or_(post.urgency == "urgent", and_(other.id.is_not(None), other.urgency == "urgent")).label("urgent")
    by_lease = select(func.count()).where(Call.lease_id == Lease.id, lately).scalar_subquery().label("by_lease")
    by_caller = select(func.count()).where(Call.caller_key.in_(keys), lately).scalar_subquery().label("by_caller")
    same_line = and_(theirs.lease_id == Lease.id, theirs.person_key != Seat.person_key, theirs.x == Seat.x)
    return (
        select(Seat.role, Seat.person_key, Seat.extension, Seat.lease_id, theirs.person_key.label("other_key"))
        .add_columns(Lease.asker_id, Lease.owner_id, Lease.expires_at, sql_now().label("at"))
        .add_columns(asker.phone.label("asker_phone"), owner.phone.label("owner_phone"))
        .add_columns(connects, urgent, by_lease, by_caller)
        .join(Lease, Lease.id == Seat.lease_id)
        .join(asker, asker.id == Lease.asker_id)
        .join(owner, owner.id == Lease.owner_id)
        .join(post, post.id == Lease.post_id)
        .outerjoin(other, other.id == Lease.other_post_id)
        .outerjoin(theirs, same_line)
        .where(Seat.x == _dialled(prefix), Seat.person_key.in_(keys))
        .where(or_(any_line, Seat.extension == extension))
        .order_by(connects.desc(), Seat.extension)
    )


def _dialled(prefix: str) -> ColumnElement[str]:
    return bindparam(f"{prefix}x", type_=String(), required=True)


def _ours(_dialect: str, prefix: str) -> Select[Any]:
    return select(PoolNumber.x).where(PoolNumber.x == _dialled(prefix))


_OURS: Final = Prepared(_ours)


def _routes(post: type[Post]) -> ColumnElement[bool]:
    """An open post routes; a hidden one for a day more, unless its author is suspended."""
    lately = and_(post.hidden_at.is_not(None), post.hidden_at > sql_now(ago=HIDDEN_STILL_ROUTES))
    return or_(post.state == "open", and_(post.state == "hidden", post.hidden_by != "suspension", lately))
