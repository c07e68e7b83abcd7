"""Cases: opened once for a subject and a reason, joined by whoever reports it too, claimed by one, closed by a ruling."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import not_, or_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.kit import audit
from mutualaid.kit.clock import sql_now
from mutualaid.kit.errors import NotFound
from mutualaid.kit.ids import new_id
from mutualaid.members import persons
from mutualaid.moderation import store
from mutualaid.moderation.errors import CaseClaimed, CaseClosed, OwnRuling
from mutualaid.moderation.records import Case, CaseMember, Ruling
from mutualaid.moderation.rules import CLAIM, Part, Reason
from mutualaid.moderation.store import Found


@dataclass(frozen=True, slots=True)
class About:
    """What a case is about. `subject` tells one case from another; a ruling on one of the two posts closes it."""

    subject: str
    post: str | None = None
    other_post: str | None = None
    match: str | None = None
    contact: str | None = None


async def open_case(
    session: AsyncSession, reason: Reason, about: About, members: Mapping[str, Part], *, now: datetime
) -> Case:
    """The case that stands for this subject and reason, opened if there is none; these members are in it."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    row = {
        "id": new_id(),
        "reason": reason,
        "state": "open",
        "subject_id": about.subject,
        "post_id": about.post,
        "other_post_id": about.other_post,
        "match_id": about.match,
        "contact_id": about.contact,
        "created_at": now,
    }
    made = await session.scalar(insert(Case).values(row).on_conflict_do_nothing().returning(Case.id))
    case = await store.standing(session, about.subject, reason)
    if case is None:  # another's case, closed in this very moment: the job comes again
        raise CaseClosed
    if made is not None:
        audit.note(session, actor=None, deed="case.opened", subject=case.id, now=now, facts={"reason": reason})
    for member_id, part in members.items():
        values = {"case_id": case.id, "member_id": member_id, "part": part}
        joined = insert(CaseMember).values(values).on_conflict_do_nothing().returning(CaseMember.member_id)
        if await session.scalar(joined) is not None and made is None:
            facts: audit.Facts = {"member": member_id, "as": part}
            audit.note(session, actor=None, deed="case.joined", subject=case.id, now=now, facts=facts)
    return case


async def claim(session: AsyncSession, case_id: str, *, by: str, now: datetime) -> Found:
    """Ten minutes for this moderator, from now on if it is theirs already. One statement decides between two.

    409 `case_claimed` while another's claim holds, 409 `case_closed`, 403 `own_ruling` for whoever is a party.
    """
    await store.require_staff(session, by)
    await refuse_party(session, [case_id], by=by)
    free = or_(not_(store.claim_holds()), Case.claimed_by == by)
    taken = await session.scalar(
        update(Case)
        .where(Case.id == case_id, Case.state != "closed", free)
        .values(state="claimed", claimed_by=by, claimed_until=sql_now(ago=-CLAIM))
        .returning(Case.id)
        .execution_options(synchronize_session=False)
    )
    found = await store.get(session, case_id)
    if found is None:
        raise NotFound
    if taken is None:
        raise CaseClosed if found.case.state == "closed" else CaseClaimed
    audit.note(session, actor=by, deed="case.claimed", subject=case_id, now=now)
    return found


async def refuse_party(session: AsyncSession, case_ids: Iterable[str], *, by: str) -> None:
    """403 `own_ruling` for somebody whom one of these cases is about, by whichever of their accounts; reporters only told of
    it."""
    parts = await store.parts_of(session, case_ids)
    parties = {part.member_id for found in parts.values() for part in found if part.part != "reporter"}
    if not parties.isdisjoint(await persons.ids_of(session, by)):
        raise OwnRuling


async def refuse_own(session: AsyncSession, member_ids: Collection[str], *, by: str) -> None:
    """403 `own_ruling` where these members are oneself, by whichever account, or are in a case with oneself that stands: who
    is reported does not rule on who reported it."""
    own = await persons.ids_of(session, by)
    if not set(own).isdisjoint(member_ids) or await store.are_in_one_case(session, own, with_members=member_ids):
        raise OwnRuling


async def refuse_if_not_free(session: AsyncSession, cases: Iterable[Found], *, by: str) -> None:
    """403 `own_ruling` for a party of one of these cases, 409 `case_claimed` where another's claim on one holds."""
    found = list(cases)
    await refuse_party(session, [each.case.id for each in found], by=by)
    if any(each.held_by_another(by) for each in found):
        raise CaseClaimed


async def settle(session: AsyncSession, cases: Iterable[Found], ruling: Ruling, *, now: datetime) -> dict[str, Case]:
    """Close these cases by a ruling: member → case for everyone who had reported."""
    settled = {found.case.id: found.case for found in cases}
    for case in settled.values():
        case.state, case.closed_at, case.ruling_id = "closed", now, ruling.id
        facts: audit.Facts = {"ruling": ruling.id}
        audit.note(session, actor=ruling.moderator_id, deed="case.closed", subject=case.id, now=now, facts=facts)
    await session.flush()
    parts = await store.parts_of(session, settled)
    return {
        part.member_id: settled[case_id]
        for case_id, found in parts.items()
        for part in found
        if part.part == "reporter"
    }
