"""tell, mark_read, forget: each within the transaction of whatever there is to tell."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.kit import audit, outbox
from mutualaid.kit.ids import new_id
from mutualaid.members.records import PRESENT, Member
from mutualaid.notices import store
from mutualaid.notices.records import Notice
from mutualaid.notices.rules import BY_SMS, ONE_UNREAD, Kind, Subject

SMS: Final = "notice.sms"


async def tell(
    session: AsyncSession,
    member_id: str,
    kind: Kind,
    *,
    subject: Subject,
    now: datetime,
    params: Mapping[str, str] | None = None,
    occasion: str = "",
) -> bool:
    """Put a notice into the member's inbox, and plan a text message where the kind is worth one.

    The same kind, subject and occasion (an id or a moment, at most 40 characters) is told once, however often it is
    asked for. `params`: codes and ids only. False where nothing was told: told before, or nobody is there.
    """
    if await session.scalar(select(Member.id).where(Member.id == member_id, Member.status.in_(PRESENT))) is None:
        return False
    if kind in ONE_UNREAD and await _unread_stands(session, member_id, kind, subject):
        return False
    row = {
        "id": new_id(),
        "member_id": member_id,
        "kind": kind,
        "params": dict(params or {}),
        "subject_type": subject.type,
        "subject_id": subject.id,
        "occasion": occasion,
        "created_at": now,
    }
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    told = await session.scalar(insert(Notice).values(row).on_conflict_do_nothing().returning(Notice.id))
    if told is None:
        return False
    audit.note(session, actor=None, deed="notice.told", subject=told, now=now, facts={"to": member_id, "kind": kind})
    if kind in BY_SMS:
        await outbox.enqueue(session, SMS, {"notice": told}, at=now, key=f"{SMS}:{told}")
    return True


async def _unread_stands(session: AsyncSession, member_id: str, kind: Kind, subject: Subject) -> bool:
    same = (Notice.member_id == member_id, Notice.kind == kind, Notice.subject_id == subject.id)
    return await session.scalar(select(Notice.id).where(*same, Notice.read_at.is_(None)).limit(1)) is not None


async def mark_read(session: AsyncSession, notice_id: str, *, by: str, now: datetime) -> Notice:
    """One's own notice was read; a second time changes nothing."""
    read = await session.scalar(
        update(Notice)
        .where(Notice.id == notice_id, Notice.member_id == by, Notice.read_at.is_(None))
        .values(read_at=now)
        .returning(Notice.id)
        .execution_options(synchronize_session=False)
    )
    if read is not None:
        audit.note(session, actor=by, deed="notice.read", subject=notice_id, now=now)
    return await store.get_own(session, notice_id, by)


async def mark_all_read(session: AsyncSession, newest_id: str, *, by: str, now: datetime) -> int:
    """One's own notices up to this one were seen; later ones were not. How many were new."""
    newest = await store.get_own(session, newest_id, by)
    read = await session.scalars(
        update(Notice)
        .where(Notice.member_id == by, Notice.read_at.is_(None), Notice.created_at <= newest.created_at)
        .values(read_at=now)
        .returning(Notice.id)
        .execution_options(synchronize_session=False)
    )
    found = read.all()
    for notice_id in found:
        audit.note(session, actor=by, deed="notice.read", subject=notice_id, now=now)
    return len(found)


async def forget(session: AsyncSession, member_id: str) -> None:
    """Delete a member's inbox: part of their erasure."""
    await session.execute(delete(Notice).where(Notice.member_id == member_id))
