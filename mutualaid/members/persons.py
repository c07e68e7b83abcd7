"""One person, several accounts: all that were checked with the same ID card. Without an ID number an account stands alone."""

from collections.abc import Sequence

from sqlalchemy import CompoundSelect, select, union
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from mutualaid.kit.errors import NotFound, Overloaded
from mutualaid.members import store
from mutualaid.members.records import PRESENT, Member


def accounts(member_id: str) -> CompoundSelect[str]:
    """The ids of this member's accounts as part of a statement: their own, and the others of the same person."""
    own, other = aliased(Member), aliased(Member)
    same = other.identity_lookup == own.identity_lookup
    return union(
        select(own.id).where(own.id == member_id),
        select(other.id).join(own, same).where(own.id == member_id),
    )


async def ids_of(session: AsyncSession, member_id: str) -> Sequence[str]:
    """The same, read."""
    return (await session.scalars(accounts(member_id))).all()


async def lock(session: AsyncSession, member_id: str) -> Sequence[Member]:
    """All accounts of this member's person that are here, locked in the order of their ids; 404 where they are not here.

    Until the transaction ends no further account is checked with the same card. `Overloaded` where this one was checked
    in this very moment: asking again finds the others.
    """
    mark = await session.scalar(select(Member.identity_lookup).where(Member.id == member_id))
    if mark is not None:
        await store.take_turns(session, [mark])
    here = select(Member).where(Member.id.in_(accounts(member_id)), Member.status.in_(PRESENT))
    statement = here.order_by(Member.id).with_for_update(key_share=True)
    found = (await session.scalars(statement.execution_options(populate_existing=True))).all()
    member = next((each for each in found if each.id == member_id), None)
    if member is None:
        raise NotFound
    if member.identity_lookup != mark:
        raise Overloaded(retry_after=1)
    return found
