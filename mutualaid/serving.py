"""One process that does everything: migrate, seed, listen, serve, work, stop cleanly."""

import resource
import socket
import sys
from collections.abc import Callable

import uvicorn
from sqlalchemy.exc import DBAPIError

from mutualaid import migrate
from mutualaid.app import build_app
from mutualaid.kit import clock
from mutualaid.kit.settings import Settings
from mutualaid.seed import seed
from mutualaid.services import Services
from mutualaid.wiring import open_services


async def run(settings: Settings, *, host: str, port: int, with_worker: bool) -> None:
    """Serve until SIGINT or SIGTERM. Raises `OSError` when the address cannot be had, before anything is opened."""
    listening = _listen(host, port)
    async with open_services(settings) as services:
        await prepare(services)
        app = build_app(settings, with_worker=with_worker, services=services)
        config = uvicorn.Config(
            app,
            loop="none",
            http="httptools",
            ws="none",
            lifespan="on",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=10,
            proxy_headers=True,
            forwarded_allow_ips="127.0.0.1",
        )
        server = _Announced(config)
        shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 — compared, not bound
        server.announce = lambda: _say(settings, f"http://{shown}:{listening.getsockname()[1]}", with_worker)
        await server.serve(sockets=[listening])


class _Announced(uvicorn.Server):
    """Says where it listens once it does."""

    announce: Callable[[], None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.announce()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((host, port))
    listening.listen(1024)
    listening.setblocking(False)
    return listening


async def prepare(services: Services) -> None:
    """Bring the database to its newest shape and seed it; quick when there is nothing to do."""
    try:
        async with services.database.reading() as session:
            current = await migrate.is_current(session)
    except DBAPIError:
        current = False
    if not current:
        await migrate.upgrade(services.database)
    await seed(services.database, now=clock.now())


def _say(settings: Settings, address: str, with_worker: bool) -> None:
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    mode = "测试模式 / test mode: fake makers, nothing leaves this machine" if settings.dev else "prod"
    print(f"mutualaid  {address}   API {address}/api/docs", flush=True)
    print(
        f"           {mode}; data in {settings.data}; {'with' if with_worker else 'without'} a worker; {memory} MB",
        flush=True,
    )
    print("           Ctrl-C 停止 / stops it", file=sys.stdout, flush=True)
