"""A lease from asked to its end: fenced, keyed, quarantined; whatever fails in between."""

import asyncio
from datetime import timedelta

import pytest

from mutualaid.contacts import asking, ending, granting, jobs, rules, store
from mutualaid.contacts.errors import (
    ContactEnded,
    ContactLimit,
    ContactNotOffered,
    ContactNotReady,
    ExtensionsUsed,
)
from mutualaid.contacts.records import Lease
from mutualaid.contacts.stock import Stock
from mutualaid.kit import clock as kit_clock
from mutualaid.members import blocks, consents
from mutualaid.members.errors import Suspended
from mutualaid.members.records import Member
from mutualaid.services import Services
from tests.contacts.pairs import a_pair
from tests.contacts.town import Town, check, principal
from tests.moments import Clock


async def test_a_call_is_granted_with_two_seats_an_audit_row_each_and_word_to_both(town: Town) -> None:
    asker, owner, post = await a_pair(town)

    lease = await town.call(asker, post)

    assert (lease.state, lease.channel, lease.x, lease.fence) == ("granted", "call", "+8617000000001", 1)
    assert lease.expires_at == kit_clock.now() + rules.LEASE
    assert await town.deeds(lease.id) == ["contact.asked", "contact.granted"]
    assert {told["member"] for told in await town.jobs("contact.ready")} == {asker.id, owner.id}
    await check(town)


async def test_a_writer_that_was_paused_while_its_lease_moved_writes_nothing(town: Town) -> None:
    asker, _, post = await a_pair(town)
    lease = await town.ask(asker, post)
    plan = await granting.plan(town.services, lease.id)
    assert plan is not None
    binding = await granting.bind(town.services, plan)
    await town.release(lease)  # while the writer was paused

    async with town.services.database.transaction() as session:
        assert await granting.settle(session, plan, binding, now=kit_clock.now()) is None
        assert await granting.give_up(session, plan.lease, "late", now=kit_clock.now()) is None
        assert await store.move(session, plan.lease, state="granted") is None

    assert (await town.lease(lease.id)).state == "released"
    await town.work()
    assert await town.numbers.bound() == []  # what it bound in its sleep is let go of
    assert (await town.lease(lease.id)).unbound_at is not None


async def test_of_two_who_grant_at_once_one_does(town: Town) -> None:
    asker, _, post = await a_pair(town)
    lease = await town.ask(asker, post)

    await asyncio.gather(*(granting.grant(town.services, lease.id, now=kit_clock.now()) for _ in range(4)))

    assert (await town.lease(lease.id)).fence == 1
    assert (await town.deeds(lease.id)).count("contact.granted") == 1
    await town.work()
    assert [binding.key for binding in await town.numbers.bound()] == [lease.id]


async def test_a_crash_between_binding_and_commit_is_mended_without_a_second_binding(town: Town, clock: Clock) -> None:
    asker, _, post = await a_pair(town)
    lease = await town.ask(asker, post)
    plan = await granting.plan(town.services, lease.id)
    assert plan is not None
    await granting.bind(town.services, plan)  # and here the process died

    clock.advance(seconds=3)
    await town.work()

    assert (await town.lease(lease.id)).state == "granted"
    assert len(await town.numbers.bound()) == 1
    await check(town)


async def test_what_a_crash_left_at_the_provider_goes_when_the_lease_has_ended_meanwhile(
    town: Town, clock: Clock
) -> None:
    asker, _, post = await a_pair(town)
    lease = await town.ask(asker, post)
    plan = await granting.plan(town.services, lease.id)
    assert plan is not None
    await town.release(lease)
    await town.work()
    await granting.bind(town.services, plan)  # landed late, and nobody was left to hear of it

    clock.advance(seconds=3)
    await town.work()

    assert await town.numbers.bound() == []


async def test_a_slow_provider_is_left_to_the_worker(town: Town) -> None:
    asker, _, post = await a_pair(town)
    release = asyncio.Event()

    async def sleep(_: float) -> None:
        await release.wait()

    town.numbers.delay_s, town.numbers._sleep = 1.0, sleep
    lease = await town.ask(asker, post)
    waiting = asyncio.create_task(granting.grant(town.services, lease.id, now=kit_clock.now()))
    await asyncio.sleep(0)
    assert (await town.lease(lease.id)).state == "asked"
    release.set()
    await waiting

    assert (await town.lease(lease.id)).state == "granted"


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ("pool_exhausted", "numbers_exhausted"),
        ("pair_conflict", "numbers_exhausted"),
        ("not_reported", "provider_refused"),
        ("broken", "provider_unavailable"),
    ],
)
async def test_a_provider_that_will_not_fails_the_lease_and_frees_the_seats(town: Town, told: str, code: str) -> None:
    asker, _, post = await a_pair(town)
    town.numbers.told.fail(told, times=1)

    lease = await town.call(asker, post)

    assert (lease.state, lease.failed) == ("failed", code)
    assert await town.seats() == []
    assert await town.deeds(lease.id) == ["contact.asked", "contact.failed"]
    await town.work()
    assert (await town.call(asker, post)).state == "granted"


async def test_a_provider_that_is_down_is_asked_again_for_a_while(town: Town, clock: Clock) -> None:
    asker, _, post = await a_pair(town)
    lease = await town.ask(asker, post)
    town.numbers.told.fail("down")

    for _ in range(3):
        clock.advance(seconds=20)
        await town.work()
        assert (await town.lease(lease.id)).state == "asked"
    clock.advance(minutes=2)
    await town.work()

    assert (await town.lease(lease.id)).failed == "provider_unavailable"


async def test_extending_moves_the_seats_and_the_binding(town: Town, clock: Clock) -> None:
    asker, owner, post = await a_pair(town)
    lease = await town.call(asker, post)

    for by in (asker, owner, asker):
        lease = await town.extend(lease, by.id)
    with pytest.raises(ExtensionsUsed):
        await town.extend(lease, asker.id)

    assert lease.expires_at == kit_clock.now() + timedelta(days=4)
    await town.work()
    await check(town)
    (binding,) = await town.numbers.bound()
    assert binding.expires_at == lease.expires_at
    clock.advance(days=3, hours=23)
    await town.work()
    assert (await town.lease(lease.id)).state == "granted"
    assert len(await town.jobs("contact.expiring")) == 0  # they were told: the jobs are done
    clock.advance(hours=1)
    await town.work()
    assert (await town.lease(lease.id)).because == "expired"
    with pytest.raises(ContactEnded):
        await town.extend(lease, asker.id)


async def test_what_is_only_asked_cannot_be_extended(town: Town) -> None:
    asker, _, post = await a_pair(town)

    with pytest.raises(ContactNotReady):
        await town.extend(await town.ask(asker, post), asker.id)


async def test_a_lost_binding_is_bound_anew_when_it_is_extended(town: Town) -> None:
    asker, _, post = await a_pair(town)
    lease = await town.call(asker, post)
    await town.numbers.unbind(granting.ref_of(lease))

    await town.extend(lease, asker.id)
    await town.work()

    assert [binding.key for binding in await town.numbers.bound()] == [lease.id]


async def test_a_post_that_ends_frees_its_numbers(town: Town) -> None:
    asker, _, post = await a_pair(town)
    lease = await town.call(asker, post)
    asked = await town.ask(await town.member(), post)

    await town.end_post(post)
    await town.work()

    assert {(await town.lease(one.id)).because for one in (lease, asked)} == {"post_ended"}
    assert await town.numbers.bound() == []
    assert all(seat.until == kit_clock.now() + rules.QUARANTINE for seat in await town.seats())
    assert "contact.released" in await town.deeds(lease.id)


async def test_a_suspended_members_contacts_end_and_they_ask_for_none(town: Town) -> None:
    asker, owner, post = await a_pair(town)
    lease = await town.call(asker, post)
    async with town.services.database.transaction() as session:
        (await session.get_one(Member, owner.id)).status = "suspended"
        ended = await ending.release_for_members(
            session, [owner.id], because="suspended", actor=None, now=kit_clock.now()
        )

    assert ended == 1 and (await town.lease(lease.id)).because == "suspended"
    with pytest.raises(Suspended):
        await town.ask(principal(owner.id, suspended=True), await town.post(asker))


async def test_consent_taken_back_ends_calls_and_leaves_words(town: Town) -> None:
    asker, owner, post = await a_pair(town)
    writer = await town.member()
    call, words = await town.call(asker, post), await town.ask(writer, post, "words")

    async with town.services.database.transaction() as session:
        await consents.withdraw(session, owner.id, "phone_masking", now=kit_clock.now())
        ended = await ending.release_calls_of(session, owner.id, actor=owner.id, now=kit_clock.now())

    assert ended == 1
    assert (await town.lease(call.id)).because == "consent_withdrawn"
    assert (await town.lease(words.id)).state == "granted"
    with pytest.raises(ContactNotOffered):
        await town.ask(await town.member(), post)


async def test_who_is_blocked_gets_neither_number_nor_words(town: Town) -> None:
    asker, owner, post = await a_pair(town)
    lease = await town.call(asker, post)
    async with town.services.database.transaction() as session:
        await blocks.block(session, owner.id, asker.id, kit_clock.now())
    await town.work()

    assert (await town.lease(lease.id)).because == "blocked"
    for channel in ("call", "words"):
        with pytest.raises(ContactNotOffered):
            await town.ask(asker, post, channel)


async def test_words_become_a_call_in_place_when_one_is_wanted(town: Town) -> None:
    asker, _, post = await a_pair(town)
    words = await town.ask(asker, post, "words")

    same = await town.ask(asker, post, "call")
    await town.work()

    assert same.id == words.id
    lease = await town.lease(words.id)
    assert (lease.channel, lease.state) == ("call", "granted") and lease.x is not None
    await check(town)


async def test_a_call_that_cannot_be_had_in_place_of_words_leaves_the_words(town: Town, clock: Clock) -> None:
    asker, _, post = await a_pair(town)
    words = await town.ask(asker, post, "words")
    town.numbers.told.fail("pool_exhausted", times=1)
    await town.ask(asker, post, "call")
    await town.work()
    lease = await town.lease(words.id)
    assert (lease.channel, lease.state, lease.x) == ("words", "granted", None)
    assert await town.seats() == []

    clock.advance(minutes=11)
    await town.work()

    assert (await town.lease(words.id)).channel == "call"
    await check(town)


async def test_five_at_once_and_no_more_whatever_the_race(town: Town) -> None:
    asker = await town.member()
    posts = [await town.post(await town.member()) for _ in range(8)]

    outcomes = await asyncio.gather(*(town.ask(asker, post) for post in posts), return_exceptions=True)

    assert sum(isinstance(one, Lease) for one in outcomes) == rules.A_MEMBER
    assert all(isinstance(one, Lease | ContactLimit) for one in outcomes)
    await check(town)


async def test_asking_many_times_at_once_is_one_contact(town: Town) -> None:
    asker, _, post = await a_pair(town)

    found = await asyncio.gather(*(town.ask(asker, post) for _ in range(8)))

    assert len({lease.id for lease in found}) == 1 == len(await town.leases())


async def test_the_daily_round_writes_down_what_the_clock_has_ended(
    services: Services, town: Town, clock: Clock
) -> None:
    asker, _, post = await a_pair(town)
    lease = await town.call(asker, post)

    clock.advance(days=2)
    await jobs.daily(services, {}, now=kit_clock.now())

    assert (await town.lease(lease.id)).because == "expired"


async def test_a_changed_phone_is_read_again_instead_of_being_seated(town: Town) -> None:
    from mutualaid.kit.errors import Overloaded
    from mutualaid.kit.phones import Phone
    from mutualaid.members import own_phone

    asker, owner, post = await a_pair(town)
    prepared = await asking.prepare(town.services, post, "call", asker=asker)
    key = await town.services.keys.get(owner.id)
    async with town.services.database.transaction() as session:
        own_phone.hold(session, await session.get_one(Member, owner.id), Phone("+8613700000000"), key=key)

    with pytest.raises(Overloaded):
        async with town.services.database.transaction() as session:
            stock = Stock.of(town.services)
            await asking.ask(session, prepared, asker=asker, stock=stock, now=kit_clock.now())
    assert await town.leases() == []
