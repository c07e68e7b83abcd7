"""An agreed match has a contact: a call where that can be, words meanwhile."""

import pytest

from mutualaid.contacts import ending, jobs
from mutualaid.contacts.records import Lease
from mutualaid.kit import clock as kit_clock
from mutualaid.matching.records import Match
from mutualaid.members import consents
from mutualaid.members.records import Principal
from mutualaid.posts import actions as posts
from mutualaid.posts.records import Post
from mutualaid.posts.rules import Contact
from mutualaid.providers.numbers.fake import FakeNumbers
from mutualaid.providers.numbers.words import WordsOnly
from tests.contacts.town import Town, check
from tests.moments import Clock


def _pool(town: Town, size: int) -> None:
    services = town.services
    maker = FakeNumbers(services.database, services.ring, services.settings.outbox_dir, pool=size, hook_token="t")
    object.__setattr__(services, "numbers", maker)


async def _agreed(town: Town, contact: Contact = "anyone") -> tuple[Principal, Principal, str, str, str]:
    needer, giver = await town.member(), await town.member()
    need, offer = await town.post(needer, contact=contact), await town.post(giver, contact="matches")
    return needer, giver, need, offer, await town.match(need, needer, offer, giver)


async def _of(town: Town, match: str) -> Lease:
    (lease,) = [lease for lease in await town.leases() if lease.match_id == match]
    return lease


async def test_both_get_one_call(town: Town) -> None:
    needer, giver, need, offer, match = await _agreed(town)

    await town.work()
    await jobs.on_match_agreed(town.services, {"match": match}, now=kit_clock.now())  # told twice

    lease = await _of(town, match)
    assert (lease.state, lease.channel, lease.post_id, lease.other_post_id) == ("granted", "call", need, offer)
    assert (lease.owner_id, lease.asker_id) == (needer.id, giver.id)
    await check(town)


async def test_where_no_number_is_free_they_write_at_once_and_call_when_one_is(town: Town, clock: Clock) -> None:
    _pool(town, 1)
    _, _, need, _, match = await _agreed(town)
    await town.call(await town.member(), need)  # the needer sits on the only number

    await town.work()
    lease = await _of(town, match)
    assert (lease.state, lease.channel, lease.wants_call) == ("granted", "words", True)

    _pool(town, 2)
    clock.advance(minutes=11)
    await town.work()
    better = await _of(town, match)
    assert (better.id, better.channel, better.x) == (lease.id, "call", town.numbers.pool[1])
    await check(town)


async def test_who_chooses_words_while_they_wait_for_a_number_is_given_none(town: Town, clock: Clock) -> None:
    _pool(town, 1)
    needer, _, need, offer, match = await _agreed(town)
    await town.call(await town.member(), need)  # the needer sits on the only number
    await town.work()

    async with town.services.database.transaction() as session:
        await posts.set_contact(session, await session.get_one(Post, offer), "words", actor=needer.id, now=clock.now)
    _pool(town, 2)
    clock.advance(minutes=11)
    await town.work()

    lease = await _of(town, match)
    assert (lease.state, lease.channel, lease.wants_call, lease.x) == ("granted", "words", False, None)
    await check(town)


async def test_a_provider_that_fails_leaves_a_match_its_words(town: Town, clock: Clock) -> None:
    town.numbers.told.fail("not_authorised")
    *_, match = await _agreed(town)

    await town.work()
    lease = await _of(town, match)
    assert (lease.state, lease.channel, lease.x) == ("granted", "words", None)
    assert await town.seats() == []

    town.numbers.told.mend()
    clock.advance(minutes=11)
    await town.work()
    assert (await _of(town, match)).channel == "call"
    await check(town)


async def test_who_wants_words_is_given_no_number(town: Town, clock: Clock) -> None:
    *_, match = await _agreed(town, contact="words")

    await town.work()
    clock.advance(hours=1)
    await town.work()

    lease = await _of(town, match)
    assert (lease.channel, lease.wants_call) == ("words", False)


async def test_without_numbers_there_are_words(town: Town) -> None:
    object.__setattr__(town.services, "numbers", WordsOnly())
    *_, match = await _agreed(town)

    await town.work()

    lease = await _of(town, match)
    assert (lease.state, lease.channel) == ("granted", "words")


async def test_who_is_in_touch_already_keeps_the_number(town: Town) -> None:
    _, giver, need, offer, match = await _agreed(town)
    plaza = await town.call(giver, need)

    await town.work()

    lease = await _of(town, match)
    assert (lease.id, lease.x, lease.other_post_id) == (plaza.id, plaza.x, offer)
    assert len(await town.leases()) == 1
    await town.end_post(offer)  # the other post's end ends it too
    await town.work()
    assert (await town.lease(plaza.id)).state == "released"


@pytest.mark.parametrize(("state", "ends"), [("failed", True), ("withdrawn", True), ("completed", False)])
async def test_a_contact_ends_with_its_match_unless_that_came_true(town: Town, state: str, ends: bool) -> None:
    *_, match = await _agreed(town)
    await town.work()
    async with town.services.database.transaction() as session:
        (await session.get_one(Match, match)).state = state  # type: ignore[assignment] # one of the states

    await jobs.on_match_ended(town.services, {"match": match}, now=kit_clock.now())

    lease = await _of(town, match)
    assert (lease.state == "released") is ends
    await jobs.on_match_agreed(town.services, {"match": match}, now=kit_clock.now())  # old news
    assert len(await town.leases()) == 1


async def test_consent_taken_back_leaves_a_match_words_anew(town: Town) -> None:
    needer, *_ = await _agreed(town)
    await town.work()
    async with town.services.database.transaction() as session:
        await consents.withdraw(session, needer.id, "phone_masking", now=kit_clock.now())
        await ending.release_calls_of(session, needer.id, actor=needer.id, now=kit_clock.now())

    await town.work()

    states = sorted((lease.channel, lease.state) for lease in await town.leases())
    assert states == [("call", "released"), ("words", "granted")]


async def test_a_match_may_ask_again_when_its_contact_has_ended(town: Town, clock: Clock) -> None:
    needer, giver, need, offer, match = await _agreed(town)
    await town.work()

    clock.advance(hours=25)  # nobody has written down that it expired
    again = await town.call(needer, offer)

    assert (again.match_id, again.state, again.other_post_id) == (match, "granted", need)
    assert (await town.call(giver, need)).id == again.id
    await check(town)
