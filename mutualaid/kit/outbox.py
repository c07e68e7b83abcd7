"""Jobs as rows: written in the transaction of the deed that causes them, claimed by compare-and-set, run at least once.

A claim is a lease with a token: a worker that was paused past it can neither finish nor put back what another one has
claimed since. A job that keeps failing is parked, where `doctor` and `/metrics` show it, and stands in nobody's way.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    JSON,
    ColumnElement,
    Index,
    Select,
    SmallInteger,
    and_,
    case,
    delete,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from mutualaid.kit.clock import sql_now
from mutualaid.kit.database import Base, Database, Instant, ring_after_commit
from mutualaid.kit.ids import row_id
from mutualaid.kit.plain import Plain, put_rows
from mutualaid.kit.prepared import Put, rows_of

BELL: Final = "outbox"
LEASE: Final = timedelta(seconds=60)
MOST_ATTEMPTS: Final = 12
LAPSED: Final = "LeaseLapsed"  # the error of a job whose last worker was never heard of again
PROMISED: Final = 0  # the lane of what somebody waits for, and of what must end
SEEKING: Final = 1  # the lane of what comes in floods and may come a moment later
_LONGEST_PAUSE_S: Final = 3600


Row = dict[str, Any]  # a job's values, see `job`


class Job(Base):
    """One thing to do. `payload` holds ids only, never anything personal."""

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    payload: Mapped[dict[str, str]] = mapped_column(JSON)
    key: Mapped[str | None] = mapped_column(unique=True)
    lane: Mapped[int] = mapped_column(SmallInteger, default=PROMISED)
    due_at: Mapped[datetime] = mapped_column(Instant)
    wishes: Mapped[int] = mapped_column(default=1)
    attempts: Mapped[int] = mapped_column(default=0)
    lease_token: Mapped[str | None]
    lease_until: Mapped[datetime | None] = mapped_column(Instant)
    parked_at: Mapped[datetime | None] = mapped_column(Instant)
    last_error: Mapped[str | None]

    __table_args__ = (Index("ix_jobs_due", "parked_at", "lane", "due_at"),)


@dataclass(frozen=True, slots=True)
class Claim:
    """A job under lease: what to run, and the token that proves the lease."""

    id: str
    name: str
    payload: dict[str, str]
    attempts: int
    token: str
    wishes: int


async def enqueue(
    session: AsyncSession,
    name: str,
    payload: dict[str, str],
    *,
    at: datetime,
    key: str | None = None,
    lane: int = PROMISED,
    again: bool = False,
) -> None:
    """Write a job row in this transaction, due at `at`. While one with the same `key` is not done, it is the same job.

    `again`: one that is being run at this moment is run once more afterwards, for what it may not have seen.
    """
    await write(session, job(name, payload, at=at, key=key, lane=lane), again=again)


async def write(session: AsyncSession, row: Row, *, again: bool = False) -> None:
    """The same of a row that `job` made."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    written = insert(Job).values(row)
    if again:
        anew = {"wishes": Job.wishes + 1, "due_at": written.excluded.due_at, "attempts": 0, "parked_at": None}
        await session.execute(written.on_conflict_do_update(index_elements=["key"], set_=anew))
    else:
        await session.execute(written.on_conflict_do_nothing(index_elements=["key"]))
    ring_after_commit(session, BELL)


async def write_all(session: AsyncSession, rows: Sequence[Row]) -> None:
    """Several rows that `job` made, at once."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    await session.execute(insert(Job.__table__).on_conflict_do_nothing(index_elements=["key"]), rows)  # type: ignore[arg-type] # it is a Table
    ring_after_commit(session, BELL)


def put(plain: Plain, rows: Sequence[Row]) -> Put:
    """Rows that `job` made, to be written with others; their keys are ones that no other job can have yet."""
    plain.rung.add(BELL)
    return rows_of(Job, rows)


async def put_all(plain: Plain, rows: Sequence[Row]) -> None:
    """The same of any number of rows, written here."""
    if rows:
        plain.rung.add(BELL)
        await put_rows(plain, Job, rows)


def job(name: str, payload: dict[str, str], *, at: datetime, key: str | None = None, lane: int = PROMISED) -> Row:
    """The row of a job as values."""
    return {
        "id": row_id(),
        "name": name,
        "payload": payload,
        "key": key,
        "lane": lane,
        "due_at": at,
        "wishes": 1,
        "attempts": 0,
    }


async def claim(database: Database, *, most: int = 10) -> list[Claim]:
    """Lease up to `most` due jobs for `LEASE`, promises first, then the oldest; each to one worker only, by the database's
    clock. Where both lanes have something due, a quarter is kept for what is being sought.

    A job that took its worker down with it again and again never came to `put_back`: it is parked here instead.
    """
    async with database.reading() as session:  # an idle worker must not take SQLite's only write lock each second
        now = await _database_now(session)
        lanes = [
            lane for lane in (PROMISED, SEEKING) if await session.scalar(_claimable(now, lane).limit(1)) is not None
        ]
    if not lanes:
        return []
    token = secrets.token_hex(16)
    found: list[Claim] = []
    async with database.transaction() as session:
        now = await _database_now(session)
        for lane in lanes:
            kept = most // 4 if lane == PROMISED and SEEKING in lanes else 0  # a flood of promises drowns nobody
            found += await _claim_in(session, lane, token, most=most - len(found) - kept, now=now)
    return [claim for claim in found if claim.attempts <= MOST_ATTEMPTS]


async def _claim_in(session: AsyncSession, lane: int, token: str, *, most: int, now: datetime) -> list[Claim]:
    chosen = _claimable(now, lane).order_by(Job.due_at, Job.id).limit(most)
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
        .returning(Job.id, Job.name, Job.payload, Job.attempts, Job.wishes, Job.due_at)
        .execution_options(synchronize_session=False)
    )
    ordered = sorted(rows, key=lambda row: (row.due_at, row.id))
    return [Claim(row.id, row.name, row.payload, row.attempts, token, row.wishes) for row in ordered]


def _claimable(now: datetime, lane: int) -> Select[str]:
    """Whose turn has come. `now` was read from the database a moment ago: as a value it can use the index, and being
    a little behind it never ends a lease early."""
    free = or_(Job.lease_until.is_(None), Job.lease_until <= now)
    return select(Job.id).where(Job.parked_at.is_(None), Job.lane == lane, Job.due_at <= now, free)


async def _database_now(session: AsyncSession) -> datetime:
    return (await session.execute(select(sql_now()))).scalar_one()


async def finish(database: Database, claim: Claim) -> bool:
    """The job is done: its row goes. False if the lease was lost meanwhile."""
    return await finish_all(database, [claim]) == 1


async def finish_all(database: Database, claims: Sequence[Claim]) -> int:
    """These are done: their rows go, but for those that were wished for again meanwhile, which are free to be claimed.

    How many were still under their leases.
    """
    leased = or_(*(_under_lease(claim) for claim in claims))
    as_it_was = or_(*(and_(_under_lease(claim), Job.wishes == claim.wishes) for claim in claims))
    async with database.transaction() as session:
        gone = (await session.scalars(delete(Job).where(as_it_was).returning(Job.id))).all()
        if len(gone) == len(claims):
            return len(gone)
        freed = update(Job).where(leased).values(lease_token=None, lease_until=None).returning(Job.id)
        again = (await session.scalars(freed.execution_options(synchronize_session=False))).all()
        return len(gone) + len(again)


def _under_lease(claim: Claim) -> ColumnElement[bool]:
    return and_(Job.id == claim.id, Job.lease_token == claim.token)


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
