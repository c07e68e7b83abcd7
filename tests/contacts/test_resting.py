"""Which number two people are given: their own again, the one that rested longest, none before its rest is over."""

import pytest

from mutualaid.contacts.errors import (
    NumbersExhausted,
)
from mutualaid.providers.numbers.fake import FakeNumbers
from tests.contacts.pairs import a_pair
from tests.contacts.town import Town, check
from tests.moments import Clock


async def test_the_same_two_may_have_their_number_again_and_nobody_else_with_either(town: Town, clock: Clock) -> None:
    asker, owner, post = await a_pair(town)
    third = await town.member()
    first = await town.call(asker, post)
    await town.release(first)

    again = await town.call(asker, post)
    other = await town.call(third, post)
    back = await town.call(owner, await town.post(asker))

    assert again.x == first.x and again.id != first.id
    assert other.x not in (first.x, None)
    assert back.x not in (first.x, other.x, None)  # the two are on their number already: their second needs another
    await check(town)
    clock.advance(days=2)
    await town.work()
    reversed_ = await town.call(owner, await town.post(asker))
    assert reversed_.x in (first.x, back.x)
    await check(town)


async def test_quarantine_ends_after_seven_days(town: Town, clock: Clock) -> None:
    hub = await town.member()
    used = set()
    for _ in range(3):
        asker = await town.member()
        lease = await town.call(asker, await town.post(hub))
        await town.release(lease)
        used.add(lease.x)
    assert len(used) == 3

    clock.advance(days=7, seconds=-1)
    early = await town.call(await town.member(), await town.post(hub))
    assert early.x not in used
    await town.release(early)
    clock.advance(seconds=1)
    await town.call(await town.member(), await town.post(hub))
    assert len([seat for seat in await town.seats() if seat.x in used and town.person_of(seat) == hub.id]) <= 1


async def test_an_expired_number_rests_though_no_worker_wrote_it_down(town: Town, clock: Clock) -> None:
    hub = await town.member()
    lease = await town.call(await town.member(), await town.post(hub))

    clock.advance(hours=25)
    later = await town.call(await town.member(), await town.post(hub))

    assert (await town.lease(lease.id)).state == "granted"  # by its row
    assert later.x != lease.x
    await check(town)


async def test_a_clock_that_jumps_gives_no_number_early(town: Town, clock: Clock) -> None:
    hub = await town.member()
    seen: dict[str, object] = {}
    for hours in (25, -1, 24, -1, 26):
        lease = await town.call(await town.member(), await town.post(hub))
        assert lease.x is not None and lease.x not in seen
        seen[lease.x] = lease.id
        await check(town)
        clock.advance(hours=hours)
        await town.work()


async def test_when_no_number_is_free_for_the_two_nothing_is_kept(town: Town) -> None:
    small = FakeNumbers(
        town.services.database, town.services.ring, town.services.settings.outbox_dir, pool=1, hook_token="t"
    )
    object.__setattr__(town.services, "numbers", small)
    hub = await town.member()
    await town.call(await town.member(), await town.post(hub))

    with pytest.raises(NumbersExhausted) as refused:
        await town.ask(await town.member(), await town.post(hub))

    assert refused.value.retry_after
    assert len(await town.leases()) == 1
    others = await town.call(await town.member(), await town.post(await town.member()))
    assert others.x == small.pool[0]  # free for other people


async def test_the_number_that_rested_longest_is_given_next(town: Town, clock: Clock) -> None:
    given = []
    for _ in range(4):
        asker, _, post = await a_pair(town)
        given.append((await town.call(asker, post)).x)
        clock.advance(seconds=1)

    assert given == list(town.numbers.pool[:4])


async def test_a_pool_that_shrank_gives_only_what_is_left(town: Town, clock: Clock) -> None:
    asker, _, post = await a_pair(town)
    await town.call(asker, post)
    services = town.services
    smaller = FakeNumbers(services.database, services.ring, services.settings.outbox_dir, pool=1, hook_token="t")
    object.__setattr__(services, "numbers", smaller)

    clock.advance(seconds=1)
    asker, _, post = await a_pair(town)
    assert (await town.call(asker, post)).x == smaller.pool[0]
