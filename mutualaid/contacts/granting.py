"""Granting: the provider is told outside every transaction, keyed; then the lease is granted, if nobody moved it meanwhile.

A door waits a moment for it, the worker does it otherwise; both may do it at once, and again after a crash: the provider
binds a key once, and the conditional statement lets one of them through.
"""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.contacts import people, rules, seating, store
from mutualaid.contacts.news import note, tell_ready
from mutualaid.contacts.people import Person
from mutualaid.contacts.records import Lease
from mutualaid.kit import outbox
from mutualaid.kit.clock import sql_now
from mutualaid.members.records import Member
from mutualaid.providers.numbers import Binding, BindingRef, BindRequest, Mode, NumbersRefused, ProviderDown, Throttled
from mutualaid.services import Services

Unanswered = (Throttled, ProviderDown)


@dataclass(frozen=True, slots=True)
class Plan:
    """What the provider is to be told about a lease as it was read; `stale`: earlier bindings of the same two on this X."""

    lease: Lease = field(repr=False)
    a: Person
    b: Person
    stale: tuple[BindingRef, ...]


def pending(lease: Lease) -> bool:
    """Seated, and the provider has not agreed yet: asked, or words on their way to a call."""
    upgrading = lease.state == "granted" and lease.channel == "words"
    return lease.x is not None and (lease.state == "asked" or upgrading)


def ref_of(lease: Lease, two: tuple[Person, Person] | None = None) -> BindingRef:
    """How the provider finds the lease's binding. `two`: asker and owner, where their phones are at hand."""
    phones = (two[0].phone, two[1].phone) if two is not None else None
    return BindingRef(key=lease.binding_key or lease.id, x=lease.x or "", ref=lease.binding_ref, people=phones)


async def plan(services: Services, lease_id: str, *, again: bool = False) -> Plan | None:
    """Read what the provider is to be told; None where nothing is (any more), or where a person's phone is gone.

    `again`: of a call that was granted, whose binding the provider has lost.
    """
    async with services.database.reading() as session:
        lease = await store.get(session, lease_id)
        if lease is None or not (pending(lease) or (again and lease.state == "granted" and lease.x)):
            return None
        members = (await session.scalars(select(Member).where(Member.id.in_(lease.parties())))).all()
        old = await store.still_bound(session, lease)
        seated = {seat.person_key for seat in await store.seats_of(session, lease_id)}
    persons = await people.load(services, members)
    a, b = (persons.get(member_id) for member_id in lease.parties())
    if a is None or b is None or not all(seated.intersection(person.keys) for person in (a, b)):
        return None
    return Plan(lease, a, b, tuple(ref_of(one, (a, b) if one.asker_id == a.id else (b, a)) for one in old))


async def bind(services: Services, plan: Plan) -> Binding:
    """Tell the provider. Raises what the promise raises. Never inside a transaction."""
    for old in plan.stale:
        await services.numbers.unbind(old)
    lease = plan.lease
    plain: Mode = "axb" if "axb" in services.numbers.caps.modes else "x"
    asked = BindRequest(
        key=lease.binding_key or lease.id,
        mode="axe" if lease.extension else plain,
        x=lease.x or "",
        extension=lease.extension,
        a=plan.a.phone,
        b=plan.b.phone,
        expires_at=lease.expires_at,
    )
    return await services.numbers.bind(asked)


async def settle(session: AsyncSession, plan: Plan, binding: Binding, *, now: datetime) -> Lease | None:
    """The lease is a granted call from now on. None where it moved meanwhile: then the binding is let go of again, unless
    it moved because somebody else granted it by the same binding.
    """
    lease = await store.move(
        session,
        plan.lease,
        Lease.expires_at > sql_now(),
        state="granted",
        channel="call",
        granted_at=sql_now(),
        binding_ref=binding.ref,
    )
    if lease is None:
        await let_go(session, plan.lease, now=now)
        return None
    note(session, lease, "contact.granted", actor=None, now=now)
    await tell_ready(session, lease, now=now)
    return lease


async def let_go(session: AsyncSession, lease: Lease, *, now: datetime) -> None:
    """The provider is to forget the lease's binding, if it has one."""
    if lease.binding_key is not None and lease.x is not None:
        told = {"lease": lease.id, "key": lease.binding_key, "x": lease.x, "ref": lease.binding_ref or ""}
        await outbox.enqueue(session, "contacts.release", told, at=now)


async def give_up(session: AsyncSession, lease: Lease, code: str, *, now: datetime) -> Lease | None:
    """The provider will not, or does not answer: the seats are free again. None where the lease moved meanwhile.

    What was asked for has failed; the contact of a match goes on in words, and so do words that were to become a call.
    """
    goes_on = lease.match_id is not None or lease.state == "granted"
    was_asked = lease.state == "asked"
    old = ref_of(lease)
    if goes_on:
        moved = await store.move(
            session,
            lease,
            state="granted",
            channel="words",
            granted_at=lease.granted_at or sql_now(),
            x=None,
            extension=None,
            binding_key=None,
        )
    else:
        moved = await store.move(session, lease, state="failed", failed=code, ended_at=sql_now())
    if moved is None:
        return None
    await seating.free(session, lease.id)
    told = {"lease": lease.id, "key": old.key, "x": old.x, "ref": old.ref or ""}
    await outbox.enqueue(session, "contacts.release", told, at=now)
    note(session, moved, "contact.words_for_now" if goes_on else "contact.failed", actor=None, now=now, code=code)
    if goes_on:
        await outbox.enqueue(session, "contacts.upgrade", {"lease": lease.id}, at=now + rules.UPGRADE_EVERY)
        if was_asked:
            await tell_ready(session, moved, now=now)
    return moved


def code_of(problem: Exception) -> str:
    """The code that a failed lease carries."""
    return problem.code if isinstance(problem, NumbersRefused) else "provider_unavailable"


async def grant(services: Services, lease_id: str, *, now: datetime) -> None:
    """The worker's way: once, for whatever state the lease is in. Raises while the provider may be asked again."""
    found = await plan(services, lease_id)
    if found is None:
        await _tidy(services, lease_id, now=now)
        return
    try:
        binding = await bind(services, found)
    except (*Unanswered, NumbersRefused) as problem:
        young = found.lease.state == "asked" and now < found.lease.asked_at + rules.GIVEN_UP
        if isinstance(problem, Unanswered) and young and not _lasting(problem):
            raise
        async with services.database.transaction() as session:
            await give_up(session, found.lease, code_of(problem), now=now)
        return
    async with services.database.transaction() as session:
        await settle(session, found, binding, now=now)


def _lasting(problem: Exception) -> bool:
    return isinstance(problem, ProviderDown) and not problem.retryable


async def _tidy(services: Services, lease_id: str, *, now: datetime) -> None:
    """Nothing to bind: what an earlier try may have left at the provider goes, and a lease whose person is gone fails."""
    async with services.database.transaction() as session:
        lease = await store.get(session, lease_id)
        if lease is None:
            return
        if pending(lease):
            await give_up(session, lease, "person_gone", now=now)
        elif lease.state in ("released", "failed"):  # once more: a binding may have landed after it was let go of
            await let_go(session, lease, now=now)
