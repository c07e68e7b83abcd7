"""Errors → problem+json, or a page with a way on. The only place where a kind of error becomes an HTTP status."""

from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from mutualaid.kit import errors
from mutualaid.kit.doors import language
from mutualaid.kit.errors import AidError, NotSignedIn
from mutualaid.kit.faces import deeds, forms, rendering
from mutualaid.kit.faces.errors import Again
from mutualaid.kit.faces.rows import is_page
from mutualaid.kit.idempotency import Replayed
from mutualaid.kit.problems import problem
from mutualaid.members.errors import RealNameNeeded, StepUpNeeded

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


# What a page does about these by itself: it leads to where the missing thing is done, and back.
_LEADS: dict[type[AidError], str] = {
    NotSignedIn: "/sign-in",
    RealNameNeeded: "/real-name",
    StepUpNeeded: "/me/step-up",
}


async def told(request: Request, error: Exception) -> Response:
    """An error that was raised on purpose, as the reader is told."""
    assert isinstance(error, AidError)
    return as_answer(request, error)


async def replayed(request: Request, again: Exception) -> Response:
    """The stored answer of a deed that was done before."""
    assert isinstance(again, Replayed)
    return deeds.again(request, again.response) if is_page(request.url.path) else again.response


async def shown_again(request: Request, again: Exception) -> Response:
    """A form with what was wrong beside what was typed."""
    assert isinstance(again, Again)
    found = rendering.problems(again.error, language(request))
    status, sent = STATUS[again.error.kind], _headers(again.error)
    return rendering.page(request, again.template, status, headers=sent, **{**again.context, "problems": found})


async def refused_by_starlette(request: Request, refusal: Exception) -> Response:
    """Unknown addresses and methods, told like all other errors."""
    assert isinstance(refusal, HTTPException)
    error = _BY_STATUS.get(refusal.status_code, errors.Malformed)()
    return as_answer(request, error, headers=dict(refusal.headers or {}))


def unexpected(request: Request, fault: Exception) -> Response:
    """A fault of ours: logged without its message, told without details."""
    log.error("fault", exc_info=fault, method=request.method)
    return as_answer(request, errors.Broken())


def as_answer(request: Request, error: AidError, headers: dict[str, str] | None = None) -> Response:
    """A page for whoever sees pages, problem+json for programs."""
    sent = {**_headers(error), **(headers or {})}
    return _as_page(request, error, sent) if is_page(request.url.path) else _as_problem(request, error, sent)


def _headers(error: AidError) -> dict[str, str]:
    sent = {"cache-control": "no-store"}
    if error.retry_after is not None or STATUS[error.kind] in (
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.SERVICE_UNAVAILABLE,
    ):
        sent["retry-after"] = str(error.retry_after or 1)
    return sent


def _as_problem(request: Request, error: AidError, sent: dict[str, str]) -> Response:
    status = STATUS[error.kind]
    if status == HTTPStatus.UNAUTHORIZED:
        sent["www-authenticate"] = "Bearer"
    body = problem(error, status, language(request))
    return Response(body.model_dump_json(), status, sent, media_type="application/problem+json")


def _as_page(request: Request, error: AidError, sent: dict[str, str]) -> Response:
    back = _to_come_back_to(request)
    if isinstance(error, errors.MethodNotAllowed) and request.method in ("GET", "HEAD"):
        # a form's own address, opened again by a browser that had put the page away: the page above it is meant
        return rendering.go(request, request.url.path.rpartition("/")[0] or "/")
    if (lead := _LEADS.get(type(error))) is not None and request.url.path != lead:
        return rendering.go(request, f"{lead}?next={quote(back, safe='')}", said=error.text)
    found = rendering.problems(error, language(request))
    return rendering.page(
        request, "errors/problem.html", STATUS[error.kind], headers=sent, problems=found, code=error.code, back=back
    )


def _to_come_back_to(request: Request) -> str:
    """This page, or for a form the page that it was sent from: what to open again once nothing is in the way."""
    if request.method in ("GET", "HEAD"):
        query = request.url.query
        return forms.safe_next(f"{request.url.path}?{query}" if query else request.url.path)
    return forms.safe_next(forms.path_of(request.headers.get("referer")))


HANDLERS: dict[Any, Any] = {AidError: told, Again: shown_again, Replayed: replayed, HTTPException: refused_by_starlette}
