"""A real instance and Debian's Chromium, shared by every journey of the process."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from instance import Instance
from playwright.async_api import Browser, async_playwright

from tests.instances import an_instance
from tests.journeys.browser.neighbour import HOME, Neighbour

QUIET = (
    "--no-sandbox",  # the tests may run as root, and the only pages are our own
    "--disable-gpu",
    "--disable-dev-shm-usage",  # a small /dev/shm would crash pages
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESK: dict[str, Any] = {"viewport": {"width": 1200, "height": 900}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}

Newcomer = Callable[..., Awaitable[Neighbour]]


@pytest.fixture(scope="session")
def instance(
    template_data: Path, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Instance]:
    with an_instance(template_data, tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("no Chromium on this machine: scripts/ci-packages installs it")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=QUIET)
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
def _numbers() -> Iterator[int]:
    return count(1)


@pytest.fixture(scope="session")
def _looked_at() -> set[str]:
    return set()


@pytest.fixture
async def newcomer(
    chromium: Browser, instance: Instance, _numbers: Iterator[int], _looked_at: set[str]
) -> AsyncIterator[Newcomer]:
    """`await newcomer()`: somebody new at a browser of their own. At the end nothing may have gone wrong unseen."""
    there: list[Neighbour] = []

    async def arrive(device: dict[str, Any] = DESK) -> Neighbour:
        context = await chromium.new_context(
            locale="zh-CN",
            timezone_id="Asia/Shanghai",
            geolocation=HOME,
            permissions=["geolocation"],
            **device,
        )
        number = next(_numbers)
        script = device.get("java_script_enabled", True)
        neighbour = Neighbour(
            context, await context.new_page(), instance, f"137{number:08d}", number, _looked_at, script=script
        )
        there.append(neighbour)
        return neighbour

    yield arrive
    for neighbour in there:
        await neighbour.context.close()
    troubles = [trouble for neighbour in there for trouble in neighbour.troubles]
    assert troubles == [], "\n".join(troubles)
