"""The running service over HTTP, on a port of its own, that a test can take down, bring back, and make slow."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from mutualaid.app import build_app
from mutualaid.services import Services
from tests.servers import free_port


class _Quiet(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Service:
    """`asked`: the paths that were asked, in order. `slow_s`: how long every answer takes."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self.port = port
        self.slow_s = 0.0
        self.asked: list[str] = []
        self._app = app
        self._server: _Quiet | None = None
        self._serving: asyncio.Task[None] | None = None

    async def up(self) -> None:
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self.port))
        config = uvicorn.Config(
            self._slowly,
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=1,
        )
        self._server = _Quiet(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[listening]))
        while not self._server.started:  # noqa: ASYNC110 — uvicorn tells nobody
            await asyncio.sleep(0.01)

    async def down(self) -> None:
        assert self._server is not None and self._serving is not None
        self._server.should_exit = True
        await self._serving
        self._server = self._serving = None

    async def _slowly(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.append(scope["path"])
        if self.slow_s:
            await asyncio.sleep(self.slow_s)
        await self._app(scope, receive, send)


@asynccontextmanager
async def serving(services: Services, port: int | None = None) -> AsyncIterator[Service]:
    app = build_app(services.settings, services=services)
    async with app.router.lifespan_context(app) as state:

        async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
            scope["state"] = dict(state or {})
            await app(scope, receive, send)

        service = Service(with_state, port or free_port())
        await service.up()
        try:
            yield service
        finally:
            if service._server is not None:
                await service.down()
