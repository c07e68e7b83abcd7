"""Who wants nothing more to do with whom. It counts in both directions; what it ends in other rooms is ended there."""

from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, exists, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from mutualaid.kit import audit, outbox
from mutualaid.members.records import Block

Id = str | ColumnElement[str] | InstrumentedAttribute[str]


async def block(session: AsyncSession, by: str, whom: str, now: datetime) -> bool:
    """From now on these two are kept apart. False where `by` had said so before: nothing changes then.

    Call it before the transaction locks anything of posts or matches: the row waits for both members' rows.
    """
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    row = {"blocker_id": by, "blocked_id": whom, "made_at": now}
    made = await session.execute(insert(Block).values(row).on_conflict_do_nothing().returning(Block.blocker_id))
    if made.first() is None:
        return False
    audit.note(session, actor=by, deed="member.blocked", subject=whom, now=now)
    await outbox.enqueue(session, "member.blocked", {"blocker": by, "blocked": whom}, at=now)
    return True


async def between(session: AsyncSession, a: str, b: str) -> bool:
    """Whether either has blocked the other."""
    return bool(await session.scalar(select(apart(a, b))))


async def said(session: AsyncSession, by: str, whom: str) -> bool:
    """Whether `by` has blocked the other: nobody is told of it the other way round."""
    return await session.get(Block, (by, whom)) is not None


def apart(a: Id, b: Id) -> ColumnElement[bool]:
    """The same as part of a statement."""
    one = and_(Block.blocker_id == a, Block.blocked_id == b)
    other = and_(Block.blocker_id == b, Block.blocked_id == a)
    return exists().where(or_(one, other))


async def pairs_blocked(session: AsyncSession, member_id: str) -> set[str]:
    """Everyone whom this member is kept apart from."""
    rows = await session.execute(
        select(Block.blocker_id, Block.blocked_id).where(
            or_(Block.blocker_id == member_id, Block.blocked_id == member_id)
        )
    )
    return {blocked if blocker == member_id else blocker for blocker, blocked in rows}


async def forget(session: AsyncSession, member_id: str) -> None:
    """A member has left for good: nobody needs to be kept apart from them."""
    await session.execute(delete(Block).where(or_(Block.blocker_id == member_id, Block.blocked_id == member_id)))
