"""Our numbers at the maker: which there are, where they are at home, what one carries, how scarce they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, and_, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.contacts.records import Lease, PoolNumber, Seat
from mutualaid.kit.clock import sql_now
from mutualaid.providers.numbers import Caps
from mutualaid.services import Services

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Stock:
    """`pool`: our numbers, E.164. `cities`: their cities' codes, of those that have a home."""

    pool: Sequence[str] = field(repr=False)
    caps: Caps
    cities: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, services: Services) -> "Stock":
        return cls(services.numbers.pool, services.numbers.caps, services.settings.number_cities)

    @property
    def plain(self) -> bool:
        """Whether two may dial a number alone: bound by AXB, or decided at each call."""
        return bool(self.caps.modes & {"axb", "x"})

    @property
    def extensions(self) -> range:
        """What may be keyed in after a number; without leading zeros, which some exchanges drop. Empty without AXE."""
        digits = self.caps.extension_digits if "axe" in self.caps.modes else 0
        return range(10 ** (digits - 1), 10**digits) if digits else range(0)


def bound() -> ColumnElement[bool]:
    """The maker holds this lease's binding, or may: it was not told to let go of it, and its time is not over."""
    return and_(Lease.binding_key.is_not(None), Lease.unbound_at.is_(None), Lease.expires_at > sql_now())


async def sync(session: AsyncSession, stock: Stock) -> None:
    """Make the rows agree with the maker's pool: new numbers come in, others are not given out any more."""
    query = select(PoolNumber.x, PoolNumber.offered, PoolNumber.city)
    known = {row.x: (row.offered, row.city) for row in await session.execute(query)}
    ours = {x: (True, stock.cities.get(x)) for x in stock.pool}
    fresh = [{"x": x, "offered": True, "city": ours[x][1], "used_at": _NEVER} for x in ours if x not in known]
    if fresh:
        insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
        await session.execute(insert(PoolNumber).on_conflict_do_nothing(), fresh)
    for x, was in known.items():
        offered, city = ours.get(x, (False, was[1]))
        if (offered, city) != was:
            await session.execute(update(PoolNumber).where(PoolNumber.x == x).values(offered=offered, city=city))


@dataclass(frozen=True, slots=True)
class Pressure:
    """How scarce numbers are. Where `fullest` or `busiest` is 1, somebody who asks for a call is told that none is free.

    `live`: pairs that the maker holds; `resting`: seats in quarantine. `fullest`: of the number with most pairs, the share
    of what it can carry. `busiest`: of the person with most seats, the share of all numbers.
    """

    numbers: float
    live: float
    resting: float
    fullest: float
    busiest: float


async def pressure(session: AsyncSession, stock: Stock) -> Pressure:
    """As the rows say now."""
    numbers = await session.scalar(select(func.count()).select_from(PoolNumber).where(PoolNumber.offered)) or 0
    on_x = select(func.count().label("n")).where(bound(), Lease.extension.is_(None)).group_by(Lease.x).subquery()
    live = await session.scalar(select(func.count()).select_from(Lease).where(bound(), Lease.x.is_not(None))) or 0
    over = and_(Lease.id == Seat.lease_id, Lease.ended_at.is_not(None), Seat.until > sql_now())
    resting = await session.scalar(select(func.count()).select_from(Seat).join(Lease, over)) or 0
    of_person = select(func.count().label("n")).where(Seat.until > sql_now(), Seat.extension == "")
    by_person = of_person.group_by(Seat.person_key).subquery()
    most_pairs = await session.scalar(select(func.max(on_x.c.n))) or 0
    most_seats = await session.scalar(select(func.max(by_person.c.n))) or 0
    return Pressure(
        numbers=numbers,
        live=live,
        resting=resting,
        fullest=most_pairs / max(1, stock.caps.max_pairs_per_x),
        busiest=most_seats / max(1, numbers),
    )
