"""Claims jobs, runs them, backs off, parks the poisoned; seals the audit chain meanwhile."""

import asyncio
import time
from datetime import datetime, timedelta

import structlog

from mutualaid import handlers
from mutualaid.kit import audit, clock, outbox
from mutualaid.kit.errors import AidError
from mutualaid.services import Services

POLL_S = 0.5
JOB_TIMEOUT_S = 45.0
AT_ONCE = 8
_WORTH_A_LOOK = AT_ONCE // 2  # so many under way need no others yet: claims and ends are written several at a time
_SEALED_EVERY_S = 0.4

log = structlog.get_logger()


class Worker:
    """One worker; any number of them may run, in one process or many. `stop()` ends it after the jobs under way."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._stopping = asyncio.Event()
        self._woken = asyncio.Event()
        self._running: set[asyncio.Task[bool]] = set()
        self._done: list[outbox.Claim] = []
        self._sealed = -_SEALED_EVERY_S
        self._planned: datetime | None = None

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
        waited = True
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                if waited or len(self._running) <= _WORTH_A_LOOK:
                    await self._finish_done()
                    await self._start_due(AT_ONCE - len(self._running))
                await self._seal()
            except AidError as problem:
                log.warning("worker_waits", code=problem.code)
            except Exception as problem:  # whatever it is, the next look may succeed
                log.error("worker_failed", exc_info=problem)
            waited = not await self._bell()
        await asyncio.gather(*self._running)
        await self._finish_done()

    async def _bell(self) -> bool:
        """Wait for a reason to look, `POLL_S` at most; False if there was none."""
        try:
            async with asyncio.timeout(POLL_S):
                await self._woken.wait()
        except TimeoutError:
            return False
        return True

    async def work_once(self) -> int:
        """Claim what is due and run it to its end; how many jobs were claimed. For whoever drives a worker by hand."""
        started = await self._start_due(AT_ONCE)
        await asyncio.gather(*started)
        await self._finish_done()
        return len(started)

    async def _start_due(self, most: int) -> list[asyncio.Task[bool]]:
        await self._plan()
        claims = await outbox.claim(self._services.database, most=most) if most > 0 else []
        return [self._start(claim) for claim in claims]

    def _start(self, claim: outbox.Claim) -> asyncio.Task[bool]:
        task = asyncio.create_task(run_job(self._services, claim), name=claim.name)

        def ended(task: asyncio.Task[bool]) -> None:
            self._running.discard(task)
            if not task.cancelled() and task.result():
                self._done.append(claim)
            self.wake()

        self._running.add(task)
        task.add_done_callback(ended)
        return task

    async def _finish_done(self) -> None:
        done, self._done = self._done, []
        if not done:
            return
        try:
            await outbox.finish_all(self._services.database, done)
        except Exception as problem:  # their end could not be written: the leases lapse, and the jobs are run again
            log.warning("jobs_left", count=len(done), exc_info=problem)

    async def _seal(self) -> None:
        now = time.monotonic()
        if now - self._sealed >= _SEALED_EVERY_S:
            self._sealed = now
            await audit.seal(self._services.database, self._services.ring, self._services.settings.audit_heads)

    async def _plan(self) -> None:
        """The hour's and the day's work are one job each, whichever worker writes it; each start may repeat them."""
        now = clock.now()
        if (hour := now.replace(minute=0, second=0, microsecond=0)) == self._planned:
            return
        day = clock.today(now)
        async with self._services.database.transaction() as session:
            await outbox.enqueue(session, "house.daily", {"day": day.isoformat()}, at=now, key=f"house.daily:{day}")
            await outbox.enqueue(session, "house.hourly", {}, at=now, key=f"house.hourly:{hour.isoformat()}")
        self._planned = hour


async def run_job(services: Services, claim: outbox.Claim) -> bool:
    """Run one claimed job; True if it is done. Whatever it raises puts it back and stops no other job."""
    try:
        async with asyncio.timeout(JOB_TIMEOUT_S):
            for handle in handlers.JOBS[claim.name]:
                await handle(services, claim.payload, now=clock.now())
        return True
    except Exception as problem:  # every failure is one job's own
        log.warning("job_failed", job=claim.name, attempts=claim.attempts, exc_info=problem)
        asked = problem.retry_after if isinstance(problem, AidError) else None
        pause = timedelta(seconds=asked or 0)
        try:
            await outbox.put_back(services.database, claim, error=type(problem).__name__, at_least=pause)
        except Exception as fault:  # its end could not be written: the lease lapses, and the job is run again
            log.warning("job_left", job=claim.name, attempts=claim.attempts, exc_info=fault)
        return False
