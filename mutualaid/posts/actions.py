"""publish, amend, confirm, resolve, withdraw, expire, report: each one transaction's deed with its audit and job rows."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.kit import audit, outbox, scrubbing, sealing
from mutualaid.kit.errors import FieldError, Invalid
from mutualaid.kit.ids import new_id
from mutualaid.kit.plain import plain_of
from mutualaid.kit.sealing import DataKey
from mutualaid.kit.texts import N_
from mutualaid.members import footing
from mutualaid.members.records import Principal
from mutualaid.posts import publishing, rules, store, word_store
from mutualaid.posts.drafts import LineAmendment, PostAmendment, PostDraft, ReportDraft
from mutualaid.posts.errors import AlreadyReported, OwnPost
from mutualaid.posts.needs import consents_for_change, still_may
from mutualaid.posts.publishing import Shown, under_review
from mutualaid.posts.records import HiddenBy, Post, Report
from mutualaid.posts.rules import Outcome


async def publish(
    session: AsyncSession,
    draft: PostDraft,
    *,
    author: Principal,
    where: Shown,
    doubtful: bool,
    catalogue: Catalogue,
    now: datetime,
) -> Post:
    """`publishing.publish` within a session. 404 where the author is no longer here."""
    plain = await plain_of(session)
    published = await publishing.publish(
        plain,
        draft,
        author=author,
        member=await footing.of(plain, author.id),
        where=where,
        cleaned=scrubbing.scrub(draft.note),
        doubtful=doubtful,
        catalogue=catalogue,
        now=now,
    )
    await plain.put(*published.puts)
    return await session.get_one(Post, published.post["id"])


async def amend(
    session: AsyncSession,
    post_id: str,
    change: PostAmendment,
    *,
    by: Principal,
    doubtful: bool,
    catalogue: Catalogue,
    now: datetime,
) -> Post:
    """Change one's own post. A changed note that a moderator had approved, or a doubtful one, hides it until reviewed."""
    await still_may(session, by.id, consents_for_change(change))  # locks the author before the post, as everywhere
    post = await store.get_own(session, post_id, by.id)
    if wrong := [*_line_errors(post, change.lines or [], catalogue), *_way_errors(post, change, catalogue)]:
        raise Invalid(wrong)
    post.still_going()
    for line_change in change.lines or []:
        if line := post.line(line_change.id):
            line.set_quantity(line_change.quantity)
    review: HiddenBy | None = None
    if change.note is not None:
        cleaned = scrubbing.scrub(change.note)
        if cleaned.text != post.note:
            review = "note_review" if doubtful or post.note_approved else None
            items = [line.item for line in post.lines]
            await word_store.forget(session, post.id, post.note, items)
            post.note, post.scrubbed, post.note_approved = cleaned.text, cleaned.text != change.note, False
            await word_store.write(session, post)
    if change.urgency == "urgent" and post.urgency != "urgent":
        plain = await plain_of(session)
        review = await under_review(plain, by.id, urgent=True, doubtful=False, now=now) or review
        post.urgent_at = now
    for name in ("urgency", "reach_km", "contact", "until"):
        if (value := getattr(change, name)) is not None:
            setattr(post, name, value)
    if change.handover is not None:
        post.handover = list(dict.fromkeys(change.handover))
    if change.available is not None:
        post.available = publishing.stored(change.available)
    fields = ",".join(sorted(change.model_fields_set))
    audit.note(session, actor=by.id, deed="post.amended", subject=post.id, now=now, facts={"fields": fields})
    if change.until is not None:
        for row in publishing.expiry(post.id, post.until, now=now):
            await outbox.write(session, row)
    if review and post.state == "open":
        await hide(session, post, by=review, actor=None, now=now)
    else:
        await look_again(session, post.id, now=now)
    return post


async def look_again(session: AsyncSession, post_id: str, *, now: datetime) -> None:
    """Look for counterparts; see `publishing.look`."""
    await outbox.write(session, publishing.look(post_id, now=now), again=True)


def _line_errors(post: Post, changes: Sequence[LineAmendment], catalogue: Catalogue) -> Iterator[FieldError]:
    """Lines of other posts, and amounts that bring the post over an item's cap, its other lines counted."""
    amounts = {line.id: line.quantity for line in post.lines} | {change.id: change.quantity for change in changes}
    for n, change in enumerate(changes):
        if any(change.id == earlier.id for earlier in changes[:n]):
            yield FieldError(f"lines.{n}.id", "line_repeated", N_("Please name each line once."))
            continue
        if (line := post.line(change.id)) is None:
            yield FieldError(f"lines.{n}.id", "line_unknown", N_("This line is not part of the post."))
            continue
        total = sum(amounts[other.id] for other in post.lines if other.item == line.item)
        if (item := catalogue.get(line.item)) and change.quantity > line.quantity and total > item.most(post.kind):
            yield rules.over_cap(f"lines.{n}.quantity", item, post.kind)


def _way_errors(post: Post, change: PostAmendment, catalogue: Catalogue) -> Iterator[FieldError]:
    if change.handover is not None:
        yield from rules.handover_errors(change.handover, post.lines, catalogue.get)


async def set_contact(session: AsyncSession, post: Post, contact: rules.Contact, *, actor: str, now: datetime) -> None:
    """Who may ask for a number changes with a consent."""
    if post.contact != contact:
        post.contact = contact
        audit.note(session, actor=actor, deed="post.amended", subject=post.id, now=now, facts={"fields": "contact"})


async def confirm(session: AsyncSession, post_id: str, *, by: Principal, now: datetime) -> Post:
    """Still here."""
    post = await store.get_own(session, post_id, by.id)
    post.confirm(now)
    audit.note(session, actor=by.id, deed="post.confirmed", subject=post.id, now=now)
    return post


async def resolve(session: AsyncSession, post_id: str, outcome: Outcome, *, by: Principal, now: datetime) -> Post:
    """已解决."""
    post = await store.get_own(session, post_id, by.id)
    await resolve_post(session, post, outcome, actor=by.id, now=now)
    return post


async def resolve_post(
    session: AsyncSession, post: Post, outcome: Outcome, *, actor: str | None, now: datetime
) -> None:
    """Solved, said by its author, or by the last line's handover (`actor` None)."""
    post.resolve(outcome, now)
    await _ended(session, post, "post.resolved", actor=actor, now=now, facts={"outcome": outcome})


async def withdraw(session: AsyncSession, post_id: str, *, by: Principal, now: datetime) -> Post:
    """Taken down by its author."""
    post = await store.get_own(session, post_id, by.id)
    await withdraw_post(session, post, actor=by.id, now=now)
    return post


async def withdraw_post(session: AsyncSession, post: Post, *, actor: str | None, now: datetime) -> None:
    post.withdraw(now)
    await _ended(session, post, "post.withdrawn", actor=actor, now=now)


async def expire(session: AsyncSession, post: Post, *, now: datetime) -> None:
    """Its time is over."""
    post.expire(now)
    await _ended(session, post, "post.expired", actor=None, now=now)


async def close(session: AsyncSession, post: Post, *, actor: str, now: datetime, facts: audit.Facts) -> None:
    """Ended by a moderator."""
    post.close(now)
    await _ended(session, post, "post.closed", actor=actor, now=now, facts=facts)


async def _ended(
    session: AsyncSession, post: Post, deed: str, *, actor: str | None, now: datetime, facts: audit.Facts | None = None
) -> None:
    await word_store.forget(session, post.id, post.note, [line.item for line in post.lines])
    audit.note(session, actor=actor, deed=deed, subject=post.id, now=now, facts=facts)
    await outbox.enqueue(session, "post.ended", {"post": post.id, "by": actor or ""}, at=now)


async def hide(session: AsyncSession, post: Post, *, by: HiddenBy, actor: str | None, now: datetime) -> None:
    """Off the plaza until somebody has looked; reviews open a case."""
    post.hide(by, now)
    audit.note(session, actor=actor, deed="post.hidden", subject=post.id, now=now, facts={"by": by})
    await outbox.enqueue(session, "post.hidden", {"post": post.id, "by": by}, at=now)


async def restore(session: AsyncSession, post: Post, *, actor: str | None, now: datetime) -> None:
    """Back on the plaza."""
    post.restore(now)
    audit.note(session, actor=actor, deed="post.restored", subject=post.id, now=now)
    await look_again(session, post.id, now=now)


async def report(
    session: AsyncSession, post_id: str, draft: ReportDraft, *, by: Principal, data_key: DataKey, now: datetime
) -> tuple[Report, Post]:
    """Ask a moderator to look. The third verified reporter hides the post until it is ruled on."""
    post = await store.open_of_others(session, post_id, by.id)
    if post.author_id == by.id:
        raise OwnPost
    if await session.scalar(select(Report.id).where(Report.post_id == post.id, Report.reporter_id == by.id)):
        raise AlreadyReported
    report_id = new_id()
    note = (
        sealing.seal(data_key, draft.note, table="post_reports", column="note", row=report_id) if draft.note else None
    )
    made = Report(
        id=report_id,
        post_id=post.id,
        reporter_id=by.id,
        reason=draft.reason,
        note=note,
        counts=by.real_name != "none",
        made_at=now,
    )
    session.add(made)
    await session.flush()
    audit.note(session, actor=by.id, deed="post.reported", subject=post.id, now=now, facts={"reason": draft.reason})
    await outbox.enqueue(session, "post.reported", {"post": post.id, "report": report_id}, at=now)
    if post.state == "open" and await store.reporters(session, post.id) >= rules.REPORTERS_THAT_HIDE:
        await hide(session, post, by="reports", actor=None, now=now)
    return made, post
