"""The provider's doors: may this call go through, and what became of it. And, in dev, a call that is only played."""

import hmac

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from mutualaid.contacts import calls, playing, routing
from mutualaid.contacts.errors import CallsRest, HookTokenWrong, LeaseEnded, NotAParty, NumberUnknown
from mutualaid.contacts.wire import (
    DevCallDraft,
    Played,
    PushDraft,
    PushTaken,
    Refused,
    RouteDraft,
    RouteView,
)
from mutualaid.kit import clock
from mutualaid.kit.doors import answer, read
from mutualaid.kit.endpoints import Endpoint
from mutualaid.kit.errors import NotFound
from mutualaid.kit.phones import Phone
from mutualaid.members.policies import PUBLIC
from mutualaid.providers.numbers import CallRecord, PushRefused
from mutualaid.services import Services, of


async def route(request: Request) -> Response:
    """Asked before each call. Whatever goes wrong is no 200, so nobody is connected."""
    services = of(request)
    _only_the_provider(services, request)
    _only_the_configured(services, request)
    asked = await read(request, RouteDraft)
    now = clock.now()
    found = await routing.decide(services, Phone(asked.caller), asked.dialled, now=now)
    maker = services.numbers.name
    async with services.database.transaction() as session:
        await calls.begin(session, found, maker=maker, call_id=asked.call_id, told_at=asked.at, now=now)
    return answer(RouteView.model_validate(services.numbers.answer_route(found.connect)))


async def events(request: Request) -> Response:
    """What became of calls, in the maker's own words. Told twice is known once."""
    services = of(request)
    _only_the_configured(services, request)
    told = services.numbers.parse_event(request.headers, await request.body())
    async with services.database.transaction() as session:
        taken = [await _finish(services, session, record) for record in told]
    return answer(PushTaken(taken=sum(taken)))


async def _finish(services: Services, session: AsyncSession, record: CallRecord) -> bool:
    return await calls.finish(session, services.ring, record, maker=services.numbers.name, now=clock.now())


def _only_the_provider(services: Services, request: Request) -> None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    fits = hmac.compare_digest(token.strip().encode(errors="surrogateescape"), services.hook_token.encode())
    if scheme.lower() != "bearer" or not fits:
        raise HookTokenWrong


def _only_the_configured(services: Services, request: Request) -> None:
    if request.path_params["maker"] != services.numbers.name:
        raise NotFound


async def play(request: Request) -> Response:
    """A simulated call (模拟来电): the real decision, the real records, and what each phone would show."""
    asked = await read(request, DevCallDraft)
    try:
        shown = await playing.play(
            of(request),
            Phone(asked.caller),
            asked.dialled,
            outcome=asked.outcome,
            seconds=asked.seconds,
            now=clock.now(),
        )
    except playing.REFUSALS as refusal:
        return answer(Played(Refused(code=refusal.code)))
    return answer(Played(shown))


ENDPOINTS = (
    Endpoint(
        "POST",
        "/hooks/numbers/{maker}/route",
        route,
        PUBLIC,
        {200: RouteView},
        "May this call go through?",
        body=RouteDraft,
        problems=(HookTokenWrong, NumberUnknown, NotAParty, LeaseEnded, CallsRest),
        tag="hooks",
    ),
    Endpoint(
        "POST",
        "/hooks/numbers/{maker}/events",
        events,
        PUBLIC,
        {200: PushTaken},
        "What became of calls",
        body=PushDraft,
        problems=(PushRefused,),
        tag="hooks",
    ),
)
DEV = (
    Endpoint(
        "POST",
        "/api/v1/dev/calls",
        play,
        PUBLIC,
        {200: Played},
        "Play a masked call (dev only)",
        body=DevCallDraft,
        tag="dev",
    ),
)
