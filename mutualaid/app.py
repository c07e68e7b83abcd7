"""build_app(settings) → Starlette: one process that serves, and works where it is told to."""

import asyncio
import gc
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware

from mutualaid import routes, trouble
from mutualaid.kit import logs, outbox
from mutualaid.kit.settings import Settings, load
from mutualaid.members.sessions import watching
from mutualaid.posts.index.follower import following
from mutualaid.posts.live import telling
from mutualaid.services import Services
from mutualaid.shell import Shell
from mutualaid.wiring import open_services
from mutualaid.worker import Worker


def build_app(settings: Settings, *, with_worker: bool = False, services: Services | None = None) -> Starlette:
    """The whole application. `services` are given by tests that hold them already; otherwise its lifespan opens them.

    `app.state.leave()` ends the answers that would go on for ever: call it when the process is told to stop.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Any]]:
        async with AsyncExitStack() as stack:
            opened = services if services is not None else await stack.enter_async_context(open_services(settings))
            doorkeeper = await stack.enter_async_context(watching(opened))
            plaza = await stack.enter_async_context(following(opened))
            live = await stack.enter_async_context(telling(opened, plaza))
            app.state.leave = live.close
            if with_worker:
                await stack.enter_async_context(working(opened))
            yield {"services": opened, "doorkeeper": doorkeeper, "plaza": plaza, "live": live}

    app = Starlette(
        routes=routes.build(settings),
        lifespan=lifespan,
        exception_handlers=trouble.HANDLERS,
        middleware=[Middleware(Shell, settings=settings)],
    )
    app.router.redirect_slashes = False  # one address for one thing
    app.state.endpoints = routes.endpoints(settings)
    return app


@asynccontextmanager
async def working(services: Services) -> AsyncIterator[Worker]:
    """A worker beside whatever runs in the block, woken by the outbox's bell; it finishes its jobs at the end."""
    worker = Worker(services)

    async def rung(_payload: str) -> None:
        worker.wake()

    async with services.bells.listening(outbox.BELL, rung):
        running = asyncio.create_task(worker.run(), name="worker")
        try:
            yield worker
        finally:
            worker.stop()
            await running


def from_environment() -> Starlette:
    """For `uvicorn --factory mutualaid.app:from_environment`: one of many serving processes, settings from the environment."""
    logs.configure()
    app = build_app(load(os.environ), with_worker=False)
    collect_seldom()
    return app


def collect_seldom() -> None:
    """For a process that serves: what was imported is never looked at again, and what many requests hold at once is not taken
    for rubbish in circles, of which they leave hardly any. Measured: 3 % of a publication, now a tenth of that."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)
