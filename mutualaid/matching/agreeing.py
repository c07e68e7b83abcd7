"""Both sides say yes: the amounts are held on both posts at once, line by line, or nothing changes at all."""

from collections import Counter
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.kit import audit, outbox
from mutualaid.matching import making_room, reserving, rules, store
from mutualaid.matching.errors import MatchNotOpen, NeedCapReached
from mutualaid.matching.records import Match
from mutualaid.matching.store import Pair
from mutualaid.members import blocks
from mutualaid.posts import actions as posts
from mutualaid.posts.errors import PostNotOpen
from mutualaid.posts.rules import Kind


async def accept(session: AsyncSession, match_id: str, *, by: str, catalogue: Catalogue, now: datetime) -> Match:
    """One side's yes. The second one makes it agreed: 409 `quantity_gone` or `need_cap_reached` where that cannot be."""
    pair = await store.lock_own(session, match_id, by, around=True)
    return await accept_locked(session, pair, side=pair.match.side_of(by), by=by, catalogue=catalogue, now=now)


async def accept_locked(
    session: AsyncSession, pair: Pair, *, side: Kind, by: str, catalogue: Catalogue, now: datetime
) -> Match:
    """The same for a match whose posts are locked already."""
    match = pair.match
    match.still_acceptable(side, now)
    if not all(post.state == "open" and post.until > now for post in (pair.need, pair.offer)):
        raise PostNotOpen
    if await blocks.between(session, match.need_author_id, match.offer_author_id) or _refused(match, catalogue):
        raise MatchNotOpen
    if rules.other(side) in match.accepted_by:
        await _agree(session, pair, side, catalogue, by=by, now=now)
    else:
        match.accept(side, now)
        _note_yes(session, match, side, by=by, now=now)
    return match


def _refused(match: Match, catalogue: Catalogue) -> bool:
    """Whether something of it was taken out of the catalogue, or is refused, since it was proposed."""
    items = [catalogue.get(line.item) for line in match.lines]
    return not all(item is not None and item.listable for item in items)


def _note_yes(session: AsyncSession, match: Match, side: Kind, *, by: str, now: datetime) -> None:
    audit.note(session, actor=by, deed="match.accepted", subject=match.id, now=now, facts={"side": side})


async def _agree(
    session: AsyncSession, pair: Pair, side: Kind, catalogue: Catalogue, *, by: str, now: datetime
) -> None:
    """Proposals that nobody has accepted give way to two who agree; those that somebody has accepted do not."""
    match = pair.match
    reserving.let_go(pair)
    match.accept(side, now)
    await making_room.for_agreement(session, pair, now=now)
    reserving.hold(pair)
    await _under_the_cap(session, match, catalogue, now=now)
    _note_yes(session, match, side, by=by, now=now)
    audit.note(session, actor=None, deed="match.agreed", subject=match.id, now=now, facts=amounts(match))
    await outbox.enqueue(session, "match.agreed", {"match": match.id}, at=now)
    for post_id in match.post_ids:
        await posts.look_again(session, post_id, now=now)


async def _under_the_cap(session: AsyncSession, match: Match, catalogue: Catalogue, *, now: datetime) -> None:
    promised = await store.promised(session, match.need_author_id, but=match.id, now=now)
    more: Counter[str] = Counter()
    for line in match.lines:
        more[line.item] += line.quantity
    for code, amount in more.items():
        item = catalogue.get(code)
        if item is not None and promised.get(code, 0) + amount > item.need_max:
            raise NeedCapReached


def amounts(match: Match) -> audit.Facts:
    """What the audit row says of a match's amounts: each item's sum."""
    found: Counter[str] = Counter()
    for line in match.lines:
        found[line.item] += line.quantity
    return dict(found)
