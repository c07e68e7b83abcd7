"""One's account by browser: who one is here; and what one takes back: a consent, everything held, the whole account."""

import orjson
from starlette.requests import Request
from starlette.responses import Response

from mutualaid.account import erasing, exporting, withdrawing
from mutualaid.catalogue import snapshot
from mutualaid.kit import clock
from mutualaid.kit.doors import language
from mutualaid.kit.faces import cookies
from mutualaid.kit.faces.rendering import go, page
from mutualaid.kit.faces.rows import row
from mutualaid.kit.texts import N_
from mutualaid.members import profile
from mutualaid.members.api_me import purpose_of
from mutualaid.members.consent_texts import TEXTS
from mutualaid.members.policies import OWN_DANGER, SIGNED_IN
from mutualaid.members.wire import ConsentTextView
from mutualaid.notices import suspension
from mutualaid.services import of


async def show_account(request: Request) -> Response:
    """Who one is here, and whether that is suspended."""
    me, suspended = await profile.describe(of(request), request.user.id), await suspension.told(request)
    return page(request, "members/account.html", me=me, suspended=suspended)


async def show_withdraw(request: Request) -> Response:
    """What follows from taking this consent back, before it is done."""
    text = ConsentTextView.of(TEXTS[purpose_of(request)], language(request))
    return page(request, "account/withdraw.html", text=text)


async def withdraw(request: Request) -> Response:
    """Withdraw one purpose, with effect."""
    purpose, services = purpose_of(request), of(request)
    catalogue = await snapshot.current(services.database)
    async with services.database.transaction() as session:
        await withdrawing.withdraw(session, request.user.id, purpose, catalogue=catalogue, now=clock.now())
    return go(request, "/me/consents", said=N_("Your consent is withdrawn."))


async def export(request: Request) -> Response:
    """Everything held about oneself, as a file."""
    services = of(request)
    key = await services.keys.get(request.user.id)
    async with services.database.reading() as session:
        found = await exporting.gather(session, request.user.id, key=key)
    headers = {"content-disposition": 'attachment; filename="mutualaid-export.json"'}
    return Response(orjson.dumps(found), headers=headers, media_type="application/json")


async def show_erase(request: Request) -> Response:
    return page(request, "account/erase.html")


async def erase(request: Request) -> Response:
    """Leave for good."""
    services, member_id = of(request), request.user.id
    async with services.database.transaction() as session:
        await erasing.erase(session, member_id, now=clock.now())
    await erasing.destroy_key(services, member_id, now=clock.now())
    response = go(request, "/", said=N_("Your account is erased. Farewell, and thank you."))
    cookies.drop(request, response, cookies.SESSION)
    return response


PAGES = (
    row("GET", "/me/account", show_account, SIGNED_IN, "One's account"),
    row("GET", "/me/consents/{purpose}/withdraw", show_withdraw, SIGNED_IN, "Withdraw a consent?"),
    row("POST", "/me/consents/{purpose}/withdraw", withdraw, SIGNED_IN, "Withdraw a consent"),
    row("GET", "/me/export", export, OWN_DANGER, "Everything held about oneself"),
    row("GET", "/me/erase", show_erase, OWN_DANGER, "Leave for good?"),
    row("POST", "/me/erase", erase, OWN_DANGER, "Leave for good"),
)
