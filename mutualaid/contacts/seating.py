"""Which number: one that is free for both persons, and which of those has rested longest. Two seats or none.

Free means that neither has a seat there, live or quarantined. The unique rows decide, not the look before: whoever loses
a race for a seat tries the next number. On PostgreSQL each asker locks the number it is about to give out and passes over
those that others hold locked, so a busy pool is shared out without waiting.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import and_, case, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from mutualaid.contacts.people import Person
from mutualaid.contacts.records import Lease, PoolNumber, Seat
from mutualaid.contacts.rules import LIVE, QUARANTINE
from mutualaid.kit.clock import sql_now

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


async def take(
    session: AsyncSession, lease: Lease, a: Person, b: Person, *, pool: Sequence[str], most_pairs: int, now: datetime
) -> str | None:
    """Seat both on one number of `pool` until the lease's end and quarantine after it. None where no number is free.

    `a` is the asker, `b` the owner. `most_pairs`: what one number carries. The caller holds both members' rows locked.
    """
    everyone = [*a.keys, *b.keys]
    await session.execute(delete(Seat).where(Seat.person_key.in_(everyone), Seat.until <= sql_now()))
    revived = await _revive(session, lease, a, b, frozenset(pool))
    if revived is not None:
        return revived
    taken = set(await session.scalars(select(Seat.x).where(Seat.person_key.in_(everyone))))
    found = await _first_free(session, lease, a, b, taken, pool=pool, most_pairs=most_pairs)
    if found is None:
        await sync(session, pool)
        found = await _first_free(session, lease, a, b, taken, pool=pool, most_pairs=most_pairs)
    if found is not None:
        await session.execute(update(PoolNumber).where(PoolNumber.x == found).values(used_at=now))
    return found


async def _first_free(
    session: AsyncSession, lease: Lease, a: Person, b: Person, taken: set[str], *, pool: Sequence[str], most_pairs: int
) -> str | None:
    tried, waiting = set(taken), False
    while True:
        # A savepoint each: the lock of a number that is not taken is let go of before the next one is waited for.
        trial = await session.begin_nested()
        x = await _rested(session, tried, waiting=waiting)
        if (
            x is not None
            and x in pool
            and await _pairs(session, x) < most_pairs
            and await _sit(session, lease, x, a, b)
        ):
            await trial.commit()
            return x
        await trial.rollback()
        if x is not None:
            tried.add(x)
        elif waiting:
            return None
        else:
            waiting = True  # those passed over were locked by others: now wait for them


async def _revive(session: AsyncSession, lease: Lease, a: Person, b: Person, pool: frozenset[str]) -> str | None:
    """The same two may have their own quarantined number again: both seats move to the new lease in one statement."""
    one, other = aliased(Seat), aliased(Seat)
    query = (
        select(one.x, one.lease_id)
        .join(other, and_(other.x == one.x, other.lease_id == one.lease_id))
        .join(Lease, Lease.id == one.lease_id)
        .where(one.person_key.in_(a.keys), other.person_key.in_(b.keys))
        .where(or_(Lease.state.not_in(LIVE), Lease.expires_at <= sql_now()))
        .order_by(Lease.asked_at.desc())
    )
    for x, old in (await session.execute(query)).all():
        if x not in pool:
            continue
        role = case((Seat.person_key.in_(a.keys), "a"), else_="b")
        moved = await session.execute(
            update(Seat)
            .where(Seat.x == x, Seat.lease_id == old)
            .values(lease_id=lease.id, role=role, until=lease.expires_at + QUARANTINE)
            .returning(Seat.person_key)
            .execution_options(synchronize_session=False)
        )
        if len(moved.all()) == 2:
            return str(x)
    return None


async def _rested(session: AsyncSession, taken: set[str], *, waiting: bool) -> str | None:
    query = (
        select(PoolNumber.x)
        .where(PoolNumber.offered, PoolNumber.x.not_in(taken))
        .order_by(PoolNumber.used_at, PoolNumber.x)
        .limit(1)
    )
    return await session.scalar(query.with_for_update(skip_locked=not waiting))


async def _pairs(session: AsyncSession, x: str) -> int:
    """How many pairs sit on a number; the caller holds its row, so nobody else sits down meanwhile."""
    seats = await session.scalar(select(func.count()).select_from(Seat).where(Seat.x == x, Seat.until > sql_now()))
    return (seats or 0) // 2


async def _sit(session: AsyncSession, lease: Lease, x: str, a: Person, b: Person) -> bool:
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    until = lease.expires_at + QUARANTINE
    rows = [
        {"x": x, "person_key": person.key, "lease_id": lease.id, "role": role, "until": until}
        for person, role in ((a, "a"), (b, "b"))
    ]
    rows.sort(key=lambda row: str(row["person_key"]))  # two who race for the same two seats meet at the first
    made = await session.execute(insert(Seat).values(rows).on_conflict_do_nothing().returning(Seat.person_key))
    return len(made.all()) == 2  # else the savepoint takes the one back


async def free(session: AsyncSession, lease_id: str) -> None:
    """Give the seats of a lease back without quarantine: nobody was ever reached by them."""
    await session.execute(delete(Seat).where(Seat.lease_id == lease_id))


async def sync(session: AsyncSession, pool: Sequence[str]) -> None:
    """Make the rows agree with the maker's pool: new numbers come in, others are not given out any more."""
    known = {row.x: row.offered for row in await session.execute(select(PoolNumber.x, PoolNumber.offered))}
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    fresh = [{"x": x, "offered": True, "used_at": _NEVER} for x in pool if x not in known]
    if fresh:
        await session.execute(insert(PoolNumber).on_conflict_do_nothing(), fresh)
    ours = frozenset(pool)
    for offered in (True, False):
        changed = [x for x, was in known.items() if was is not offered and (x in ours) is offered]
        if changed:
            await session.execute(update(PoolNumber).where(PoolNumber.x.in_(changed)).values(offered=offered))
