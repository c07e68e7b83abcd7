"""Matches by id, by pair, by post, by member. Whoever changes a match holds the locks of both its posts."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.kit.errors import NotFound
from mutualaid.matching.records import LIVE, NEVER_AGAIN, OPEN, Match, MatchLine, counted
from mutualaid.matching.rules import CAP_COUNTS, Line, Side
from mutualaid.members import persons
from mutualaid.members.records import Member, Status
from mutualaid.posts import store as posts_store
from mutualaid.posts.records import Post
from mutualaid.posts.rules import Kind

_CAP_TURN = 0x6D61_6361_7073_0000  # sets these advisory locks apart from others that are named by a member


@dataclass(frozen=True, slots=True)
class Pair:
    """A match and its two posts, locked until the transaction ends. `around`: proposals of these posts that nobody has
    accepted, with theirs, where they were asked for."""

    match: Match
    need: Post
    offer: Post
    around: tuple["Pair", ...] = ()

    def post(self, post_id: str) -> Post:
        return self.need if self.need.id == post_id else self.offer


def _mine(member_id: str) -> ColumnElement[bool]:
    return or_(Match.need_author_id == member_id, Match.offer_author_id == member_id)


async def own(session: AsyncSession, match_id: str, member_id: str) -> Match:
    """A match of one's own, to read; 404 for a foreign or unknown one."""
    query = select(Match).where(Match.id == match_id, _mine(member_id))
    found = await session.scalar(query.execution_options(populate_existing=True))
    if found is None:
        raise NotFound
    return found


async def posts_of_own(session: AsyncSession, match_id: str, member_id: str) -> Sequence[str]:
    """The ids of the two posts of a match of one's own; none for a foreign or unknown one."""
    query = select(Match.need_post_id, Match.offer_post_id).where(Match.id == match_id, _mine(member_id))
    return [*((await session.execute(query)).first() or ())]


async def lock_own(session: AsyncSession, match_id: str, member_id: str, *, around: bool = False) -> Pair:
    """A match of one's own with its posts, locked; 404 for a foreign or unknown one.

    `around`: with what may have to give way to it, where it keeps nothing itself.
    """
    found = await _lock(session, Match.id == match_id, _mine(member_id), around=around)
    if found is None:
        raise NotFound
    return found


async def lock(session: AsyncSession, match_id: str) -> Pair | None:
    """A match with its posts, locked, for the house's own deeds."""
    return await _lock(session, Match.id == match_id)


async def _lock(session: AsyncSession, *which: ColumnElement[bool], around: bool = False) -> Pair | None:
    query = select(Match.need_post_id, Match.offer_post_id, Match.reserved).where(*which)
    row = (await session.execute(query)).first()
    if row is None:
        return None
    ids = (row.need_post_id, row.offer_post_id)
    posts, pairs = await lock_around(session, ids) if around and not row.reserved else (None, ())
    posts = posts or await posts_store.lock(session, ids)
    match = (await session.scalars(select(Match).where(*which).execution_options(populate_existing=True))).one()
    return Pair(match, posts[match.need_post_id], posts[match.offer_post_id], tuple(pairs))


async def lock_around(session: AsyncSession, ids: Iterable[str]) -> tuple[dict[str, Post], list[Pair]]:
    """These posts and all that are proposed to them, locked in the order of their ids; and the proposals that nobody has
    accepted. One that is written in this very moment is not among them: its amounts stand in the way then."""
    wanted = set(ids)
    unaccepted = (
        Match.state == "proposed",
        Match.reserved,
        or_(Match.need_post_id.in_(wanted), Match.offer_post_id.in_(wanted)),
    )
    tied = await session.execute(select(Match.need_post_id, Match.offer_post_id).where(*unaccepted))
    posts = await posts_store.lock(session, wanted.union(*tied))
    query = select(Match).where(*unaccepted).order_by(Match.proposed_at.desc(), Match.id)
    matches = await session.scalars(query.execution_options(populate_existing=True))
    return posts, [
        Pair(match, posts[match.need_post_id], posts[match.offer_post_id])
        for match in matches
        if match.need_post_id in posts and match.offer_post_id in posts
    ]


async def lock_live(session: AsyncSession, *which: ColumnElement[bool], also: Iterable[str] = ()) -> list[Pair]:
    """All live matches of this kind with their posts, and the posts `also`, locked in the order of the posts' ids."""
    live = (Match.state.in_(LIVE), *which)
    found = await session.execute(select(Match.need_post_id, Match.offer_post_id).where(*live))
    posts = await posts_store.lock(session, {post_id for pair in found for post_id in pair} | set(also))
    query = select(Match).where(*live, Match.need_post_id.in_(posts), Match.offer_post_id.in_(posts)).order_by(Match.id)
    matches = await session.scalars(query.execution_options(populate_existing=True))
    return [Pair(match, posts[match.need_post_id], posts[match.offer_post_id]) for match in matches]


def of_post(post_id: str) -> ColumnElement[bool]:
    return or_(Match.need_post_id == post_id, Match.offer_post_id == post_id)


def of_member(member_id: str) -> ColumnElement[bool]:
    return _mine(member_id)


def of_both(a: Collection[str], b: Collection[str]) -> ColumnElement[bool]:
    """Between one of these members and one of those, whoever has the need."""
    return or_(
        and_(Match.need_author_id.in_(a), Match.offer_author_id.in_(b)),
        and_(Match.need_author_id.in_(b), Match.offer_author_id.in_(a)),
    )


async def unfinished_posts(session: AsyncSession, member_ids: Collection[str]) -> Sequence[str]:
    """The ids of these members' posts that have not ended."""
    query = select(Post.id).where(Post.author_id.in_(member_ids), Post.state.in_(("open", "hidden")))
    return (await session.scalars(query)).all()


async def latest(session: AsyncSession, need_id: str, offer_id: str) -> Match | None:
    """The pair's last round. The posts are locked by the caller."""
    query = select(Match).where(Match.need_post_id == need_id, Match.offer_post_id == offer_id)
    return await session.scalar(query.order_by(Match.round.desc()).limit(1).execution_options(populate_existing=True))


def proposals(need_id: ColumnElement[str] | str) -> Select[int]:
    """How many open proposals a need has; pledges do not count."""
    return (
        select(func.count())
        .select_from(Match)
        .where(Match.need_post_id == need_id, Match.state.in_(OPEN), Match.pledged.is_(False))
    )


async def rounds(session: AsyncSession, post: Side, kind: Kind, others: Sequence[str]) -> dict[str, int]:
    """How often this post was matched before with each of the others; those never matched are left out."""
    here, there = _columns(kind)
    query = select(there, func.max(Match.round)).where(here == post.id, there.in_(others)).group_by(there)
    return {other: highest for other, highest in await session.execute(query)}


def _columns(kind: Kind) -> tuple[ColumnElement[str], ColumnElement[str]]:
    need, offer = Match.__table__.c.need_post_id, Match.__table__.c.offer_post_id
    return (need, offer) if kind == "need" else (offer, need)


async def is_pledged(session: AsyncSession, one: str, other: str) -> bool:
    """Whether one of these two posts stands pledged to the other, and nothing is kept for it."""
    pledged = Match.state == "accepted", ~Match.reserved
    pair = Match.need_post_id.in_((one, other)), Match.offer_post_id.in_((one, other))
    return bool(await session.scalar(select(exists().where(*pledged, *pair))))


async def has_agreed(session: AsyncSession, post_id: str) -> bool:
    return bool(await session.scalar(select(exists().where(of_post(post_id), Match.state == "agreed"))))


async def agreed_of(session: AsyncSession, post_id: str) -> Sequence[str]:
    """The agreed matches of a post."""
    return (await session.scalars(select(Match.id).where(of_post(post_id), Match.state == "agreed"))).all()


async def promised(session: AsyncSession, member_id: str, *, but: str, now: datetime) -> dict[str, int]:
    """How much of each item this member was promised or given in the last seven days, by whichever of their accounts, the
    match `but` left out.

    Nobody else counts for this person until the transaction ends. It is the last lock that a deed takes.
    """
    if session.get_bind().dialect.name == "postgresql":
        person = await session.scalar(select(Member.identity_lookup).where(Member.id == member_id))
        turn = (int(person.hex()[:16] if person else member_id[:16], 16) ^ _CAP_TURN) - 2**63
        await session.execute(text("SELECT pg_advisory_xact_lock(:turn)"), {"turn": turn})
    query = (
        select(MatchLine.item, func.sum(counted()))
        .join(Match, Match.id == MatchLine.match_id)
        .where(
            Match.need_author_id.in_(persons.accounts(member_id)),
            Match.state.in_(("agreed", "completed")),
            Match.agreed_at > now - CAP_COUNTS,
            Match.id != but,
        )
        .group_by(MatchLine.item)
    )
    return {item: int(amount) for item, amount in await session.execute(query)}


async def given_lately(
    session: AsyncSession, member_id: str, *, now: datetime
) -> dict[str, list[tuple[datetime, int]]]:
    """Of each item what this member was promised or given in the last seven days, by whichever of their accounts, and when
    it was agreed."""
    query = select(MatchLine.item, Match.agreed_at, counted()).join(Match, Match.id == MatchLine.match_id)
    lately = (Match.state.in_(("agreed", "completed")), Match.agreed_at > now - CAP_COUNTS)
    found: dict[str, list[tuple[datetime, int]]] = {}
    theirs = Match.need_author_id.in_(persons.accounts(member_id))
    for item, agreed_at, units in await session.execute(query.where(theirs, *lately)):
        assert agreed_at is not None, "those were asked for"
        found.setdefault(item, []).append((agreed_at, int(units)))
    return found


@dataclass(frozen=True, slots=True)
class Waiting:
    """A match of one's own post that waits for an answer; `mine`: for one's own, else for the neighbour's."""

    match_id: str
    mine: bool


async def waiting(session: AsyncSession, member_id: str, *, now: datetime) -> dict[str, Waiting]:
    """By either post the match of this member's that waits for an answer, one's own answer first, then the newest."""
    query = select(Match).where(_mine(member_id), Match.state.in_(OPEN), Match.expires_at > now)
    found: dict[str, Waiting] = {}
    for match in await session.scalars(query.order_by(Match.proposed_at.desc(), Match.id)):
        side = match.side_of(member_id)
        mine = side not in match.accepted_by
        for post_id in match.post_ids:
            if post_id not in found or (mine and not found[post_id].mine):
                found[post_id] = Waiting(match.id, mine)
    return found


async def never_again(session: AsyncSession, post_id: str) -> set[str]:
    """The posts that this one was matched with and that declined it, or that it failed with: no pledge goes there."""
    query = select(Match.need_post_id, Match.offer_post_id).where(of_post(post_id), Match.state.in_(NEVER_AGAIN))
    return {other for pair in await session.execute(query) for other in pair} - {post_id}


async def newest(
    session: AsyncSession, which: ColumnElement[bool], *, after: tuple[datetime, str] | None, limit: int
) -> Sequence[Match]:
    """`proposed_at` descending, then id."""
    query = select(Match).where(which).order_by(Match.proposed_at.desc(), Match.id).limit(limit)
    if after is not None:
        moment, last = after
        older = or_(Match.proposed_at < moment, and_(Match.proposed_at == moment, Match.id > last))
        query = query.where(older)
    return (await session.scalars(query)).all()


async def owns_post(session: AsyncSession, post_id: str, member_id: str) -> bool:
    return bool(await session.scalar(select(exists().where(Post.id == post_id, Post.author_id == member_id))))


async def in_words(session: AsyncSession, post_ids: Sequence[str]) -> bool:
    """Whether one of these open posts is for words only, so that no number is ever masked between the two."""
    query = select(exists().where(Post.id.in_(post_ids), Post.state == "open", Post.contact == "words"))
    return bool(await session.scalar(query))


async def sides(session: AsyncSession, posts: Iterable[Post]) -> dict[str, Side]:
    """These posts as the rules see them, by id."""
    wanted = list(posts)
    columns = (Member.id, Member.status, Member.age_band, Member.identity_lookup)
    query = select(*columns).where(Member.id.in_({post.author_id for post in wanted}))
    authors = {
        row.id: (row.status == Status.ACTIVE.value, row.age_band, row.identity_lookup)
        for row in await session.execute(query)
    }
    return {post.id: _side(post, *authors[post.author_id]) for post in wanted}


def _side(post: Post, here: bool, age_band: str | None, person: bytes | None) -> Side:
    return Side(
        id=post.id,
        author_id=post.author_id,
        author_here=here,
        author_age_band=age_band,
        open=post.state == "open",
        cell=post.cell,
        reach_km=post.reach_km,
        ways=frozenset(post.handover),
        windows=tuple(post.windows),
        until=post.until,
        urgent=post.urgency == "urgent",
        since=post.created_at,
        for_other=post.for_other,
        age_band=post.beneficiary_age_band,
        lines=tuple(
            Line(id=line.id, item=line.item, free=line.free, expires_on=line.expires_on, substitutes=line.substitutes)
            for line in post.lines
        ),
        person=person,
    )
