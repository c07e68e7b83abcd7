"""Cases as moderators read them: with the post's card, who is in it, and what the reporters wrote."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.contacts import store as contacts
from mutualaid.contacts.records import ContactReport
from mutualaid.kit import sealing
from mutualaid.kit.keystore import KeyStore
from mutualaid.kit.sealing import DataKey
from mutualaid.kit.texts import Language
from mutualaid.matching import reading as matches
from mutualaid.matching.records import Match
from mutualaid.matching.wire import MatchView
from mutualaid.moderation import store
from mutualaid.moderation.records import Case, CaseMember, Ruling
from mutualaid.moderation.rules import MemberDeed, PostDeed, Reason
from mutualaid.moderation.store import Found
from mutualaid.moderation.wire import CaseView, PartView, ReportView
from mutualaid.posts import cards
from mutualaid.posts.cards import Card
from mutualaid.posts.records import Post, Report
from mutualaid.posts.wire import PostView, post_view

_PAST: Final = 20  # rulings that a case shows


@dataclass(frozen=True, slots=True)
class _Told:
    """One report, its note still sealed."""

    id: str
    table: str
    about: str
    reporter_id: str
    reason: Reason
    note: bytes | None
    made_at: datetime


async def views(
    keys: KeyStore,
    session: AsyncSession,
    found: Sequence[Found],
    *,
    reader: str,
    language: Language,
    catalogue: Catalogue,
) -> list[CaseView]:
    """These cases, in their order. The catalogue was asked for before the session was opened."""
    parts = await store.parts_of(session, [each.case.id for each in found])
    by_id = await cards.cards_of(session, [each.case.post_id for each in found if each.case.post_id])
    told = await _told(session, [each.case for each in found])
    opening = await keys.get_many(report.reporter_id for report in told if report.note)

    def card_view(card: Card) -> PostView:
        view = post_view(card, catalogue, language=language, reader=reader)
        return view.model_copy(update={"hidden_by": card.hidden_by, "outcome": card.outcome})

    return [
        _view(each, card_view(by_id[each.case.post_id]) if each.case.post_id in by_id else None, parts, told, opening)
        for each in found
    ]


async def disputed(session: AsyncSession, case: Case, *, catalogue: Catalogue, language: Language) -> MatchView | None:
    """The match that its two sides tell differently, with what each of them said; None for other cases."""
    match = await session.get(Match, case.match_id) if case.reason == "contradiction" and case.match_id else None
    if match is None:
        return None
    return await matches.one(session, match, reader=match.need_author_id, catalogue=catalogue, language=language)


@dataclass(frozen=True, slots=True)
class PastRuling:
    """A decision on a case's post, or on `member`, one of those in it. `note`: None where there is none, or the moderator
    who wrote it has left and it can be read by nobody."""

    made_at: datetime
    deed: PostDeed | MemberDeed
    reason: Reason
    moderator: str
    member: str | None
    note: str | None


async def past_rulings(keys: KeyStore, session: AsyncSession, case: CaseView) -> list[PastRuling]:
    """What was decided before on the case's post and on those in it, the newest first."""
    theirs = Ruling.member_id.in_([part.id for part in case.members])
    about = or_(theirs, Ruling.post_id == case.post.id) if case.post else theirs
    query = select(Ruling).where(about).order_by(Ruling.made_at.desc(), Ruling.id).limit(_PAST)
    found = (await session.scalars(query)).all()
    opening = await keys.get_many(ruling.moderator_id for ruling in found if ruling.note)
    people = {who for ruling in found for who in (ruling.moderator_id, ruling.member_id) if who is not None}
    names = await contacts.display_names(session, people)
    return [
        PastRuling(
            made_at=ruling.made_at,
            deed=ruling.deed,
            reason=ruling.reason,
            moderator=names.get(ruling.moderator_id, ""),
            member=names.get(ruling.member_id, "") if ruling.member_id else None,
            note=_note(ruling, opening.get(ruling.moderator_id)),
        )
        for ruling in found
    ]


def _note(ruling: Ruling, key: DataKey | None) -> str | None:
    if ruling.note is None or key is None:
        return None
    return sealing.unseal_text(key, ruling.note, table=Ruling.__tablename__, column="note", row=ruling.id)


async def author_of(session: AsyncSession, case: Case) -> str | None:
    """Whose post the case shows."""
    return await session.scalar(select(Post.author_id).where(Post.id == case.post_id))


def _view(
    found: Found, post: PostView | None, parts: dict[str, list[CaseMember]], told: list[_Told], keys: dict[str, DataKey]
) -> CaseView:
    case = found.case
    held = found.claimed or case.state == "closed"
    return CaseView(
        id=case.id,
        state=case.state if held else "open",
        reason=case.reason,
        post=post,
        match=case.match_id,
        contact=case.contact_id,
        members=[PartView(id=part.member_id, role=part.part) for part in parts[case.id]],
        reports=[
            ReportView(reason=report.reason, note=_opened(report, keys), made_at=report.made_at)
            for report in told
            if report.about == case.subject_id and report.reason == case.reason
        ],
        claimed_by=case.claimed_by if held else None,
        claimed_until=case.claimed_until if held else None,
        created_at=case.created_at,
        closed_at=case.closed_at,
    )


async def _told(session: AsyncSession, cases: Sequence[Case]) -> list[_Told]:
    """What was reported of the subjects of these cases, oldest first."""
    subjects = [case.subject_id for case in cases]
    of_posts = await session.scalars(select(Report).where(Report.post_id.in_(subjects)))
    found = [
        _Told(r.id, "post_reports", r.post_id, r.reporter_id, _reason(r.reason), r.note, r.made_at) for r in of_posts
    ]
    of_contacts = await session.scalars(select(ContactReport).where(ContactReport.lease_id.in_(subjects)))
    found += [
        _Told(c.id, "contact_reports", c.lease_id, c.reporter_id, c.reason, c.note, c.made_at) for c in of_contacts
    ]
    return sorted(found, key=lambda report: (report.made_at, report.id))


def _reason(stored: str) -> Reason:
    reason: Reason = stored  # type: ignore[assignment] # the door takes reports for these reasons only
    return reason


def _opened(report: _Told, keys: dict[str, DataKey]) -> str | None:
    if report.note is None or (key := keys.get(report.reporter_id)) is None:
        return None
    return sealing.unseal_text(key, report.note, table=report.table, column="note", row=report.id)
