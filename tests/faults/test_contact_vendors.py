"""The same with each vendor's wire in between: its simulator is another party over HTTP, which knows nothing of our rows."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator

import pytest
import uvicorn

from mutualaid.kit import clock as kit_clock
from mutualaid.kit.ring import hook_token
from mutualaid.kit.settings import PREFIX, Settings
from mutualaid.providers.numbers.simulators import running
from mutualaid.providers.numbers.simulators.controls import Vendor
from mutualaid.services import Services
from tests import servers
from tests.contacts.town import Town
from tests.faults.contact_lives import STEPS
from tests.faults.other_lives import AtProvider, Bound, Lives, a_pair, agree, other_process
from tests.figures import Figure
from tests.moments import Clock


@pytest.fixture
def dialect() -> str:
    return "postgresql"


@pytest.fixture
def vendor_name() -> running.VendorName:
    return "tencent"


@pytest.fixture
def asked_at() -> int:
    return servers.free_port()


def planned(settings: Settings, vendor_name: running.VendorName) -> running.Plan:
    return running.Plan(vendor_name, "http://127.0.0.1:1", hook_token(settings.keys_dir))


@pytest.fixture
def settings(settings: Settings, vendor_name: running.VendorName, asked_at: int) -> Settings:
    """The provider is the live maker, and asks the simulator."""
    told = _variables(settings, vendor_name, asked_at)
    chosen = {name.removeprefix(PREFIX).lower(): value for name, value in told.items()}
    return Settings(**(settings.model_dump() | chosen))


def _variables(settings: Settings, vendor_name: running.VendorName, asked_at: int) -> dict[str, str]:
    plan = planned(settings, vendor_name)
    return running.settings_for(plan, address=f"http://127.0.0.1:{asked_at}", folder=settings.data)


@pytest.fixture
async def vendor(settings: Settings, vendor_name: running.VendorName, asked_at: int) -> AsyncIterator[Vendor]:
    found = running.make(planned(settings, vendor_name), now=kit_clock.now)
    server = uvicorn.Server(uvicorn.Config(found.app(), port=asked_at, log_config=None, access_log=False))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 — it sets no event
        await asyncio.sleep(0.01)
    yield found
    server.should_exit = True
    await serving


@pytest.fixture
def town(vendor: Vendor, services: Services) -> Town:
    return Town(services)


@pytest.fixture
async def lives(town: Town, settings: Settings, vendor_name: running.VendorName, asked_at: int) -> AsyncIterator[Lives]:
    async with other_process(town.services, _variables(settings, vendor_name, asked_at)) as found:
        yield found


def at(vendor: Vendor) -> AtProvider:
    async def held() -> list[Bound]:
        live = vendor.board.live()
        return [(one.x, frozenset((one.a, one.b)), one.expires_at.replace(microsecond=0)) for one in live]

    return held


async def test_a_vendor_and_the_rows_agree_after_kills_between_its_answer_and_our_commit(
    town: Town, lives: Lives, vendor: Vendor, clock: Clock
) -> None:
    steps = ("before bind", "after bind", "before unbind", "after unbind")
    ends = [await lives.ask(**await a_pair(town), step=step, how="kill") for step in steps]

    assert [end["end"] for end in ends] == ["killed"] * len(steps)
    clock.advance(minutes=3)
    assert await agree(town, at(vendor)) == len(steps)


@pytest.mark.deep("contact-kills-vendor", kills=70, seed=20230107)
@pytest.mark.parametrize("vendor_name", ["aliyun", "tencent", "huawei"])
async def test_seventy_random_kills_with_each_vendor(
    town: Town, lives: Lives, vendor: Vendor, clock: Clock, figure: Figure
) -> None:
    dice = random.Random(20230107)
    ends: Counter[str] = Counter()
    for n in range(70):
        how = {"after_ms": dice.uniform(0, 900)} if n % 2 else {"step": dice.choice(STEPS), "how": "kill"}
        ends[str((await lives.ask(**await a_pair(town), **how))["end"])] += 1
        if n % 10 == 9:
            clock.advance(minutes=3)
            await agree(town, at(vendor))
    figure.keep(killed=ends["killed"], ended_before=ends["0"], leases=len(await town.leases()), leaked_numbers=0)
