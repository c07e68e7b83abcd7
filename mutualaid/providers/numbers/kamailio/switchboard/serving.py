"""All of the switchboard in one process: the line, the relay, the service, the spool, the door for the service."""

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
import uvicorn

from mutualaid.kit import tasks
from mutualaid.providers.numbers.kamailio.plan import Plan
from mutualaid.providers.numbers.kamailio.switchboard.authority import Authority
from mutualaid.providers.numbers.kamailio.switchboard.calls import Means
from mutualaid.providers.numbers.kamailio.switchboard.control import door
from mutualaid.providers.numbers.kamailio.switchboard.exchange import Exchange
from mutualaid.providers.numbers.kamailio.switchboard.line import Line
from mutualaid.providers.numbers.kamailio.switchboard.relay import Relay, RelayDown
from mutualaid.providers.numbers.kamailio.switchboard.spool import Spool

log = structlog.get_logger()


async def serve(
    plan: Plan, folder: Path, token: str, stop: asyncio.Event, *, authority: Authority | None = None
) -> None:
    """Until `stop` is set; then whoever is talking is hung up, on both sides. Raises OSError where an address is taken.

    `authority`: who is asked before each call; the service, unless a measurement has another.
    """
    authority = authority or Authority(plan.hooks, token)
    spool = Spool(folder / "spool", authority)
    exchange = Exchange()
    relay = await Relay.open(plan.relay.pair)
    line = await Line.open(plan.switchboard.pair, plan.listen.pair, exchange.receive)
    exchange.means = Means(line, authority, relay, spool, plan.domain, plan.hosts)
    with contextlib.suppress(RelayDown):
        if left := await relay.end_all():
            log.warning("switchboard.calls_left_over", count=left)
    draining = asyncio.create_task(spool.drain())
    try:
        await _until(stop, _Server(_config(exchange, plan, token)))
        await exchange.close()
    finally:
        await tasks.end(draining)
        line.close()
        relay.close()
        authority.close()


def _config(exchange: Exchange, plan: Plan, token: str) -> uvicorn.Config:
    return uvicorn.Config(
        door(exchange, token),
        host=plan.control.host,
        port=plan.control.port,
        loop="none",
        lifespan="off",
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=2,
    )


async def _until(stop: asyncio.Event, server: "_Server") -> None:
    serving = asyncio.create_task(server.serve())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    stopping.cancel()
    await serving


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Whoever runs this process listens for its signals."""
        yield


def stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop
