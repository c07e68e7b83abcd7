"""Inboxes: newest first, one's own only."""

from dataclasses import dataclass

from sqlalchemy import and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.kit import cursors
from mutualaid.kit.errors import NotFound
from mutualaid.kit.ring import KeyRing
from mutualaid.members.rules import micros_of, moment_of
from mutualaid.notices.records import Notice
from mutualaid.notices.wire import PageQuery


@dataclass(frozen=True, slots=True)
class Page:
    notices: list[Notice]
    unread: int
    next_cursor: str | None


async def get_own(session: AsyncSession, notice_id: str, member_id: str) -> Notice:
    """One's own notice; 404 for a foreign or unknown one."""
    found = await session.scalar(select(Notice).where(Notice.id == notice_id, Notice.member_id == member_id))
    if found is None:
        raise NotFound
    return found


async def unread(session: AsyncSession, member_id: str) -> int:
    """How many notices of this member have not been read."""
    waiting = (Notice.member_id == member_id, Notice.read_at.is_(None))
    return await session.scalar(select(func.count()).select_from(Notice).where(*waiting)) or 0


async def page(session: AsyncSession, ring: KeyRing, query: PageQuery, member_id: str) -> Page:
    """One page of an inbox, newest first, then by id."""
    bound = f"notices|{member_id}"
    statement = select(Notice).where(Notice.member_id == member_id)
    if query.cursor is not None:
        micros, last = cursors.decode(ring, bound, query.cursor, kinds=(int, str))
        moment = moment_of(micros)
        older = and_(Notice.created_at == moment, Notice.id > last)
        statement = statement.where(or_(Notice.created_at < moment, older))
    rows = await session.scalars(statement.order_by(Notice.created_at.desc(), Notice.id).limit(query.limit + 1))
    found = list(rows)
    shown, cursor = found[: query.limit], None
    if len(found) > query.limit:
        cursor = cursors.encode(ring, bound, [micros_of(shown[-1].created_at), shown[-1].id])
    return Page(shown, await unread(session, member_id), cursor)


async def all_of(session: AsyncSession, member_id: str) -> list[Notice]:
    """The whole inbox, oldest first: for the export."""
    query = select(Notice).where(Notice.member_id == member_id).order_by(Notice.created_at, Notice.id)
    return list(await session.scalars(query))
