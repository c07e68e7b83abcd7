"""What opens a case: reports, reviews, contradictions, an appointment asked for. Each may come twice and opens one."""

from datetime import datetime

from mutualaid.contacts.records import ContactReport, Lease
from mutualaid.matching.records import Match
from mutualaid.members.records import PRESENT, Member
from mutualaid.moderation import store
from mutualaid.moderation.cases import About, open_case
from mutualaid.moderation.rules import REVIEWS, Part, Reason
from mutualaid.notices import actions as notices
from mutualaid.notices.rules import Subject
from mutualaid.posts import store as posts_store
from mutualaid.posts.records import Report
from mutualaid.services import Services


async def on_post_reported(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """`post.reported`: a case of the report's reason, joined by whoever reports the same."""
    async with services.database.transaction() as session:
        post = await posts_store.get(session, payload["post"])  # a ruling on it waits, or was before
        report = await session.get(Report, payload["report"])
        if post is None or report is None or report.ruled_at is not None:
            return
        reason: Reason = report.reason  # type: ignore[assignment] # the door takes reports for these reasons only
        members: dict[str, Part] = {post.author_id: "author", report.reporter_id: "reporter"}
        await open_case(session, reason, About(post.id, post=post.id), members, now=now)


async def on_post_hidden(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """`post.hidden`: a review has its case; what was reported, or hidden by a moderator, has had one before."""
    reason = REVIEWS.get(payload["by"])
    if reason is None:
        return
    async with services.database.transaction() as session:
        post = await posts_store.get(session, payload["post"])
        if post is not None and post.state == "hidden" and post.hidden_by == reason:
            await open_case(session, reason, About(post.id, post=post.id), {post.author_id: "author"}, now=now)


async def on_match_disputed(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """`match.disputed`: the two sides said different things; a match is disputed at most once."""
    async with services.database.transaction() as session:
        match = await session.get(Match, payload["match"])
        if match is None or await store.ever(session, match.id, "contradiction", with_member=match.need_author_id):
            return
        about = About(match.id, post=match.need_post_id, other_post=match.offer_post_id, match=match.id)
        members: dict[str, Part] = {match.need_author_id: "need", match.offer_author_id: "offer"}
        await open_case(session, "contradiction", about, members, now=now)
        for member_id in members:
            await notices.tell(session, member_id, "disputed", subject=Subject("match", match.id), now=now)


async def on_contact_reported(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """`contact.reported`: one of the two says that the other is not who they should be; each says so at most once.

    The case shows the post of the one who was reported, where they have one in it.
    """
    async with services.database.transaction() as session:
        report = await session.get(ContactReport, payload["report"])
        lease = await session.get(Lease, report.lease_id) if report is not None else None
        if report is None or lease is None:
            return
        if await store.ever(session, lease.id, report.reason, with_member=report.reporter_id):
            return
        reported = lease.counterpart(report.reporter_id)
        posts = lease.post_id, lease.other_post_id
        theirs, other = posts if reported == lease.owner_id or lease.other_post_id is None else posts[::-1]
        about = About(lease.id, post=theirs, other_post=other, match=lease.match_id, contact=lease.id)
        members: dict[str, Part] = {report.reporter_id: "reporter", reported: "reported"}
        await open_case(session, report.reason, about, members, now=now)


async def on_appointment_asked(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """`members.appointment_asked`: somebody will come with their paper."""
    async with services.database.transaction() as session:
        member = await session.get(Member, payload["member"])
        if member is not None and member.status in PRESENT and member.real_name == "none":
            await open_case(session, "real_name", About(member.id), {member.id: "applicant"}, now=now)
