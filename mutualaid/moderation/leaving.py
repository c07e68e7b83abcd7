"""What this room does when a member is erased: part of that transaction."""

from datetime import datetime

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.kit import audit
from mutualaid.moderation import store
from mutualaid.moderation.records import Case, Ruling


async def forget(session: AsyncSession, member_id: str, *, now: datetime) -> None:
    """A moderator's notes go with their salts, and their claims are free; nobody waits for an applicant who has left.

    That they ruled, and in which cases they were, stays under the pseudonym.
    """
    mine = (Ruling.moderator_id == member_id, Ruling.note.is_not(None))
    await session.execute(update(Ruling).where(*mine).values(note=None, salt=None))
    claimed = (Case.claimed_by == member_id, Case.state == "claimed")
    freed = update(Case).where(*claimed).values(state="open", claimed_by=None, claimed_until=None).returning(Case.id)
    for case_id in await session.scalars(freed.execution_options(synchronize_session=False)):
        audit.note(session, actor=member_id, deed="case.released", subject=case_id, now=now)
    for found in await store.lock_of_members(session, [member_id], {"applicant"}):
        found.case.state, found.case.closed_at = "closed", now
        audit.note(session, actor=None, deed="case.closed", subject=found.case.id, now=now, facts={"why": "erased"})
