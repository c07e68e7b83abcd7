"""The ground round one post: who could help whom there, and what is proposed already. Bounded, and it only reads.

From the post to the nearest counterparts that fit, to what those are proposed to, and from there to counterparts again: the
way that an alternating path takes. What is further away stays as it is.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.kit.plain import Plain, plain_of, told
from mutualaid.kit.prepared import Prepared, among, one_of
from mutualaid.matching import capping, rules, standing
from mutualaid.matching.finding import FAR, NEAR, nearest, topics_of
from mutualaid.matching.records import OPEN, Match, MatchLine
from mutualaid.matching.rules import Share, Side
from mutualaid.members import blocks
from mutualaid.posts.rules import Kind

Pair = tuple[str, str]  # the posts: need, offer

_matches, _lines = (record.__table__.c for record in (Match, MatchLine))

FIRST: Final = 24  # counterparts of the post itself
NEXT: Final = 8  # counterparts of each post that theirs are proposed to
FOLLOWED: Final = 6  # posts that are followed in one step
STEPS: Final = 2


@dataclass(frozen=True, slots=True)
class Proposal:
    """One that nobody has accepted yet, as it stands."""

    match_id: str
    shares: tuple[Share, ...]


@dataclass(slots=True)
class Ground:
    """`sides`: every post of the ground; what its lines have free counts what `proposals` between them keep.

    `barred`: pairs that stand otherwise, or never return; `rounds`: how often a pair was matched before; `taken`: how many
    open proposals a need has beside those of the ground.
    """

    sides: dict[str, Side] = field(default_factory=dict)
    kinds: dict[str, Kind] = field(default_factory=dict)
    proposals: dict[Pair, Proposal] = field(default_factory=dict)
    barred: set[Pair] = field(default_factory=set)
    rounds: dict[Pair, int] = field(default_factory=dict)
    taken: Counter[str] = field(default_factory=Counter)
    apart: set[Pair] = field(default_factory=set)  # members

    def of(self, kind: Kind) -> list[Side]:
        """The posts of this kind, who came first before the others."""
        found = (side for post_id, side in self.sides.items() if self.kinds[post_id] == kind)
        return sorted(found, key=lambda side: (side.since, side.id))

    def add(self, found: Iterable[tuple[Kind, Side]]) -> None:
        for kind, side in found:
            self.kinds[side.id], self.sides[side.id] = kind, side


async def around(session: AsyncSession, post_id: str, *, catalogue: Catalogue, now: datetime) -> Ground | None:
    """The ground round this post; None where it is not open."""
    plain = await plain_of(session)
    ground = Ground()
    ground.add(await standing.sides(plain, [post_id], now=now))
    if post_id not in ground.sides:
        return None
    frontier, each, batches = [ground.sides[post_id]], FIRST, FAR
    market = topics_of(frontier[0], catalogue)  # no alternating path leaves it
    proposals = await proposals_of(plain, [post_id])
    if not proposals and all(line.free <= 0 for line in frontier[0].lines):
        return ground  # all of it is promised, and nothing may be moved
    for _ in range(STEPS):
        if not frontier:
            break
        found: set[str] = {other for pair in proposals for other in pair}
        for side in frontier[:FOLLOWED]:
            kind, topics = ground.kinds[side.id], [item for item in topics_of(side, catalogue) if item in market]
            if topics:
                found |= await nearest(session, plain, side, kind, topics=topics, most=each, batches=batches)
        fresh = found - ground.sides.keys()
        proposals |= await proposals_of(plain, fresh)
        tied = {other for pair in proposals for other in pair} - ground.sides.keys() - fresh
        read = sorted(await standing.sides(plain, fresh | tied, now=now), key=lambda each: each[1].id)
        ground.add(read)
        frontier, each, batches = [side for _, side in read if side.id in tied], NEXT, NEAR
    await complete(plain, ground, proposals, catalogue=catalogue, now=now)
    return ground


async def complete(
    plain: Plain, ground: Ground, proposals: dict[Pair, Proposal], *, catalogue: Catalogue, now: datetime
) -> None:
    """What else decides: proposals inside the ground, which are free to move; pairs that are barred; members kept apart; how
    often somebody was passed over or did not come; how much a member may still be promised."""
    ground.proposals = {pair: each for pair, each in proposals.items() if all(post in ground.sides for post in pair)}
    give_back(ground)
    needs = sorted(side.id for side in ground.of("need"))
    offers = sorted(side.id for side in ground.of("offer"))
    for need_id, offer_id, state, round_, disputed, closed_at in await told(
        plain, _HISTORY, needs=needs, offers=offers
    ):
        pair, urgent = (need_id, offer_id), ground.sides[need_id].urgent
        ground.rounds[pair] = max(round_, ground.rounds.get(pair, 0))
        barred = rules.barred(state, round_=round_, disputed=disputed, closed_at=closed_at, urgent=urgent, now=now)
        if barred and pair not in ground.proposals:
            ground.barred.add(pair)
    ground.taken = Counter(dict(await plain.fetch(_TAKEN, needs=needs)))
    ground.taken.subtract(need_id for need_id, _ in ground.proposals)
    authors = sorted({side.author_id for side in ground.sides.values()})
    ground.apart = {pair for a, b in await plain.fetch(_APART, members=authors) for pair in ((a, b), (b, a))}
    passed, missed = await standing.passed_over(plain, needs), await standing.no_shows(plain, authors, now=now)
    for post_id, side in ground.sides.items():
        if passed[post_id] or missed[side.author_id]:
            ground.sides[post_id] = replace(side, passed=passed[post_id], no_shows=missed[side.author_id])
    cap(ground, await standing.promised(plain, {ground.sides[each].author_id for each in needs}, now=now), catalogue)


def _history(dialect: str, prefix: str) -> Any:
    """(need, offer, state, round, whether disputed, when closed) of every match there was inside the ground."""
    inside = among(_matches.need_post_id, "needs", dialect, prefix)
    ended: tuple[Any, ...] = (_matches.state, _matches.round, _matches.disputed, _matches.closed_at)
    query = select(_matches.need_post_id, _matches.offer_post_id, *ended).where(inside)
    return query.where(among(_matches.offer_post_id, "offers", dialect, prefix))


def _taken(dialect: str, prefix: str) -> Any:
    """How many open proposals a need has."""
    these = among(_matches.need_post_id, "needs", dialect, prefix)
    query = select(_matches.need_post_id, func.count()).where(these, one_of(_matches.state, OPEN))
    return query.where(_matches.pledged.is_(False)).group_by(_matches.need_post_id)


_HISTORY: Final = Prepared(_history)
_TAKEN: Final = Prepared(_taken)
_APART: Final = Prepared(blocks.pairs)


def cap(ground: Ground, promised: Counter[tuple[str, str]], catalogue: Catalogue) -> None:
    """The needs' lines ask for no more than their authors may still be promised. `promised`: with what the ground's own
    proposals keep, which is free to move."""
    kept: Counter[str] = Counter()
    for (need_id, _), proposal in ground.proposals.items():
        for share in proposal.shares:
            kept[share.need_line] += share.quantity
            promised[ground.sides[need_id].author_id, share.item] -= share.quantity
    asked = [capping.asked(line, side, kept[line.id], catalogue) for side in ground.of("need") for line in side.lines]
    less = capping.limited(asked, promised, catalogue.get)
    for post_id, side in ground.sides.items():
        if any(line.id in less for line in side.lines):
            ground.sides[post_id] = replace(side, lines=tuple(capping.within(line, less) for line in side.lines))


def give_back(ground: Ground) -> None:
    """What the ground's own proposals keep may be assigned anew."""
    kept: Counter[str] = Counter()
    for proposal in ground.proposals.values():
        for share in proposal.shares:
            kept[share.need_line] += share.quantity
            kept[share.offer_line] += share.quantity
    for post_id, side in ground.sides.items():
        if any(line.id in kept for line in side.lines):
            lines = tuple(replace(line, free=line.free + kept[line.id]) for line in side.lines)
            ground.sides[post_id] = replace(side, lines=lines)


async def proposals_of(plain: Plain, post_ids: Collection[str]) -> dict[Pair, Proposal]:
    """The proposals of these posts that nobody has accepted."""
    return _proposals(await plain.fetch(_OF_POSTS, posts=sorted(post_ids))) if post_ids else {}


async def proposals_by_id(plain: Plain, match_ids: Sequence[str]) -> dict[Pair, Proposal]:
    """Those of these that nobody has accepted and that still stand."""
    return _proposals(await plain.fetch(_BY_ID, matches=match_ids)) if match_ids else {}


async def read_proposals(session: AsyncSession, *which: ColumnElement[bool]) -> dict[Pair, Proposal]:
    """Proposals that nobody has accepted, with what they keep, in one statement."""
    return _proposals((await session.execute(_standing(*which))).all())


def _standing(*which: ColumnElement[bool]) -> Any:
    columns: tuple[Any, ...] = (_matches.id, _matches.need_post_id, _matches.offer_post_id)
    line: tuple[Any, ...] = (_lines.need_line_id, _lines.offer_line_id, _lines.item, _lines.quantity)
    joined = Match.__table__.join(MatchLine.__table__, _lines.match_id == _matches.id)
    query = select(*columns, *line).select_from(joined).where(_matches.state == literal("proposed"), _matches.reserved)
    return query.where(*which).order_by(_matches.id, _lines.position)


def _of_posts(dialect: str, prefix: str) -> Any:
    sides = (among(side, "posts", dialect, prefix) for side in (_matches.need_post_id, _matches.offer_post_id))
    return _standing(or_(*sides))


_OF_POSTS: Final = Prepared(_of_posts)
_BY_ID: Final = Prepared(lambda dialect, prefix: _standing(among(_matches.id, "matches", dialect, prefix)))


def _proposals(rows: Iterable[Any]) -> dict[Pair, Proposal]:
    shares: dict[tuple[str, str, str], list[Share]] = {}
    for match_id, need_id, offer_id, *values in rows:
        shares.setdefault((match_id, need_id, offer_id), []).append(Share(*values))
    return {(need, offer): Proposal(match_id, tuple(each)) for (match_id, need, offer), each in shares.items()}
