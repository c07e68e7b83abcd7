"""One process that does everything: migrate, seed, listen, serve, work, stop cleanly."""

import asyncio
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import uvicorn

from mutualaid import migrate
from mutualaid.app import build_app, collect_seldom
from mutualaid.kit import clock
from mutualaid.kit.listening import listen
from mutualaid.kit.settings import MAKERS, Settings
from mutualaid.seed import seed
from mutualaid.services import Services
from mutualaid.wiring import open_services


async def run(settings: Settings, *, host: str, port: int, with_worker: bool) -> None:
    """Serve until SIGINT or SIGTERM. Raises `CannotListen` before anything is opened."""
    listening = listen(host, port)
    files = _raise_files()
    async with open_services(settings) as services:
        await prepare(services)
        app = build_app(settings, with_worker=with_worker, services=services)
        collect_seldom()
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
        server.leave = lambda: app.state.leave()
        server.announce = lambda: _say(settings, f"http://{shown}:{listening.getsockname()[1]}", with_worker, files)
        await server.serve(sockets=[listening])


class _Announced(uvicorn.Server):
    """Says where it listens once it does; its listeners leave when it is told to stop."""

    announce: Callable[[], None]
    leave: Callable[[], None]

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """What would go on for ever ends first: the server waits for every answer under way."""
        self.leave()
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.announce()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn's own raises the signal once more afterwards: that would end the process before all is closed."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)


async def prepare(services: Services) -> None:
    """Bring the database to its newest shape and seed it; quick when there is nothing to do."""
    async with services.database.reading() as session:
        current = await migrate.is_current(session)
    if not current:
        await migrate.upgrade(services.database)
    await seed(services.database, now=clock.now())


_FEW_FILES = 4_096
_FILES = 16_384  # open at once: a connection each, for thousands of listeners


def _raise_files() -> int:
    """As many open files as we want and may have; how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return wanted if soft == resource.RLIM_INFINITY else soft


def _say(settings: Settings, address: str, with_worker: bool, files: int) -> None:
    mode = f"测试模式 / test mode: {pretended(settings)}" if settings.dev else "prod"
    print(f"mutualaid  {address}   API {address}/api/docs", flush=True)
    print(
        f"           {mode}; data in {settings.data}; {'with' if with_worker else 'without'} a worker{_memory()}",
        flush=True,
    )
    if files < _FEW_FILES:
        few = f"only {files} open files: about {files // 2} listeners at once; raise `ulimit -n`"
        print(f"           {few}", flush=True)
    print("           Ctrl-C 停止 / stops it", flush=True)


def pretended(settings: Settings) -> str:
    """What is only pretended: with a real maker among them, things do leave this machine."""
    fakes = [maker for maker in MAKERS if getattr(settings, maker) == "fake"]
    if len(fakes) == len(MAKERS):
        return "fake makers, nothing leaves this machine"
    return f"fake makers of {', '.join(fakes)} only" if fakes else "no fake makers"


def _memory() -> str:
    """What this process holds now, where the system says so in the manner of Linux."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return "".join(f"; {int(line.split()[1]) // 1024} MB" for line in lines if line.startswith("VmRSS:"))
