"""The room's queries. Whether something is live is decided in the statement, by the database's clock."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.contacts.records import Call, Lease, Message, Seat
from mutualaid.contacts.rules import LIVE
from mutualaid.kit.clock import sql_now
from mutualaid.kit.errors import NotFound
from mutualaid.members.records import Member
from mutualaid.posts.records import Post


def live() -> ColumnElement[bool]:
    """Asked or granted, and its time is not over."""
    return and_(Lease.state.in_(LIVE), Lease.expires_at > sql_now())


def of_member(member_id: str) -> ColumnElement[bool]:
    return or_(Lease.asker_id == member_id, Lease.owner_id == member_id)


def of_post(post_id: str) -> ColumnElement[bool]:
    return or_(Lease.post_id == post_id, Lease.other_post_id == post_id)


async def clock(session: AsyncSession) -> datetime:
    """The database's own time: what a lease's times count from, whatever clock this process has."""
    return (await session.execute(select(sql_now()))).scalar_one()


async def get(session: AsyncSession, lease_id: str) -> Lease | None:
    return await session.get(Lease, lease_id, populate_existing=True)


async def get_own(session: AsyncSession, lease_id: str, member_id: str, *, locking: bool = False) -> Lease:
    """A lease that one has a seat in, in any state; 404 for a foreign or unknown one."""
    query = select(Lease).where(Lease.id == lease_id, of_member(member_id))
    if locking:
        query = query.with_for_update().execution_options(populate_existing=True)
    found = await session.scalar(query)
    if found is None:
        raise NotFound
    return found


async def move(session: AsyncSession, lease: Lease, *when: ColumnElement[bool], **values: Any) -> Lease | None:
    """Write a live lease that is still as it was read (its fence says so); None if it has moved: nothing is written then."""
    return await session.scalar(
        update(Lease)
        .where(Lease.id == lease.id, Lease.fence == lease.fence, Lease.state.in_(LIVE), *when)
        .values(fence=Lease.fence + 1, **values)
        .returning(Lease)
        .execution_options(synchronize_session=False, populate_existing=True)
    )


async def of_pair(session: AsyncSession, post_id: str, asker_id: str) -> Lease | None:
    """The live lease by which this member is in touch about this post with its author, asked for or by a match."""
    asked = and_(Lease.post_id == post_id, Lease.asker_id == asker_id)
    matched = and_(Lease.other_post_id == post_id, Lease.owner_id == asker_id)
    query = select(Lease).where(live(), or_(asked, matched)).order_by(Lease.asked_at).limit(1)
    return await session.scalar(query)


async def live_at_post(session: AsyncSession, post_id: str) -> int:
    """How many are in touch about a post."""
    return await session.scalar(select(func.count()).select_from(Lease).where(live(), of_post(post_id))) or 0


async def live_asked_by(session: AsyncSession, member_id: str) -> int:
    """How many contacts this member has asked for, matches not counted."""
    own = (live(), Lease.asker_id == member_id, Lease.match_id.is_(None))
    return await session.scalar(select(func.count()).select_from(Lease).where(*own)) or 0


async def posts_over(session: AsyncSession, leases: Iterable[Lease]) -> dict[str, datetime]:
    """When the posts of these leases ended, those of them that have: a lease outlives its post by nothing that is seen."""
    ids = {post_id for lease in leases for post_id in (lease.post_id, lease.other_post_id) if post_id is not None}
    if not ids:
        return {}
    rows = await session.execute(select(Post.id, Post.ended_at).where(Post.id.in_(ids), Post.ended_at.is_not(None)))
    return {post_id: ended_at for post_id, ended_at in rows if ended_at is not None}


async def still_bound(session: AsyncSession, lease: Lease) -> Sequence[Lease]:
    """Ended leases of the same two on the same number that the provider may still hold."""
    pair = or_(
        and_(Lease.asker_id == lease.asker_id, Lease.owner_id == lease.owner_id),
        and_(Lease.asker_id == lease.owner_id, Lease.owner_id == lease.asker_id),
    )
    held = (Lease.x == lease.x, Lease.id != lease.id, Lease.binding_key.is_not(None), Lease.unbound_at.is_(None))
    over = or_(Lease.state.not_in(LIVE), Lease.expires_at <= sql_now())
    return (await session.scalars(select(Lease).where(*held, pair, over))).all()


async def lock_members(session: AsyncSession, member_ids: Iterable[str]) -> dict[str, Member]:
    """Both members' rows, in the order of their ids: whoever asks, suspends, changes a phone or erases waits here.

    Members are locked before posts everywhere in the house. The lock lets others refer to the rows meanwhile.
    """
    query = select(Member).where(Member.id.in_(sorted(member_ids))).order_by(Member.id).with_for_update(key_share=True)
    rows = await session.scalars(query.execution_options(populate_existing=True))
    return {member.id: member for member in rows}


async def own_leases(
    session: AsyncSession, member_id: str, *, after: tuple[datetime, str] | None, limit: int
) -> Sequence[Lease]:
    """Every lease one has a seat in, the newest first, ended ones included."""
    query = select(Lease).where(of_member(member_id)).order_by(Lease.asked_at.desc(), Lease.id).limit(limit)
    if after is not None:
        query = query.where(or_(Lease.asked_at < after[0], and_(Lease.asked_at == after[0], Lease.id > after[1])))
    return (await session.scalars(query)).all()


async def calls_of(
    session: AsyncSession, lease_id: str, *, after: tuple[datetime, str] | None, limit: int
) -> Sequence[Call]:
    """The finished calls of a lease, the newest first."""
    query = select(Call).where(Call.lease_id == lease_id, Call.outcome.is_not(None))
    if after is not None:
        query = query.where(or_(Call.at < after[0], and_(Call.at == after[0], Call.id > after[1])))
    return (await session.scalars(query.order_by(Call.at.desc(), Call.id).limit(limit))).all()


async def messages_of(session: AsyncSession, lease_id: str, *, after: int, limit: int) -> Sequence[Message]:
    """What was written, the oldest first, from behind position `after`."""
    query = select(Message).where(Message.lease_id == lease_id, Message.position > after)
    return (await session.scalars(query.order_by(Message.position).limit(limit))).all()


async def last_messages(session: AsyncSession, lease_id: str, *, before: int | None, limit: int) -> Sequence[Message]:
    """What was written last, or last before position `before`, the newest first."""
    query = select(Message).where(Message.lease_id == lease_id)
    if before is not None:
        query = query.where(Message.position < before)
    return (await session.scalars(query.order_by(Message.position.desc()).limit(limit))).all()


async def display_names(session: AsyncSession, member_ids: Iterable[str]) -> dict[str, str]:
    """What neighbours see of these members."""
    rows = await session.execute(select(Member.id, Member.display_name).where(Member.id.in_(set(member_ids))))
    return {row.id: row.display_name for row in rows}


async def seats_of(session: AsyncSession, lease_id: str) -> Sequence[Seat]:
    return (await session.scalars(select(Seat).where(Seat.lease_id == lease_id).order_by(Seat.role))).all()
