"""Claims jobs, runs them, backs off, parks the poisoned; seals the audit chain meanwhile."""

import asyncio
from contextlib import suppress
from datetime import date, timedelta

import structlog

from mutualaid import handlers
from mutualaid.kit import audit, clock, logs, outbox
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
        self._planned: date | None = None

    def wake(self) -> None:
        """Look for work now (the outbox's bell); without it the worker looks every `POLL_S` seconds."""
        self._woken.set()

    def stop(self) -> None:
        self._stopping.set()
        self._woken.set()

    async def run(self) -> None:
        """Work until stopped. A database that is away for a while is waited for, not fled from."""
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                done = await self.work_once()
                await seal(self._services)
            except AidError as problem:  # the database is away or has no connection free
                log.warning("worker_waits", code=problem.code)
                done = 0
            if not done:
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_S):
                        await self._woken.wait()

    async def work_once(self) -> int:
        """Claim what is due and run it; how many jobs were claimed."""
        await self._plan_the_day()
        claims = await outbox.claim(self._services.database, most=AT_ONCE)
        await asyncio.gather(*(run_job(self._services, claim) for claim in claims))
        return len(claims)

    async def _plan_the_day(self) -> None:
        """The day's sweeps are one job a day, whoever writes it first."""
        now = clock.now()
        if (day := clock.today(now)) == self._planned:
            return
        async with self._services.database.transaction() as session:
            await outbox.enqueue(session, "house.daily", {"day": day.isoformat()}, at=now, key=f"house.daily:{day}")
        self._planned = day


async def run_job(services: Services, claim: outbox.Claim) -> None:
    """Run one claimed job; whatever it raises puts it back, and stops no other job."""
    try:
        async with asyncio.timeout(JOB_TIMEOUT_S):
            for handle in handlers.JOBS[claim.name]:
                await handle(services, claim.payload, now=clock.now())
    except Exception as problem:  # every failure is one job's own
        retry = (
            timedelta(seconds=problem.retry_after) if isinstance(problem, AidError) and problem.retry_after else None
        )
        log.warning("job_failed", job=claim.name, attempts=claim.attempts, exc_info=problem)
        await outbox.put_back(services.database, claim, error=logs.where(problem)[0], retry_after=retry)
    else:
        await outbox.finish(services.database, claim)


async def seal(services: Services) -> None:
    """Chain the audit rows committed so far, head exported beside the keys."""
    await audit.seal(services.database, services.ring, services.settings.audit_heads)
