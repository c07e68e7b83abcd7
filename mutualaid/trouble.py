"""Errors → problem+json. The only place where a kind of error becomes an HTTP status."""

from http import HTTPStatus
from typing import Any

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from mutualaid.kit import errors
from mutualaid.kit.doors import language
from mutualaid.kit.errors import AidError
from mutualaid.kit.idempotency import Replayed
from mutualaid.kit.problems import problem

STATUS: dict[str, int] = {
    "malformed": 400,
    "unauthenticated": 401,
    "forbidden": 403,
    "missing": 404,
    "not_allowed": 405,
    "conflict": 409,
    "ended": 410,
    "too_large": 413,
    "unsupported": 415,
    "invalid": 422,
    "needed": 428,
    "too_many": 429,
    "broken": 500,
    "unavailable": 503,
}
_BY_STATUS: dict[int, type[AidError]] = {
    404: errors.NotFound,
    405: errors.MethodNotAllowed,
    413: errors.TooLarge,
    415: errors.UnsupportedType,
}

log = structlog.get_logger()


async def told(request: Request, error: Exception) -> Response:
    """An error that was raised on purpose, as the reader is told."""
    assert isinstance(error, AidError)
    return as_problem(request, error)


async def replayed(_request: Request, again: Exception) -> Response:
    """The stored answer of a deed that was done before."""
    assert isinstance(again, Replayed)
    return again.response


async def refused_by_starlette(request: Request, refusal: Exception) -> Response:
    """Unknown addresses and methods, as problems like all others."""
    assert isinstance(refusal, HTTPException)
    error = _BY_STATUS.get(refusal.status_code, errors.Malformed)()
    return as_problem(request, error, headers=dict(refusal.headers or {}))


def unexpected(request: Request, fault: Exception) -> Response:
    """A fault of ours: logged without its message, told without details."""
    log.error("fault", exc_info=fault, method=request.method)
    return as_problem(request, errors.Broken())


def as_problem(request: Request, error: AidError, headers: dict[str, str] | None = None) -> Response:
    status = STATUS[error.kind]
    body = problem(error, status, language(request))
    sent = {"cache-control": "no-store", **(headers or {})}
    if error.retry_after is not None or status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        sent["retry-after"] = str(error.retry_after or 1)
    if status == HTTPStatus.UNAUTHORIZED:
        sent["www-authenticate"] = "Bearer"
    return Response(body.model_dump_json(), status, sent, media_type="application/problem+json")


HANDLERS: dict[Any, Any] = {AidError: told, Replayed: replayed, HTTPException: refused_by_starlette}
