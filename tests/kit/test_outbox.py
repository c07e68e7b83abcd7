"""Jobs as rows: written with the deed, claimed by one worker at a time, repeated until done, parked when poisoned."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from mutualaid.kit import outbox
from mutualaid.kit.database import Database
from mutualaid.kit.outbox import LAPSED, LEASE, MOST_ATTEMPTS, Claim, Job
from mutualaid.kit.ring import KeyRing
from tests.moments import Clock


@pytest.fixture(autouse=True)
async def empty(database: Database) -> None:
    async with database.reading() as session:
        assert list(await session.scalars(select(Job.id))) == []


async def enqueue(database: Database, clock: Clock, *names: str, key: str | None = None, seconds: float = 0) -> None:
    async with database.transaction() as session:
        for name in names:
            await outbox.enqueue(session, name, {"n": name}, at=clock.now + timedelta(seconds=seconds), key=key)


async def jobs(database: Database) -> list[Job]:
    async with database.reading() as session:
        return list(await session.scalars(select(Job).order_by(Job.due_at, Job.name)))


async def the_job(database: Database) -> Job:
    (job,) = await jobs(database)
    return job


async def the_claim(database: Database) -> Claim:
    (claim,) = await outbox.claim(database)
    return claim


# ---- written with the deed --------------------------------------------------------------------------------------


async def test_a_job_is_there_when_its_deed_is_committed_and_not_before(database: Database, clock: Clock) -> None:
    async with database.transaction() as session:
        await outbox.enqueue(session, "post.published", {"post": "p"}, at=clock.now)
        assert await jobs(database) == []

    claim = await the_claim(database)
    assert (claim.name, claim.payload, claim.attempts) == ("post.published", {"post": "p"}, 1)


async def test_a_job_is_gone_with_a_deed_that_failed(database: Database, clock: Clock) -> None:
    rung: list[str] = []

    async def ring(bell: str) -> None:
        rung.append(bell)

    database.on_commit = ring
    with pytest.raises(RuntimeError):
        async with database.transaction() as session:
            await outbox.enqueue(session, "post.published", {}, at=clock.now)
            raise RuntimeError

    assert await jobs(database) == [] and rung == []


async def test_the_bell_rings_once_the_job_can_be_claimed(database: Database, clock: Clock) -> None:
    heard: list[tuple[str, int]] = []

    async def ring(bell: str) -> None:
        if bell == outbox.BELL and not heard:
            heard.append((bell, len(await outbox.claim(database))))

    database.on_commit = ring
    await enqueue(database, clock, "a")

    assert heard == [("outbox", 1)]


async def test_a_key_makes_two_wishes_one_job_until_it_is_done(database: Database, clock: Clock) -> None:
    await enqueue(database, clock, "first", key="k")
    await enqueue(database, clock, "second", key="k")
    await enqueue(database, clock, "other", key="k2")
    assert [job.name for job in await jobs(database)] == ["first", "other"]

    for claim in await outbox.claim(database):
        await outbox.finish(database, claim)
    await enqueue(database, clock, "again", key="k")

    assert [job.name for job in await jobs(database)] == ["again"]


async def test_many_who_wish_at_once_under_one_key_get_one_job(database: Database, clock: Clock) -> None:
    await asyncio.gather(*(enqueue(database, clock, f"n{n}", key="k") for n in range(12)))

    assert len(await jobs(database)) == 1


# ---- claimed ----------------------------------------------------------------------------------------------------


async def test_a_job_is_claimed_when_its_time_has_come_oldest_first(database: Database, clock: Clock) -> None:
    for name, seconds in (("late", 3), ("early", 1), ("middle", 2)):
        await enqueue(database, clock, name, seconds=seconds)
    assert await outbox.claim(database) == []

    clock.advance(seconds=2)
    assert [claim.name for claim in await outbox.claim(database)] == ["early", "middle"]

    clock.advance(seconds=1)
    assert [claim.name for claim in await outbox.claim(database)] == ["late"]


async def test_a_claim_takes_no_more_than_it_asked_for(database: Database, clock: Clock) -> None:
    await enqueue(database, clock, *"abcdefg")

    assert [len(await outbox.claim(database, most=3)) for _ in range(4)] == [3, 3, 1, 0]


async def test_promises_come_first_and_a_quarter_is_kept_for_what_is_sought(database: Database, clock: Clock) -> None:
    async with database.transaction() as session:
        for n in range(9):
            await outbox.enqueue(session, f"sought{n}", {}, at=clock.now, lane=outbox.SEEKING)
    await enqueue(database, clock, *"abcdefg")

    taken = [sorted(claim.name for claim in await outbox.claim(database, most=8)) for _ in range(3)]

    assert [sum(name.startswith("sought") for name in names) for names in taken] == [2, 7, 0]
    assert [len(names) for names in taken] == [8, 8, 0]


async def test_what_is_wished_for_again_while_it_is_run_is_run_once_more(database: Database, clock: Clock) -> None:
    async def wish() -> None:
        async with database.transaction() as session:
            await outbox.enqueue(session, "look", {}, at=clock.now, key="look", again=True)

    await wish()
    await wish()
    [first] = await outbox.claim(database)
    await wish()  # in the very moment of the first
    assert await outbox.claim(database) == []  # it is being run

    assert await outbox.finish(database, first)

    [second] = await outbox.claim(database)
    assert await outbox.finish(database, second)
    assert await jobs(database) == []


async def test_many_claimers_at_once_get_each_job_exactly_once(database: Database, clock: Clock) -> None:
    # given
    names = [f"job{n}" for n in range(90)]
    await enqueue(database, clock, *names)
    seen: Counter[str] = Counter()

    async def worker() -> None:
        while claims := await outbox.claim(database, most=4):
            await asyncio.sleep(0)
            for claim in claims:
                seen[claim.name] += 1
                assert await outbox.finish(database, claim)

    await asyncio.gather(*(worker() for _ in range(10)))

    assert seen == Counter(names)
    assert await jobs(database) == []


async def test_claimers_of_several_processes_get_each_job_exactly_once(
    database: Database, clock: Clock, ring: KeyRing
) -> None:
    """Each with a pool, and on SQLite a lock, of its own: only the database stands between them."""
    await enqueue(database, clock, *(f"job{n}" for n in range(40)))
    others = [Database(database.url, ring, pool_size=2, pool_timeout=30) for _ in range(4)]
    seen: Counter[str] = Counter()

    async def worker(own: Database) -> None:
        while claims := await outbox.claim(own, most=3):
            for claim in claims:
                seen[claim.name] += 1
                await outbox.finish(own, claim)

    await asyncio.gather(*map(worker, others))
    for other in others:
        await other.close()

    assert seen == Counter(f"job{n}" for n in range(40))


# ---- leases -----------------------------------------------------------------------------------------------------


async def test_a_job_under_lease_is_nobody_elses_until_the_lease_lapses(database: Database, clock: Clock) -> None:
    await enqueue(database, clock, "a")
    first = await the_claim(database)

    clock.advance(seconds=LEASE.total_seconds() - 0.001)
    assert await outbox.claim(database) == []

    clock.advance(seconds=0.001)
    second = await the_claim(database)
    assert (second.id, second.attempts) == (first.id, 2) and second.token != first.token


async def test_who_lost_the_lease_can_neither_finish_nor_put_back(database: Database, clock: Clock) -> None:
    # given: a worker that was paused past its lease while another claimed the job
    await enqueue(database, clock, "a")
    paused = await the_claim(database)
    clock.advance(seconds=LEASE.total_seconds())
    other = await the_claim(database)

    assert not await outbox.finish(database, paused)
    assert not await outbox.put_back(database, paused, error="Late")

    job = await the_job(database)
    assert (job.lease_token, job.last_error) == (other.token, None)
    assert await outbox.finish(database, other)
    assert not await outbox.finish(database, other)


async def test_a_clock_that_jumps_back_frees_no_lease(database: Database, clock: Clock) -> None:
    await enqueue(database, clock, "a")
    await the_claim(database)

    clock.advance(hours=-1)

    assert await outbox.claim(database) == []


# ---- failures ---------------------------------------------------------------------------------------------------


async def test_pauses_double_and_the_job_is_parked_in_the_end(database: Database, clock: Clock) -> None:
    await enqueue(database, clock, "poison")
    pauses = []

    for attempt in range(1, MOST_ATTEMPTS + 1):
        claim = await the_claim(database)
        assert claim.attempts == attempt
        assert await outbox.put_back(database, claim, error="ValueError")
        job = await the_job(database)
        assert (job.last_error, job.lease_token, job.lease_until) == ("ValueError", None, None)
        pauses.append((job.due_at - clock.now).total_seconds())
        assert await outbox.claim(database) == []
        clock.set(job.due_at)

    assert pauses == [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600]
    assert (await the_job(database)).parked_at is not None
    clock.advance(days=365)
    assert await outbox.claim(database) == []


async def test_whoever_asks_for_a_longer_pause_gets_it_and_a_shorter_one_changes_nothing(
    database: Database, clock: Clock
) -> None:
    await enqueue(database, clock, "a")

    await outbox.put_back(database, await the_claim(database), error="Throttled", at_least=timedelta(seconds=30))
    assert (await the_job(database)).due_at == clock.now + timedelta(seconds=30)

    clock.advance(seconds=30)
    await outbox.put_back(database, await the_claim(database), error="ProviderDown", at_least=timedelta(seconds=1))
    assert (await the_job(database)).due_at == clock.now + timedelta(seconds=4)


async def test_a_job_that_takes_its_worker_down_each_time_is_parked_too(database: Database, clock: Clock) -> None:
    # given: nobody ever comes back to say how it went
    await enqueue(database, clock, "killer")
    for _ in range(MOST_ATTEMPTS):
        await the_claim(database)
        clock.advance(seconds=LEASE.total_seconds())

    assert await outbox.claim(database) == []

    job = await the_job(database)
    assert job.parked_at == clock.now and job.last_error == LAPSED
    clock.advance(days=1)
    assert await outbox.claim(database) == []


async def test_a_parked_job_stands_in_nobodys_way(database: Database, clock: Clock) -> None:
    await enqueue(database, clock, "poison")
    async with database.transaction() as session:
        await session.execute(update(Job).values(parked_at=clock.now))
    await enqueue(database, clock, "good", seconds=1)
    clock.advance(seconds=1)

    assert [claim.name for claim in await outbox.claim(database, most=1)] == ["good"]


async def test_the_backlog_tells_what_is_due_parked_and_for_how_long(database: Database, clock: Clock) -> None:
    async def backlog() -> outbox.Backlog:
        async with database.reading() as session:
            return await outbox.backlog(session)

    assert await backlog() == outbox.Backlog(due=0, parked=0, lag_s=0.0)

    await enqueue(database, clock, "a", "b")
    await enqueue(database, clock, "c", seconds=100)
    clock.advance(seconds=7)

    assert await backlog() == outbox.Backlog(due=2, parked=0, lag_s=7.0)
    async with database.transaction() as session:
        await session.execute(update(Job).where(Job.name == "a").values(parked_at=clock.now))
    assert await backlog() == outbox.Backlog(due=1, parked=1, lag_s=7.0)


async def test_an_idle_look_takes_no_write_lock(database: Database, clock: Clock) -> None:
    await enqueue(database, clock, "later", seconds=60)

    async with database.transaction():  # on SQLite there is only one such lock
        async with asyncio.timeout(2):
            assert await outbox.claim(database) == []
