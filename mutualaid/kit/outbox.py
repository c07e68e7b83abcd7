"""Jobs as rows: written in the transaction of the deed that causes them, claimed by compare-and-set, run at least once.

A claim is a lease with a token: a worker that was paused past it can neither finish nor put back what another one has
claimed since. A job that keeps failing is parked, where `doctor` and `/metrics` show it, and stands in nobody's way.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import JSON, Index, Select, case, delete, func, literal, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from mutualaid.kit.clock import sql_now
from mutualaid.kit.database import Base, Database, Instant, new_id, ring_after_commit

BELL: Final = "outbox"
LEASE: Final = timedelta(seconds=60)
MOST_ATTEMPTS: Final = 12
LAPSED: Final = "LeaseLapsed"  # the error of a job whose last worker was never heard of again
_LONGEST_PAUSE_S: Final = 3600


class Job(Base):
    """One thing to do. `payload` holds ids only, never anything personal."""

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    payload: Mapped[dict[str, str]] = mapped_column(JSON)
    key: Mapped[str | None] = mapped_column(unique=True)
    due_at: Mapped[datetime] = mapped_column(Instant)
    attempts: Mapped[int] = mapped_column(default=0)
    lease_token: Mapped[str | None]
    lease_until: Mapped[datetime | None] = mapped_column(Instant)
    parked_at: Mapped[datetime | None] = mapped_column(Instant)
    last_error: Mapped[str | None]

    __table_args__ = (Index("ix_jobs_due", "parked_at", "due_at"),)


@dataclass(frozen=True, slots=True)
class Claim:
    """A job under lease: what to run, and the token that proves the lease."""

    id: str
    name: str
    payload: dict[str, str]
    attempts: int
    token: str


async def enqueue(
    session: AsyncSession, name: str, payload: dict[str, str], *, at: datetime, key: str | None = None
) -> None:
    """Write a job row in this transaction, due at `at`. While one with the same `key` is not done, it is the same job."""
    row = {"id": new_id(), "name": name, "payload": payload, "key": key, "due_at": at, "attempts": 0}
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    await session.execute(insert(Job).values(row).on_conflict_do_nothing(index_elements=["key"]))
    ring_after_commit(session, BELL)


async def claim(database: Database, *, most: int = 10) -> list[Claim]:
    """Lease up to `most` due jobs for `LEASE`, oldest first; each to one worker only, by the database's clock.

    A job that took its worker down with it again and again never came to `put_back`: it is parked here instead.
    """
    async with database.reading() as session:  # an idle worker must not take SQLite's only write lock each second
        if await session.scalar(_claimable(await _database_now(session)).limit(1)) is None:
            return []
    token = secrets.token_hex(16)
    async with database.transaction() as session:
        now = await _database_now(session)
        chosen = _claimable(now).order_by(Job.due_at, Job.id).limit(most)
        # a common table expression is run once; a plain subquery may be run again for each row, and lock more than `most`
        turn = chosen.with_for_update(skip_locked=True).cte("turn")
        rows = await session.execute(
            update(Job)
            .where(Job.id.in_(select(turn.c.id)))
            .values(
                lease_token=token,
                lease_until=now + LEASE,
                attempts=Job.attempts + 1,
                parked_at=case((Job.attempts >= MOST_ATTEMPTS, literal(now, Instant()))),
                last_error=case((Job.attempts >= MOST_ATTEMPTS, LAPSED), else_=Job.last_error),
            )
            .returning(Job.id, Job.name, Job.payload, Job.attempts, Job.due_at)
            .execution_options(synchronize_session=False)
        )
        return [
            Claim(id=row.id, name=row.name, payload=row.payload, attempts=row.attempts, token=token)
            for row in sorted(rows, key=lambda row: (row.due_at, row.id))
            if row.attempts <= MOST_ATTEMPTS
        ]


def _claimable(now: datetime) -> Select[str]:
    """Whose turn has come. `now` was read from the database a moment ago: as a value it can use the index, and being
    a little behind it never ends a lease early."""
    free = or_(Job.lease_until.is_(None), Job.lease_until <= now)
    return select(Job.id).where(Job.parked_at.is_(None), Job.due_at <= now, free)


async def _database_now(session: AsyncSession) -> datetime:
    return (await session.execute(select(sql_now()))).scalar_one()


async def finish(database: Database, claim: Claim) -> bool:
    """The job is done: its row goes. False if the lease was lost meanwhile."""
    async with database.transaction() as session:
        gone = await session.execute(
            delete(Job).where(Job.id == claim.id, Job.lease_token == claim.token).returning(Job.id)
        )
        return gone.first() is not None


async def put_back(database: Database, claim: Claim, *, error: str, at_least: timedelta = timedelta()) -> bool:
    """The job failed: due again after a pause that doubles (and is `at_least` so long), parked after `MOST_ATTEMPTS`.

    False if the lease was lost meanwhile. An outside service may be away for two hours before its jobs are parked.

    `error` is a class name or a code, never a message: messages may carry what people wrote.
    """
    pause = max(at_least, timedelta(seconds=min(_LONGEST_PAUSE_S, 2**claim.attempts)))
    async with database.transaction() as session:
        now = await _database_now(session)
        parked = now if claim.attempts >= MOST_ATTEMPTS else None
        rows = await session.execute(
            update(Job)
            .where(Job.id == claim.id, Job.lease_token == claim.token)
            .values(due_at=now + pause, lease_token=None, lease_until=None, last_error=error, parked_at=parked)
            .returning(Job.id)
            .execution_options(synchronize_session=False)
        )
        return rows.first() is not None


@dataclass(frozen=True, slots=True)
class Backlog:
    """Counts, and seconds; `math.nan` where nobody could count."""

    due: float
    parked: float
    lag_s: float


async def backlog(session: AsyncSession) -> Backlog:
    """How many jobs are due and parked, and for how many seconds the oldest due one has waited."""
    now = await _database_now(session)
    waiting = select(func.count(), func.min(Job.due_at, type_=Instant())).where(
        Job.parked_at.is_(None), Job.due_at <= now
    )
    due, oldest = (await session.execute(waiting)).one()
    parked = await session.scalar(select(func.count()).select_from(Job).where(Job.parked_at.is_not(None)))
    return Backlog(due=due, parked=parked or 0, lag_s=(now - oldest).total_seconds() if oldest else 0.0)
