"""Erasure that reaches backups: one transaction ends everything, then the data key is destroyed, before the answer.

Between the two the member is marked and reads as erased; the job `member.key_destroy` repeats the second half if the
process dies there. Whatever was sealed, in the database or in any copy of it, can then be read by nobody.
"""

from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.contacts import ending as contacts
from mutualaid.kit import outbox
from mutualaid.kit.idempotency import Slot
from mutualaid.matching import ending as matching
from mutualaid.members import leaving
from mutualaid.members import store as members
from mutualaid.moderation import leaving as moderation
from mutualaid.notices import actions as notices
from mutualaid.posts import actions as posts
from mutualaid.posts import store as posts_store
from mutualaid.services import Services


async def erase(session: AsyncSession, member_id: str, *, now: datetime) -> None:
    """End the member's matches, leases, posts and sessions, delete what is readable, plan the key's destruction."""
    member = await members.get_locked(session, member_id, whole=True)
    await matching.withdraw_for_members(session, [member_id], because="erased", actor=member_id, now=now)
    await contacts.release_for_members(session, [member_id], because="erased", actor=member_id, now=now)
    for post in await posts_store.unfinished_of(session, member_id):
        await posts.withdraw_post(session, post, actor=member_id, now=now)
    await posts_store.forget_words(session, member_id)
    await notices.forget(session, member_id)
    await moderation.forget(session, member_id, now=now)
    await session.execute(delete(Slot).where(Slot.owner == member_id))
    await leaving.forget(session, member, now=now)
    await outbox.enqueue(session, "member.key_destroy", {"member": member_id}, at=now, key=f"key_destroy:{member_id}")


async def destroy_key(services: Services, member_id: str, *, now: datetime) -> None:
    """The second half; doing it again changes nothing."""
    await services.keys.destroy(member_id)
    async with services.database.transaction() as session:
        await leaving.finished(session, member_id, now=now)
    await services.database.cut_log()
