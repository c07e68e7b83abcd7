"""Cases by queue, by post, by member. Whether a claim holds is decided in the statement, by the database's clock."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, func, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.kit import cursors
from mutualaid.kit.audit import AuditRow
from mutualaid.kit.clock import sql_now
from mutualaid.kit.errors import Forbidden
from mutualaid.kit.ring import KeyRing
from mutualaid.members import persons
from mutualaid.members.records import Member, Status
from mutualaid.members.rules import STAFF, micros_of, moment_of
from mutualaid.moderation.records import Case, CaseMember
from mutualaid.moderation.rules import Part, Reason, State
from mutualaid.moderation.wire import CaseQuery, LogQuery


@dataclass(frozen=True, slots=True)
class Found:
    """A case, and whether its claim holds at this moment."""

    case: Case
    claimed: bool

    def held_by_another(self, moderator_id: str) -> bool:
        return self.claimed and self.case.claimed_by != moderator_id


def is_staff(member_id: str) -> ColumnElement[bool]:
    """Whether this member may moderate as the statement runs."""
    staff = (Member.id == member_id, Member.role.in_(STAFF), Member.status == Status.ACTIVE.value)
    return select(Member.id).where(*staff).exists()


async def require_staff(session: AsyncSession, member_id: str) -> None:
    """403 for somebody who was a moderator when the door opened and is none any more."""
    if not await session.scalar(select(is_staff(member_id))):
        raise Forbidden


def claim_holds() -> ColumnElement[bool]:
    return and_(Case.state == "claimed", Case.claimed_until > sql_now())


def _in_state(state: State) -> ColumnElement[bool]:
    if state == "closed":
        return Case.state == "closed"
    return claim_holds() if state == "claimed" else and_(Case.state != "closed", not_(claim_holds()))


async def get(session: AsyncSession, case_id: str) -> Found | None:
    query = select(Case, claim_holds()).where(Case.id == case_id).execution_options(populate_existing=True)
    found = (await session.execute(query)).first()
    return Found(*found) if found else None


def _about(member_ids: Collection[str]) -> Select[str]:
    """The ids of the cases that one of these is a party of; who only reported is none."""
    return select(CaseMember.case_id).where(CaseMember.member_id.in_(member_ids), CaseMember.part != "reporter")


async def are_in_one_case(session: AsyncSession, member_ids: Collection[str], *, with_members: Collection[str]) -> bool:
    """Whether a case stands that one of these is a party of, and one of those is in."""
    theirs = select(CaseMember.case_id).where(CaseMember.member_id.in_(with_members))
    query = select(Case.id).where(Case.state != "closed", Case.id.in_(_about(member_ids)), Case.id.in_(theirs))
    return await session.scalar(query.limit(1)) is not None


async def claimed_by(session: AsyncSession, moderator_id: str) -> int:
    """How many cases this moderator is on."""
    query = select(func.count()).select_from(Case).where(claim_holds(), Case.claimed_by == moderator_id)
    return await session.scalar(query) or 0


async def standing(session: AsyncSession, subject_id: str, reason: Reason) -> Case | None:
    """The one case that stands open for this subject and reason."""
    which = (Case.subject_id == subject_id, Case.reason == reason, Case.state != "closed")
    return await session.scalar(select(Case).where(*which))


async def ever(session: AsyncSession, subject_id: str, reason: Reason, *, with_member: str) -> bool:
    """Whether such a case, closed ones included, has this member in it."""
    query = select(Case.id).join(CaseMember, CaseMember.case_id == Case.id)
    which = (Case.subject_id == subject_id, Case.reason == reason, CaseMember.member_id == with_member)
    return await session.scalar(query.where(*which).limit(1)) is not None


async def lock_of_post(session: AsyncSession, post_id: str) -> list[Found]:
    """The cases that a ruling on this post closes, locked."""
    return await _lock(session, or_(Case.post_id == post_id, Case.other_post_id == post_id))


async def lock_of_members(session: AsyncSession, member_ids: Collection[str], parts: Collection[Part]) -> list[Found]:
    """The standing cases in which one of these members plays one of these parts, locked."""
    theirs = select(CaseMember.case_id).where(CaseMember.member_id.in_(member_ids), CaseMember.part.in_(parts))
    return await _lock(session, Case.id.in_(theirs))


async def _lock(session: AsyncSession, which: ColumnElement[bool]) -> list[Found]:
    query = select(Case, claim_holds()).where(Case.state != "closed", which).order_by(Case.id).with_for_update(of=Case)
    return [Found(*row) for row in await session.execute(query.execution_options(populate_existing=True))]


async def suspended_of(session: AsyncSession, member_ids: Collection[str]) -> set[str]:
    """Which of these members are suspended."""
    suspended = (Member.id.in_(member_ids), Member.status == Status.SUSPENDED.value)
    return {*await session.scalars(select(Member.id).where(*suspended))}


async def parts_of(session: AsyncSession, case_ids: Iterable[str]) -> dict[str, list[CaseMember]]:
    """Who is in these cases, by case."""
    ids = list(case_ids)
    found: dict[str, list[CaseMember]] = {case_id: [] for case_id in ids}
    query = select(CaseMember).where(CaseMember.case_id.in_(ids)).order_by(CaseMember.part, CaseMember.member_id)
    for part in await session.scalars(query):
        found[part.case_id].append(part)
    return found


@dataclass(frozen=True, slots=True)
class Page:
    cases: list[Found]
    next_cursor: str | None


async def page(session: AsyncSession, ring: KeyRing, query: CaseQuery, *, reader: str) -> Page:
    """One page of the queue: whoever has waited longest comes first, then by id. What is about the reader is left out."""
    bound = f"cases|{query.state}|{query.reason}"
    own = await persons.ids_of(session, reader)
    statement = select(Case, claim_holds()).where(Case.id.not_in(_about(own)))
    if query.state is not None:
        statement = statement.where(_in_state(query.state))
    if query.reason is not None:
        statement = statement.where(Case.reason == query.reason)
    if query.cursor is not None:
        moment, last = _after(ring, bound, query.cursor)
        later = and_(Case.created_at == moment, Case.id > last)
        statement = statement.where(or_(Case.created_at > moment, later))
    rows = await session.execute(statement.order_by(Case.created_at, Case.id).limit(query.limit + 1))
    found = [Found(*row) for row in rows]
    shown, cursor = found[: query.limit], None
    if len(found) > query.limit:
        cursor = _cursor(ring, bound, shown[-1].case.created_at, shown[-1].case.id)
    return Page(shown, cursor)


async def log_page(session: AsyncSession, ring: KeyRing, query: LogQuery) -> tuple[Sequence[AuditRow], str | None]:
    """One page of the audit log, newest first, then by id downwards; the cursor of the next."""
    bound = f"log|{query.subject}"
    statement = select(AuditRow)
    if query.subject is not None:
        statement = statement.where(AuditRow.subject == query.subject)
    if query.cursor is not None:
        moment, last = _after(ring, bound, query.cursor)
        older = and_(AuditRow.at == moment, AuditRow.id < last)
        statement = statement.where(or_(AuditRow.at < moment, older))
    statement = statement.order_by(AuditRow.at.desc(), AuditRow.id.desc()).limit(query.limit + 1)
    found = (await session.scalars(statement)).all()
    shown = found[: query.limit]
    return shown, _cursor(ring, bound, shown[-1].at, shown[-1].id) if len(found) > query.limit else None


def _after(ring: KeyRing, bound: str, cursor: str) -> tuple[datetime, str]:
    micros, last = cursors.decode(ring, bound, cursor, kinds=(int, str))
    return moment_of(micros), last


def _cursor(ring: KeyRing, bound: str, moment: datetime, last: str) -> str:
    return cursors.encode(ring, bound, [micros_of(moment), last])
