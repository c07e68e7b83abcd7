"""The provider's doors: may this call go through, and what became of it. And, in dev, a call that is only played."""

import hmac
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from mutualaid.contacts import calls, playing, routing
from mutualaid.contacts.errors import HookTokenWrong
from mutualaid.contacts.wire import (
    DevCallDraft,
    Played,
    PushDraft,
    PushTaken,
    Refused,
    RouteDraft,
    RouteView,
)
from mutualaid.kit import clock, once
from mutualaid.kit.doors import answer, read
from mutualaid.kit.endpoints import Endpoint
from mutualaid.kit.errors import NotFound
from mutualaid.kit.phones import Phone
from mutualaid.members.policies import PUBLIC
from mutualaid.providers.numbers import (
    CallRecord,
    Close,
    Connect,
    Pushed,
    PushOfAnother,
    PushRefused,
    PushReplayed,
    RouteQuery,
)
from mutualaid.services import Services, of


async def route(request: Request) -> Response:
    """Asked before each call. Whatever goes wrong is no 200, so nobody is connected."""
    services = of(request)
    _only_the_provider(services, request)
    _only_the_configured(services, request)
    asked = await read(request, RouteDraft)
    connect = await _let_through(
        services, RouteQuery(asked.call_id, Phone(asked.caller), asked.dialled, asked.digits, asked.at)
    )
    return answer(RouteView(callee=connect.callee.e164, display=connect.display, max_seconds=connect.max_seconds))


async def _let_through(services: Services, asked: RouteQuery) -> Connect:
    """Decide, and keep a record of the call that goes through. Raises what `routing.decide` raises."""
    found = await routing.decide(services, asked.caller, asked.x, asked.digits)
    record = calls.begun(found, maker=services.numbers.name, call_id=asked.call_id, set_up_at=asked.at)
    await services.database.put(record)
    return found.connect


async def events(request: Request) -> Response:
    """What became of calls, in the maker's own words; told twice is known once. Or its question before a call."""
    services = of(request)
    _only_the_configured(services, request)
    if _twice(request):
        raise PushRefused
    pushed = services.numbers.parse_event(request.headers, await request.body(), query=request.query_params)
    async with services.database.transaction() as session:
        await _only_once(services, session, pushed)
        taken = sum([await _finish(services, session, record) for record in pushed.records])
    said = services.numbers.answer_event(taken) if pushed.asks is None else await _decided(services, pushed.asks)
    return Response(orjson.dumps(said), media_type="application/json")


async def _only_once(services: Services, session: AsyncSession, pushed: Pushed) -> None:
    proof = pushed.once
    if proof is None:
        return
    scope = f"push.{services.numbers.name}"
    of_now = proof.since <= clock.now() < proof.until
    if not of_now or not await once.take(session, scope, proof.mark, until=proof.until):
        raise PushReplayed


async def _decided(services: Services, asked: RouteQuery) -> dict[str, Any]:
    """A refusal is an answer here, since the vendor lets a call wait for one; whatever else goes wrong is none."""
    decision: Connect | Close
    try:
        decision = await _let_through(services, asked)
    except routing.REFUSALS as refusal:
        decision = Close(refusal.code)
    return services.numbers.answer_route(decision)


async def _finish(services: Services, session: AsyncSession, record: CallRecord) -> bool:
    return await calls.finish(session, services.ring, record, maker=services.numbers.name, now=clock.now())


def _only_the_provider(services: Services, request: Request) -> None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    fits = hmac.compare_digest(token.strip().encode(errors="surrogateescape"), services.hook_token.encode())
    if scheme.lower() != "bearer" or not fits or _twice(request):
        raise HookTokenWrong


def _twice(request: Request) -> bool:
    """Whether a header that proves who asks is there twice: whoever stands before us may have looked at the other one."""
    return any(len(request.headers.getlist(name)) > 1 for name in ("authorization", "x-aksk"))


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
            asked.extension,
            outcome=asked.outcome,
            seconds=asked.seconds,
            now=clock.now(),
        )
    except routing.REFUSALS as refusal:
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
        problems=(HookTokenWrong, *routing.REFUSALS),
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
        problems=(PushRefused, PushReplayed, PushOfAnother),
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
