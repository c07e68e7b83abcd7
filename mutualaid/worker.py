"""Claims jobs, runs them, backs off, parks the poisoned; seals the audit chain meanwhile."""

import asyncio
from contextlib import suppress
from datetime import date, timedelta

import structlog

from mutualaid import handlers
from mutualaid.kit import audit, clock, outbox
from mutualaid.kit.errors import AidError
from mutualaid.services import Services

POLL_S = 0.5
JOB_TIMEOUT_S = 45.0
AT_ONCE = 4

log = structlog.get_logger()


class Worker:
    """One worker; any number of them may run, in one process or many. `stop()` ends it after the jobs under way."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._stopping = asyncio.Event()
        self._woken = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self._planned: date | None = None

    def wake(self) -> None:
        """Look for work now (the outbox's bell); without it the worker looks every `POLL_S` seconds."""
        self._woken.set()

    def stop(self) -> None:
        self._stopping.set()
        self._woken.set()

    async def run(self) -> None:
        """Work until stopped, `AT_ONCE` jobs at a time: a slow one holds up neither the others nor the sealing.

        Nothing ends it but `stop`: a database that is away or a disk that is full is waited for, not fled from.
        """
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                await self._start_due(AT_ONCE - len(self._running))
                await audit.seal(self._services.database, self._services.ring, self._services.settings.audit_heads)
            except AidError as problem:
                log.warning("worker_waits", code=problem.code)
            except Exception as problem:  # whatever it is, the next look may succeed
                log.error("worker_failed", exc_info=problem)
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._woken.wait()
        await asyncio.gather(*self._running)

    async def work_once(self) -> int:
        """Claim what is due and run it to its end; how many jobs were claimed. For whoever drives a worker by hand."""
        started = await self._start_due(AT_ONCE)
        await asyncio.gather(*started)
        return len(started)

    async def _start_due(self, most: int) -> list[asyncio.Task[None]]:
        await self._plan_the_day()
        claims = await outbox.claim(self._services.database, most=most) if most > 0 else []
        started = [asyncio.create_task(run_job(self._services, claim), name=claim.name) for claim in claims]
        for task in started:
            self._running.add(task)
            task.add_done_callback(self._ended)
        return started

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self.wake()

    async def _plan_the_day(self) -> None:
        """The day's sweeps are one job, whichever worker writes it first; each start of a worker may repeat them."""
        now = clock.now()
        if (day := clock.today(now)) == self._planned:
            return
        async with self._services.database.transaction() as session:
            await outbox.enqueue(session, "house.daily", {"day": day.isoformat()}, at=now, key=f"house.daily:{day}")
        self._planned = day


async def run_job(services: Services, claim: outbox.Claim) -> None:
    """Run one claimed job. Whatever it raises puts it back and stops no other job; nothing is raised."""
    try:
        try:
            async with asyncio.timeout(JOB_TIMEOUT_S):
                for handle in handlers.JOBS[claim.name]:
                    await handle(services, claim.payload, now=clock.now())
        except Exception as problem:  # every failure is one job's own
            log.warning("job_failed", job=claim.name, attempts=claim.attempts, exc_info=problem)
            asked = problem.retry_after if isinstance(problem, AidError) else None
            pause = timedelta(seconds=asked or 0)
            await outbox.put_back(services.database, claim, error=type(problem).__name__, at_least=pause)
        else:
            await outbox.finish(services.database, claim)
    except Exception as problem:  # its end could not be written: the lease lapses, and the job is run again
        log.warning("job_left", job=claim.name, attempts=claim.attempts, exc_info=problem)
