"""The API's doors to contacts: read, open, act, answer."""

import asyncio
import time

from starlette.requests import Request
from starlette.responses import Response

from mutualaid.contacts import actions, asking, granting, rules, showing, store
from mutualaid.contacts.errors import (
    ChannelNotAvailable,
    ContactEnded,
    ContactLimit,
    ContactNotOffered,
    ContactNotReady,
    ContactQueueFull,
    ExtensionsUsed,
    NumbersExhausted,
)
from mutualaid.contacts.records import Lease
from mutualaid.contacts.stock import Stock
from mutualaid.contacts.wire import (
    AskDraft,
    CallList,
    ContactList,
    ContactReportDraft,
    ContactView,
    MessageDraft,
    MessageList,
    MessageView,
    PageQuery,
    ReportedView,
)
from mutualaid.kit import clock, outbox, phones
from mutualaid.kit.doors import Deed, answer, deed, query, read
from mutualaid.kit.endpoints import Endpoint
from mutualaid.kit.errors import ProviderUnavailable
from mutualaid.kit.idempotency import Replayed
from mutualaid.members.errors import ConsentNeeded, PhoneNeeded, RealNameNeeded, Suspended
from mutualaid.members.policies import SIGNED_IN, may_act
from mutualaid.posts.errors import AlreadyReported, OwnPost
from mutualaid.providers.numbers import NumbersRefused
from mutualaid.services import of

_LOOK_AGAIN_S = 0.05


async def ask(request: Request) -> Response:
    """Ask to be in touch with a post's author. A repetition under the same key waits for what the first one comes to."""
    draft = await read(request, AskDraft, optional=True)
    calls = of(request).numbers.caps.calls
    channel = draft.channel or ("call" if calls else "words")
    if channel == "call" and not calls:
        raise ChannelNotAvailable
    patience = time.monotonic() + rules.PATIENCE_S
    while True:
        try:
            return await _ask(request, channel)
        except Replayed as again:
            if again.response.status_code != 202 or time.monotonic() > patience:
                raise
        await asyncio.sleep(_LOOK_AGAIN_S)


async def _ask(request: Request, channel: rules.Channel) -> Response:
    services, asker = of(request), request.user
    prepared = await asking.prepare(services, request.path_params["id"], channel, asker=asker)
    caller = phones.mask(prepared.people[asker.id].phone.e164)
    async with deed(request) as d:
        now = clock.now()
        lease, new = await asking.ask(d.session, prepared, asker=asker, stock=Stock.of(services), now=now)
        view = await showing.contact(d.session, lease, reader=asker.id, caller=caller, now=now)
        response = await d.answer(view, 200 if not new else 201 if lease.state == "granted" else 202)
    if new and lease.state == "asked":
        return await _grant(request, d, lease, caller) or response
    return response


async def _grant(request: Request, d: Deed, asked: Lease, caller: str) -> Response | None:
    """Wait a moment for the provider. None: it takes longer, and the worker goes on."""
    services = of(request)
    plan = await granting.plan(services, asked.id)
    if plan is None:  # it ended in this very moment
        return None
    try:
        async with asyncio.timeout(rules.PATIENCE_S):
            binding = await granting.bind(services, plan)
    except TimeoutError:
        async with services.database.transaction() as session:
            await outbox.enqueue(session, "contacts.grant", {"lease": asked.id}, at=clock.now())
        return None
    except (*granting.Unanswered, NumbersRefused) as problem:
        code = granting.code_of(problem)
        async with services.database.transaction() as session:
            now, later = clock.now(), d.resumed(session)
            gone_on = await granting.give_up(session, plan.lease, code, now=now)
            if gone_on is not None and gone_on.state == "granted":  # a match's contact goes on in words
                view = await showing.contact(session, gone_on, reader=asked.asker_id, caller=caller, now=now)
                return await later.answer(view, 201)
            await later.forget()
        if code == NumbersExhausted.code:
            raise NumbersExhausted(retry_after=rules.RETRY_EXHAUSTED_S) from None
        raise (problem if isinstance(problem, ProviderUnavailable) else ProviderUnavailable(retry_after=60)) from None
    async with services.database.transaction() as session:
        now = clock.now()
        lease = await granting.settle(session, plan, binding, now=now) or await store.get(session, asked.id)
        assert lease is not None
        view = await showing.contact(session, lease, reader=asked.asker_id, caller=caller, now=now)
        return await d.resumed(session).answer(view, 201)


async def list_own(request: Request) -> Response:
    """Every contact one has a seat in, ended ones included, the newest first."""
    asked = await query(request, PageQuery)
    return answer(await showing.own(of(request), asked, request.user.id, now=clock.now()))


async def show(request: Request) -> Response:
    """One of one's own contacts."""
    services, reader = of(request), request.user.id
    caller = await showing.caller(services, reader)
    async with services.database.reading() as session:
        lease = await store.get_own(session, request.path_params["id"], reader)
        return answer(await showing.contact(session, lease, reader=reader, caller=caller, now=clock.now()))


async def extend(request: Request) -> Response:
    """A day more."""
    reader = request.user.id
    caller = await showing.caller(of(request), reader)
    async with deed(request) as d:
        now = clock.now()
        lease = await actions.extend(d.session, request.path_params["id"], by=reader, now=now)
        return await d.answer(await showing.contact(d.session, lease, reader=reader, caller=caller, now=now))


async def release(request: Request) -> Response:
    """No longer needed."""
    async with deed(request) as d:
        await actions.release(d.session, request.path_params["id"], by=request.user.id, now=clock.now())
        return await d.answer(None, 204)


async def block(request: Request) -> Response:
    """Nothing more with this person."""
    reader = request.user.id
    caller = await showing.caller(of(request), reader)
    async with deed(request) as d:
        now = clock.now()
        lease = await actions.block(d.session, request.path_params["id"], by=reader, now=now)
        return await d.answer(await showing.contact(d.session, lease, reader=reader, caller=caller, now=now))


async def report(request: Request) -> Response:
    """Ask a moderator to look."""
    draft = await read(request, ContactReportDraft)
    may_act(request.user)
    by = request.user.id
    key = await of(request).keys.get(by)
    async with deed(request) as d:
        made = await actions.report(
            d.session, request.path_params["id"], draft.reason, draft.note, by=by, key=key, now=clock.now()
        )
        return await d.answer(ReportedView.of(made), 201)


async def list_calls(request: Request) -> Response:
    """The calls of one contact."""
    asked = await query(request, PageQuery)
    return answer(await showing.calls(of(request), asked, request.path_params["id"], request.user.id))


async def list_messages(request: Request) -> Response:
    """The words of one contact, the oldest first."""
    asked = await query(request, PageQuery)
    return answer(await showing.messages(of(request), asked, request.path_params["id"], request.user.id))


async def write(request: Request) -> Response:
    """Write to the other."""
    draft = await read(request, MessageDraft)
    may_act(request.user)
    by = request.user.id
    key = await of(request).keys.get(by)
    async with deed(request) as d:
        message = await actions.say(d.session, request.path_params["id"], draft.text, by=by, key=key, now=clock.now())
        return await d.answer(showing.message(message, key, reader=by), 201)


_CONTACT = "/api/v1/contacts/{id}"
ENDPOINTS = (
    Endpoint(
        "POST",
        "/api/v1/posts/{id}/contact",
        ask,
        SIGNED_IN,
        {200: ContactView, 201: ContactView, 202: ContactView},
        "Ask to be in touch",
        body=AskDraft,
        optional=True,
        problems=(
            ContactNotOffered,
            ChannelNotAvailable,
            RealNameNeeded,
            PhoneNeeded,
            ConsentNeeded,
            Suspended,
            OwnPost,
            ContactQueueFull,
            ContactLimit,
            NumbersExhausted,
            ProviderUnavailable,
        ),
        tag="contacts",
        replayable=True,
        limit="write",
    ),
    Endpoint(
        "GET",
        "/api/v1/me/contacts",
        list_own,
        SIGNED_IN,
        {200: ContactList},
        "One's own contacts",
        query=PageQuery,
        tag="contacts",
    ),
    Endpoint("GET", _CONTACT, show, SIGNED_IN, {200: ContactView}, "One contact", tag="contacts"),
    Endpoint(
        "POST",
        f"{_CONTACT}/extend",
        extend,
        SIGNED_IN,
        {200: ContactView},
        "A day more",
        problems=(ContactEnded, ContactNotReady, ExtensionsUsed),
        tag="contacts",
        replayable=True,
    ),
    Endpoint("DELETE", _CONTACT, release, SIGNED_IN, {204: None}, "End a contact", tag="contacts", replayable=True),
    Endpoint(
        "POST",
        f"{_CONTACT}/block",
        block,
        SIGNED_IN,
        {200: ContactView},
        "Nothing more with this person",
        tag="contacts",
        replayable=True,
    ),
    Endpoint(
        "POST",
        f"{_CONTACT}/reports",
        report,
        SIGNED_IN,
        {201: ReportedView},
        "Ask a moderator to look",
        body=ContactReportDraft,
        problems=(AlreadyReported, Suspended),
        tag="contacts",
        replayable=True,
        limit="write",
    ),
    Endpoint(
        "GET",
        f"{_CONTACT}/calls",
        list_calls,
        SIGNED_IN,
        {200: CallList},
        "Calls by this contact",
        query=PageQuery,
        tag="contacts",
    ),
    Endpoint(
        "GET",
        f"{_CONTACT}/messages",
        list_messages,
        SIGNED_IN,
        {200: MessageList},
        "In-app words",
        query=PageQuery,
        tag="contacts",
    ),
    Endpoint(
        "POST",
        f"{_CONTACT}/messages",
        write,
        SIGNED_IN,
        {201: MessageView},
        "Write to the other",
        body=MessageDraft,
        problems=(ContactEnded, ContactNotReady, Suspended),
        tag="contacts",
        replayable=True,
        limit="write",
    ),
)
