"""The worker: a slow job holds up nobody, a bad one nothing, and nothing but `stop` ends it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select

from mutualaid import handlers, worker
from mutualaid.kit import audit, outbox
from mutualaid.kit.errors import Overloaded
from mutualaid.kit.outbox import Job
from mutualaid.services import Services
from mutualaid.worker import Worker
from tests.moments import Clock

Do = Callable[[Services, Mapping[str, str]], Awaitable[None]]


@pytest.fixture
def dialect() -> str:
    return "sqlite"  # claiming is tested on both; what stands here is the loop around it


@pytest.fixture
def do(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Do], None]:
    """`do("a", function)`: for this test a job of that name is done by the function."""
    jobs: dict[str, Any] = {"house.daily": (), "house.hourly": ()}
    monkeypatch.setattr(handlers, "JOBS", jobs)

    def add(name: str, function: Do) -> None:
        async def handle(services: Services, payload: Mapping[str, str], *, now: datetime) -> None:
            await function(services, payload)

        jobs[name] = (handle,)

    return add


async def enqueue(services: Services, clock: Clock, *names: str) -> None:
    async with services.database.transaction() as session:
        for name in names:
            await outbox.enqueue(session, name, {}, at=clock.now)


async def left(services: Services) -> dict[str, str | None]:
    """Jobs that are not done: name → its last error."""
    async with services.database.reading() as session:
        return {job.name: job.last_error for job in await session.scalars(select(Job))}


@asynccontextmanager
async def at_work(services: Services) -> AsyncIterator[Worker]:
    found = Worker(services)
    running = asyncio.create_task(found.run())
    yield found
    found.stop()
    async with asyncio.timeout(10):
        await running


async def work(services: Services) -> None:
    by_hand = Worker(services)
    while await by_hand.work_once():
        continue


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await holds():  # noqa: ASYNC110 — what is waited for happens in the database and sets no event
            await asyncio.sleep(0.01)


async def nothing(_services: Services, _payload: Mapping[str, str]) -> None:
    return


async def test_a_slow_job_holds_up_neither_the_next_nor_the_seal(
    services: Services, clock: Clock, do: Callable[[str, Do], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "POLL_S", 0.02)
    go_on, done = asyncio.Event(), asyncio.Event()

    async def slow(_services: Services, _payload: Mapping[str, str]) -> None:
        await go_on.wait()

    async def quick(_services: Services, _payload: Mapping[str, str]) -> None:
        done.set()

    do("a.slow", slow)
    do("a.quick", quick)
    await enqueue(services, clock, "a.slow")
    async with at_work(services):

        async def only_the_slow_one() -> bool:
            return list(await left(services)) == ["a.slow"]

        await until(only_the_slow_one)
        async with services.database.transaction() as session:
            await outbox.enqueue(session, "a.quick", {}, at=clock.now)
            audit.note(session, actor=None, deed="a.deed", subject="s", now=clock.now)
        async with asyncio.timeout(10):
            await done.wait()
        await until(lambda: sealed(services, "a.deed"))
        assert "a.slow" in await left(services)
        go_on.set()
    assert await left(services) == {}


async def sealed(services: Services, deed: str) -> bool:
    async with services.database.reading() as session:
        number = await session.scalar(select(audit.AuditRow.number).where(audit.AuditRow.deed == deed))
        return number is not None


async def test_a_job_that_fails_is_put_back_and_stops_no_other(
    services: Services, clock: Clock, do: Callable[[str, Do], None]
) -> None:
    async def fails(_services: Services, _payload: Mapping[str, str]) -> None:
        raise ValueError("13800138000")

    do("a.bad", fails)
    do("a.good", nothing)
    await enqueue(services, clock, "a.bad", "a.good", "a.unknown")

    await work(services)

    assert await left(services) == {"a.bad": "ValueError", "a.unknown": "KeyError"}


async def test_a_job_that_never_ends_is_given_up(
    services: Services, clock: Clock, do: Callable[[str, Do], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "JOB_TIMEOUT_S", 0.05)

    async def forever(_services: Services, _payload: Mapping[str, str]) -> None:
        await asyncio.Event().wait()

    do("a.endless", forever)
    await enqueue(services, clock, "a.endless")

    await Worker(services).work_once()

    assert await left(services) == {"a.endless": "TimeoutError"}


async def test_a_pause_that_is_asked_for_is_kept(
    services: Services, clock: Clock, do: Callable[[str, Do], None]
) -> None:
    async def busy(_services: Services, _payload: Mapping[str, str]) -> None:
        raise Overloaded(retry_after=90)

    do("a.busy", busy)
    await enqueue(services, clock, "a.busy")
    await Worker(services).work_once()

    clock.advance(seconds=89)
    assert await outbox.claim(services.database) == []
    clock.advance(seconds=1)
    assert len(await outbox.claim(services.database)) == 1


@pytest.mark.parametrize("trouble", [Overloaded(retry_after=1), OSError("no space"), RuntimeError("a mistake")])
async def test_no_trouble_ends_the_worker(
    services: Services,
    clock: Clock,
    do: Callable[[str, Do], None],
    monkeypatch: pytest.MonkeyPatch,
    trouble: Exception,
) -> None:
    # given: neither claiming nor sealing works for a while
    monkeypatch.setattr(worker, "POLL_S", 0.01)
    claim, tries = outbox.claim, 0

    async def troubled(*arguments: Any, **options: Any) -> list[outbox.Claim]:
        nonlocal tries
        tries += 1
        if tries <= 5:
            raise trouble
        return await claim(*arguments, **options)

    monkeypatch.setattr(outbox, "claim", troubled)
    done = asyncio.Event()

    async def finally_(_services: Services, _payload: Mapping[str, str]) -> None:
        done.set()

    do("a.job", finally_)
    await enqueue(services, clock, "a.job")

    async with at_work(services), asyncio.timeout(10):
        await done.wait()
    assert tries > 5


async def test_a_job_whose_end_cannot_be_written_is_left_for_the_next_claim(
    services: Services, clock: Clock, do: Callable[[str, Do], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any, **__: Any) -> bool:
        raise Overloaded(retry_after=1)

    do("a.job", nothing)
    await enqueue(services, clock, "a.job")
    with monkeypatch.context() as patched:
        patched.setattr(outbox, "finish_all", away)
        await Worker(services).work_once()
    assert "a.job" in await left(services)

    clock.advance(seconds=outbox.LEASE.total_seconds())
    await work(services)

    assert await left(services) == {}


async def test_stopping_waits_for_the_jobs_under_way(
    services: Services, clock: Clock, do: Callable[[str, Do], None]
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_services: Services, _payload: Mapping[str, str]) -> None:
        begun.set()
        await go_on.wait()

    do("a.slow", slow)
    await enqueue(services, clock, "a.slow")
    found = Worker(services)
    running = asyncio.create_task(found.run())
    await begun.wait()

    found.stop()
    await asyncio.sleep(0.05)
    assert not running.done()

    go_on.set()
    async with asyncio.timeout(10):
        await running
    assert await left(services) == {}


async def test_the_hours_and_the_days_work_are_one_job_each(services: Services, clock: Clock) -> None:
    workers = [Worker(services) for _ in range(3)]
    for each in workers:
        await each._plan()
    assert sorted(await left(services)) == ["house.daily", "house.hourly"]

    clock.advance(days=1)
    await workers[0]._plan()

    async with services.database.reading() as session:
        keys = list(await session.scalars(select(Job.key).order_by(Job.key)))
    assert keys == [
        "house.daily:2023-01-07",
        "house.daily:2023-01-08",
        "house.hourly:2023-01-07T12:00:00+00:00",
        "house.hourly:2023-01-08T12:00:00+00:00",
    ]
