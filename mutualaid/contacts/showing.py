"""Contacts, calls and words as one of the two sees them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.contacts import store
from mutualaid.contacts.records import Lease, Message
from mutualaid.contacts.rules import LIVE
from mutualaid.contacts.wire import (
    CallList,
    CallView,
    ContactList,
    ContactView,
    MessageList,
    MessageView,
    PageQuery,
)
from mutualaid.kit import cursors, sealing
from mutualaid.kit.ring import KeyRing
from mutualaid.kit.sealing import DataKey
from mutualaid.matching.records import Match
from mutualaid.members import own_phone
from mutualaid.members import store as members
from mutualaid.posts import cards
from mutualaid.posts.records import ENDED
from mutualaid.services import Services

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Around:
    """What of a contact's surroundings its reader can still open, and what can still be done there."""

    agreed: bool  # its match is agreed: a handover can be registered
    post_seen: bool
    post_open: bool
    post_ended: bool


async def around(session: AsyncSession, lease: Lease, *, reader: str, now: datetime) -> Around:
    """How its match and its post stand."""
    match = await session.get(Match, lease.match_id) if lease.match_id else None
    post = await cards.visible(session, lease.post_id, reader=reader)
    return Around(
        agreed=match is not None and match.state == "agreed",
        post_seen=post is not None,
        post_open=post is not None and post.state == "open" and post.until > now,
        post_ended=post is None or post.state in ENDED,
    )


async def caller(services: Services, member_id: str) -> str | None:
    """A member's own number, masked; None for one without a phone."""
    key = await services.keys.get(member_id)
    async with services.database.reading() as session:
        member = await members.get(session, member_id)
    return own_phone.masked(member, key=key)


async def contact(
    session: AsyncSession, lease: Lease, *, reader: str, caller: str | None, now: datetime
) -> ContactView:
    return (await contacts(session, [lease], reader=reader, caller=caller, now=now))[0]


async def contacts(
    session: AsyncSession, leases: Sequence[Lease], *, reader: str, caller: str | None, now: datetime
) -> list[ContactView]:
    names = await store.display_names(session, (lease.counterpart(reader) for lease in leases))
    over = await store.posts_over(session, (lease for lease in leases if lease.state in LIVE))
    return [
        ContactView.of(
            lease,
            reader=reader,
            caller=caller,
            counterpart=names.get(lease.counterpart(reader), ""),
            over=over.get(lease.post_id) or over.get(lease.other_post_id or ""),
            now=now,
        )
        for lease in leases
    ]


def _after(ring: KeyRing, bound: str, cursor: str | None) -> tuple[datetime, str] | None:
    if cursor is None:
        return None
    micros, row_id = cursors.decode(ring, bound, cursor, kinds=(int, str))
    return _EPOCH + timedelta(microseconds=micros), row_id


def _cursor(ring: KeyRing, bound: str, at: datetime, row_id: str) -> str:
    return cursors.encode(ring, bound, [(at - _EPOCH) // _MICROSECOND, row_id])


async def own(services: Services, asked: PageQuery, member_id: str, *, now: datetime) -> ContactList:
    """Every contact one has a seat in, the newest first."""
    bound, me = f"contacts|{member_id}", await caller(services, member_id)
    async with services.database.reading() as session:
        after = _after(services.ring, bound, asked.cursor)
        found = await store.own_leases(session, member_id, after=after, limit=asked.limit + 1)
        page = found[: asked.limit]
        items = await contacts(session, page, reader=member_id, caller=me, now=now)
    more = len(found) > asked.limit
    cursor = _cursor(services.ring, bound, page[-1].asked_at, page[-1].id) if more else None
    return ContactList(items=items, next_cursor=cursor)


async def calls(services: Services, asked: PageQuery, lease_id: str, member_id: str) -> CallList:
    """The calls of one contact, the newest first."""
    bound = f"calls|{lease_id}"
    async with services.database.reading() as session:
        lease = await store.get_own(session, lease_id, member_id)
        after = _after(services.ring, bound, asked.cursor)
        found = await store.calls_of(session, lease_id, after=after, limit=asked.limit + 1)
    page = found[: asked.limit]
    cursor = _cursor(services.ring, bound, page[-1].at, page[-1].id) if len(found) > asked.limit else None
    return CallList(items=[CallView.of(call, lease, reader=member_id) for call in page], next_cursor=cursor)


async def messages(services: Services, asked: PageQuery, lease_id: str, member_id: str) -> MessageList:
    """The words of one contact, the oldest first; those of an erased member cannot be read any more."""
    bound = f"messages|{lease_id}"
    async with services.database.reading() as session:
        lease = await store.get_own(session, lease_id, member_id)
        after = cursors.decode(services.ring, bound, asked.cursor, kinds=(int,))[0] if asked.cursor else 0
        found = await store.messages_of(session, lease_id, after=after, limit=asked.limit + 1)
    page = found[: asked.limit]
    cursor = cursors.encode(services.ring, bound, [page[-1].position]) if len(found) > asked.limit else None
    return MessageList(items=await _opened(services, lease, page, member_id), next_cursor=cursor)


async def last_messages(services: Services, asked: PageQuery, lease: Lease, member_id: str) -> MessageList:
    """The newest words of one contact, as they were written one after the other; the cursor leads to earlier ones."""
    bound = f"messages-before|{lease.id}"
    before = cursors.decode(services.ring, bound, asked.cursor, kinds=(int,))[0] if asked.cursor else None
    async with services.database.reading() as session:
        found = await store.last_messages(session, lease.id, before=before, limit=asked.limit + 1)
    page = found[: asked.limit][::-1]
    cursor = cursors.encode(services.ring, bound, [page[0].position]) if len(found) > asked.limit else None
    return MessageList(items=await _opened(services, lease, page, member_id), next_cursor=cursor)


async def _opened(services: Services, lease: Lease, page: Sequence[Message], member_id: str) -> list[MessageView]:
    keys = await services.keys.get_many(lease.parties())
    return [message(one, keys.get(one.author_id), reader=member_id) for one in page]


def message(one: Message, key: DataKey | None, *, reader: str) -> MessageView:
    text = None
    if key is not None:
        text = sealing.unseal_text(key, one.words, table="messages", column="words", row=one.id)
    return MessageView(id=one.id, mine=one.author_id == reader, text=text, scrubbed=one.scrubbed, at=one.at)
