"""What is kept of calls, and what follows from those that nobody answers."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from mutualaid.contacts import calls, jobs, playing, routing, rules
from mutualaid.contacts.errors import CallsTooMany, ExtensionNeeded, LeaseEnded, NotAParty
from mutualaid.contacts.records import Call, Lease
from mutualaid.kit import clock as kit_clock
from mutualaid.kit.ids import new_id
from mutualaid.matching.records import Match
from mutualaid.members.records import Principal
from mutualaid.notices.records import Notice
from mutualaid.posts.records import Post
from mutualaid.providers.numbers import CallRecord, Outcome
from tests.contacts.pairs import a_pair
from tests.contacts.pools import use_pool
from tests.contacts.town import Town
from tests.moments import Clock


@pytest.fixture
def dialect() -> str:
    """The stricter one: what is asked of both is asked of SQLite by the journeys."""
    return "postgresql"


async def _records(town: Town) -> list[Call]:
    async with town.services.database.reading() as session:
        return list(await session.scalars(select(Call).order_by(Call.at, Call.id)))


async def _told(town: Town, member: Principal) -> list[str]:
    async with town.services.database.reading() as session:
        query = select(Notice.kind).where(Notice.member_id == member.id).order_by(Notice.created_at, Notice.id)
        return list(await session.scalars(query))


async def _rings(town: Town, caller: Principal, lease: Lease, outcome: Outcome = "no_answer") -> None:
    assert lease.x is not None
    phone, now = town.phones[caller.id], kit_clock.now()
    await playing.play(town.services, phone, lease.x, lease.extension, outcome=outcome, now=now)
    await town.work()


async def test_a_record_holds_times_and_a_cause_and_no_number(town: Town) -> None:
    asker, _, post = await a_pair(town)
    lease = await town.call(asker, post)
    now, phone = kit_clock.now(), town.phones[asker.id]
    found = await routing.decide(town.services, phone, lease.x or "")
    told = CallRecord(
        *("c1", phone, lease.x or "", "answered", 61, now + timedelta(seconds=70)),
        started_at=now + timedelta(seconds=1),
        rang_at=now + timedelta(seconds=3),
        answered_at=now + timedelta(seconds=9),
    )

    async with town.services.database.transaction() as session:
        await calls.begin(session, found, maker="fake", call_id="c1", set_up_at=now - timedelta(hours=5))
        taken = [await calls.finish(session, town.services.ring, told, maker="fake", now=now) for _ in range(2)]

    (call,) = await _records(town)
    assert taken == [True, False]
    assert (call.at, call.set_up_at) == (now, now - timedelta(hours=5))  # ours, and what the provider believes
    assert (call.rang_at, call.answered_at, call.ended_at) == (told.rang_at, told.answered_at, told.ended_at)
    assert (call.outcome, call.cause, call.seconds) == ("answered", "normal", 61)
    for phone in town.phones.values():
        assert all(phone.e164[3:] not in str(value) for value in vars(call).values())


async def test_the_makers_cause_is_kept_where_it_tells_one(town: Town) -> None:
    asker, _, post = await a_pair(town)
    lease = await town.call(asker, post)
    told = CallRecord("c1", town.phones[asker.id], lease.x or "", "no_answer", 0, kit_clock.now(), cause="unreachable")

    async with town.services.database.transaction() as session:
        await calls.finish(session, town.services.ring, told, maker="fake", now=kit_clock.now())

    assert [(call.outcome, call.cause) for call in await _records(town)] == [("no_answer", "unreachable")]


async def test_news_of_an_end_that_overtakes_the_beginning_is_one_call(town: Town) -> None:
    asker, _, post = await a_pair(town)
    lease = await town.ask(asker, post)  # the provider is quicker than our commit: it was only asked for
    told = CallRecord("c1", town.phones[asker.id], lease.x or "", "answered", 5, kit_clock.now())
    async with town.services.database.transaction() as session:
        assert await calls.finish(session, town.services.ring, told, maker="fake", now=kit_clock.now())
    await town.work()
    lease = await town.call(asker, post)
    found = await routing.decide(town.services, town.phones[asker.id], lease.x or "")

    async with town.services.database.transaction() as session:
        await calls.begin(session, found, maker="fake", call_id="c1", set_up_at=None)

    (call,) = await _records(town)
    assert (call.lease_id, call.outcome, call.seconds) == (lease.id, "answered", 5)


async def test_a_call_of_nobody_here_is_not_kept(town: Town) -> None:
    asker, _, post = await a_pair(town)
    lease = await town.call(asker, post)
    stranger = await town.member()
    for caller, x in ((town.phones[stranger.id], lease.x or ""), (town.phones[asker.id], "+8617099999999")):
        told = CallRecord(new_id(), caller, x, "answered", 5, kit_clock.now())
        async with town.services.database.transaction() as session:
            assert not await calls.finish(session, town.services.ring, told, maker="fake", now=kit_clock.now())

    assert await _records(town) == []


async def test_two_calls_that_nobody_answers_end_the_contact_and_free_its_place(town: Town) -> None:
    owner, post = await town.member(), ""
    post = await town.post(owner)
    askers = [await town.member() for _ in range(rules.A_POST + 1)]
    leases = [await town.call(asker, post) for asker in askers[:-1]]

    await _rings(town, askers[0], leases[0])
    assert (await town.lease(leases[0].id)).state == "granted"
    await _rings(town, askers[0], leases[0])

    ended = await town.lease(leases[0].id)
    assert (ended.state, ended.because) == ("released", "unreachable")
    assert (await town.call(askers[-1], post)).state == "granted"  # the fourth has a place now
    with pytest.raises(LeaseEnded):
        await routing.decide(town.services, town.phones[askers[0].id], ended.x or "")


async def test_an_author_who_misses_two_calls_whoever_rang_is_asked_whether_the_post_stands(
    town: Town, clock: Clock
) -> None:
    owner = await town.member()
    post = await town.post(owner)
    askers = [await town.member() for _ in range(2)]
    leases = [await town.call(asker, post) for asker in askers]
    clock.advance(seconds=1)

    for asker, lease in zip(askers, leases, strict=True):
        assert "unreachable" not in await _told(town, owner)
        await _rings(town, asker, lease)

    assert (await _told(town, owner)).count("unreachable") == 1
    assert {(await town.lease(lease.id)).state for lease in leases} == {"granted"}  # each has called once
    await _rings(town, askers[0], leases[0])
    assert (await _told(town, owner)).count("unreachable") == 1
    async with town.services.database.transaction() as session:
        (await session.get_one(Post, post)).confirmed_at = kit_clock.now()
    clock.advance(seconds=1)
    await _rings(town, askers[1], leases[1])
    assert (await _told(town, owner)).count("unreachable") == 1  # it was confirmed: that was the first miss since


@pytest.mark.parametrize("outcomes", [["answered", "no_answer", "no_answer"], ["busy", "busy"], ["no_answer", "busy"]])
async def test_who_has_talked_or_was_only_busy_stays_in_touch(town: Town, outcomes: list[Outcome]) -> None:
    asker, _, post = await a_pair(town)
    lease = await town.call(asker, post)

    for outcome in outcomes:
        await _rings(town, asker, lease, outcome)

    assert (await town.lease(lease.id)).state == "granted"


async def test_two_who_miss_each_other_once_each_stay_in_touch(town: Town) -> None:
    asker, owner, post = await a_pair(town)
    lease = await town.call(asker, post)

    await _rings(town, asker, lease)
    await _rings(town, owner, lease)

    assert (await town.lease(lease.id)).state == "granted"


async def test_records_go_after_six_months(town: Town, clock: Clock) -> None:
    asker, _, post = await a_pair(town)
    await _rings(town, asker, await town.call(asker, post), "answered")
    clock.advance(days=182)
    await jobs.daily(town.services, {}, now=kit_clock.now())
    assert len(await _records(town)) == 1

    clock.advance(days=1)
    await jobs.daily(town.services, {}, now=kit_clock.now())

    assert await _records(town) == []


async def test_too_many_calls_of_a_pair_within_an_hour_are_refused(town: Town, clock: Clock) -> None:
    asker, owner, post = await a_pair(town)
    lease = await town.call(asker, post)
    for n in range(rules.A_PAIR_CALLS):
        await _rings(town, (asker, owner)[n % 2], lease, "busy")

    for caller in (asker, owner):
        with pytest.raises(CallsTooMany) as refused:
            await routing.decide(town.services, town.phones[caller.id], lease.x or "")
        assert refused.value.retry_after
    with pytest.raises(NotAParty):  # a stranger is told what strangers are told
        await routing.decide(town.services, town.phones[(await town.member()).id], lease.x or "")
    clock.advance(hours=1, seconds=1)
    assert await routing.decide(town.services, town.phones[asker.id], lease.x or "")


async def test_too_many_calls_of_one_person_are_refused_whomever_they_reach(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "A_CALLER_CALLS", 4)
    asker = await town.member()
    leases = [await town.call(asker, await town.post(await town.member())) for _ in range(3)]
    for lease in leases[:2]:
        for _ in range(2):
            await _rings(town, asker, lease, "busy")

    with pytest.raises(CallsTooMany):
        await routing.decide(town.services, town.phones[asker.id], leases[2].x or "")


async def test_a_match_that_failed_connects_nobody_before_any_job_has_run(town: Town) -> None:
    needer, giver = await town.member(), await town.member()
    need, offer = await town.post(needer), await town.post(giver)
    match = await town.match(need, needer, offer, giver)
    await town.work()
    (lease,) = await town.leases()
    assert await routing.decide(town.services, town.phones[giver.id], lease.x or "")
    for state, connects in (("completed", True), ("failed", False), ("withdrawn", False)):
        async with town.services.database.transaction() as session:
            (await session.get_one(Match, match)).state = state  # type: ignore[assignment] # one of the states
        if connects:
            assert await routing.decide(town.services, town.phones[giver.id], lease.x or "")
        else:
            with pytest.raises(LeaseEnded):
                await routing.decide(town.services, town.phones[giver.id], lease.x or "")


async def test_an_extension_says_whom_a_caller_means(town: Town) -> None:
    use_pool(town, 1, modes=("axb", "axe"))
    hub = await town.member()
    askers = [await town.member() for _ in range(3)]
    plain, *keyed = [await town.call(asker, await town.post(hub)) for asker in askers]
    x, services = plain.x or "", town.services

    for asker, lease in zip(askers, (plain, *keyed), strict=True):
        assert (await routing.decide(services, town.phones[hub.id], x, lease.extension)).lease_id == lease.id
        found = await routing.decide(services, town.phones[asker.id], x, lease.extension)
        assert found.connect.callee == town.phones[hub.id]
        # who has one line there only need not key in anything
        assert (await routing.decide(services, town.phones[asker.id], x)).lease_id == lease.id
    assert (await routing.decide(services, town.phones[hub.id], x)).lease_id == plain.id
    await town.release(plain)
    with pytest.raises(LeaseEnded):
        await routing.decide(services, town.phones[hub.id], x)
    for wrong in (keyed[1].extension, "12"):
        with pytest.raises(NotAParty):
            await routing.decide(services, town.phones[askers[1].id], x, wrong)


async def test_without_the_extension_one_of_several_cannot_be_meant(town: Town) -> None:
    use_pool(town, 1, modes=frozenset({"axe"}))
    hub = await town.member()
    leases = [await town.call(await town.member(), await town.post(hub)) for _ in range(2)]

    with pytest.raises(ExtensionNeeded):
        await routing.decide(town.services, town.phones[hub.id], leases[0].x or "")
    await town.release(leases[1])

    assert (await routing.decide(town.services, town.phones[hub.id], leases[0].x or "")).lease_id == leases[0].id
