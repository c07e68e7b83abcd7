"""Is it alive, is it ready, how does it do; and the API's own document."""

import math
from collections.abc import Sequence
from functools import cache
from typing import Any, Literal

import orjson
from sqlalchemy import select, text
from starlette.requests import Request
from starlette.responses import Response

from mutualaid import __version__, migrate, trouble
from mutualaid.contacts import stock
from mutualaid.contacts.stock import Pressure, Stock
from mutualaid.kit import metrics, outbox
from mutualaid.kit.doors import answer
from mutualaid.kit.endpoints import Endpoint
from mutualaid.kit.errors import AidError
from mutualaid.kit.fields import View
from mutualaid.kit.openapi import document
from mutualaid.members.policies import PUBLIC
from mutualaid.services import Services, of

LAG_TOLERATED_S = 60.0


class Alive(View):
    status: Literal["alive"] = "alive"


class Check(View):
    name: str
    ok: bool


class Ready(View):
    ready: bool
    checks: list[Check]


async def healthz(_request: Request) -> Response:
    """The process answers; nothing else is asked."""
    return answer(Alive())


async def readyz(request: Request) -> Response:
    """503 while something that requests need is away. The cache is reported, but reads go on without it."""
    checks = await _checks(of(request))
    ready = all(check.ok for check in checks if check.name != "cache")
    return answer(
        Ready(ready=ready, checks=checks), 200 if ready else 503, headers={} if ready else {"retry-after": "2"}
    )


async def _checks(services: Services) -> list[Check]:
    database, migrations, lag = False, False, False
    try:
        async with services.database.reading() as session:
            database = await session.scalar(select(text("1"))) == 1
            migrations = await migrate.is_current(session)
            lag = migrations and (await outbox.backlog(session)).lag_s < LAG_TOLERATED_S
    except AidError:  # unreachable: told by the checks left false
        database = False
    return [
        Check(name="database", ok=database),
        Check(name="migrations", ok=migrations),
        Check(name="worker", ok=lag),
        Check(name="cache", ok=await services.cache.available()),
    ]


async def show_metrics(request: Request) -> Response:
    """The counters of this process; the outbox's and the numbers' as far as the database answers (NaN where it does not)."""
    services = of(request)
    try:
        async with services.database.reading() as session:
            waiting = await outbox.backlog(session)
            scarce = await stock.pressure(session, Stock.of(services))
    except AidError:
        waiting = outbox.Backlog(due=math.nan, parked=math.nan, lag_s=math.nan)
        scarce = Pressure(math.nan, math.nan, math.nan, math.nan, math.nan)
    metrics.JOBS_DUE.set(waiting.due)
    metrics.JOBS_PARKED.set(waiting.parked)
    metrics.WORKER_LAG.set(waiting.lag_s)
    metrics.NUMBERS.set(scarce.numbers)
    metrics.NUMBERS_LIVE.set(scarce.live)
    metrics.NUMBERS_RESTING.set(scarce.resting)
    metrics.NUMBERS_PRESSURE.labels("pairs").set(scarce.fullest)
    metrics.NUMBERS_PRESSURE.labels("person").set(scarce.busiest)
    return Response(metrics.exposition(), media_type="text/plain; version=0.0.4")


@cache
def openapi(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """The served document, made once a process."""
    return document(endpoints, version=__version__, statuses=trouble.STATUS)


async def show_document(request: Request) -> Response:
    return Response(orjson.dumps(openapi(request.app.state.endpoints)), media_type="application/json")


ENDPOINTS = (
    Endpoint("GET", "/healthz", healthz, PUBLIC, {200: Alive}, "The process is alive", tag="running"),
    Endpoint("GET", "/readyz", readyz, PUBLIC, {200: Ready, 503: Ready}, "Ready to serve", tag="running"),
    Endpoint(
        "GET", "/metrics", show_metrics, PUBLIC, {200: None}, "Prometheus metrics", tag="running", in_document=False
    ),
    Endpoint("GET", "/api/openapi.json", show_document, PUBLIC, {200: None}, "This document", in_document=False),
)
