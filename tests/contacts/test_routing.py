"""May this caller reach anybody by this number, now?"""

from datetime import timedelta

import pytest

from mutualaid.contacts import routing
from mutualaid.contacts.errors import CallsRest, LeaseEnded, NotAParty, NumberUnknown
from mutualaid.contacts.records import Lease
from mutualaid.contacts.routing import Route
from mutualaid.kit import clock as kit_clock
from mutualaid.kit.phones import Phone
from mutualaid.members import blocks, own_phone
from mutualaid.members.records import Member, Principal
from mutualaid.posts.records import HiddenBy, Post
from tests.contacts.town import Town
from tests.moments import Clock


async def _called(town: Town, *, urgency: str = "normal") -> tuple[Principal, Principal, str, Lease]:
    asker, owner = await town.member(), await town.member()
    post = await town.post(owner, urgency=urgency)
    return asker, owner, post, await town.call(asker, post)


async def _decide(town: Town, caller: Principal, x: str | None) -> Route:
    return await routing.decide(town.services, town.phones[caller.id], x or "")


async def test_each_reaches_the_other_and_sees_the_number(town: Town) -> None:
    asker, owner, _, lease = await _called(town)

    there, back = await _decide(town, asker, lease.x), await _decide(town, owner, lease.x)

    assert (there.by, there.connect.callee, there.connect.display) == ("a", town.phones[owner.id], lease.x)
    assert (back.by, back.connect.callee, back.lease_id) == ("b", town.phones[asker.id], lease.id)
    assert there.caller_key == back.callee_key
    assert "138" not in repr(there)


async def test_a_stranger_is_told_the_same_before_and_after_the_end(town: Town, clock: Clock) -> None:
    _, _, _, lease = await _called(town)
    stranger = await town.member()

    for hours in (0, 30):
        clock.advance(hours=hours)
        with pytest.raises(NotAParty):
            await _decide(town, stranger, lease.x)


async def test_a_number_that_is_not_ours_is_unknown_to_all(town: Town) -> None:
    asker, *_ = await _called(town)

    with pytest.raises(NumberUnknown):
        await _decide(town, asker, "+8613800000000")


async def test_the_very_moment_it_expires_it_is_over(town: Town, clock: Clock) -> None:
    asker, _, _, lease = await _called(town)
    clock.set(lease.expires_at - timedelta(microseconds=1))
    assert (await _decide(town, asker, lease.x)).connect.max_seconds == 1

    clock.set(lease.expires_at)

    with pytest.raises(LeaseEnded):
        await _decide(town, asker, lease.x)


@pytest.mark.parametrize("state", ["resolved", "withdrawn", "expired", "closed"])
async def test_a_post_that_has_ended_connects_nobody_before_any_job_has_run(town: Town, state: str) -> None:
    asker, owner, post, lease = await _called(town)
    async with town.services.database.transaction() as session:
        (await session.get_one(Post, post)).state = state  # type: ignore[assignment] # one of the four

    for caller in (asker, owner):
        with pytest.raises(LeaseEnded):
            await _decide(town, caller, lease.x)


@pytest.mark.parametrize(("by", "a_day"), [("reports", True), ("moderator", True), ("suspension", False)])
async def test_a_hidden_post_connects_for_a_day_unless_its_author_is_suspended(
    town: Town, clock: Clock, by: HiddenBy, a_day: bool
) -> None:
    asker, _, post, lease = await _called(town)
    lease = await town.extend(lease, asker.id)
    async with town.services.database.transaction() as session:
        (await session.get_one(Post, post)).hide(by, kit_clock.now())

    if a_day:
        clock.advance(hours=23, minutes=59)
        assert await _decide(town, asker, lease.x)
        clock.advance(minutes=1)
    with pytest.raises(LeaseEnded):
        await _decide(town, asker, lease.x)


@pytest.mark.parametrize("status", ["suspended", "erasing", "erased"])
async def test_nobody_is_connected_with_who_is_not_here(town: Town, status: str) -> None:
    asker, owner, _, lease = await _called(town)
    async with town.services.database.transaction() as session:
        (await session.get_one(Member, asker.id)).status = status

    for caller in (asker, owner):
        with pytest.raises(LeaseEnded):
            await _decide(town, caller, lease.x)


async def test_a_block_counts_at_once_in_both_directions(town: Town) -> None:
    asker, owner, _, lease = await _called(town)
    async with town.services.database.transaction() as session:
        await blocks.block(session, asker.id, owner.id, kit_clock.now())

    for caller in (asker, owner):
        with pytest.raises(LeaseEnded):
            await _decide(town, caller, lease.x)


async def test_a_destroyed_key_connects_nobody(town: Town) -> None:
    asker, owner, _, lease = await _called(town)
    await town.services.keys.destroy(owner.id)

    with pytest.raises(LeaseEnded):
        await _decide(town, asker, lease.x)


async def test_a_phone_that_changed_is_not_reached_by_the_seat_of_the_old_one(town: Town) -> None:
    asker, owner, _, lease = await _called(town)
    key = await town.services.keys.get(owner.id)
    async with town.services.database.transaction() as session:
        own_phone.hold(session, await session.get_one(Member, owner.id), Phone("+8613700000000"), key=key)

    with pytest.raises(LeaseEnded):
        await _decide(town, asker, lease.x)


async def test_calls_rest_at_night_except_about_what_is_urgent(town: Town, clock: Clock) -> None:
    asker, _, _, lease = await _called(town)
    helper, _, _, urgent = await _called(town, urgency="urgent")
    settings = town.services.settings.model_copy(update={"quiet_hours": "22:00-07:00"})
    object.__setattr__(town.services, "settings", settings)
    clock.advance(hours=3)  # 23:00 in Shanghai

    with pytest.raises(CallsRest):
        await _decide(town, asker, lease.x)
    assert await _decide(town, helper, urgent.x)
    with pytest.raises(NotAParty):
        await _decide(town, helper, lease.x if lease.x != urgent.x else town.numbers.pool[9])


async def test_who_is_only_asked_for_is_not_connected_yet(town: Town) -> None:
    asker, owner = await town.member(), await town.member()
    lease = await town.ask(asker, await town.post(owner))

    with pytest.raises(LeaseEnded):
        await _decide(town, asker, lease.x)


async def test_a_rotated_lookup_key_finds_the_seats_taken_before(town: Town) -> None:
    asker, owner, post, lease = await _called(town)
    town.services.ring.rotate("lookup")

    assert (await _decide(town, asker, lease.x)).connect.callee == town.phones[owner.id]
    other = await town.call(await town.member(), post)
    assert other.x != lease.x  # the owner's seat under the old key still counts
