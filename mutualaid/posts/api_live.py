"""The plaza's doors that stay open: server-sent events for programs, and their twin for pages."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from mutualaid.kit import cells
from mutualaid.kit.coordinates import to_wgs84
from mutualaid.kit.doors import language, query
from mutualaid.kit.endpoints import Endpoint
from mutualaid.members.policies import PUBLIC
from mutualaid.members.sessions import still_there
from mutualaid.posts import reading
from mutualaid.posts.checking import Checker, near_point
from mutualaid.posts.live import Listener, Live
from mutualaid.posts.wire import LiveQuery
from mutualaid.services import of

LASTS_S = 600.0  # then the listener comes back, by itself, to where it was: no proxy likes what never ends
BEAT_S: Final = 15.0
_BEAT: Final = b":\n\n"
_WELCOME: Final = b"retry: 2000\n\n"


async def listen(request: Request) -> Response:
    """What opens, changes and ends on the plaza, for the filters of the list."""
    live: Live = request.state.live
    live.refuse_crowd()
    checker = await Checker.at_door(of(request), language(request))
    asked = await query(request, LiveQuery, check=checker.plaza)
    listener = _listener(request, asked, checker)
    return StreamingResponse(
        _told(request, live, listener),
        media_type="text/event-stream",
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )


def _listener(request: Request, asked: LiveQuery, checker: Checker) -> Listener:
    viewer = cells.cell_of(*to_wgs84(*near_point(asked.near), asked.crs)) if asked.near else None
    reader = request.user.id if request.user else None
    variant = (checker.language, asked.crs, reader is not None)
    filters = reading.filters_of(asked, checker.catalogue, viewer, notes=reader is not None)
    return Listener(filters, variant, reader, viewer)


async def _told(request: Request, live: Live, listener: Listener) -> AsyncIterator[bytes]:
    yield _WELCOME
    with live.listening(listener):
        if place := request.headers.get("last-event-id"):
            for missed in await live.missed(listener, place):
                yield missed
        if here := await live.here():
            yield here
        try:
            async with asyncio.timeout(LASTS_S):
                while (event := await _next(listener)) is not None:
                    if not await still_there(request):
                        return  # signed out, suspended or demoted meanwhile: nothing more is told
                    yield event
        except TimeoutError:
            return


async def _next(listener: Listener) -> bytes | None:
    try:
        async with asyncio.timeout(BEAT_S):
            return await listener.queue.get()
    except TimeoutError:
        return _BEAT


_WORDS = "The plaza as it happens: server-sent events post.opened, post.changed (the card), post.ended (its id)"
ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/v1/plaza/stream",
        listen,
        PUBLIC,
        {200: None},
        _WORDS,
        query=LiveQuery,
        tag="posts",
        limit="read",
        media="text/event-stream",
    ),
)
PAGES = (
    Endpoint(
        "GET",
        "/live/plaza",
        listen,
        PUBLIC,
        {200: None},
        _WORDS,
        query=LiveQuery,
        tag="pages",
        limit="read",
        media="text/event-stream",
        in_document=False,
    ),
)
