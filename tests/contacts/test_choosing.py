"""Which number a pair is given when there is a choice, and when there is none."""

from datetime import timedelta

import pytest

from mutualaid.contacts import rules, stock
from mutualaid.contacts.errors import NumbersExhausted
from mutualaid.contacts.records import Lease
from mutualaid.contacts.stock import Stock
from mutualaid.kit import clock as kit_clock
from mutualaid.members import blocks
from mutualaid.members.records import Principal
from tests.contacts.pairs import a_pair
from tests.contacts.pools import use_pool
from tests.contacts.town import Town, check
from tests.moments import Clock


async def test_the_same_two_get_their_number_again_long_after_its_rest(town: Town, clock: Clock) -> None:
    asker, owner, post = await a_pair(town)
    first = await town.call(asker, post)
    await town.release(first)
    for _ in range(3):
        clock.advance(days=4)
        one, _, other = await a_pair(town)
        await town.call(one, other)

    back = await town.call(owner, await town.post(asker))

    assert back.x == first.x != town.numbers.pool[3]
    await check(town)


async def test_a_number_of_the_posts_city_is_preferred_then_one_of_its_province(town: Town, clock: Clock) -> None:
    pool = town.numbers.pool  # posts of the town lie in 450103
    use_pool(town, 5, cities=f"{pool[1]}=110100,{pool[2]}=450300,{pool[3]}=450100")
    given = []
    hub = await town.member()

    for _ in range(5):
        given.append((await town.call(await town.member(), await town.post(hub))).x)
        clock.advance(seconds=1)

    assert given == [pool[3], pool[2], pool[0], pool[1], pool[4]]


async def test_a_citys_number_that_moves_is_known_with_the_next_look(town: Town, clock: Clock) -> None:
    use_pool(town, 2)
    one, _, post = await a_pair(town)
    await town.call(one, post)
    pool = use_pool(town, 2, cities="+8617000000002=450100").pool
    async with town.services.database.transaction() as session:
        await stock.sync(session, Stock.of(town.services))

    for _ in range(2):  # although it was used last
        one, _, post = await a_pair(town)
        assert (await town.call(one, post)).x == pool[1]
        clock.advance(seconds=1)


async def _released_on_the_only_number(town: Town) -> tuple[Principal, Principal, Lease]:
    use_pool(town, 1)
    hub, first = await town.member(), await town.member()
    lease = await town.call(first, await town.post(hub))
    await town.release(lease)
    await town.work()
    return hub, first, lease


async def test_where_none_is_free_a_number_that_rested_a_day_is_given_again(town: Town, clock: Clock) -> None:
    hub, first, old = await _released_on_the_only_number(town)

    clock.advance(hours=24, seconds=-1)
    with pytest.raises(NumbersExhausted):
        await town.ask(await town.member(), await town.post(hub))
    clock.advance(seconds=1)
    lease = await town.call(await town.member(), await town.post(hub))

    assert (lease.state, lease.x) == ("granted", old.x)
    assert "contact.rest_cut_short" in await town.deeds(old.id)
    (left,) = [seat for seat in await town.seats() if town.person_of(seat) == first.id]
    assert left.lease_id == old.id and left.until == kit_clock.now() + timedelta(days=6)  # hers rests on
    await check(town)


async def test_while_another_is_free_no_rest_is_cut_short(town: Town, clock: Clock) -> None:
    hub, _, old = await _released_on_the_only_number(town)
    use_pool(town, 2)

    clock.advance(days=6)
    lease = await town.call(await town.member(), await town.post(hub))

    assert lease.x == town.numbers.pool[1]
    assert "contact.rest_cut_short" not in await town.deeds(old.id)


async def test_a_number_between_two_who_blocked_each_other_rests_the_whole_week(town: Town, clock: Clock) -> None:
    hub, first, old = await _released_on_the_only_number(town)
    async with town.services.database.transaction() as session:
        await blocks.block(session, first.id, hub.id, kit_clock.now())

    clock.advance(days=7, seconds=-1)
    with pytest.raises(NumbersExhausted):
        await town.ask(await town.member(), await town.post(hub))
    clock.advance(seconds=1)

    assert (await town.call(await town.member(), await town.post(hub))).x == old.x


async def test_a_rest_is_not_cut_short_while_the_provider_may_still_hold_the_number(town: Town, clock: Clock) -> None:
    use_pool(town, 1)
    hub, first = await town.member(), await town.member()
    lease = await town.call(first, await town.post(hub))
    for _ in range(3):
        lease = await town.extend(lease, first.id)
    await town.work()
    town.numbers.told.fail("down")
    await town.release(lease)
    await town.work()  # nobody could tell it to let go

    clock.advance(days=2)
    with pytest.raises(NumbersExhausted):
        await town.ask(await town.member(), await town.post(hub))
    town.numbers.told.mend()
    await town.work()

    assert (await town.call(await town.member(), await town.post(hub))).state == "granted"


async def test_where_no_number_is_left_one_with_an_extension_is_given(town: Town) -> None:
    use_pool(town, 1, modes=("axb", "axe"))
    hub = await town.member()
    plain = await town.call(await town.member(), await town.post(hub))

    more = [await town.call(await town.member(), await town.post(hub)) for _ in range(3)]

    assert plain.extension is None and {lease.x for lease in (plain, *more)} == set(town.numbers.pool)
    extensions = [lease.extension for lease in more]
    assert all(e and len(e) == 3 and e.isdigit() for e in extensions) and len(set(extensions)) == 3
    assert {one.extension for one in await town.numbers.bound()} == {None, *extensions}
    await check(town)


async def test_the_same_two_get_their_extension_again(town: Town) -> None:
    use_pool(town, 1, modes=("axb", "axe"))
    hub, asker = await town.member(), await town.member()
    await town.call(await town.member(), await town.post(hub))
    first = await town.call(asker, await town.post(hub))
    await town.release(first)

    again = await town.call(asker, await town.post(hub))

    assert first.extension and (again.x, again.extension) == (first.x, first.extension)
    await town.release(again)
    back = await town.call(hub, await town.post(asker))  # the other way round: their roles have changed places
    assert (back.x, back.extension) == (first.x, first.extension)
    await check(town)


async def test_an_extension_is_one_contacts_alone_until_it_has_rested(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_pool(town, 1, modes=("axb", "axe"))
    monkeypatch.setattr(Stock, "extensions", property(lambda _: range(100, 102)))
    hub = await town.member()
    leases = [await town.call(await town.member(), await town.post(hub)) for _ in range(3)]
    await town.release(leases[1])

    with pytest.raises(NumbersExhausted):
        await town.ask(await town.member(), await town.post(hub))

    assert {leases[1].extension, leases[2].extension} == {"100", "101"}


async def test_when_nothing_is_left_they_may_still_write(town: Town) -> None:
    use_pool(town, 1)
    hub, asker = await town.member(), await town.member()
    await town.call(await town.member(), await town.post(hub))
    post = await town.post(hub)
    with pytest.raises(NumbersExhausted):
        await town.ask(asker, post)

    words = await town.ask(asker, post, "words")

    assert (words.state, words.channel, words.x) == ("granted", "words", None)


async def test_what_is_at_rest_takes_no_place_of_what_a_number_carries(town: Town) -> None:
    maker = use_pool(town, 1)
    object.__setattr__(maker, "caps", maker.caps.__class__(modes=maker.caps.modes, max_pairs_per_x=1))
    asker, _, post = await a_pair(town)
    lease = await town.call(asker, post)
    other, _, theirs = await a_pair(town)
    with pytest.raises(NumbersExhausted):
        await town.ask(other, theirs)

    await town.release(lease)
    await town.work()

    assert (await town.call(other, theirs)).state == "granted"


async def test_the_pool_tells_how_scarce_it_is(town: Town) -> None:
    use_pool(town, 4)
    hub = await town.member()
    leases = [await town.call(await town.member(), await town.post(hub)) for _ in range(3)]
    await town.release(leases[0])
    await town.work()

    async with town.services.database.reading() as session:
        found = await stock.pressure(session, Stock.of(town.services))

    assert (found.numbers, found.live, found.resting) == (4, 2, 2)
    assert (found.busiest, found.fullest) == (0.75, 1 / 200)


async def test_a_worker_whose_clock_is_wrong_moves_no_end(town: Town) -> None:
    """Times of a lease are the database's: what a process believes the time to be decides nothing."""
    asker, _, post = await a_pair(town)
    true, skewed = kit_clock.now(), kit_clock.now() - timedelta(days=3)

    lease = await town.call(asker, post, now=skewed)
    assert lease.expires_at == true + rules.LEASE and lease.granted_at == true == lease.asked_at
    await town.release(lease, now=skewed)

    assert (await town.lease(lease.id)).ended_at == true
    assert {seat.until for seat in await town.seats()} == {true + rules.QUARANTINE}
    await check(town)
