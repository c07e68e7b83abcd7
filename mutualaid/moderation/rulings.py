"""What every ruling leaves: its row with the sealed note, an audit row with a commitment to it, word to who had reported."""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.kit import audit, sealing
from mutualaid.kit.ids import new_id
from mutualaid.kit.sealing import DataKey
from mutualaid.matching.records import Match
from mutualaid.members.records import Principal
from mutualaid.moderation import cases
from mutualaid.moderation.records import Ruling
from mutualaid.moderation.rules import MemberDeed, PostDeed
from mutualaid.moderation.store import Found
from mutualaid.moderation.wire import MemberRulingDraft
from mutualaid.notices import actions as notices
from mutualaid.notices.rules import Subject

_SALT = 16


async def record(
    session: AsyncSession,
    deed: PostDeed | MemberDeed,
    draft: MemberRulingDraft,
    *,
    by: Principal,
    key: DataKey,
    now: datetime,
    post_id: str | None = None,
    member_id: str | None = None,
    cut_contacts: bool = False,
) -> Ruling:
    """The ruling's row and its audit row. `key`: the moderator's data key, under which the note is sealed."""
    ruling_id, salt = new_id(), secrets.token_bytes(_SALT) if draft.note else None
    note = (
        sealing.seal(key, draft.note, table=Ruling.__tablename__, column="note", row=ruling_id) if draft.note else None
    )
    ruling = Ruling(
        id=ruling_id,
        moderator_id=by.id,
        post_id=post_id,
        member_id=member_id,
        deed=deed,
        reason=draft.reason,
        cut_contacts=cut_contacts,
        note=note,
        salt=salt,
        made_at=now,
    )
    session.add(ruling)
    await session.flush()
    facts: audit.Facts = {
        "ruling": ruling_id,
        "deed": deed,
        "reason": draft.reason,
        "note": commitment(salt, draft.note) if salt else None,
        "cut_contacts": cut_contacts,
    }
    subject = post_id or member_id or ""
    audit.note(session, actor=by.id, deed="ruling.made", subject=subject, now=now, facts=facts)
    return ruling


def commitment(salt: bytes, note: str) -> str:
    """What the chain holds of a note: SHA-256 of salt and note, hex. Without the salt it can be matched with nothing."""
    return hashlib.sha256(salt + note.encode()).hexdigest()


async def settle(session: AsyncSession, found: Iterable[Found], ruling: Ruling, *, now: datetime) -> None:
    """Close the cases that this ruling decides, tell those who had reported, and both sides of a match that they disputed."""
    found = list(found)
    reporters = await cases.settle(session, found, ruling, now=now)
    for each in found:
        if each.case.reason == "contradiction" and each.case.match_id is not None:
            await _tell_both_sides(session, each.case.match_id, ruling, now=now)
    for member_id, case in sorted(reporters.items()):
        subject = Subject("contact", case.contact_id) if case.contact_id else Subject("post", case.post_id or case.id)
        await notices.tell(session, member_id, "report_ruled", subject=subject, occasion=ruling.id, now=now)


async def _tell_both_sides(session: AsyncSession, match_id: str, ruling: Ruling, *, now: datetime) -> None:
    """A dispute has been looked at: the match's page says so from now on."""
    match = await session.get(Match, match_id)
    if match is None:
        return
    match.settled_at = now
    for member_id in (match.need_author_id, match.offer_author_id):
        subject = Subject("match", match.id)
        await notices.tell(session, member_id, "dispute_ruled", subject=subject, occasion=ruling.id, now=now)
