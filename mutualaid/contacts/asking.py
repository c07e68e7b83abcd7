"""Asking: who may, in the order of the public contract; then one transaction: lease asked, two seats, the jobs that follow.

What may be refused is looked at twice: before, so that phones can be unsealed outside the transaction, and again under
the locks of both members and the post.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Select, String, and_, bindparam, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import lazyload

from mutualaid.contacts import ending, news, people, rules, seating, store
from mutualaid.contacts.errors import ContactLimit, ContactNotOffered, ContactQueueFull, NumbersExhausted
from mutualaid.contacts.people import Person
from mutualaid.contacts.records import Lease
from mutualaid.contacts.rules import Channel
from mutualaid.contacts.seating import Line, Two
from mutualaid.contacts.stock import Stock
from mutualaid.kit import metrics, outbox
from mutualaid.kit.clock import sql_now
from mutualaid.kit.errors import NotFound, Overloaded
from mutualaid.kit.ids import new_id
from mutualaid.matching.records import Match
from mutualaid.members import blocks, needs
from mutualaid.members import store as members
from mutualaid.members.errors import Suspended
from mutualaid.members.records import Consent, Member, Principal, Status
from mutualaid.posts import store as posts
from mutualaid.posts.errors import OwnPost
from mutualaid.posts.records import Post
from mutualaid.services import Services

_PATIENCE_PASSED = timedelta(seconds=2)  # then the worker asks the provider, whether or not a door still waits


@dataclass(frozen=True, slots=True)
class Ground:
    """What an ask stands on: whose post it is, and the agreed match between the two about it, if there is one.

    `consent`: the version of the text by which the asker lets numbers be masked, if they do. `willing`: whether the owner
    can be given a masked number. `at`: the database's own time, from which the lease's times count, whatever clock this
    process has.
    """

    post_id: str
    owner: Member
    contact: str
    region: str
    match: Match | None
    blocked: bool
    consent: int | None
    willing: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Prepared:
    """An ask that may be made, with both persons' phones read."""

    post_id: str
    owner_id: str
    channel: Channel
    people: dict[str, Person]


async def prepare(services: Services, post_id: str, channel: Channel, *, asker: Principal) -> Prepared:
    """Raise what the asker is told otherwise; read the phones. Outside any transaction that writes."""
    async with services.database.reading() as session:
        ground = await _ground(session, post_id, asker.id)
        _permit(ground, asker, channel)
        rows = [await members.get(session, asker.id), ground.owner]
    return Prepared(ground.post_id, ground.owner.id, channel, await people.load(services, rows))


async def _ground(session: AsyncSession, post_id: str, asker_id: str, *, locking: bool = False) -> Ground:
    """404 for a post that cannot be seen: ended, hidden, unknown, or of somebody who is not here."""
    if locking:  # a statement of its own: what others wrote while it waited is seen by the next one alone
        await session.execute(select(Post.id).where(Post.id == post_id).with_for_update(key_share=True))
    query = _ground_query().execution_options(populate_existing=True)
    row = (await session.execute(query, {"post": post_id, "asker": asker_id})).first()
    if row is None or (row.Post.author_id == asker_id and row.Post.ended):
        raise NotFound
    post, willing = row.Post, row.willing and row.Member.phone is not None
    return Ground(
        post_id, row.Member, post.contact, post.region, row.Match, row.blocked, row.consent, bool(willing), row.at
    )


@cache
def _ground_query() -> Select[Any]:
    """All of it in one statement. Built once: it is long."""
    post_id, asker = bindparam("post", type_=String()), bindparam("asker", type_=String())
    visible = or_(and_(Post.state == "open", Post.until > sql_now()), Post.author_id == asker)
    matched = or_(
        and_(Match.need_post_id == post_id, Match.offer_author_id == asker),
        and_(Match.offer_post_id == post_id, Match.need_author_id == asker),
    )
    masking = (Consent.purpose == "phone_masking", Consent.withdrawn_at.is_(None))
    return (
        select(Post, Member, Match)
        .add_columns(blocks.apart(asker, Post.author_id).label("blocked"))
        .add_columns(
            select(Consent.version).where(Consent.member_id == asker, *masking).scalar_subquery().label("consent")
        )
        .add_columns(exists().where(Consent.member_id == Post.author_id, *masking).label("willing"))
        .add_columns(sql_now().label("at"))
        .join(Member, Member.id == Post.author_id)
        .outerjoin(Match, and_(matched, Match.state == "agreed"))
        .where(Post.id == post_id, visible, Member.status == Status.ACTIVE.value)
        .options(lazyload(Post.lines))  # nobody here looks at them
        .limit(1)
    )


def _permit(ground: Ground, asker: Principal, channel: Channel) -> None:
    if asker.suspended:
        raise Suspended
    own = ground.owner.id == asker.id
    if not own and not _offered(ground, channel):
        raise ContactNotOffered
    needs.require_real_name(asker)
    needs.require_phone(asker)
    if channel == "call":
        given = [("phone_masking", ground.consent)] if ground.consent is not None else []
        needs.require(needs.current(given), ["phone_masking"])
    if own:
        raise OwnPost


def _offered(ground: Ground, channel: Channel) -> bool:
    """Whether the author may be asked so. `words` as the post's choice lets anybody write and nobody call."""
    if ground.blocked:
        return False
    if channel == "words":
        return ground.match is not None or ground.contact != "matches"
    if ground.contact == "words" or (ground.contact == "matches" and ground.match is None):
        return False
    return ground.willing


async def callable_(session: AsyncSession, member: Member) -> bool:
    """Whether this member can be given a masked number: they have a phone, and have not taken their consent back."""
    consents = await members.live_consents(session, member.id)
    return member.phone is not None and any(consent.purpose == "phone_masking" for consent in consents)


async def ask(
    session: AsyncSession, prepared: Prepared, *, asker: Principal, stock: Stock, now: datetime
) -> tuple[Lease, bool]:
    """The lease by which the two are in touch, and whether it is new. A call is `asked` until the provider has agreed.

    Raises `NumbersExhausted` where no number is free for these two; nothing is kept then.
    """
    rows = await store.lock_members(session, [asker.id, prepared.owner_id])
    ground = await _ground(session, prepared.post_id, asker.id, locking=True)
    if rows[asker.id].status != Status.ACTIVE.value:
        raise Suspended
    _permit(ground, asker, prepared.channel)
    held = await store.of_pair(session, ground.post_id, asker.id)
    if held is not None:
        return await _again(session, held, prepared.channel, now=now), False
    if await store.live_at_post(session, ground.post_id) >= rules.A_POST:
        raise ContactQueueFull
    if ground.match is None and await store.live_asked_by(session, asker.id) >= rules.A_MEMBER:
        raise ContactLimit
    match = ground.match
    if match is not None:  # one whose time is over, not yet written down, would stand in the way
        await ending.expire(session, Lease.match_id == match.id, now=now)
    lease = make(
        session,
        ground.post_id,
        asker_id=asker.id,
        owner_id=ground.owner.id,
        channel=prepared.channel,
        match_id=match.id if match else None,
        other_post_id=next((i for i in match.post_ids if i != ground.post_id), None) if match else None,
        at=ground.at,
    )
    await session.flush()
    await posts.count_contact(session, ground.post_id)
    news.note(session, lease, "contact.asked", actor=asker.id, now=now)
    follows = news.end_planned(lease)
    if lease.channel == "words":
        grant_words(session, lease, now=now)
    else:
        line = await seat(session, lease, prepared.people, rows, region=ground.region, stock=stock)
        if line is None:
            metrics.NUMBERS_EXHAUSTED.inc()
            raise NumbersExhausted(retry_after=rules.RETRY_EXHAUSTED_S)
        sit(lease, line)
        follows.append(outbox.job("contacts.grant", {"lease": lease.id}, at=ground.at + _PATIENCE_PASSED))
    await outbox.write_all(session, follows)
    if lease.state == "granted":
        await news.tell_ready(session, lease, now=now)
    return lease, True


async def _again(session: AsyncSession, lease: Lease, channel: Channel, *, now: datetime) -> Lease:
    """The same lease. Words that are now wanted as a call become one, in place, when a number is free."""
    if channel == "words" or lease.channel == "call" or lease.wants_call:
        return lease
    moved = await store.move(session, lease, wants_call=True)
    if moved is None:
        return lease
    news.note(session, moved, "contact.call_wanted", actor=moved.asker_id, now=now)
    await outbox.enqueue(session, "contacts.upgrade", {"lease": moved.id}, at=now)
    return moved


def make(
    session: AsyncSession,
    post_id: str,
    *,
    asker_id: str,
    owner_id: str,
    channel: Channel,
    at: datetime,
    match_id: str | None = None,
    other_post_id: str | None = None,
) -> Lease:
    """A lease that is asked for; no number yet. `at`: the database's time."""
    lease = Lease(
        id=new_id(),
        post_id=post_id,
        other_post_id=other_post_id,
        match_id=match_id,
        asker_id=asker_id,
        owner_id=owner_id,
        channel=channel,
        wants_call=channel == "call",
        state="asked",
        x=None,
        extension=None,
        fence=0,
        asked_at=at,
        granted_at=None,
        expires_at=at + rules.LEASE,
        extensions=0,
        ended_at=None,
        because=None,
        failed=None,
        binding_key=None,
        binding_ref=None,
        unbound_at=None,
    )
    session.add(lease)
    return lease


def grant_words(session: AsyncSession, lease: Lease, *, now: datetime) -> None:
    """Words need nobody outside: a lease made in this transaction is granted at once."""
    lease.channel, lease.state, lease.granted_at = "words", "granted", lease.asked_at
    news.note(session, lease, "contact.granted", actor=None, now=now)


async def seat(
    session: AsyncSession,
    lease: Lease,
    persons: dict[str, Person],
    locked: dict[str, Member],
    *,
    region: str,
    stock: Stock,
) -> Line | None:
    """Choose a number and take both seats there; the lease itself is not written. None where no number is free.

    Raises `Overloaded` where a phone was changed since it was read: asking again reads the new one.
    """
    for member_id in lease.parties():
        if member_id not in persons or locked[member_id].phone != persons[member_id].sealed:
            raise Overloaded(retry_after=1)
    a, b = (persons[member_id] for member_id in lease.parties())
    return await seating.take(session, Two(lease, a, b, region), stock)


def sit(lease: Lease, line: Line) -> None:
    """A lease made in this transaction stands on that number."""
    lease.x, lease.extension = line
    lease.binding_key = lease.id
