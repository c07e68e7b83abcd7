"""Signing in by browser: a phone, the code that came, then on to where one wanted to go. And confirming, and out again.

Between the two forms the challenge travels in a cookie that only we can have written.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from mutualaid.kit import clock, phones
from mutualaid.kit.doors import language, parse
from mutualaid.kit.faces import cookies, forms
from mutualaid.kit.faces.errors import or_again
from mutualaid.kit.faces.rendering import go, page
from mutualaid.kit.faces.rows import row
from mutualaid.kit.letterbox import Letter, Showing, stamp
from mutualaid.kit.peers import peer_of
from mutualaid.kit.phones import Phone
from mutualaid.kit.texts import N_
from mutualaid.members import checking, codes, own_phone, pacing, rules, sessions, signing_in
from mutualaid.members.errors import ChallengeEnded
from mutualaid.members.policies import PUBLIC, SIGNED_IN
from mutualaid.members.wire import Answered, AskCode
from mutualaid.services import Services, of

_ASKED: Final = "asked"
_WAY_LASTS: Final = timedelta(hours=1)  # longer than the code: who types it late still comes where they wanted to go
_LOOKS = 10  # for the pretended text message, which the worker writes a moment later
_PAUSE_S = 0.05


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the cookie carries from the first form to the second."""

    challenge: str
    next: str
    step_up: bool


async def show_sign_in(request: Request) -> Response:
    """The form that asks for a phone; whoever is signed in goes on."""
    to = forms.safe_next(request.query_params.get("next"))
    if request.user is not None:
        return go(request, to)
    return page(request, "members/sign_in.html", next=to)


async def ask_code(request: Request) -> Response:
    """Send a one-time code; the next page is the same whether or not the phone is known."""
    services, form = of(request), await forms.read(request)
    to = forms.safe_next(form.get("next"))
    with or_again("members/sign_in.html", form=form, next=to):
        raw = {"phone": form.get("phone")}
        draft = await parse(raw, AskCode, check=checking.own_phone_of(services.numbers))
        return await _send(request, Phone(draft.phone), to, step_up=False)


async def _send(request: Request, phone: Phone, to: str, *, step_up: bool, said: str | None = None) -> Response:
    services, now = of(request), clock.now()
    session_id = request.user.session_id if request.user else None
    await pacing.for_code(services, phone, peer=peer_of(request), session_id=session_id)
    vault = await services.keys.create(codes.VAULT)
    async with services.database.transaction() as session:
        challenge = await codes.ask(session, phone, vault=vault, now=now)
    response = go(request, "/me/step-up/code" if step_up else "/sign-in/code", said=said)
    sealed = cookies.seal(services.ring, _ASKED, [challenge.id, to, step_up], until=now + _WAY_LASTS)
    cookies.put(request, response, _ASKED, sealed, lasts=_WAY_LASTS)
    return response


async def _send_again(request: Request, asked: _Asked) -> Response:
    """Another code to the same phone, which need not be typed again."""
    if (found := await codes.pending(of(request), asked.challenge)) is None:
        return go(request, _own(asked), said=ChallengeEnded.text, wrong=True)
    return await _send(request, found[0], asked.next, step_up=asked.step_up, said=N_("A new code is on its way."))


def _asked(request: Request, *, step_up: bool) -> _Asked | None:
    value = cookies.unseal(of(request).ring, _ASKED, cookies.read(request, _ASKED), now=clock.now())
    asked = _Asked(*value) if value else None
    return asked if asked and asked.step_up is step_up else None


async def show_code(request: Request) -> Response:
    """The form that asks for the code; without a challenge, back to the beginning."""
    if (asked := _asked(request, step_up=False)) is None:
        return go(request, "/sign-in")
    return page(request, "members/code.html", **await _around_code(request, asked))


async def _around_code(request: Request, asked: _Asked) -> dict[str, Any]:
    """What stands around the form: the phone, masked, and in test mode what would have been sent to it."""
    found = await codes.pending(of(request), asked.challenge)
    letter = await _letter(of(request), *found) if found else None
    return {
        "phone": phones.mask(found[0].e164) if found else "…",
        "letter": letter,
        "action": "/me/step-up/code" if asked.step_up else "/sign-in/code",
        "again": _own(asked),
    }


def _own(asked: _Asked) -> str:
    """The form that asks for a phone, or for one's own, with the way on."""
    return f"{'/me/step-up' if asked.step_up else '/sign-in'}?next={quote(asked.next, safe='')}"


async def _letter(services: Services, phone: Phone, made_at: Any) -> Letter | None:
    maker = services.sms
    if not isinstance(maker, Showing):
        return None
    for _ in range(_LOOKS):
        letters = await maker.recent(phone, limit=1)
        if letters and letters[0].at >= stamp(made_at):
            return letters[0]
        await asyncio.sleep(_PAUSE_S)
    return None


async def sign_in(request: Request) -> Response:
    """Begin a session and keep its token in the cookie; whoever comes first time becomes a member."""
    services, form, now = of(request), await forms.read(request), clock.now()
    if (asked := _asked(request, step_up=False)) is None:
        return go(request, "/sign-in", said=ChallengeEnded.text, wrong=True)
    with or_again("members/code.html", form=form, **await _around_code(request, asked)):
        if form.get("do") == "again":
            return await _send_again(request, asked)
        draft = await parse({"challenge": asked.challenge, "code": form.get("code")}, Answered)
        await pacing.for_sign_in(services, peer=peer_of(request))
        found = await signing_in.by_code(services, draft.challenge, draft.code, language=language(request), now=now)
    response = go(request, asked.next, said=N_("You are signed in."))
    cookies.put(request, response, cookies.SESSION, found.token, lasts=rules.SESSION_LASTS)
    cookies.drop(request, response, _ASKED)
    return response


async def show_step_up(request: Request) -> Response:
    """Why a code is needed once more, and to which phone it goes."""
    to = forms.safe_next(request.query_params.get("next"))
    if request.user.stepped_up:
        return go(request, to)
    phone = await own_phone.of_member(of(request), request.user.id)
    return page(request, "members/step_up.html", next=to, phone=phones.mask(phone.e164))


async def ask_step_up(request: Request) -> Response:
    form = await forms.read(request)
    phone = await own_phone.of_member(of(request), request.user.id)
    return await _send(request, phone, forms.safe_next(form.get("next")), step_up=True)


async def show_step_up_code(request: Request) -> Response:
    if (asked := _asked(request, step_up=True)) is None:
        return go(request, "/me/step-up")
    return page(request, "members/code.html", **await _around_code(request, asked))


async def step_up(request: Request) -> Response:
    """Confirm this session with the code."""
    services, form, caller, now = of(request), await forms.read(request), request.user, clock.now()
    if (asked := _asked(request, step_up=True)) is None:
        return go(request, "/me/step-up", said=ChallengeEnded.text, wrong=True)
    with or_again("members/code.html", form=form, **await _around_code(request, asked)):
        if form.get("do") == "again":
            return await _send_again(request, asked)
        draft = await parse({"challenge": asked.challenge, "code": form.get("code")}, Answered)
        await pacing.for_sign_in(services, peer=peer_of(request))
        proof = await codes.prove(services, draft.challenge, draft.code, now=now)
        async with services.database.transaction() as session:
            await sessions.step_up(session, caller.session_id, proof, member_id=caller.id, now=now)
    response = go(request, asked.next, said=N_("Confirmed. Please go on."))
    cookies.drop(request, response, _ASKED)
    return response


async def sign_out(request: Request) -> Response:
    """End this session."""
    async with of(request).database.transaction() as session:
        await sessions.end(session, request.user.session_id, member_id=request.user.id, now=clock.now())
    return _gone(request, N_("You are signed out."))


async def sign_out_everywhere(request: Request) -> Response:
    """End every session of one's own."""
    async with of(request).database.transaction() as session:
        await sessions.end_all(session, request.user.id, actor=request.user.id, now=clock.now())
    return _gone(request, N_("You are signed out everywhere."))


def _gone(request: Request, said: str) -> Response:
    response = go(request, "/", said=said)
    cookies.drop(request, response, cookies.SESSION)
    return response


PAGES = (
    row("GET", "/sign-in", show_sign_in, PUBLIC, "Sign in"),
    row("POST", "/sign-in", ask_code, PUBLIC, "Send a code"),
    row("GET", "/sign-in/code", show_code, PUBLIC, "Type the code"),
    row("POST", "/sign-in/code", sign_in, PUBLIC, "Begin a session"),
    row("GET", "/me/step-up", show_step_up, SIGNED_IN, "Confirm once more"),
    row("POST", "/me/step-up", ask_step_up, SIGNED_IN, "Send a code to one's own phone"),
    row("GET", "/me/step-up/code", show_step_up_code, SIGNED_IN, "Type the code"),
    row("POST", "/me/step-up/code", step_up, SIGNED_IN, "Confirm this session"),
    row("POST", "/sign-out", sign_out, SIGNED_IN, "Sign out here"),
    row("POST", "/me/sessions/end", sign_out_everywhere, SIGNED_IN, "Sign out everywhere"),
)
