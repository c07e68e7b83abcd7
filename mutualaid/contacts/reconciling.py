"""The provider and we agree about what is bound, whatever died between a call to it and our commit.

Every binding was asked for by a lease that was committed before, under that lease's key. So the leases name whatever the
provider can hold: what stands here and is bound nowhere is bound anew, what has ended here and may be held there is let
go of. Everything may be done twice, at once, and by a worker that was paused: a key is bound once, unbinding what is gone
is done, and a lease is written only as it was read.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import or_, select, update

from mutualaid.contacts import granting, people, store
from mutualaid.contacts.records import Lease
from mutualaid.contacts.rules import GIVEN_UP, LIVE
from mutualaid.kit import audit
from mutualaid.kit.clock import sql_now
from mutualaid.kit.phones import Phone
from mutualaid.members.records import Member
from mutualaid.providers.numbers import BindingGone, BindingRef, NumbersRefused
from mutualaid.services import Services

AT_ONCE: Final = 100  # leases of one job: well within its time, though each is a call to the provider


async def all_of_them(services: Services, *, now: Callable[[], datetime], told: Callable[[int], None]) -> Counter[str]:
    """Every lease that the provider may hold. What was done, by its name; `told`: how many were looked at."""
    found: Counter[str] = Counter()
    after: str | None = ""
    while after is not None:
        after, done = await some(services, after=after, now=now())
        found += done
        told(found.total())
    return found


async def some(services: Services, *, after: str, now: datetime) -> tuple[str | None, Counter[str]]:
    """The next `AT_ONCE` by their ids. Where to go on, None at the end; and what was done, by its name.

    Raises Throttled and ProviderDown.
    """
    held = (Lease.binding_key.is_not(None), or_(Lease.state.in_(LIVE), Lease.unbound_at.is_(None)))
    query = select(Lease).where(Lease.id > after, *held).order_by(Lease.id).limit(AT_ONCE)
    async with services.database.reading() as session:
        leases = (await session.scalars(query)).all()
        clock = await store.clock(session)
    done = Counter([await _one(services, lease, clock=clock, now=now) for lease in leases])
    return (leases[-1].id if len(leases) == AT_ONCE else None), done


async def _one(services: Services, lease: Lease, *, clock: datetime, now: datetime) -> str:
    if lease.state not in LIVE:
        await let_go(services, lease.id, granting.ref_of(lease), now=now)
        return "let go"
    if lease.expires_at <= clock:
        return "over"  # the sweep writes that down, and lets go
    if granting.pending(lease):
        if lease.asked_at + GIVEN_UP > clock:
            return "under way"
        await granting.grant(services, lease.id, now=now)
        return "granted late"
    if not services.numbers.caps.keeps_bindings:
        return "agreed"
    binding = await services.numbers.query(await _known_by_phones(services, lease))
    if binding is None:
        return "bound anew" if await _bind_anew(services, lease, now=now) else "refused"
    if binding.expires_at < lease.expires_at:
        await renew(services, lease, now=now)
        return "renewed"
    return "agreed"


async def renew(services: Services, lease: Lease, *, now: datetime) -> None:
    """The provider keeps an extended call's binding for as long; one it has dropped, or cannot renew, is bound anew."""
    ref = await _known_by_phones(services, lease)
    if services.numbers.caps.renewable:
        try:
            await services.numbers.renew(ref, lease.expires_at)
            return
        except BindingGone:
            pass
    else:
        await services.numbers.unbind(ref)
    await _bind_anew(services, lease, now=now)


async def _bind_anew(services: Services, lease: Lease, *, now: datetime) -> bool:
    """False where the provider will not: the two go on in words."""
    plan = await granting.plan(services, lease.id, again=True)
    if plan is None:
        return False
    try:
        binding = await granting.bind(services, plan)
    except NumbersRefused as problem:
        async with services.database.transaction() as session:
            await granting.give_up(session, plan.lease, granting.code_of(problem), now=now)
        return False
    async with services.database.transaction() as session:
        held = await store.get(session, lease.id)
        if held is None or held.state not in LIVE or held.binding_key != lease.binding_key:
            await granting.let_go(session, lease, now=now)  # it ended while the provider was asked
        elif held.binding_ref != binding.ref:
            await store.move(session, held, binding_ref=binding.ref)
    return True


async def _known_by_phones(services: Services, lease: Lease) -> BindingRef:
    """A live lease's binding, also for a maker whose answer was lost and that tells of a binding by its two phones alone."""
    return replace(granting.ref_of(lease), people=await _phones(services, lease))


async def let_go(services: Services, lease_id: str, ref: BindingRef, *, now: datetime) -> None:
    """The provider forgets a binding; one that it does not know is done.

    Not one that a live lease stands on: of two who granted it at once, the slower wanted to let go of it. A lease that
    is over stays over, so nothing can come between this look and the provider.
    """
    async with services.database.reading() as session:
        lease = await store.get(session, lease_id)
    if lease is not None and lease.state in LIVE and lease.binding_key == ref.key:
        return
    if lease is not None and ref.ref is None:
        ref = replace(ref, people=await _phones(services, lease))
    await services.numbers.unbind(ref)
    async with services.database.transaction() as session:
        done = await session.execute(
            update(Lease)
            .where(Lease.id == lease_id, Lease.binding_key == ref.key, Lease.state.not_in(LIVE))
            .where(Lease.unbound_at.is_(None))
            .values(unbound_at=sql_now())
            .returning(Lease.id)
            .execution_options(synchronize_session=False)
        )
        if done.first() is not None:
            audit.note(session, actor=None, deed="contact.unbound", subject=lease_id, now=now)


async def _phones(services: Services, lease: Lease) -> tuple[Phone, Phone] | None:
    """Asker's and owner's, where both still have one."""
    async with services.database.reading() as session:
        members = [await session.get(Member, member_id) for member_id in lease.parties()]
    persons = await people.load(services, [member for member in members if member is not None])
    a, b = (persons.get(member_id) for member_id in lease.parties())
    return (a.phone, b.phone) if a is not None and b is not None else None
