"""A pledge: one side offers, or asks for, named amounts of its own accord, from the plaza or after a call."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.kit import audit, clock
from mutualaid.kit.errors import FieldError, Invalid, NotFound
from mutualaid.kit.texts import N_
from mutualaid.matching import agreeing, ending, proposing, reserving, rules, store
from mutualaid.matching.drafts import PledgedLine, PledgeDraft
from mutualaid.matching.errors import AlreadyAgreed, PairEnded
from mutualaid.matching.records import NEVER_AGAIN, OPEN, Match, MatchLine
from mutualaid.matching.rules import Line, Refusal, Share, Side
from mutualaid.members import blocks
from mutualaid.posts import store as posts_store
from mutualaid.posts.errors import OwnPost, PostNotOpen, QuantityGone
from mutualaid.posts.records import Post
from mutualaid.posts.rules import Handover, Kind

_IN_PERSON: Final[frozenset[Handover]] = frozenset({"pickup"})  # how they meet is theirs to arrange
_WHY: dict[Refusal, str] = {
    "item_differs": N_("These two lines are not about the same item."),
    "item_refused": N_("This item can no longer be shared here."),
    "too_young": N_("This item is not for the age of the person it is needed for."),
    "way_not_allowed": N_("This item may only be handed over in person."),
    "expires_too_soon": N_("This expires before it could be used."),
}


async def pledge(
    session: AsyncSession, post_id: str, draft: PledgeDraft, *, by: str, catalogue: Catalogue, now: datetime
) -> tuple[Match, bool]:
    """Pledge one's own post to another's; (the match, whether it is new). Reach and hours are theirs to arrange.

    Where the pair was proposed already, its match is taken over with these amounts; where the other side has accepted
    it, this is the acceptance of what stands there. 404 also for a member who is blocked, whichever way.
    """
    mine, theirs, sides, around = await _parties(session, post_id, draft.post, by=by, now=now)
    need, offer = (mine, theirs) if mine.kind == "need" else (theirs, mine)
    if wrong := list(_line_errors(draft.lines, sides[need.id], sides[offer.id], catalogue, now)):
        raise Invalid(wrong)
    last = await store.latest(session, need.id, offer.id)
    if last is not None and last.state in NEVER_AGAIN:
        raise PairEnded
    if last is not None and last.state == "agreed":
        raise AlreadyAgreed
    standing = last if last is not None and last.state in OPEN and last.expires_at > now else None
    if standing is not None and rules.other(mine.kind) in standing.accepted_by:
        pair = store.Pair(standing, need, offer, around)
        return await agreeing.accept_locked(session, pair, side=mine.kind, by=by, catalogue=catalogue, now=now), False
    _enough(draft.lines, need, offer)
    shares = [Share(line.need_line, line.offer_line, _item(offer, line), line.quantity) for line in draft.lines]
    until = rules.stands_until(need, offer, now=now)
    if last is not None and last.state in OPEN and standing is None:
        await ending.lapse_locked(session, store.Pair(last, need, offer), now=now)
        await session.flush()  # one live match a pair: the database sees to it
    match = standing or await proposing.new_match(session, need, offer, shares, until=until, reserved=False, now=now)
    _take_over(store.Pair(match, need, offer), mine.kind, proposing.match_lines(shares), until=until)
    await session.flush()
    audit.note(session, actor=by, deed="match.pledged", subject=match.id, now=now, facts={"round": match.round})
    await proposing.tell(session, match, now=now)
    return match, standing is None


def _take_over(pair: store.Pair, side: Kind, lines: list[MatchLine], *, until: datetime) -> None:
    """The pledge's amounts; where a proposal kept something, the pledge keeps it if all of it is there. Whoever pledges
    again does not have it kept for longer."""
    match = pair.match
    kept = match.reserved
    if kept and side in match.accepted_by:
        until = min(until, match.expires_at)
    reserving.let_go(pair)
    kept = kept and reserving.fits(pair, lines)
    match.pledge(side, lines, reserved=kept, until=until)
    if kept:
        reserving.keep(pair)


async def _parties(
    session: AsyncSession, post_id: str, mine_id: str, *, by: str, now: datetime
) -> tuple[Post, Post, dict[str, Side], tuple[store.Pair, ...]]:
    """One's own post and the other one, both locked and standing, of different kinds; and what may give way to the two."""
    around: list[store.Pair] = []
    if await store.is_pledged(session, post_id, mine_id):
        posts, around = await store.lock_around(session, (post_id, mine_id))
    else:
        posts = await posts_store.lock(session, [post_id, mine_id])
    theirs, mine = posts.get(post_id), posts.get(mine_id)
    if theirs is None:
        raise NotFound
    if theirs.author_id == by:
        raise OwnPost
    sides = await store.sides(session, [post for post in (mine, theirs) if post is not None])
    here = _stands(theirs, now) and sides[theirs.id].author_here
    if not here or await blocks.between(session, by, theirs.author_id):
        raise NotFound
    if mine is None or mine.author_id != by:
        raise NotFound
    if rules.same_person(sides[mine.id], sides[theirs.id]):
        raise OwnPost
    if not _stands(mine, now):
        raise PostNotOpen
    if mine.kind == theirs.kind:
        raise Invalid([FieldError("post", "same_kind", N_("A need goes with an offer, and an offer with a need."))])
    return mine, theirs, sides, tuple(around)


def _stands(post: Post, now: datetime) -> bool:
    return post.state == "open" and post.until > now


def _line_errors(
    pledged: Sequence[PledgedLine], need: Side, offer: Side, catalogue: Catalogue, now: datetime
) -> Iterator[FieldError]:
    """Lines of other posts, lines named twice, and what may not be given to this beneficiary at all."""
    wanted, given = _by_id(need), _by_id(offer)
    meeting = rules.common_window(need, offer, now=now)
    day = clock.today(meeting.start if meeting else now)
    seen: set[tuple[str, str]] = set()
    for n, line in enumerate(pledged):
        unknown = [
            side for side, lines in (("need_line", wanted), ("offer_line", given)) if getattr(line, side) not in lines
        ]
        for side in unknown:
            yield FieldError(f"lines.{n}.{side}", "line_unknown", N_("This line is not part of the post."))
        if unknown:
            continue
        if (pair := (line.need_line, line.offer_line)) in seen:
            yield FieldError(f"lines.{n}", "line_repeated", N_("Please name each pair of lines once."))
        seen.add(pair)
        why = rules.line_refusal(
            need, wanted[line.need_line], given[line.offer_line], common=_IN_PERSON, find=catalogue.get, day=day
        )
        if why is not None:
            yield FieldError(f"lines.{n}", why, _WHY[why])


def _by_id(side: Side) -> dict[str, Line]:
    return {line.id: line for line in side.lines}


def _enough(pledged: Sequence[PledgedLine], need: Post, offer: Post) -> None:
    amounts: Counter[str] = Counter()
    for line in pledged:
        amounts[line.need_line] += line.quantity
        amounts[line.offer_line] += line.quantity
    if any(amounts[line.id] > line.free for line in (*need.lines, *offer.lines)):
        raise QuantityGone


def _item(offer: Post, pledged: PledgedLine) -> str:
    return next(line.item for line in offer.lines if line.id == pledged.offer_line)
