"""Who wants nothing more to do with whom. It counts in both directions, and for every account of both persons; what it ends
in other rooms is ended there."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, true
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, aliased

from mutualaid.kit import audit, outbox
from mutualaid.kit.prepared import among
from mutualaid.members.records import Block, Member

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
    """The same as part of a statement: from each of the two to all accounts of their person, and to the blocks of those."""
    one, other, ones, others = (aliased(Member) for _ in range(4))
    x, y = func.coalesce(ones.id, one.id), func.coalesce(others.id, other.id)
    said = or_(and_(Block.blocker_id == x, Block.blocked_id == y), and_(Block.blocker_id == y, Block.blocked_id == x))
    return (
        select(Block.blocker_id)
        .select_from(one)
        .join(other, true())
        .outerjoin(ones, ones.identity_lookup == one.identity_lookup)
        .outerjoin(others, others.identity_lookup == other.identity_lookup)
        .join(Block, said)
        .where(one.id == a, other.id == b)
        .exists()
    )


def pairs(dialect: str, prefix: str) -> Any:
    """(who blocked, whom) among the members that are given as `members`, by whichever of their accounts. To be prepared."""
    one, ones, blocked, others = (Member.__table__.alias() for _ in range(4))
    block = Block.__table__
    x, y = func.coalesce(ones.c.id, one.c.id), func.coalesce(others.c.id, blocked.c.id)
    joined = (
        one.outerjoin(ones, ones.c.identity_lookup == one.c.identity_lookup)
        .join(block, block.c.blocker_id == x)
        .join(blocked, blocked.c.id == block.c.blocked_id)
        .outerjoin(others, others.c.identity_lookup == blocked.c.identity_lookup)
    )
    both = among(one.c.id, "members", dialect, prefix), among(y, "members", dialect, prefix)
    return select(one.c.id, y).select_from(joined).where(*both)


async def forget(session: AsyncSession, member_id: str) -> None:
    """A member has left for good: nobody needs to be kept apart from them."""
    await session.execute(delete(Block).where(or_(Block.blocker_id == member_id, Block.blocked_id == member_id)))
