"""The inbox by browser. Opening a notice marks it read and leads to what it is about."""

from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from mutualaid.kit import clock
from mutualaid.kit.doors import language, parse
from mutualaid.kit.errors import NotFound
from mutualaid.kit.faces import forms
from mutualaid.kit.faces.rendering import go, page
from mutualaid.kit.faces.rows import row
from mutualaid.kit.letterbox import Letter, Showing
from mutualaid.kit.texts import N_
from mutualaid.members import needs, own_phone
from mutualaid.members.policies import SIGNED_IN
from mutualaid.notices import actions, store
from mutualaid.notices.rules import SubjectType
from mutualaid.notices.wire import NoticeView, PageQuery
from mutualaid.services import of

_ABOUT: Final[dict[SubjectType, str]] = {
    "post": "/posts/{id}",
    "match": "/matches/{id}",
    "contact": "/contacts/{id}",
    "member": "/me/account",
}


async def list_own(request: Request) -> Response:
    """One's own notices, newest first; in test mode also the text messages that would have been sent."""
    services, asked = of(request), forms.of_query(request)
    query = await parse({"cursor": asked.get("cursor")} if asked.has("cursor") else {}, PageQuery)
    async with services.database.reading() as session:
        found = await store.page(session, services.ring, query, request.user.id)
        by_message = "notices" in await needs.consented(session, request.user.id)
    notices = [NoticeView.of(notice, language(request)) for notice in found.notices]
    more = f"/me/notices?{urlencode({'cursor': found.next_cursor})}" if found.next_cursor else None
    around: dict[str, Any] = {"more": more, "by_message": by_message, "letters": await _letters(request)}
    return page(request, "notices/list.html", notices=notices, **around)


async def _letters(request: Request) -> list[Letter]:
    services = of(request)
    if not isinstance(services.sms, Showing) or not request.user.has_phone:
        return []
    phone = await own_phone.of_member(services, request.user.id)
    return [letter for letter in await services.sms.recent(phone) if "code" not in letter.params]


async def open_one(request: Request) -> Response:
    async with of(request).database.transaction() as session:
        notice = await actions.mark_read(session, request.path_params["id"], by=request.user.id, now=clock.now())
    if notice.kind == "report_ruled" and notice.subject_type == "post":
        return go(request, "/me/notices")  # somebody else's post: the ruling may have taken it out of sight
    return go(request, _ABOUT[notice.subject_type].format(id=notice.subject_id))


async def read_all(request: Request) -> Response:
    newest = (await forms.read(request)).get("newest")
    if not newest.isalnum():  # nor any text that a database would not take
        raise NotFound
    async with of(request).database.transaction() as session:
        await actions.mark_all_read(session, newest, by=request.user.id, now=clock.now())
    return go(request, "/me/notices", said=N_("All is marked as read."))


PAGES = (
    row("GET", "/me/notices", list_own, SIGNED_IN, "The inbox"),
    row("POST", "/me/notices/read", read_all, SIGNED_IN, "Nothing in the inbox is new any more", limit="write"),
    row("POST", "/me/notices/{id}/open", open_one, SIGNED_IN, "Read a notice, go to what it is about"),
)
