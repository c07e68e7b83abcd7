"""What the worker does for contacts. Every function may run again: statements decide whether there is something to do."""

from datetime import datetime

from mutualaid.contacts import actions, calls, ending, granting, issuing, reconciling, stock, store
from mutualaid.contacts.records import Lease
from mutualaid.contacts.rules import LIVE
from mutualaid.contacts.stock import Stock
from mutualaid.kit import outbox
from mutualaid.matching import ending as matching
from mutualaid.posts import store as posts
from mutualaid.posts.rules import HIDDEN_STILL_ROUTES
from mutualaid.providers.numbers import BindingRef
from mutualaid.services import Services


async def grant(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """`contacts.grant`: ask the provider for what was asked here."""
    await granting.grant(services, payload["lease"], now=now)


async def on_match_agreed(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """Both said yes: a contact for both. Also `contacts.issue`."""
    await issuing.issue(services, payload["match"], now=now)


async def on_match_ended(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """A match failed or was withdrawn: its contact ends with it."""
    async with services.database.transaction() as session:
        await ending.release_for_match(session, payload["match"], now=now)


async def upgrade(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """`contacts.upgrade`: words that stand in for a call."""
    await issuing.upgrade(services, payload["lease"], now=now)


async def on_post_ended(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """A post is over: its numbers go back."""
    async with services.database.transaction() as session:
        await ending.release_for_post(session, payload["post"], now=now)


async def on_post_hidden(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """A hidden post's numbers route for a day more; then they go back, unless it was restored. Also `contacts.cut_hidden`."""
    async with services.database.transaction() as session:
        post = await posts.get(session, payload["post"])
        if post is None or post.state != "hidden" or post.hidden_at is None:
            return
        over = post.hidden_at + HIDDEN_STILL_ROUTES
        if over <= now:
            await ending.release_for_post(session, post.id, because="post_hidden", now=now)
        else:
            key = f"contacts.cut_hidden:{post.id}:{over.isoformat()}"
            await outbox.enqueue(session, "contacts.cut_hidden", {"post": post.id}, at=over, key=key)


async def on_blocked(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """One member has blocked another, wherever: what is left between the two ends."""
    blocker = payload["blocker"]
    async with services.database.transaction() as session:
        await matching.end_between(session, blocker, payload["blocked"], now=now)
        await ending.release_between(session, blocker, payload["blocked"], actor=blocker, now=now)


async def expire(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """`contacts.expire`: a contact's time is over, unless it was extended."""
    async with services.database.transaction() as session:
        await ending.expire(session, Lease.id == payload["lease"], now=now)


async def warn(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """`contacts.warn`: a contact's last hour."""
    async with services.database.transaction() as session:
        await actions.warn(session, payload["lease"], now=now)


async def renew(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """`contacts.renew`: the provider keeps an extended call's binding for as long; one it has dropped is bound anew."""
    async with services.database.reading() as session:
        lease = await store.get(session, payload["lease"])
    if lease is None or lease.state not in LIVE or lease.channel != "call" or lease.binding_key is None:
        return
    await reconciling.renew(services, lease, now=now)


async def let_go(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """`contacts.release`: the provider forgets a binding; one that it does not know is done."""
    ref = BindingRef(payload["key"], payload["x"], payload["ref"] or None)
    await reconciling.let_go(services, payload["lease"], ref, now=now)


async def reconcile(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """`contacts.reconcile`: some of the leases that the provider may hold; then the next."""
    last, _ = await reconciling.some(services, after=payload["after"], now=now)
    if last is not None:
        async with services.database.transaction() as session:
            await outbox.enqueue(
                session, "contacts.reconcile", {"after": last}, at=now, key=f"contacts.reconcile:{last}"
            )


async def call_ended(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """`contacts.call_ended`: two have talked."""
    async with services.database.transaction() as session:
        await calls.ask_solved(session, payload["call"], now=now)


async def unanswered(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """`contacts.unanswered`: somebody called, and nobody answered."""
    async with services.database.transaction() as session:
        await calls.unanswered(session, payload["call"], now=now)


async def daily(services: Services, _payload: dict[str, str], *, now: datetime) -> None:
    """Housekeeping: what the clock has ended is written down, old call records go, the pool's rows and the leases agree
    with the maker."""
    async with services.database.transaction() as session:
        await ending.expire(session, now=now)
        await calls.sweep(session, now=now)
        await stock.sync(session, Stock.of(services))
        await outbox.enqueue(session, "contacts.reconcile", {"after": ""}, at=now, key="contacts.reconcile:")
