"""Which number: one that is free for both persons, and which of those has rested longest. Two seats or none.

Free means that neither has a seat there, live or quarantined: the numbers of all contacts are a proper edge colouring.
The unique rows decide, not the look before: whoever loses a race for a seat tries the next number. On PostgreSQL each
asker locks the number it is about to give out and passes over those that others hold locked, so a busy pool is shared
out without waiting.

In this order: the pair's own number again, while it rests or afterwards; one of the post's city, of its province, any,
each time the one that rested longest; one whose rest is cut short (`resting`); an extension on a number (AXE).
"""

from collections.abc import Awaitable, Callable
from functools import cache, partial
from typing import NamedTuple

from sqlalchemy import (
    LargeBinary,
    ScalarSelect,
    Select,
    and_,
    bindparam,
    case,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from mutualaid.contacts import resting, stock
from mutualaid.contacts.people import Person
from mutualaid.contacts.records import Lease, PoolNumber, Seat
from mutualaid.contacts.rules import LIVE, QUARANTINE
from mutualaid.contacts.stock import Stock
from mutualaid.kit.clock import sql_now


class Line(NamedTuple):
    """What the two dial: a number of ours, and in AXE what is keyed in after it."""

    x: str
    extension: str | None = None


class Two(NamedTuple):
    """A lease to be seated and its two persons; `region`: of its post, six digits. Both members' rows are held locked."""

    lease: Lease
    a: Person
    b: Person
    region: str

    @property
    def keys(self) -> tuple[bytes, ...]:
        return (*self.a.keys, *self.b.keys)


Sit = Callable[[str], Awaitable[Line | None]]


async def take(session: AsyncSession, two: Two, stocked: Stock) -> Line | None:
    """Seat both on one number until the lease's end and quarantine after it. None where no number is free for them."""
    await session.execute(delete(Seat).where(Seat.person_key.in_(two.keys), Seat.until <= sql_now()))
    found = await _revive(session, two, stocked)
    if found is not None:
        return found
    found = await _free(session, two, stocked)
    if found is None:
        await stock.sync(session, stocked)  # the maker's pool may have grown
        found = (
            await _free(session, two, stocked)
            or await _cut_short(session, two, stocked)
            or await _extended(session, two, stocked)
        )
    if found is not None:
        await session.execute(update(PoolNumber).where(PoolNumber.x == found.x).values(used_at=sql_now()))
    return found


async def _free(session: AsyncSession, two: Two, stocked: Stock) -> Line | None:
    if not stocked.plain:
        return None
    own = (Seat.person_key.in_(two.keys), Seat.extension == "")
    taken = set(await session.scalars(select(Seat.x).where(*own)))
    return await _first(session, two, stocked, taken, partial(_pair, session, two, stocked))


async def _extended(session: AsyncSession, two: Two, stocked: Stock) -> Line | None:
    if not stocked.extensions:
        return None
    return await _first(session, two, stocked, set(), partial(_keyed, session, two, stocked))


async def _first(session: AsyncSession, two: Two, stocked: Stock, taken: set[str], sit: Sit) -> Line | None:
    """The best number on which `sit` finds room for the two, and none of `taken`."""
    pool, tried, waiting = frozenset(stocked.pool), set(taken), False
    while True:
        # A savepoint each: the lock of a number that is not taken is let go of before the next one is waited for.
        trial = await session.begin_nested()
        x = await _rested(session, two, tried, waiting=waiting)
        line = await sit(x) if x is not None and x in pool else None
        if line is not None:
            await trial.commit()
            return line
        await trial.rollback()
        if x is not None:
            tried.add(x)
        elif waiting:
            return None
        else:
            waiting = True  # those passed over were locked by others: now wait for them


async def _revive(session: AsyncSession, two: Two, stocked: Stock) -> Line | None:
    """The same two may have their own quarantined number again: both seats move to the new lease in one statement."""
    asked = {"a": two.a.keys, "b": two.b.keys}
    for x, extension, old in (await session.execute(_resting_query(), asked)).all():
        if x not in stocked.pool or not (stocked.extensions if extension else stocked.plain):
            continue
        role = case((Seat.person_key.in_(two.a.keys), "a"), else_="b")
        same = (Seat.x == x, Seat.extension == extension, Seat.lease_id == old)
        if extension:  # each role of an extension is one person's: let nobody pass through the other's place
            await session.execute(delete(Seat).where(*same))
            if not await _sit(session, two, Line(x, extension)):
                continue
            return Line(x, extension)
        moved = await session.execute(
            update(Seat)
            .where(*same)
            .values(lease_id=two.lease.id, role=role, until=two.lease.expires_at + QUARANTINE)
            .returning(Seat.person_key)
            .execution_options(synchronize_session=False)
        )
        if len(moved.all()) == 2:
            return Line(x)
    return None


@cache
def _resting_query() -> Select[str, str, str]:
    """The lines that two persons have between them, and no live lease. Built once: it is asked for each lease."""
    one, other = aliased(Seat), aliased(Seat)
    a, b = (bindparam(role, expanding=True, type_=LargeBinary()) for role in ("a", "b"))
    both = and_(other.x == one.x, other.extension == one.extension, other.lease_id == one.lease_id)
    return (
        select(one.x, one.extension, one.lease_id)
        .join(other, both)
        .join(Lease, Lease.id == one.lease_id)
        .where(one.person_key.in_(a), other.person_key.in_(b))
        .where(or_(Lease.state.not_in(LIVE), Lease.expires_at <= sql_now()))
        .order_by(Lease.asked_at.desc())
    )


async def _rested(session: AsyncSession, two: Two, tried: set[str], *, waiting: bool) -> str | None:
    city, province = two.region[:4], two.region[:2]
    liking = case(
        (PoolNumber.x == _of_last_time(two), 0),
        (func.substr(PoolNumber.city, 1, 4) == city, 1),
        (func.substr(PoolNumber.city, 1, 2) == province, 2),
        else_=3,
    )
    query = (
        select(PoolNumber.x)
        .where(PoolNumber.offered, PoolNumber.x.not_in(tried))
        .order_by(liking, PoolNumber.used_at, PoolNumber.x)
        .limit(1)
    )
    return await session.scalar(query.with_for_update(of=PoolNumber, skip_locked=not waiting))


def _of_last_time(two: Two) -> ScalarSelect[str | None]:
    """The number by which the same two were in touch before, long ago too."""
    ids = two.lease.parties()
    return (
        select(Lease.x)
        .where(or_(*(and_(Lease.asker_id == a, Lease.owner_id == b) for a, b in (ids, ids[::-1]))))
        .where(Lease.x.is_not(None), Lease.id != two.lease.id)
        .order_by(Lease.asked_at.desc())
        .limit(1)
        .scalar_subquery()
    )


async def _pair(session: AsyncSession, two: Two, stocked: Stock, x: str) -> Line | None:
    """Both on this number, where it has room. The caller holds its row, so nobody else sits down meanwhile."""
    on_x = (stock.bound(), Lease.x == x, Lease.extension.is_(None))
    pairs = await session.scalar(select(func.count()).select_from(Lease).where(*on_x)) or 0
    if pairs >= stocked.caps.max_pairs_per_x:
        return None
    line = Line(x)
    return line if await _sit(session, two, line) else None


async def _cut_short(session: AsyncSession, two: Two, stocked: Stock) -> Line | None:
    pool = frozenset(stocked.pool) if stocked.plain else frozenset()
    for rest in await resting.long_enough(session, two.keys):
        if rest.x not in pool:
            continue
        trial = await session.begin_nested()
        held = await session.scalar(select(PoolNumber.x).where(PoolNumber.x == rest.x).with_for_update())
        if held is not None:
            await resting.cut_short(session, rest, now=two.lease.asked_at)
            line = await _pair(session, two, stocked, rest.x)
            if line is not None:
                await trial.commit()
                return line
        await trial.rollback()
    return None


async def _keyed(session: AsyncSession, two: Two, stocked: Stock, x: str) -> Line | None:
    """An extension of this number that is nobody's. The caller holds its row."""
    room = stocked.extensions
    lapsed = (Seat.x == x, Seat.extension != "", Seat.until <= sql_now())
    await session.execute(delete(Seat).where(*lapsed))
    used = set(await session.scalars(select(Seat.extension).where(Seat.x == x, Seat.extension != "").distinct()))
    first = int(two.lease.id, 16) % len(room)  # spread, so that the next one cannot be guessed from one's own
    for n in range(len(room)):
        extension = str(room[(first + n) % len(room)])
        if extension not in used:
            line = Line(x, extension)
            return line if await _sit(session, two, line) else None
    return None


async def _sit(session: AsyncSession, two: Two, line: Line) -> bool:
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    until = two.lease.expires_at + QUARANTINE
    place = {"x": line.x, "extension": line.extension or "", "lease_id": two.lease.id, "until": until}
    rows = [{**place, "person_key": person.key, "role": role} for person, role in ((two.a, "a"), (two.b, "b"))]
    rows.sort(key=lambda row: str(row["person_key"]))  # two who race for the same two seats meet at the first
    sat = insert(Seat.__table__).on_conflict_do_nothing().returning(Seat.person_key)  # type: ignore[arg-type] # it is a Table
    made = await session.execute(sat, rows)
    return len(made.all()) == 2  # else the savepoint takes the one back


async def free(session: AsyncSession, lease_id: str) -> None:
    """Give the seats of a lease back without quarantine: nobody was ever reached by them."""
    await session.execute(delete(Seat).where(Seat.lease_id == lease_id))
