"""The door by which the service says "look again": something about X has ended. It decides nothing here; it is asked."""

import hmac
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mutualaid.providers.numbers.kamailio.switchboard.exchange import Exchange

_LONGEST: Final = 1_000  # bytes of a body


def door(exchange: Exchange, token: str) -> Starlette:
    """`POST /look-again {"x"}` → `{"ended"}`: how many calls end now. `GET /health` → `{"calls"}`."""

    async def look_again(request: Request) -> Response:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(errors="surrogateescape"), token.encode()):
            return JSONResponse({"code": "token_wrong"}, 401)
        if int(request.headers.get("content-length", _LONGEST)) >= _LONGEST:
            return JSONResponse({"code": "too_large"}, 413)
        try:
            x = (await request.json())["x"]
        except (ValueError, TypeError, KeyError):
            return JSONResponse({"code": "malformed"}, 400)
        return JSONResponse({"ended": await exchange.look_again(x)})

    async def health(_: Request) -> Response:
        return JSONResponse({"calls": len(exchange)})

    return Starlette(routes=[Route("/look-again", look_again, methods=["POST"]), Route("/health", health)])
