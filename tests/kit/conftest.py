"""Caches for the tests of the kit: the in-process one, asked as if it were a server, and a real Valkey."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from fakeredis import FakeAsyncRedis, FakeServer

from mutualaid.kit.cache import Cache, open_cache
from mutualaid.kit.ring import KeyRing
from tests import servers

Until = Callable[[Callable[[], bool]], Awaitable[None]]


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing.open(tmp_path / "keys")


@pytest.fixture(scope="session")
def shared_valkey() -> Iterator[servers.ValkeyServer]:
    with servers.valkey() as server:
        yield server


@pytest.fixture
def mortal_valkey() -> Iterator[servers.ValkeyServer]:
    """A Valkey of the test's own, to be killed and started again."""
    with servers.valkey() as server:
        yield server


@pytest.fixture(params=["fake", "valkey"])
async def cache(request: pytest.FixtureRequest) -> AsyncIterator[Cache]:
    """An empty cache with a server behind it."""
    if request.param == "fake":
        found = Cache(lambda: FakeAsyncRedis(server=FakeServer()), patience_s=30)
    else:
        found = await open_cache(request.getfixturevalue("shared_valkey").url, patience_s=30)
        await found.command("FLUSHALL")
    yield found
    await found.close()


@pytest.fixture
def until() -> Until:
    """`await until(lambda: …)`: come back as soon as it holds; after ten seconds it never will."""

    async def wait(holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not holds():  # noqa: ASYNC110 — what is waited for happens in other processes and sets no event
                await asyncio.sleep(0.005)

    return wait
