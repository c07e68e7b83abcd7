"""An agreed match gets a contact for both: a call where that can be, else words at once and a call when a number is free."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.contacts import asking, ending, news, people, rules, seating, store
from mutualaid.contacts.people import Person
from mutualaid.contacts.records import Lease
from mutualaid.contacts.seating import Line
from mutualaid.contacts.stock import Stock
from mutualaid.kit import outbox
from mutualaid.matching import store as matches
from mutualaid.matching.records import Match
from mutualaid.members.records import Member, Status
from mutualaid.posts.records import Post
from mutualaid.services import Services


@dataclass(frozen=True, slots=True)
class _Two:
    """The members of a match (owner: the need's author), and their phones where both may be called."""

    asker_id: str
    owner_id: str
    persons: dict[str, Person] | None


async def issue(services: Services, match_id: str, *, now: datetime) -> None:
    """Make the contact of an agreed match, once: one that is live already, also from the plaza, becomes the match's."""
    two = await _read(services, match_id)
    if two is None:
        return
    async with services.database.transaction() as session:
        locked = await store.lock_members(session, [two.asker_id, two.owner_id])
        pair = await matches.lock(session, match_id)
        if pair is None or pair.match.state != "agreed" or pair.need.ended or pair.offer.ended:
            return
        if any(member.status != Status.ACTIVE.value for member in locked.values()):
            return
        match = pair.match
        if await session.scalar(select(Lease.id).where(Lease.match_id == match.id, store.live())):
            return
        await ending.expire(
            session, Lease.match_id == match.id, now=now
        )  # not yet written down, it would stand in the way
        if await _adopt(session, match, calls=two.persons is not None, now=now):
            return
        await _make(services, session, match, two, locked, region=pair.need.region, now=now)


async def _read(services: Services, match_id: str) -> _Two | None:
    async with services.database.reading() as session:
        match = await session.get(Match, match_id)
        if match is None or match.state != "agreed":
            return None
        posts = [await session.get(Post, post_id) for post_id in match.post_ids]
        members = [await session.get(Member, i) for i in (match.offer_author_id, match.need_author_id)]
        there = [member for member in members if member is not None]
        by_phone = services.numbers.caps.calls and all(post is not None and post.contact != "words" for post in posts)
        for member in there:
            by_phone = by_phone and await asking.callable_(session, member)
    persons = await people.load(services, there) if by_phone else {}
    return _Two(match.offer_author_id, match.need_author_id, persons if len(persons) == 2 else None)


async def _adopt(session: AsyncSession, match: Match, *, calls: bool, now: datetime) -> bool:
    """The two are in touch already about one of the posts: that contact is the match's from now on."""
    of_need = and_(Lease.post_id == match.need_post_id, Lease.asker_id == match.offer_author_id)
    of_offer = and_(Lease.post_id == match.offer_post_id, Lease.asker_id == match.need_author_id)
    query = select(Lease).where(store.live(), Lease.match_id.is_(None), or_(of_need, of_offer)).order_by(Lease.asked_at)
    for lease in (await session.scalars(query)).all():
        other = match.offer_post_id if lease.post_id == match.need_post_id else match.need_post_id
        wants = lease.wants_call or calls
        moved = await store.move(session, lease, match_id=match.id, other_post_id=other, wants_call=wants)
        if moved is None:
            continue
        news.note(session, moved, "contact.of_match", actor=None, now=now, match=match.id)
        if moved.channel == "words" and calls and moved.x is None:
            await outbox.enqueue(session, "contacts.upgrade", {"lease": moved.id}, at=now)
        return True
    return False


async def _make(
    services: Services,
    session: AsyncSession,
    match: Match,
    two: _Two,
    locked: dict[str, Member],
    *,
    region: str,
    now: datetime,
) -> None:
    lease = asking.make(
        session,
        match.need_post_id,
        asker_id=two.asker_id,
        owner_id=two.owner_id,
        channel="words" if two.persons is None else "call",
        match_id=match.id,
        other_post_id=match.offer_post_id,
        at=await store.clock(session),
    )
    await session.flush()
    news.note(session, lease, "contact.asked", actor=None, now=now, match=match.id)
    line = None
    if two.persons is not None:
        line = await asking.seat(session, lease, two.persons, locked, region=region, stock=Stock.of(services))
    if line is not None:
        asking.sit(lease, line)
        await outbox.enqueue(session, "contacts.grant", {"lease": lease.id}, at=now)
    else:
        asking.grant_words(session, lease, now=now)
        await news.tell_ready(session, lease, now=now)
        if lease.wants_call:
            await outbox.enqueue(session, "contacts.upgrade", {"lease": lease.id}, at=now + rules.UPGRADE_EVERY)
    await session.flush()
    await news.plan_end(session, lease)


async def upgrade(services: Services, lease_id: str, *, now: datetime) -> None:
    """Words that stand in for a call: try for a number again, and plan the next try where there is none. Nothing more is
    tried where the author of either post has chosen words."""
    async with services.database.reading() as session:
        lease = await store.get(session, lease_id)
        if lease is None or not _waiting(lease, now):
            return
        members = [await session.get(Member, member_id) for member_id in lease.parties()]
        there = [member for member in members if member is not None]
        willing = [member for member in there if await asking.callable_(session, member)]
    persons = await people.load(services, willing)
    if len(persons) < 2 or not services.numbers.caps.calls:
        return
    async with services.database.transaction() as session:
        locked = await store.lock_members(session, lease.parties())
        held = await store.get(session, lease_id)
        if held is None or not _waiting(held, now):
            return
        if await _words_chosen(session, held):
            await store.move(session, held, wants_call=False)  # until somebody asks for a call again
            return
        seated = await _seat_again(services, session, held, persons, locked, now=now)
        name, at = ("contacts.grant", now) if seated else ("contacts.upgrade", now + rules.UPGRADE_EVERY)
        await outbox.enqueue(session, name, {"lease": lease_id}, at=at)


async def _words_chosen(session: AsyncSession, lease: Lease) -> bool:
    """Whether the author of a post they are in touch about wants words, by now."""
    about = (lease.post_id, lease.other_post_id)
    return bool(await session.scalar(select(exists().where(Post.id.in_(about), Post.contact == "words"))))


def _waiting(lease: Lease, now: datetime) -> bool:
    over = rules.shown_state(lease.state, lease.expires_at, now) != "granted"
    return not over and lease.wants_call and lease.channel == "words" and lease.x is None


async def _seat_again(
    services: Services,
    session: AsyncSession,
    lease: Lease,
    persons: dict[str, Person],
    locked: dict[str, Member],
    *,
    now: datetime,
) -> Line | None:
    post = await session.get_one(Post, lease.post_id)
    line = await asking.seat(session, lease, persons, locked, region=post.region, stock=Stock.of(services))
    if line is None:
        return None
    key = f"{lease.id}.{lease.fence}"
    moved = await store.move(
        session, lease, x=line.x, extension=line.extension, binding_key=key, binding_ref=None, unbound_at=None
    )
    if moved is None:  # it ended under us: nobody was reached by these seats
        await seating.free(session, lease.id)
        return None
    news.note(session, moved, "contact.seated", actor=None, now=now)
    return line
