"""Records of calls: made when a call is let through, finished by what the provider tells, once for each call."""

from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.contacts import people, rules
from mutualaid.contacts.records import Call, Lease, Seat
from mutualaid.contacts.routing import Route
from mutualaid.kit import audit, outbox
from mutualaid.kit.database import new_id
from mutualaid.kit.ring import KeyRing
from mutualaid.posts.records import Post
from mutualaid.providers.numbers import CallRecord


async def begin(
    session: AsyncSession, route: Route, *, maker: str, call_id: str, told_at: datetime | None, now: datetime
) -> None:
    """A call was let through. `told_at` is the provider's time: kept, never trusted. The same call again changes nothing."""
    row = {
        "id": new_id(),
        "maker": maker,
        "call_id": call_id,
        "lease_id": route.lease_id,
        "caller_key": route.caller_key,
        "callee_key": route.callee_key,
        "by": route.by,
        "seconds": 0,
        "at": now,
        "told_at": told_at,
    }
    await _add(session, row)


async def _add(session: AsyncSession, row: dict[str, object]) -> None:
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    await session.execute(insert(Call).values(row).on_conflict_do_nothing(index_elements=["maker", "call_id"]))


async def finish(session: AsyncSession, ring: KeyRing, told: CallRecord, *, maker: str, now: datetime) -> bool:
    """What became of a call. False for one that is finished already, or that belongs to no seat of ours."""
    await _add_if_unknown(session, ring, told, maker=maker, now=now)
    finished = await session.execute(
        update(Call)
        .where(Call.maker == maker, Call.call_id == told.call_id, Call.outcome.is_(None))
        .values(outcome=told.outcome, seconds=told.seconds, told_at=told.ended_at)
        .returning(Call.id, Call.lease_id)
        .execution_options(synchronize_session=False)
    )
    row = finished.first()
    if row is None:
        return False
    facts: audit.Facts = {"outcome": told.outcome, "seconds": told.seconds}
    audit.note(session, actor=None, deed="contact.called", subject=row.lease_id, now=now, facts=facts)
    if told.outcome == "answered" and told.seconds >= rules.ASK_SOLVED_S:
        await outbox.enqueue(session, "contacts.call_ended", {"call": row.id}, at=now)
    return True


async def _add_if_unknown(session: AsyncSession, ring: KeyRing, told: CallRecord, *, maker: str, now: datetime) -> None:
    """A vendor that does not ask before it connects tells of calls that nobody here has seen begin."""
    known = select(Call.id).where(Call.maker == maker, Call.call_id == told.call_id)
    if await session.scalar(known) is not None:
        return
    keys = people.keys_of(ring, told.caller)
    seat = await session.scalar(select(Seat).where(Seat.x == told.x, Seat.person_key.in_(keys)).limit(1))
    if seat is None:
        return
    other = await session.scalar(
        select(Seat.person_key).where(Seat.lease_id == seat.lease_id, Seat.person_key != seat.person_key)
    )
    if other is None:
        return
    row = {
        "id": new_id(),
        "maker": maker,
        "call_id": told.call_id,
        "lease_id": seat.lease_id,
        "caller_key": seat.person_key,
        "callee_key": other,
        "by": seat.role,
        "seconds": 0,
        "at": now,
        "told_at": told.ended_at,
    }
    await _add(session, row)


async def ask_solved(session: AsyncSession, call_id: str, *, now: datetime) -> None:
    """解决了吗？ to both after a call that was answered, while the post still stands."""
    query = select(Call, Lease).join(Lease, Lease.id == Call.lease_id).join(Post, Post.id == Lease.post_id)
    row = (await session.execute(query.where(Call.id == call_id, Post.state == "open"))).first()
    if row is None:
        return
    lease: Lease = row.Lease
    for member_id in lease.parties():
        told = {"member": member_id, "contact": lease.id, "post": lease.post_id, "match": lease.match_id or ""}
        await outbox.enqueue(session, "contact.ask_solved", told, at=now, key=f"ask_solved:{call_id}:{member_id}")


async def sweep(session: AsyncSession, *, now: datetime) -> None:
    """Records of calls are kept for six months."""
    await session.execute(delete(Call).where(Call.at <= now - rules.CALLS_KEPT))
