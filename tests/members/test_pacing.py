"""How often codes may be asked for, by whom, and what happens when nobody can count."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from starlette.requests import Request

from mutualaid.kit.errors import TooMany
from mutualaid.kit.limits import LimiterUnavailable
from mutualaid.kit.peers import Peer, peer_of
from mutualaid.kit.phones import Phone
from mutualaid.kit.settings import Settings
from mutualaid.members import pacing
from mutualaid.members.errors import CodesTooOften
from mutualaid.services import Services
from mutualaid.wiring import open_services

HERE = Peer("192.0.2.1", "192.0.2.0/24")


@asynccontextmanager
async def _house(folder: Path, **choices: object) -> AsyncIterator[Services]:
    async with open_services(Settings(data=folder, **choices)) as services:  # type: ignore[arg-type] # named by each test
        yield services


async def _asked(services: Services, phone: str, peer: Peer = HERE, session_id: str | None = None) -> None:
    await pacing.for_code(services, Phone(phone), peer=peer, session_id=session_id)


async def _let_through(ask: Callable[[int], Awaitable[None]], *, most: int = 200) -> int:
    """How many are let through before the first refusal."""
    for n in range(most):
        try:
            await ask(n)
        except CodesTooOften as refusal:
            assert refusal.retry_after is not None and refusal.retry_after >= 1
            return n
    return most


async def test_one_number_gets_one_code_a_minute(tmp_path: Path) -> None:
    async with _house(tmp_path, limits="strict") as services:
        await _asked(services, "+8613800138000")

        with pytest.raises(CodesTooOften) as refusal:
            await _asked(services, "+8613800138000")

    assert refusal.value.retry_after is not None and 50 <= refusal.value.retry_after <= 60


async def test_one_address_one_block_and_one_session_have_their_own_limits(tmp_path: Path) -> None:
    async with _house(tmp_path, limits="strict") as services:
        by_address = await _let_through(lambda n: _asked(services, f"+861380000{n:04d}"))
        block = [Peer(f"198.51.100.{n}", "198.51.100.0/24") for n in range(200)]
        by_prefix = await _let_through(lambda n: _asked(services, f"+861390000{n:04d}", block[n]))
        far = [Peer(f"203.0.{n}.1", f"203.0.{n}.0/24") for n in range(200)]
        by_session = await _let_through(lambda n: _asked(services, f"+861370000{n:04d}", far[n], "one session"))

    assert (by_address, by_prefix, by_session) == (20, 100, 10)


@pytest.mark.parametrize("limits", ["strict", "relaxed"])
async def test_the_houses_budget_trips_for_everybody_relaxed_or_not(tmp_path: Path, limits: str) -> None:
    far = [Peer(f"203.0.{n}.1", f"203.0.{n}.0/24") for n in range(200)]
    async with _house(tmp_path, limits=limits, codes_global_hourly=7) as services:
        through = await _let_through(lambda n: _asked(services, f"+861390000{n:04d}", far[n]))

    assert through == 7


async def test_relaxed_settings_lift_the_pause_between_codes(tmp_path: Path) -> None:
    async with _house(tmp_path, limits="relaxed") as services:
        assert await _let_through(lambda _: _asked(services, "+8613800138000"), most=50) == 50


async def test_sign_ins_and_identity_checks_of_one_address_are_counted(tmp_path: Path) -> None:
    async with _house(tmp_path, limits="strict") as services:
        for _ in range(20):
            await pacing.for_sign_in(services, peer=HERE)
            await pacing.for_identity_check(services, "a member", peer=HERE)

        with pytest.raises(TooMany):
            await pacing.for_sign_in(services, peer=HERE)
        with pytest.raises(TooMany):
            await pacing.for_identity_check(services, "a member", peer=HERE)


@pytest.mark.parametrize("limits", ["strict", "relaxed"])
async def test_without_the_cache_codes_sign_ins_and_identity_checks_are_refused(tmp_path: Path, limits: str) -> None:
    async with _house(tmp_path, limits=limits, redis_url="redis://127.0.0.1:1/0") as services:
        with pytest.raises(LimiterUnavailable):
            await _asked(services, "+8613800138000")
        with pytest.raises(LimiterUnavailable):
            await pacing.for_sign_in(services, peer=HERE)
        with pytest.raises(LimiterUnavailable):
            await pacing.for_identity_check(services, "a member", peer=HERE)


@pytest.mark.parametrize(
    ("host", "address", "prefix"),
    [
        ("203.0.113.9", "203.0.113.9", "203.0.113.0/24"),
        ("::ffff:203.0.113.9", "203.0.113.9", "203.0.113.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1:2::3", "2001:db8:1::/48"),
        ("a socket", "a socket", "a socket"),
    ],
)
def test_an_ipv4_address_is_one_however_the_server_listens(host: str, address: str, prefix: str) -> None:
    request = Request({"type": "http", "client": (host, 1), "headers": []})

    assert (peer_of(request).address, peer_of(request).prefix) == (address, prefix)
