"""The provider and the rows agree again, in both directions, whatever got lost between them."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import delete

from mutualaid.contacts import granting, jobs, reconciling
from mutualaid.contacts.errors import ExtensionsUsed
from mutualaid.contacts.records import Lease
from mutualaid.kit import clock as kit_clock
from mutualaid.kit.outbox import Job
from mutualaid.providers.numbers import Binding, BindingRef, ProviderDown
from tests.contacts.pairs import a_pair
from tests.contacts.town import Town, check
from tests.moments import Clock


@pytest.fixture
def dialect() -> str:
    """The quicker one: on PostgreSQL the same is done by processes that are killed (`tests/faults`)."""
    return "sqlite"


async def _reconcile(town: Town) -> Counter[str]:
    return await reconciling.all_of_them(town.services, now=kit_clock.now, told=lambda _: None)


async def _called(town: Town) -> Lease:
    asker, _, post = await a_pair(town)
    return await town.call(asker, post)


async def _lose_the_jobs(town: Town) -> None:
    async with town.services.database.transaction() as session:
        await session.execute(delete(Job))


async def test_what_the_provider_has_lost_is_bound_anew(town: Town) -> None:
    kept, lost = await _called(town), await _called(town)
    await town.numbers.unbind(granting.ref_of(lost))

    assert await _reconcile(town) == {"agreed": 1, "bound anew": 1}

    assert {one.key for one in await town.numbers.bound()} == {kept.id, lost.id}
    assert await _reconcile(town) == {"agreed": 2}
    await check(town)


async def test_what_has_ended_here_is_let_go_of_there(town: Town) -> None:
    lease = await _called(town)
    await town.release(lease)
    await _lose_the_jobs(town)  # as in a backup of another moment

    assert await _reconcile(town) == {"let go": 1}

    assert await town.numbers.bound() == [] and (await town.lease(lease.id)).unbound_at is not None
    assert await _reconcile(town) == {}


async def test_an_ask_that_nobody_went_on_with_is_granted_once_it_is_late(town: Town, clock: Clock) -> None:
    asker, _, post = await a_pair(town)
    lease = await town.ask(asker, post)
    await _lose_the_jobs(town)
    assert await _reconcile(town) == {"under way": 1}

    clock.advance(minutes=3)
    assert await _reconcile(town) == {"granted late": 1}

    assert (await town.lease(lease.id)).state == "granted"
    await check(town)


async def test_an_extension_that_the_provider_has_not_heard_of_is_told_again(town: Town) -> None:
    lease = await _called(town)
    await town.extend(lease, lease.asker_id)
    await _lose_the_jobs(town)

    assert await _reconcile(town) == {"renewed": 1}

    (binding,) = await town.numbers.bound()
    assert binding.expires_at == lease.expires_at + timedelta(hours=24)


async def test_where_the_provider_will_not_bind_anew_the_two_go_on_in_words(town: Town) -> None:
    lease = await _called(town)
    await town.numbers.unbind(granting.ref_of(lease))
    town.numbers.told.fail("not_reported")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(town.numbers, "query", _nothing)
        assert await _reconcile(town) == {"refused": 1}

    now = await town.lease(lease.id)
    assert (now.state, now.channel, now.x) == ("granted", "words", None)
    assert await town.seats() == []


async def _nothing(_: object) -> None:
    return None


async def test_a_provider_that_is_away_is_asked_another_time(town: Town) -> None:
    await _called(town)
    town.numbers.told.fail("down")

    with pytest.raises(ProviderDown):
        await _reconcile(town)

    town.numbers.told.mend()
    assert await _reconcile(town) == {"agreed": 1}


async def test_the_day_asks_about_them_all_some_at_a_time(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciling, "AT_ONCE", 2)
    leases = [await _called(town) for _ in range(5)]
    for lease in leases:
        await town.numbers.unbind(granting.ref_of(lease))

    await jobs.daily(town.services, {}, now=kit_clock.now())
    await town.work()

    assert {one.key for one in await town.numbers.bound()} == {lease.id for lease in leases}
    await check(town)


async def test_who_knows_a_binding_by_its_phones_alone_is_told_them(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tencent tells of no binding: an answer that was lost is found by asking for the same two again."""
    lease = await _called(town)
    query, unbind, told = town.numbers.query, town.numbers.unbind, list[BindingRef]()

    async def asked(ref: BindingRef) -> Binding | None:
        told.append(ref)
        return await query(ref)

    async def ended(ref: BindingRef) -> None:
        told.append(ref)
        await unbind(ref)

    monkeypatch.setattr(town.numbers, "query", asked)
    monkeypatch.setattr(town.numbers, "unbind", ended)
    assert await _reconcile(town) == {"agreed": 1}
    monkeypatch.setattr(town.numbers, "caps", replace(town.numbers.caps, renewable=False))
    await reconciling.renew(town.services, lease, now=kit_clock.now())

    (bound,) = await town.numbers.bound()
    assert len(told) >= 2 and {ref.key for ref in told} == {lease.id, bound.key}
    assert all(ref.people is not None and ref.people[0] != ref.people[1] for ref in told)


async def test_a_maker_that_cannot_renew_binds_anew(town: Town) -> None:
    lease = await _called(town)
    maker = town.numbers
    maker.caps = maker.caps.__class__(modes=maker.caps.modes, max_pairs_per_x=200, renewable=False)

    extended = await town.extend(lease, lease.asker_id)
    await town.work()

    (binding,) = await maker.bound()
    assert (binding.key, binding.expires_at) == (lease.id, extended.expires_at)


async def test_of_two_extensions_at_once_none_is_lost_and_none_is_too_many(town: Town) -> None:
    lease = await _called(town)

    outcomes = await asyncio.gather(*(town.extend(lease, by) for by in lease.parties() * 2), return_exceptions=True)

    assert sum(isinstance(one, Lease) for one in outcomes) == 3
    assert all(isinstance(one, Lease | ExtensionsUsed) for one in outcomes)
    assert (await town.lease(lease.id)).expires_at == lease.expires_at + timedelta(days=3)
    await town.work()
    await check(town)


async def test_the_check_finds_an_extension_that_was_forgotten_and_a_binding_that_went_too_soon(town: Town) -> None:
    lease = await _called(town)
    await town.extend(lease, lease.asker_id)
    await check(town)  # owed, and held to its old end

    ref = granting.ref_of(lease)
    for end in (lease.expires_at + timedelta(hours=1), lease.expires_at - timedelta(hours=1)):
        await town.numbers.renew(ref, end)
        with pytest.raises(AssertionError):
            await check(town)
    await town.numbers.unbind(ref)
    with pytest.raises(AssertionError, match="before any of its ends"):
        await check(town)

    await town.work()
    await check(town)  # bound anew, to its new end
    await town.numbers.renew(ref, lease.expires_at)
    with pytest.raises(AssertionError, match="nothing owed"):
        await check(town)
