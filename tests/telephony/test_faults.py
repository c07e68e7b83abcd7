"""What ends in the middle of a call, and what fails: nobody is connected who should not be, nobody is left on the line."""

import asyncio
import json
import signal
import time
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from tests.telephony import programs
from tests.telephony.conftest import Exchange, Pair
from tests.telephony.programs import Telephony, answers_options
from tests.telephony.talking import call, nothing_leaked, record_of, refused, set_end, talk
from tests.telephony.waiting import until

ROOT = Path(__file__).resolve().parents[2]
_BREAK_S = 2.1  # after no answer, the switchboard asks nobody for so long


async def test_when_a_lease_ends_both_are_hung_up(exchange: Exchange) -> None:
    pair, others = await exchange.pair(), await exchange.pair()

    async with talk(others):
        async with talk(pair):
            await exchange.town.release(pair.lease)
            await exchange.town.work()
        assert exchange.telephony.calls() == 1, "the other pair talks on"
        await exchange.town.release(others.lease)
        await exchange.town.work()

    assert (await record_of(exchange, pair.lease)).outcome == "answered"


async def test_when_a_post_ends_both_are_hung_up(exchange: Exchange) -> None:
    pair = await exchange.pair()

    async with talk(pair):
        await exchange.town.end_post(pair.post)
        await exchange.town.work()


async def test_a_call_lasts_no_longer_than_its_lease(exchange: Exchange) -> None:
    pair = await exchange.pair()
    await set_end(exchange, pair.lease, timedelta(seconds=5))
    began = time.monotonic()

    async with talk(pair):
        """Nobody does anything."""

    assert time.monotonic() - began < 6.5, "nobody hung up: they were cut"


async def test_without_the_service_nobody_is_connected(exchange: Exchange) -> None:
    pair = await exchange.pair()

    async with _down(exchange):
        await refused(pair, 503)
        await refused(pair, 503)

    await asyncio.sleep(_BREAK_S)
    await call(pair.a, pair.b, pair.x, pair.a.hangs_up(), pair.b.is_hung_up())


async def test_a_slow_service_connects_nobody_late(exchange: Exchange) -> None:
    pair = await exchange.pair()
    exchange.service.slow_s = 8.0
    began = time.monotonic()
    try:
        await refused(pair, 503)
    finally:
        exchange.service.slow_s = 0.0

    assert 1.0 <= time.monotonic() - began < 8.0
    await asyncio.sleep(_BREAK_S)


async def test_records_wait_for_the_service(exchange: Exchange) -> None:
    pair = await exchange.pair()
    spool = exchange.telephony.folder / "spool"

    async with talk(pair):
        await exchange.service.down()
        exchange.telephony.stop("switchboard")  # hangs up, and keeps the record
    try:
        kept = [json.loads(file.read_text()) for file in spool.glob("*.json")]
        assert [(one["outcome"], one["ended_by"]) for one in kept] == [("answered", "switchboard")]
        exchange.telephony.start("switchboard")
    finally:
        await exchange.service.up()

    assert (await record_of(exchange, pair.lease)).outcome == "answered"

    async def drained() -> bool | None:
        return not [*spool.glob("*")] or None

    assert await until(drained)
    await asyncio.sleep(_BREAK_S)


async def test_without_the_cache_calls_go_on(exchange: Exchange) -> None:
    """The decision is rows and the telephony keeps nothing in a cache: it may be gone altogether."""
    pair = await exchange.pair()

    exchange.cache.kill()
    try:
        async with talk(pair):
            await exchange.town.release(pair.lease)
            await exchange.town.work()
        await refused(pair, 410)
    finally:
        exchange.cache.start()


async def test_kamailio_may_be_killed_and_started_in_the_middle_of_a_call(exchange: Exchange) -> None:
    pair, others = await exchange.pair(), await exchange.pair()

    async with talk(others):
        exchange.telephony.stop("kamailio", how=signal.SIGKILL)
        await exchange.town.release(others.lease)  # the hanging up is repeated until somebody passes it on
        await exchange.town.work()
        exchange.telephony.start("kamailio")

    await _register_again(pair)
    a, b = pair.a, pair.b
    async with b.doing(b.answers(*b.is_hung_up())), a.doing(a.calls(pair.x, a.connected(*a.waits(), *a.hangs_up()))):
        await b.hears("ACK")
        await a.hears("SIP/2.0 200")
        exchange.telephony.stop("kamailio", how=signal.SIGKILL)
        exchange.telephony.start("kamailio")
        a.nudge()
        await a.done()
        await b.done()
    nothing_leaked(pair)


async def test_a_switchboard_that_dies_leaves_no_sound_behind(exchange: Exchange) -> None:
    """Whoever hangs up then hears that there is no such call, and is free."""
    pair = await exchange.pair()
    a, b = pair.a, pair.b
    gone = [*a.waits(), *a.hangs_up()[:-1], '<recv response="481"></recv>']

    async with b.doing(b.answers(*b.is_hung_up())), a.doing(a.calls(pair.x, a.connected(*gone))):
        await b.hears("ACK")
        await a.hears("SIP/2.0 200")
        exchange.telephony.stop("switchboard", how=signal.SIGKILL)
        exchange.telephony.start("switchboard")
        a.nudge()
        await a.done()
    nothing_leaked(pair)
    assert "switchboard.calls_left_over" in exchange.telephony.log.read_text()


async def test_without_the_relay_there_is_no_call(exchange: Exchange) -> None:
    pair = await exchange.pair()

    exchange.telephony.stop("relay", how=signal.SIGKILL)
    try:
        await refused(pair, 503)
    finally:
        exchange.telephony.start("relay")

    await call(pair.a, pair.b, pair.x, pair.a.hangs_up(), pair.b.is_hung_up())
    nothing_leaked(pair)


async def test_the_command_starts_all_three_and_ends_them_with_itself(exchange: Exchange, tmp_path: Path) -> None:
    """`scripts/telephony`, beside the exchange of these tests, on ports of its own."""
    settings = exchange.telephony.settings
    given = programs.chosen(settings, service=settings.telephony_service, numbers=settings.numbers_file or tmp_path)
    another = Telephony(given.model_copy(update={"data": tmp_path}), tmp_path / "telephony")
    command = ROOT / "scripts" / "telephony"

    async def is_up() -> bool | None:
        return (answers_options(another.listen) and another.answers("switchboard") and another.answers("relay")) or None

    process = await asyncio.create_subprocess_exec(command, env=another.environment(), stdout=DEVNULL, stderr=DEVNULL)
    try:
        assert await until(is_up, patience_s=60)
    finally:
        process.terminate()
        await process.wait()

    assert process.returncode == 143
    assert not answers_options(another.listen) and not another.answers("relay") and not another.answers("switchboard")


@asynccontextmanager
async def _down(exchange: Exchange) -> AsyncIterator[None]:
    await exchange.service.down()
    try:
        yield
    finally:
        await exchange.service.up()


async def _register_again(*pairs: Pair) -> None:
    for pair in pairs:
        assert [await pair.register(phone) for phone in (pair.a, pair.b)] == [200, 200]
