"""What the two do with their contact: extend it, end it, write, block, report. Each is one transaction's deed."""

from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.contacts import ending, rules, store
from mutualaid.contacts.errors import ContactEnded, ContactNotReady, ExtensionsUsed
from mutualaid.contacts.news import note, plan_end, tell_both
from mutualaid.contacts.records import ContactReport, Lease, Message, Seat
from mutualaid.kit import audit, outbox, scrubbing, sealing
from mutualaid.kit.clock import sql_now
from mutualaid.kit.ids import new_id
from mutualaid.kit.sealing import DataKey
from mutualaid.matching import ending as matching
from mutualaid.members import blocks
from mutualaid.posts.errors import AlreadyReported
from mutualaid.posts.rules import ReportReason


async def extend(session: AsyncSession, lease_id: str, *, by: str, now: datetime) -> Lease:
    """A day more, at most three times; by the clock of the database, in the statement."""
    lease = await store.get_own(session, lease_id, by, locking=True)
    await _still_granted(session, lease, now)
    if lease.extensions >= rules.EXTENSIONS:
        raise ExtensionsUsed
    until = lease.expires_at + rules.EXTENSION
    moved = await store.move(
        session, lease, Lease.expires_at > sql_now(), expires_at=until, extensions=lease.extensions + 1
    )
    if moved is None:
        raise ContactEnded
    await session.execute(
        update(Seat)
        .where(Seat.lease_id == lease_id)
        .values(until=until + rules.QUARANTINE)
        .execution_options(synchronize_session=False)
    )
    note(session, moved, "contact.extended", actor=by, now=now, times=moved.extensions)
    await plan_end(session, moved)
    if moved.binding_key is not None:
        await outbox.enqueue(session, "contacts.renew", {"lease": lease_id}, at=now)
    return moved


async def _still_granted(session: AsyncSession, lease: Lease, now: datetime) -> None:
    if lease.state in rules.LIVE and await store.posts_over(session, [lease]):
        raise ContactEnded
    state = rules.shown_state(lease.state, lease.expires_at, now)
    if state == "asked":
        raise ContactNotReady
    if state != "granted":
        raise ContactEnded


async def release(session: AsyncSession, lease_id: str, *, by: str, now: datetime) -> None:
    """No longer needed, said by either; one that has ended stays as it is."""
    lease = await store.get_own(session, lease_id, by)
    await ending.release_one(session, lease.id, because="by_member", actor=by, now=now)


async def block(session: AsyncSession, lease_id: str, *, by: str, now: datetime) -> Lease:
    """Nothing more with this person: every contact between the two ends, and whatever else there is follows."""
    lease = await store.get_own(session, lease_id, by)
    whom = lease.counterpart(by)
    await blocks.block(session, by, whom, now)
    await matching.end_between(session, by, whom, now=now)
    await ending.release_between(session, by, whom, actor=by, now=now)
    return await store.get_own(session, lease_id, by)


async def report(
    session: AsyncSession, lease_id: str, reason: ReportReason, text: str, *, by: str, key: DataKey, now: datetime
) -> ContactReport:
    """Ask a moderator to look at what happened. Once for each contact and member."""
    lease = await store.get_own(session, lease_id, by, locking=True)
    once = (ContactReport.lease_id == lease.id, ContactReport.reporter_id == by)
    if await session.scalar(select(ContactReport.id).where(*once)):
        raise AlreadyReported
    report_id = new_id()
    made = ContactReport(
        id=report_id,
        lease_id=lease.id,
        reporter_id=by,
        reason=reason,
        note=sealing.seal(key, text, table="contact_reports", column="note", row=report_id) if text else None,
        made_at=now,
    )
    session.add(made)
    await session.flush()
    note(session, lease, "contact.reported", actor=by, now=now, reason=reason)
    told = {"contact": lease.id, "report": report_id, "post": lease.post_id, "reporter": by}
    told |= {"about": lease.counterpart(by), "reason": reason, "match": lease.match_id or ""}
    await outbox.enqueue(session, "contact.reported", told, at=now)
    return made


async def say(session: AsyncSession, lease_id: str, text: str, *, by: str, key: DataKey, now: datetime) -> Message:
    """In-app words, while the contact lasts. What is kept is scrubbed, and sealed under the author's key."""
    lease = await store.get_own(session, lease_id, by, locking=True)
    await _still_granted(session, lease, now)
    if await blocks.between(session, *lease.parties()):
        raise ContactEnded
    cleaned = scrubbing.scrub(text)
    message_id = new_id()
    last = await session.scalar(select(func.max(Message.position)).where(Message.lease_id == lease.id))
    message = Message(
        id=message_id,
        lease_id=lease.id,
        author_id=by,
        position=(last or 0) + 1,
        words=sealing.seal(key, cleaned.text, table="messages", column="words", row=message_id),
        scrubbed=bool(cleaned.hits),
        at=now,
    )
    session.add(message)
    await session.flush()
    audit.note(session, actor=by, deed="contact.written", subject=lease.id, now=now)
    await _tell_words(session, lease, message, now=now)
    return message


async def _tell_words(session: AsyncSession, lease: Lease, message: Message, *, now: datetime) -> None:
    told = {"member": lease.counterpart(message.author_id), "contact": lease.id, "post": lease.post_id}
    told["match"] = lease.match_id or ""
    await outbox.enqueue(session, "contact.words", told, at=now, key=f"contact.words:{message.id}")


async def warn(session: AsyncSession, lease_id: str, *, now: datetime) -> None:
    """An hour before the end both are told, unless the contact was extended or has ended meanwhile."""
    lease = await store.get(session, lease_id)
    if lease is None or rules.shown_state(lease.state, lease.expires_at, now) != "granted":
        return
    if lease.expires_at - now <= rules.WARNED:
        await tell_both(session, "contact.expiring", lease, now=now)
