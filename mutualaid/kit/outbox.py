"""Jobs as rows: written in the transaction of the deed that causes them, claimed by compare-and-set, run at least once.

A claim is a lease with a token: a worker that was paused past it can neither finish nor put back what another one has
claimed since. A job that keeps failing is parked, where `doctor` and `/metrics` show it, and stands in nobody's way.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import JSON, Index, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from mutualaid.kit.clock import sql_now
from mutualaid.kit.database import Base, Database, Instant, new_id, ring_after_commit

BELL = "outbox"
LEASE = timedelta(seconds=60)
MOST_ATTEMPTS = 12


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
    """Write a job row in this transaction, due at `at`. A second one with the same `key` is the same job."""
    row = {"id": new_id(), "name": name, "payload": payload, "key": key, "due_at": at, "attempts": 0}
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    await session.execute(insert(Job).values(row).on_conflict_do_nothing(index_elements=["key"]))
    ring_after_commit(session, BELL)


async def claim(database: Database, *, most: int = 10) -> list[Claim]:
    """Lease up to `most` due jobs for `LEASE`, oldest first; each to one worker only, by the database's clock."""
    token = secrets.token_hex(16)
    due = (
        select(Job.id)
        .where(
            Job.parked_at.is_(None),
            Job.due_at <= sql_now(),
            or_(Job.lease_until.is_(None), Job.lease_until <= sql_now()),
        )
        .order_by(Job.due_at)
        .limit(most)
    )
    if database.dialect == "postgresql":
        due = due.with_for_update(skip_locked=True)
    else:
        async with database.reading() as session:  # an idle worker must not take SQLite's only write lock each second
            if await session.scalar(due.limit(1)) is None:
                return []
    async with database.transaction() as session:
        now = (await session.execute(select(sql_now()))).scalar_one()
        rows = await session.execute(
            update(Job)
            .where(Job.id.in_(due.scalar_subquery()))
            .values(lease_token=token, lease_until=now + LEASE, attempts=Job.attempts + 1)
            .returning(Job.id, Job.name, Job.payload, Job.attempts)
            .execution_options(synchronize_session=False)
        )
        return [Claim(id=r.id, name=r.name, payload=r.payload, attempts=r.attempts, token=token) for r in rows]


async def finish(database: Database, claim: Claim) -> bool:
    """The job is done: its row goes. False if the lease was lost meanwhile."""
    async with database.transaction() as session:
        gone = await session.execute(
            delete(Job).where(Job.id == claim.id, Job.lease_token == claim.token).returning(Job.id)
        )
        return gone.first() is not None


async def put_back(database: Database, claim: Claim, *, error: str, retry_after: timedelta | None = None) -> bool:
    """The job failed: due again after a growing pause (or `retry_after`), parked after `MOST_ATTEMPTS`.

    `error` is a class name or a code, never a message: messages may carry what people wrote.
    """
    pause = retry_after or timedelta(seconds=min(3600, 2 ** min(claim.attempts, 12)))
    async with database.transaction() as session:
        now = (await session.execute(select(sql_now()))).scalar_one()
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
    due: int
    parked: int
    lag_s: float


async def backlog(session: AsyncSession) -> Backlog:
    """How many jobs are due and parked, and for how many seconds the oldest due one has waited."""
    waiting = (Job.parked_at.is_(None), Job.due_at <= sql_now())
    due = await session.scalar(select(func.count()).select_from(Job).where(*waiting)) or 0
    parked = await session.scalar(select(func.count()).select_from(Job).where(Job.parked_at.is_not(None))) or 0
    oldest = await session.scalar(select(func.min(Job.due_at, type_=Instant())).where(*waiting))
    now = (await session.execute(select(sql_now()))).scalar_one()
    return Backlog(due=due, parked=parked, lag_s=(now - oldest).total_seconds() if oldest else 0.0)
