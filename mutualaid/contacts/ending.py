"""Release: one conditional statement for however many leases, seats into quarantine, both told, the provider later.

Other rooms call `release_for_post`, `release_for_members`, `release_calls_of` in the transaction of their own deed. The
number refuses even before: the decision at each call joins posts, members and blocks.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.contacts import store
from mutualaid.contacts.granting import let_go
from mutualaid.contacts.news import note, tell_both
from mutualaid.contacts.records import Lease, Seat
from mutualaid.contacts.rules import LIVE, QUARANTINE, EndedBecause
from mutualaid.kit import outbox
from mutualaid.kit.clock import sql_now
from mutualaid.matching.records import Match
from mutualaid.members import persons


async def release(
    session: AsyncSession, *which: ColumnElement[bool], because: EndedBecause, actor: str | None, now: datetime
) -> Sequence[Lease]:
    """End the live leases that `which` names. Those that ended meanwhile are left as they are; the released are returned.

    Rows are locked in the order of their ids, so that two that release the same ones never wait in a circle.
    """
    live = (Lease.state.in_(LIVE), *which)
    ids = (await session.scalars(select(Lease.id).where(*live).order_by(Lease.id).with_for_update())).all()
    if not ids:
        return ()
    # The clock ends a lease at its own time, however late it is written down: quarantine has counted from then. What ends
    # before, ends by the database's clock: one of ours that is slow would end a quarantine early.
    over = Lease.expires_at if because == "expired" else sql_now()
    ended = (
        await session.scalars(
            update(Lease)
            .where(Lease.id.in_(ids), Lease.state.in_(LIVE))
            .values(state="released", ended_at=over, because=because, fence=Lease.fence + 1)
            .returning(Lease)
            .execution_options(synchronize_session=False, populate_existing=True)
        )
    ).all()
    if because != "expired":
        await session.execute(
            update(Seat)
            .where(Seat.lease_id.in_([lease.id for lease in ended]))
            .values(until=sql_now(ago=-QUARANTINE))
            .execution_options(synchronize_session=False)
        )
    for lease in ended:
        note(session, lease, "contact.released", actor=actor, now=now, because=because)
        await let_go(session, lease, now=now)
        await tell_both(session, "contact.ended", lease, now=now, reason=because, actor=actor or "")
        if because == "expired" and lease.match_id is not None:
            await outbox.enqueue(session, "match.unrecorded", {"match": lease.match_id}, at=now)
    return ended


async def release_one(
    session: AsyncSession, lease_id: str, *, because: EndedBecause, actor: str | None, now: datetime
) -> bool:
    """End one lease. False where it had ended already."""
    return bool(await release(session, Lease.id == lease_id, because=because, actor=actor, now=now))


async def release_for_post(
    session: AsyncSession,
    post_id: str,
    *,
    because: EndedBecause = "post_ended",
    actor: str | None = None,
    now: datetime,
) -> int:
    """A post is over (or cut off by a ruling): whoever was in touch about it no longer is. How many leases ended."""
    return len(await release(session, store.of_post(post_id), because=because, actor=actor, now=now))


async def release_for_members(
    session: AsyncSession, member_ids: Collection[str], *, because: EndedBecause, actor: str | None, now: datetime
) -> int:
    """Somebody is suspended, with all accounts of theirs, erased, or has another phone: all their leases end. How many there
    were."""
    theirs = or_(*(store.of_member(member_id) for member_id in member_ids))
    return len(await release(session, theirs, because=because, actor=actor, now=now))


async def release_between(session: AsyncSession, one: str, other: str, *, actor: str | None, now: datetime) -> int:
    """One has blocked the other: every lease between the two people ends."""
    ones, others = await persons.ids_of(session, one), await persons.ids_of(session, other)
    pair = or_(
        and_(Lease.asker_id.in_(ones), Lease.owner_id.in_(others)),
        and_(Lease.asker_id.in_(others), Lease.owner_id.in_(ones)),
    )
    return len(await release(session, pair, because="blocked", actor=actor, now=now))


async def release_calls_of(
    session: AsyncSession,
    member_id: str,
    *,
    because: EndedBecause = "consent_withdrawn",
    actor: str | None,
    now: datetime,
) -> int:
    """Consent to masked numbers is taken back: the member's calls end, words go on. An agreed match gets words anew.

    Call it in the transaction that withdraws the consent: the contact that is issued anew heeds it.
    """
    calls = or_(Lease.channel == "call", Lease.x.is_not(None))
    ended = await release(session, store.of_member(member_id), calls, because=because, actor=actor, now=now)
    for lease in ended:
        if lease.match_id is not None:
            await outbox.enqueue(session, "contacts.issue", {"match": lease.match_id}, at=now)
    return len(ended)


async def release_for_match(session: AsyncSession, match_id: str, *, now: datetime) -> int:
    """A match failed or was withdrawn: its contact ends. A completed one keeps it until it expires or a post ends."""
    over = select(Match.id).where(Match.id == match_id, Match.state.in_(["failed", "withdrawn"])).exists()
    found = await release(session, Lease.match_id == match_id, over, because="match_ended", actor=None, now=now)
    return len(found)


async def expire(session: AsyncSession, *which: ColumnElement[bool], now: datetime) -> int:
    """Write down what the clock has decided already: leases whose time is over."""
    over = Lease.expires_at <= sql_now()
    return len(await release(session, over, *which, because="expired", actor=None, now=now))
