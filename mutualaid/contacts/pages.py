"""The pages of contacts: ask for one, look at it, call, write, end it."""

import asyncio
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from mutualaid.contacts import actions, asking, granting, playing, routing, rules, showing, store
from mutualaid.contacts.errors import ChannelNotAvailable
from mutualaid.contacts.records import Lease
from mutualaid.contacts.stock import Stock
from mutualaid.contacts.wire import ContactReportDraft, ContactView, MessageDraft, PageQuery
from mutualaid.kit import clock
from mutualaid.kit.doors import parse
from mutualaid.kit.errors import AidError, NotFound
from mutualaid.kit.faces import forms
from mutualaid.kit.faces.deeds import deed
from mutualaid.kit.faces.errors import or_again
from mutualaid.kit.faces.forms import Form
from mutualaid.kit.faces.rendering import go, page
from mutualaid.kit.faces.rows import row
from mutualaid.kit.texts import N_
from mutualaid.members import blocks, own_phone
from mutualaid.members.errors import ConsentNeeded, RealNameNeeded
from mutualaid.members.pages_consents import asked_first
from mutualaid.members.policies import SIGNED_IN, may_act
from mutualaid.providers.numbers import NumbersRefused
from mutualaid.services import Services, of

REASONS: Final = ("scam", "selling", "abuse", "wrong_number", "other")
_MOST_WORDS: Final = 50  # messages and calls on one page


async def ask(request: Request) -> Response:
    """Ask to be in touch with a post's author, then show the contact; a refusal leads back to the post."""
    form, post_id = await forms.read(request), request.path_params["id"]
    if form.get("do") == "edit":
        return go(request, f"/posts/{post_id}")
    try:
        lease: Lease = await asked_first(request, form, lambda: _ask(request, post_id, form))
    except (RealNameNeeded, ConsentNeeded, NotFound):
        raise
    except AidError as refusal:
        return go(request, f"/posts/{post_id}", said=refusal.text, wrong=True)
    return go(request, f"/contacts/{lease.id}")


async def _ask(request: Request, post_id: str, form: Form) -> Lease:
    services, asker, now = of(request), request.user, clock.now()
    channel: rules.Channel = "call" if form.get("channel", "call") == "call" else "words"
    if channel == "call" and not services.numbers.caps.calls:
        raise ChannelNotAvailable
    prepared = await asking.prepare(services, post_id, channel, asker=asker)
    async with services.database.transaction() as session:
        lease, _ = await asking.ask(session, prepared, asker=asker, stock=Stock.of(services), now=now)
    if lease.state == "asked":
        await _grant(services, lease)
    return lease


async def _grant(services: Services, asked: Lease) -> None:
    """Wait a moment for the provider; where it takes longer, the worker goes on and the contact's page says so."""
    plan = await granting.plan(services, asked.id)
    if plan is None:
        return
    try:
        async with asyncio.timeout(rules.PATIENCE_S):
            binding = await granting.bind(services, plan)
    except TimeoutError:
        return
    except (*granting.Unanswered, NumbersRefused) as problem:
        async with services.database.transaction() as session:
            await granting.give_up(session, plan.lease, granting.code_of(problem), now=clock.now())
        return
    async with services.database.transaction() as session:
        await granting.settle(session, plan, binding, now=clock.now())


async def list_own(request: Request) -> Response:
    """Every contact one has a seat in, the newest first."""
    asked = forms.of_query(request)
    query = await parse({"cursor": asked.get("cursor")} if asked.has("cursor") else {}, PageQuery)
    found = await showing.own(of(request), query, request.user.id, now=clock.now())
    more = f"/me/contacts?{urlencode({'cursor': found.next_cursor})}" if found.next_cursor else None
    return page(request, "contacts/list.html", contacts=found.items, more=more)


async def _own(request: Request) -> ContactView:
    services, reader = of(request), request.user.id
    caller = await showing.caller(services, reader)
    async with services.database.reading() as session:
        lease = await store.get_own(session, request.path_params["id"], reader)
        return await showing.contact(session, lease, reader=reader, caller=caller, now=clock.now())


async def _around(request: Request, form: Form = forms.EMPTY) -> dict[str, Any]:
    services, reader, contact = of(request), request.user.id, await _own(request)
    async with services.database.reading() as session:
        lease = await store.get_own(session, contact.id, reader)
        blocked = await blocks.said(session, reader, lease.counterpart(reader))
        around = await showing.around(session, lease, reader=reader, now=clock.now())
    asked = forms.of_query(request)
    earlier = asked.get("cursor") if asked.has("cursor") else None
    query = await parse({"limit": str(_MOST_WORDS)} | ({"cursor": earlier} if earlier else {}), PageQuery)
    messages = await showing.last_messages(services, query, lease, reader)
    before = urlencode({"cursor": messages.next_cursor}) if messages.next_cursor else None
    calls = await showing.calls(services, PageQuery(limit=_MOST_WORDS), contact.id, reader)
    played = services.settings.dev and services.numbers.is_fake
    return {
        "contact": contact,
        "messages": messages.items,
        "before": before,
        "earlier": earlier is not None,
        "calls": calls.items,
        "form": form,
        "played": played,
        "blocked": blocked,
        "around": around,
        "reasons": REASONS,
    }


async def show(request: Request) -> Response:
    """One contact: the number to dial or the words, and how to go on."""
    return page(request, "contacts/show.html", **await _around(request))


async def extend(request: Request) -> Response:
    with or_again("contacts/show.html", **await _around(request)):
        async with of(request).database.transaction() as session:
            await actions.extend(session, request.path_params["id"], by=request.user.id, now=clock.now())
    return _back(request, N_("It stands a day longer."))


async def release(request: Request) -> Response:
    async with of(request).database.transaction() as session:
        await actions.release(session, request.path_params["id"], by=request.user.id, now=clock.now())
    return _back(request, N_("This contact has ended."))


async def block(request: Request) -> Response:
    async with of(request).database.transaction() as session:
        await actions.block(session, request.path_params["id"], by=request.user.id, now=clock.now())
    return _back(request, N_("You two will not be brought together again."))


async def report(request: Request) -> Response:
    form = await forms.read(request)
    key = await of(request).keys.get(request.user.id)
    with or_again("contacts/show.html", **await _around(request, form)):
        raw = {"reason": form.get("reason")} if form.has("reason") else {}
        draft = await parse({**raw, "note": form.get("note")}, ContactReportDraft)
        may_act(request.user)
        async with of(request).database.transaction() as session:
            await actions.report(
                session,
                request.path_params["id"],
                draft.reason,
                draft.note,
                by=request.user.id,
                key=key,
                now=clock.now(),
            )
    return _back(request, N_("Thank you. A moderator will look at it."))


async def write(request: Request) -> Response:
    """Write to the other."""
    form, by = await forms.read(request), request.user.id
    key = await of(request).keys.get(by)
    with or_again("contacts/show.html", **await _around(request, form)):
        draft = await parse({"text": form.get("text")}, MessageDraft)
        may_act(request.user)
        async with deed(request) as d:
            await actions.say(d.session, request.path_params["id"], draft.text, by=by, key=key, now=clock.now())
            return await d.go(f"/contacts/{request.path_params['id']}#words")


async def play(request: Request) -> Response:
    """In test mode: the call that this number would make, through the real decision. Absent elsewhere."""
    services, contact = of(request), await _own(request)
    if not (services.settings.dev and services.numbers.is_fake) or contact.number is None:
        raise NotFound
    phone = await own_phone.of_member(services, request.user.id)
    try:
        await playing.play(services, phone, contact.number, contact.extension, now=clock.now())
    except routing.REFUSALS as refusal:
        return go(request, f"/contacts/{contact.id}", said=refusal.text, wrong=True)
    return _back(request, N_("The pretended call was connected: your neighbour's phone rang, and showed this number."))


def _back(request: Request, said: str) -> Response:
    return go(request, f"/contacts/{request.path_params['id']}", said=said)


PAGES = (
    row("POST", "/posts/{id}/contact", ask, SIGNED_IN, "Ask to be in touch", limit="write"),
    row("GET", "/me/contacts", list_own, SIGNED_IN, "One's own contacts"),
    row("GET", "/contacts/{id}", show, SIGNED_IN, "One contact"),
    row("POST", "/contacts/{id}/extend", extend, SIGNED_IN, "A day more"),
    row("POST", "/contacts/{id}/end", release, SIGNED_IN, "End a contact"),
    row("POST", "/contacts/{id}/block", block, SIGNED_IN, "Nothing more with this person"),
    row("POST", "/contacts/{id}/report", report, SIGNED_IN, "Ask a moderator to look", limit="write"),
    row("POST", "/contacts/{id}/messages", write, SIGNED_IN, "Write to the other", limit="write"),
    row("POST", "/contacts/{id}/call", play, SIGNED_IN, "Play a call (test mode)"),
)
