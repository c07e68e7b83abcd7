"""Records of calls: made when a call is let through, finished by what the provider tells, once for each call."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import bindparam, delete, func, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.contacts import ending, people, rules
from mutualaid.contacts.records import Call, Lease, Seat
from mutualaid.contacts.routing import Route
from mutualaid.contacts.rules import LIVE, Outcome
from mutualaid.kit import audit, outbox
from mutualaid.kit.clock import sql_now
from mutualaid.kit.database import Instant
from mutualaid.kit.ids import new_id
from mutualaid.kit.plain import plain_of
from mutualaid.kit.prepared import Prepared, Put
from mutualaid.kit.ring import KeyRing
from mutualaid.posts.records import Post
from mutualaid.providers.numbers import CallRecord, Cause

_AS_IT_SEEMS: Final[dict[Outcome, Cause]] = {"answered": "normal", "busy": "busy", "no_answer": "no_answer"}


def begun(route: Route, *, maker: str, call_id: str, set_up_at: datetime | None) -> Put:
    """What keeps that a call was let through; of the same call it keeps one. `set_up_at`: the provider's time, not trusted."""
    keys = {"caller_key": route.caller_key, "callee_key": route.callee_key}
    place = {"maker": maker, "call_id": call_id, "lease_id": route.lease_id, "by": route.by}
    return _row({**place, **keys, "set_up_at": set_up_at})


async def begin(session: AsyncSession, route: Route, *, maker: str, call_id: str, set_up_at: datetime | None) -> None:
    """The same in a transaction that does more."""
    await (await plain_of(session)).put(begun(route, maker=maker, call_id=call_id, set_up_at=set_up_at))


def _row(values: dict[str, Any]) -> Put:
    return Put(_ADD, {"id": new_id(), **values})


def _add(dialect: str, prefix: str) -> Any:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    names = ("id", "maker", "call_id", "lease_id", "by", "caller_key", "callee_key", "set_up_at")
    columns = Call.__table__.c
    given = {name: bindparam(f"{prefix}{name}", type_=columns[name].type, required=True) for name in names}
    made = insert(Call).values(seconds=literal(0), at=sql_now(), **given)
    return made.on_conflict_do_nothing(index_elements=["maker", "call_id"])


_ADD: Final = Prepared(_add)


async def finish(session: AsyncSession, ring: KeyRing, told: CallRecord, *, maker: str, now: datetime) -> bool:
    """What became of a call. False for one that is finished already, or that belongs to no seat of ours."""
    await _add_if_unknown(session, ring, told, maker=maker)
    finished = await session.execute(
        update(Call)
        .where(Call.maker == maker, Call.call_id == told.call_id, Call.outcome.is_(None))
        .values(
            outcome=told.outcome,
            cause=told.cause or _AS_IT_SEEMS[told.outcome],
            seconds=told.seconds,
            set_up_at=func.coalesce(Call.set_up_at, literal(told.started_at, Instant())),
            rang_at=told.rang_at,
            answered_at=told.answered_at,
            ended_at=told.ended_at,
        )
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
    if told.outcome == "no_answer":
        await outbox.enqueue(session, "contacts.unanswered", {"call": row.id}, at=now)
    return True


async def _add_if_unknown(session: AsyncSession, ring: KeyRing, told: CallRecord, *, maker: str) -> None:
    """A vendor that does not ask before it connects tells of calls that nobody here has seen begin; and news of an end
    may be here before our own note of the beginning."""
    known = select(Call.id).where(Call.maker == maker, Call.call_id == told.call_id)
    if told.caller is None or told.x is None or await session.scalar(known) is not None:
        return
    on_line = [Seat.x == told.x, Seat.person_key.in_(people.keys_of(ring, told.caller))]
    if told.extension:
        on_line.append(Seat.extension == told.extension)
    query = select(Seat).join(Lease, Lease.id == Seat.lease_id).where(*on_line)
    seat = await session.scalar(query.order_by(Lease.state.in_(LIVE).desc(), Seat.extension).limit(1))
    if seat is None:
        return
    other = await session.scalar(
        select(Seat.person_key).where(Seat.lease_id == seat.lease_id, Seat.person_key != seat.person_key)
    )
    if other is None:
        return
    keys = {"caller_key": seat.person_key, "callee_key": other}
    place = {"maker": maker, "call_id": told.call_id, "lease_id": seat.lease_id, "by": seat.role}
    await (await plain_of(session)).put(_row({**place, **keys, "set_up_at": None}))


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


async def unanswered(session: AsyncSession, call_id: str, *, now: datetime) -> None:
    """Nobody answered. The second time the contact ends, unless the two have talked, and its place is free for others;
    and an author who has not answered two calls about a post, whoever called, is asked whether it still stands.
    """
    call = await session.get(Call, call_id)
    lease = await session.get(Lease, call.lease_id) if call is not None else None
    if call is None or lease is None:
        return
    of_lease = (Call.lease_id == lease.id, Call.by == call.by)
    missed = select(func.count()).select_from(Call).where(*of_lease, Call.outcome == "no_answer")
    talked = select(Call.id).where(Call.lease_id == lease.id, Call.outcome == "answered").limit(1)
    if (await session.scalar(missed) or 0) >= rules.UNANSWERED and await session.scalar(talked) is None:
        await ending.release_one(session, lease.id, because="unreachable", actor=None, now=now)
    post_id = lease.post_id if call.by == "a" else lease.other_post_id
    if post_id is not None:
        await _ask_whether_it_stands(session, post_id, now=now)


async def _ask_whether_it_stands(session: AsyncSession, post_id: str, *, now: datetime) -> None:
    post = await session.get(Post, post_id)
    if post is None or post.state != "open":
        return
    to_author = ((Lease.post_id == post_id) & (Call.by == "a")) | ((Lease.other_post_id == post_id) & (Call.by == "b"))
    lately = (Call.outcome == "no_answer", Call.at > post.confirmed_at)
    query = select(func.count()).select_from(Call).join(Lease, Lease.id == Call.lease_id).where(to_author, *lately)
    if (await session.scalar(query) or 0) >= rules.UNANSWERED:
        key = f"post.unreachable:{post_id}:{post.confirmed_at.isoformat()}"
        await outbox.enqueue(session, "post.unreachable", {"post": post_id}, at=now, key=key)


async def sweep(session: AsyncSession, *, now: datetime) -> None:
    """Records of calls are kept for six months."""
    await session.execute(delete(Call).where(Call.at <= now - rules.CALLS_KEPT))
