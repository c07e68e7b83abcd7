"""The outermost ring, pure ASGI: bounded concurrency, bounded bodies, headers, counters, and the last word on faults."""

import time
from collections.abc import MutableMapping
from functools import cache
from typing import Any

from prometheus_client import Counter, Histogram
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mutualaid import trouble
from mutualaid.kit import metrics
from mutualaid.kit.errors import AidError, Overloaded, TooLarge
from mutualaid.kit.settings import Settings

MOST_BODY = 64 * 1024
MOST_HEAD = 32 * 1024  # octets of all headers and the address together: browsers send a tenth of it
MOST_HEADERS = 100
ALWAYS_ANSWERED = frozenset({"/healthz", "/readyz", "/metrics"})
LASTING = frozenset({"/api/v1/plaza/stream", "/live/plaza"})  # bounded by the number of listeners
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
]


class Shell:
    """Wraps the whole application."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._most = settings.concurrency
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        full = self._under_way >= self._most and scope["path"] not in ALWAYS_ANSWERED
        inner = _turned_away if full else _refused_unread if _too_long(scope) else self._app
        counted = int(scope["path"] not in LASTING)
        self._under_way += counted
        try:
            await _serve(inner, scope, receive, send)
        finally:
            self._under_way -= counted


def _too_long(scope: Scope) -> bool:
    """Whether reading the request's head would cost more than any honest one is worth. The server itself has no bound."""
    headers = scope["headers"]
    octets = len(scope["path"]) + len(scope["query_string"]) + sum(len(name) + len(value) for name, value in headers)
    return len(headers) > MOST_HEADERS or octets > MOST_HEAD


async def _refused_unread(scope: Scope, receive: Receive, send: Send) -> None:
    scope["headers"] = []  # what is refused for its length is not read to tell so
    raise TooLarge


async def _turned_away(scope: Scope, receive: Receive, send: Send) -> None:
    raise Overloaded(retry_after=1)


async def _serve(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    began = time.monotonic()
    status = 500
    started = False

    async def send_with_headers(message: Message) -> None:
        nonlocal status, started
        if message["type"] == "http.response.start":
            status, started = message["status"], True
            message["headers"] = [*message["headers"], *_missing(message)]
        await send(message)

    try:
        await app(scope, _bounded(scope, receive), send_with_headers)
    except AidError as error:
        if started:
            raise
        await trouble.as_answer(Request(scope), error)(scope, receive, send_with_headers)
    except ClientDisconnect:
        status = 499  # nobody is there to be told; the counters name it as nginx does
    except Exception as fault:  # the last word: whatever nobody expected is a logged 500 without details
        if started:
            raise
        await trouble.unexpected(Request(scope), fault)(scope, receive, send_with_headers)
    finally:
        route = getattr(scope.get("route"), "path", "unknown")
        counter, seconds = _counted(scope["method"] if scope["method"] in _METHODS else "other", route, status)
        counter.inc()
        seconds.observe(time.monotonic() - began)


@cache
def _counted(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    """Looking a counter up costs as much as counting."""
    return metrics.REQUESTS.labels(method, route, str(status)), metrics.SECONDS.labels(route)


def _missing(message: MutableMapping[str, Any]) -> list[tuple[bytes, bytes]]:
    present = {name for name, _ in message["headers"]}
    extra = [header for header in _HEADERS if header[0] not in present]
    if b"cache-control" not in present:
        extra.append((b"cache-control", b"no-store"))
    return extra


def _bounded(scope: Scope, receive: Receive) -> Receive:
    """Refuse a body over `MOST_BODY` octets: by its announced length, and by what really comes."""
    announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    too_large = not announced.isdigit() or int(announced) > MOST_BODY
    received = 0

    async def bounded() -> Message:
        nonlocal received
        if too_large:
            raise TooLarge
        message = await receive()
        received += len(message.get("body", b""))
        if received > MOST_BODY:
            raise TooLarge
        return message

    return bounded
