"""Every URL in one table, each with its policy. A door without one does not start."""

import re
from collections.abc import Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from mutualaid import docs, gate, health
from mutualaid.account import api as account
from mutualaid.account import pages as account_pages
from mutualaid.catalogue import api as catalogue
from mutualaid.contacts import api as contacts
from mutualaid.contacts import hooks
from mutualaid.contacts import pages as contacts_pages
from mutualaid.kit.doors import read_nothing, refuse_query, replay
from mutualaid.kit.endpoints import Endpoint
from mutualaid.kit.errors import AidError, TooLarge
from mutualaid.kit.faces import cookies, forms, statics
from mutualaid.kit.policies import Policy
from mutualaid.kit.settings import Settings
from mutualaid.matching import api as matching
from mutualaid.matching import api_amend as matching_amend
from mutualaid.matching import pages as matching_pages
from mutualaid.members import api as members
from mutualaid.members import pages as members_pages
from mutualaid.members.policies import PUBLIC
from mutualaid.members.sessions import caller_of, visitor_of
from mutualaid.moderation import api as moderation
from mutualaid.moderation import pages as moderation_pages
from mutualaid.notices import api as notices
from mutualaid.notices import pages as notices_pages
from mutualaid.posts import api as posts
from mutualaid.posts import api_live as posts_live
from mutualaid.posts import pages as posts_pages
from mutualaid.regions import api as regions

API: tuple[Endpoint, ...] = (
    *health.ENDPOINTS,
    *docs.ENDPOINTS,
    *members.ENDPOINTS,
    *account.ENDPOINTS,
    *catalogue.ENDPOINTS,
    *regions.ENDPOINTS,
    *posts.ENDPOINTS,
    *posts_live.ENDPOINTS,
    *matching_amend.ENDPOINTS,
    *matching.ENDPOINTS,
    *contacts.ENDPOINTS,
    *hooks.ENDPOINTS,
    *notices.ENDPOINTS,
    *moderation.ENDPOINTS,
)

PAGES: tuple[Endpoint, ...] = (
    *members_pages.PAGES,
    *posts_pages.PAGES,
    *posts_live.PAGES,
    *notices_pages.PAGES,
    *matching_pages.PAGES,
    *contacts_pages.PAGES,
    *moderation_pages.PAGES,
    *account_pages.PAGES,
)

FILES: tuple[Endpoint, ...] = (
    Endpoint("GET", "/static/{path:path}", statics.serve, PUBLIC, {200: None}, "Css, js, icons", in_document=False),
)


_ASKED_MOST: Final = frozenset({"/api/v1/posts", "/posts", "/hooks/numbers/{maker}/route"})
_NAME: Final = re.compile(r"[0-9A-Za-z_.~/-]{1,200}")


class NoPolicy(Exception):
    """A URL was declared without saying who may enter."""


class DeclaredTwice(Exception):
    """Two doors have one address and method: the second would take the place of the first."""


def endpoints(settings: Settings) -> tuple[Endpoint, ...]:
    """The doors of this process; simulated calls exist where nothing of the calls is real."""
    played = hooks.DEV if settings.dev and settings.numbers == "fake" else ()
    return (*API, *played, *PAGES, *FILES)


def build(settings: Settings) -> list[BaseRoute]:
    """Starlette's routes, one a path."""
    by_path: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints(settings):
        if not isinstance(endpoint.policy, Policy):
            raise NoPolicy(endpoint.name)
        doors = by_path.setdefault(endpoint.path, {})
        if endpoint.method in doors:
            raise DeclaredTwice(endpoint.name)
        doors[endpoint.method] = _door(endpoint)
    return [Route(path, _by_method(doors), methods=list(doors)) for path, doors in _exact_first(by_path)]


def _exact_first(by_path: dict[str, dict[str, Any]]) -> Sequence[tuple[str, dict[str, Any]]]:
    """`/posts/stream` before `/posts/{id}`, whatever the table's order; what is asked most before all others."""
    return sorted(
        by_path.items(),
        key=lambda item: (item[0] not in _ASKED_MOST, [part.startswith("{") for part in item[0].split("/")]),
    )


def _by_method(doors: dict[str, Any]) -> Any:
    async def enter(request: Request) -> Response:
        # What cannot be a name of ours is nobody's; no database need be asked about odd characters in an address.
        named = {name: text if _NAME.fullmatch(text) else "" for name, text in request.path_params.items()}
        request.scope["path_params"] = named
        response: Response = await doors["GET" if request.method == "HEAD" else request.method](request)
        return response

    return enter


def _door(endpoint: Endpoint) -> Any:
    return _page_door(endpoint) if endpoint in PAGES else _api_door(endpoint)


def _api_door(endpoint: Endpoint) -> Any:
    """Who is it, may they enter, how often; then what a door that takes nothing refuses; then the handler."""

    async def enter(request: Request) -> Response:
        request.state.replayable = endpoint.replayable
        # No member knocks at a hook: the token there is the vendor's, and no session need be looked for.
        hook = endpoint.path.startswith("/hooks/")
        request.scope["user"] = caller = None if hook else await caller_of(request, seen=endpoint.late)
        endpoint.policy.admit(caller)
        await gate.admit(request, endpoint, caller)
        if endpoint.replayable and not endpoint.late:
            await replay(request)
        if endpoint.body is None and endpoint.method != "GET":
            await read_nothing(request)
        elif endpoint.body is None and endpoint.query is None and endpoint.path.startswith("/api/"):
            refuse_query(request)
        try:
            return await endpoint.run(request)
        except AidError as refusal:
            if endpoint.late and not isinstance(refusal, TooLarge):
                await replay(request)
            raise

    return enter


def _page_door(endpoint: Endpoint) -> Any:
    """The same for browsers: who is it, by cookie; may they enter; and is a form one of ours, sent from here."""

    async def enter(request: Request) -> Response:
        cookies.require_https(request)
        if endpoint.method != "GET":
            forms.check_origin(request)
        request.scope["user"] = caller = await visitor_of(request)
        endpoint.policy.admit(caller)
        await gate.admit(request, endpoint, caller)
        if endpoint.method != "GET":
            await forms.check_token(request)
        return await endpoint.run(request)

    return enter
