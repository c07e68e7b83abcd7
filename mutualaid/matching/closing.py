"""How an agreed match ends: handed over, in whole or in part, or failed; and the other side's objection to what was said."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.kit import audit, outbox
from mutualaid.kit.errors import FieldError, Invalid
from mutualaid.kit.texts import N_
from mutualaid.matching import reserving, store
from mutualaid.matching.drafts import HandedOver
from mutualaid.matching.ending import ended
from mutualaid.matching.records import Match, MatchLine, Objection
from mutualaid.matching.rules import FailReason, contradict
from mutualaid.posts import actions as posts


async def complete(
    session: AsyncSession, match_id: str, lines: Sequence[HandedOver], *, by: str, now: datetime
) -> Match:
    """It changed hands. The first word of either side decides: what was handed over is gone, the rest is free again.

    The other side's word within 24 hours opens a dispute where it differs; nothing else changes.
    """
    pair = await store.lock_own(session, match_id, by)
    match = pair.match
    side = match.side_of(by)
    amounts = _amounts(match.lines, lines)
    if not match.close(side, now, reason=None):
        if match.state != "completed" or any(line.completed != amounts.get(line.id, 0) for line in match.lines):
            await _dispute(session, match, "completed", amounts, by=by, now=now)
        else:
            audit.note(session, actor=by, deed="match.confirmed", subject=match.id, now=now)
        return match
    for line, wanted, given in reserving.lines_of(pair):
        line.completed = amounts.get(line.id, 0)
        for held in (wanted, given):
            held.hand_over(line.completed)
            held.free_up(line.quantity - line.completed)
    for post in (pair.need, pair.offer):
        if not post.ended and all(line.remaining == 0 for line in post.lines):
            await posts.resolve_post(session, post, "through_platform", actor=None, now=now)
    facts: audit.Facts = {"by": side, "amount": sum(amounts.values())}
    await ended(session, pair, actor=by, why="completed", now=now, facts=facts)
    return match


async def fail(session: AsyncSession, match_id: str, reason: FailReason, *, by: str, now: datetime) -> Match:
    """Nothing changed hands. The first word of either side decides and frees everything; the pair never returns.

    The other side may say so too; where each says that the other did not come, that is a dispute.
    """
    pair = await store.lock_own(session, match_id, by)
    match = pair.match
    side = match.side_of(by)
    if match.state == "agreed":
        reserving.let_go(pair)
    if not match.close(side, now, reason=reason):
        if match.state == "failed" and not contradict(match.because, reason):
            audit.note(session, actor=by, deed="match.confirmed", subject=match.id, now=now)
        else:
            await _dispute(session, match, reason, {}, by=by, now=now)
        return match
    await ended(session, pair, actor=by, why=reason, now=now, facts={"by": side})
    return match


async def _dispute(
    session: AsyncSession,
    match: Match,
    says: Objection,
    amounts: dict[str, int],
    *,
    by: str,
    now: datetime,
) -> None:
    """Keep what the other side says. What a needer says they did not get counts as promised to them until a moderator has
    looked."""
    match.disputed, match.objection = True, says
    for line in match.lines:
        line.objected = amounts.get(line.id, 0)
    facts: audit.Facts = {"says": says, "amount": sum(amounts.values())}
    audit.note(session, actor=by, deed="match.disputed", subject=match.id, now=now, facts=facts)
    await outbox.enqueue(session, "match.disputed", {"match": match.id, "by": match.side_of(by)}, at=now)


def _amounts(agreed: Sequence[MatchLine], said: Sequence[HandedOver]) -> dict[str, int]:
    """Line of the match → what was handed over of it. Raises `Invalid` with every line that does not fit."""
    found: dict[str, int] = {}
    wrong = []
    for n, handed in enumerate(said):
        fits = [
            line
            for line in agreed
            if line.need_line_id == handed.need_line and handed.offer_line in (None, line.offer_line_id)
        ]
        if not fits:
            field = "need_line" if handed.offer_line is None else "offer_line"
            wrong.append(FieldError(f"lines.{n}.{field}", "line_unknown", N_("This line is not part of the match.")))
        elif len(fits) > 1:
            wrong.append(FieldError(f"lines.{n}.offer_line", "required", N_("Please fill this in.")))
        elif fits[0].id in found:
            wrong.append(FieldError(f"lines.{n}", "line_repeated", N_("Please name each pair of lines once.")))
        elif handed.quantity > fits[0].quantity:
            more = N_("No more than the {most} agreed on.")
            wrong.append(FieldError(f"lines.{n}.quantity", "more_than_held", more, {"most": fits[0].quantity}))
        else:
            found[fits[0].id] = handed.quantity
    if wrong:
        raise Invalid(wrong)
    return found
