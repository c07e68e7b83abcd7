"""The API's doors to one's own inbox."""

from starlette.requests import Request
from starlette.responses import Response

from mutualaid.kit import clock
from mutualaid.kit.doors import answer, deed, language, query
from mutualaid.kit.endpoints import Endpoint
from mutualaid.members.policies import SIGNED_IN
from mutualaid.notices import actions, store
from mutualaid.notices.wire import NoticeList, NoticeView, PageQuery
from mutualaid.services import of


async def list_own(request: Request) -> Response:
    """One's own notices, newest first, in the reader's language."""
    services = of(request)
    asked = await query(request, PageQuery)
    async with services.database.reading() as session:
        page = await store.page(session, services.ring, asked, request.user.id)
    items = [NoticeView.of(notice, language(request)) for notice in page.notices]
    return answer(NoticeList(items=items, unread=page.unread, next_cursor=page.next_cursor))


async def read_one(request: Request) -> Response:
    """This notice was read."""
    async with deed(request) as d:
        notice = await actions.mark_read(d.session, request.path_params["id"], by=request.user.id, now=clock.now())
        return await d.answer(NoticeView.of(notice, language(request)))


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "GET",
        "/api/v1/me/notices",
        list_own,
        SIGNED_IN,
        {200: NoticeList},
        "One's own notices",
        query=PageQuery,
        tag="notices",
    ),
    Endpoint(
        "PUT",
        "/api/v1/me/notices/{id}/read",
        read_one,
        SIGNED_IN,
        {200: NoticeView},
        "This notice was read",
        tag="notices",
        replayable=True,
    ),
)
