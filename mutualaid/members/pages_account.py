"""One's account by browser: what one has agreed to, where one is signed in."""

from starlette.requests import Request
from starlette.responses import Response

from mutualaid.kit import clock
from mutualaid.kit.doors import language
from mutualaid.kit.faces import forms
from mutualaid.kit.faces.rendering import go, page
from mutualaid.kit.faces.rows import row
from mutualaid.kit.texts import N_
from mutualaid.members import consents, profile, rules, sessions, store
from mutualaid.members.api_me import purpose_of
from mutualaid.members.consent_texts import PURPOSES, TEXTS
from mutualaid.members.policies import SIGNED_IN
from mutualaid.members.wire import ConsentTextView, SessionView
from mutualaid.services import of


async def list_sessions(request: Request) -> Response:
    """One's sessions; a member has at most `SESSIONS_EACH`, so they fit on one page."""
    async with of(request).database.reading() as session:
        found = await store.live_sessions(session, request.user.id, after=None, most=rules.SESSIONS_EACH)
    return page(request, "members/sessions.html", sessions=[SessionView.of(row, request.user) for row in found])


async def end_session(request: Request) -> Response:
    async with of(request).database.transaction() as session:
        await sessions.end(session, request.path_params["id"], member_id=request.user.id, now=clock.now())
    return go(request, "/me/sessions", said=N_("That session has ended."))


async def list_consents(request: Request) -> Response:
    """Every purpose with its text, and whether consent stands."""
    me = await profile.describe(of(request), request.user.id)
    texts = [ConsentTextView.of(TEXTS[purpose], language(request)) for purpose in PURPOSES]
    return page(request, "members/consents.html", texts=texts, held={held.purpose: held for held in me.consents})


async def give_consent(request: Request) -> Response:
    purpose, form = purpose_of(request), await forms.read(request)
    version = forms.number(form.get("version"))
    async with of(request).database.transaction() as session:
        await consents.give(
            session,
            request.user.id,
            purpose,
            version=version if isinstance(version, int) else 0,
            channel="web",
            now=clock.now(),
        )
    return go(request, "/me/consents", said=N_("Your consent is noted."))


PAGES = (
    row("GET", "/me/sessions", list_sessions, SIGNED_IN, "Where one is signed in"),
    row("POST", "/me/sessions/{id}/end", end_session, SIGNED_IN, "End one session"),
    row("GET", "/me/consents", list_consents, SIGNED_IN, "What one has agreed to"),
    row("POST", "/me/consents/{purpose}", give_consent, SIGNED_IN, "Agree to one purpose"),
)
