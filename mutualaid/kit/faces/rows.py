"""A page as a row of the one table in `routes.py`."""

from typing import Any, Literal

from mutualaid.kit.endpoints import Endpoint, Handler
from mutualaid.kit.policies import Policy

_NOT_PAGES = ("/api", "/hooks", "/static", "/healthz", "/readyz", "/metrics")


def row(
    method: Literal["GET", "POST"],
    path: str,
    run: Handler,
    policy: Policy[Any],
    summary: str,
    *,
    limit: str | None = None,
) -> Endpoint:
    """A page: it has a policy like every URL, and no place in the API's document."""
    return Endpoint(
        method, path, run, policy, {200: None}, summary, tag="pages", limit=limit, in_document=False, media="text/html"
    )


def is_page(path: str) -> bool:
    """Whether somebody at this address sees pages, errors included; else it is a program that asks."""
    return not any(path == prefix or path.startswith(f"{prefix}/") for prefix in _NOT_PAGES)
