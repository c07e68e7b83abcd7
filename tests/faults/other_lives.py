"""The process of `contact_lives` as tests talk to it, and what must hold once everybody has come back."""

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from mutualaid.contacts import reconciling
from mutualaid.contacts.records import Lease
from mutualaid.kit import clock as kit_clock
from mutualaid.services import Services
from tests.contacts.town import Town
from tests.servers import end_with_parent

ROOT = Path(__file__).resolve().parents[2]
Bound = tuple[str, frozenset[str], datetime]  # the number, the two persons, the end (whole seconds)
AtProvider = Callable[[], Awaitable[list[Bound]]]  # what it holds, in no order


@dataclass
class Lives:
    """The other process."""

    process: asyncio.subprocess.Process

    async def ask(self, **asked: Any) -> dict[str, Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(asked).encode() + b"\n")
        told: dict[str, Any] = json.loads(await self.process.stdout.readline())
        return told


@asynccontextmanager
async def other_process(services: Services, more: Mapping[str, str] | None = None) -> AsyncIterator[Lives]:
    """A process with the same settings; `more`: those of its provider."""
    settings = services.settings
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("MUTUALAID_")},
        "MUTUALAID_DATA": str(settings.data),
        "MUTUALAID_DATABASE_URL": settings.database_url,
        "MUTUALAID_NOW_FILE": str(settings.now_file),
        "MUTUALAID_NUMBERS_POOL": str(settings.numbers_pool),
        **(more or {}),
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.contact_lives"),
        cwd=ROOT,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        preexec_fn=end_with_parent(),
    )
    try:
        yield Lives(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


def people(town: Town, lease: Lease) -> frozenset[str]:
    return frozenset(town.phones[member_id].e164 for member_id in lease.parties())


async def agree(town: Town, at_provider: AtProvider) -> int:
    """Whoever is left works and asks the provider; then both know the same. How many leases there are."""
    await town.work()
    await reconciling.all_of_them(town.services, now=kit_clock.now, told=lambda _: None)
    await town.work()
    leases, now = await town.leases(), kit_clock.now()
    live = [one for one in leases if one.state == "granted" and one.expires_at > now]
    ours = Counter((one.x or "", people(town, one), one.expires_at.replace(microsecond=0)) for one in live)
    held = Counter(await at_provider())
    assert held == ours, f"leaked {held - ours}, lost {ours - held}"
    assert not [one for one in leases if one.state == "asked"]
    assert all(one.unbound_at for one in leases if one.state in ("released", "failed"))
    return len(leases)


async def a_pair(town: Town) -> dict[str, str]:
    asker, owner = await town.member(), await town.member()
    return {"asker": asker.id, "post": await town.post(owner)}
