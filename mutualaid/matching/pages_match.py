"""One's matches by browser: look, say yes or no, and how it went."""

from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from mutualaid.catalogue import snapshot
from mutualaid.kit import clock
from mutualaid.kit.doors import language, parse
from mutualaid.kit.errors import FieldError, Invalid
from mutualaid.kit.faces import forms
from mutualaid.kit.faces.errors import or_again
from mutualaid.kit.faces.forms import Form
from mutualaid.kit.faces.rendering import go, page
from mutualaid.kit.faces.rows import row
from mutualaid.kit.texts import N_
from mutualaid.matching import agreeing, closing, ending, reading, store
from mutualaid.matching.drafts import CompleteDraft, FailDraft
from mutualaid.matching.errors import AlreadyAccepted
from mutualaid.matching.meeting import may_meet
from mutualaid.matching.records import Match
from mutualaid.matching.wire import MatchList, MatchView
from mutualaid.members import blocks
from mutualaid.members.errors import ConsentNeeded, RealNameNeeded
from mutualaid.members.pages_consents import asked_first
from mutualaid.members.policies import REAL_NAME, SIGNED_IN
from mutualaid.posts.wire import PageQuery
from mutualaid.services import of

WHY: Final = ("no_show", "unreachable", "changed_mind", "wrong_goods")


def _page_query(request: Request) -> dict[str, str]:
    asked = forms.of_query(request)
    return {"cursor": asked.get("cursor")} if asked.has("cursor") else {}


async def list_own(request: Request) -> Response:
    """One's own matches, newest first."""
    services, asked = of(request), await parse(_page_query(request), PageQuery)
    catalogue = await snapshot.current(services.database)
    async with services.database.reading() as session:
        found = await reading.of_member(
            session,
            services.ring,
            asked,
            reader=request.user.id,
            catalogue=catalogue,
            language=language(request),
        )
    return _list(request, found, post_id=None)


async def list_of_post(request: Request) -> Response:
    """The matches of one's own post, newest first."""
    services, asked, post_id = of(request), await parse(_page_query(request), PageQuery), request.path_params["id"]
    catalogue = await snapshot.current(services.database)
    async with services.database.reading() as session:
        found = await reading.of_post(
            session,
            services.ring,
            asked,
            post_id,
            reader=request.user.id,
            catalogue=catalogue,
            language=language(request),
        )
    return _list(request, found, post_id=post_id)


def _list(request: Request, found: MatchList, *, post_id: str | None) -> Response:
    more = f"{request.url.path}?{urlencode({'cursor': found.next_cursor})}" if found.next_cursor else None
    return page(request, "matches/list.html", matches=found.items, more=more, post_id=post_id)


async def _own(request: Request) -> MatchView:
    services = of(request)
    catalogue = await snapshot.current(services.database)
    async with services.database.reading() as session:
        match = await store.own(session, request.path_params["id"], request.user.id)
        return await reading.one(
            session, match, reader=request.user.id, catalogue=catalogue, language=language(request)
        )


async def _context(request: Request, match: MatchView, form: Form = forms.EMPTY) -> dict[str, Any]:
    """What may be done now: an ended handover can be answered by the other side for a day."""
    objecting = match.state in ("completed", "failed") and match.closed_by != match.side and not match.disputed
    async with of(request).database.reading() as session:
        other = (await store.own(session, match.id, request.user.id)).counterpart(request.user.id)
        blocked = await blocks.said(session, request.user.id, other)
    return {"match": match, "form": form, "why": WHY, "objecting": objecting, "blocked": blocked}


async def show(request: Request) -> Response:
    return page(request, "matches/show.html", **await _context(request, await _own(request)))


async def accept(request: Request) -> Response:
    """Say yes, consent asked where it is missing."""
    form, match = await forms.read(request), await _own(request)
    if form.get("do") == "edit":
        return go(request, f"/matches/{match.id}")
    if match.side in match.accepted_by:  # a second tap, or another tab: the same as saying it once
        return go(request, f"/matches/{match.id}", said=AlreadyAccepted.text)

    async def deed() -> None:
        database = of(request).database
        async with database.reading() as session:
            await may_meet(session, request.user, [match.need.id, match.offer.id])
        catalogue = await snapshot.current(database)
        async with database.transaction() as session:
            await agreeing.accept(session, match.id, by=request.user.id, catalogue=catalogue, now=clock.now())

    with or_again("matches/show.html", but=(ConsentNeeded, RealNameNeeded), **await _context(request, match)):
        await asked_first(request, form, deed)
    return go(request, f"/matches/{match.id}", said=N_("You have said yes."))


async def decline(request: Request) -> Response:
    match = await _own(request)
    with or_again("matches/show.html", **await _context(request, match)):
        async with of(request).database.transaction() as session:
            await ending.decline(session, match.id, by=request.user.id, now=clock.now())
    return go(request, f"/matches/{match.id}", said=N_("You have declined."))


async def block(request: Request) -> Response:
    """Nothing more with this person."""
    async with of(request).database.transaction() as session:
        await ending.block(session, request.path_params["id"], by=request.user.id, now=clock.now())
    return go(request, "/me/matches", said=N_("You two will not be brought together again."))


async def complete(request: Request) -> Response:
    """It changed hands, as much as was typed; asked once more with these amounts, since it cannot be taken back."""
    form, match = await forms.read(request), await _own(request)
    if form.get("do") == "edit":
        return page(request, "matches/show.html", **await _context(request, match, form))
    typed = [(f"lines.{n}", line) for n, line in enumerate(match.lines)]
    given = [
        (field, line, number) for field, line in typed if (number := forms.number(form.get(field))) not in (None, 0)
    ]
    lines = [
        {"need_line": line.need_line, "offer_line": line.offer_line, "quantity": number} for _, line, number in given
    ]
    with or_again("matches/show.html", **await _context(request, match, form)):
        if not given:
            raise Invalid([FieldError(field, "too_small", _AT_LEAST) for field, _ in typed])
        try:
            done = await parse({"lines": lines}, CompleteDraft)
            over = [n for n, (_, line, number) in enumerate(given) if number > line.quantity]
            if not over and not form.has("sure") and match.state == "agreed":
                return page(request, "matches/complete.html", match=match, given=given)
            async with of(request).database.transaction() as session:
                closed = await closing.complete(session, match.id, done.lines, by=request.user.id, now=clock.now())
        except Invalid as refusal:
            raise forms.beside(refusal, "lines", [field for field, _, _ in given]) from refusal
    return go(request, f"/matches/{match.id}", said=_noted(closed, N_("Noted. Thank you!")))


def _noted(closed: Match, decided: str) -> str:
    """What a word about the handover has done: a dispute decides nothing, nor does saying the same as the other."""
    if closed.disputed:
        return N_("Noted. You two said different things: a moderator will look. Until then nothing here changes.")
    return N_("Noted. Thank you!") if closed.answered else decided


_AT_LEAST: Final = N_("How many were handed over? At least 1; if nothing was, choose below why it did not work out.")


async def fail(request: Request) -> Response:
    """Nothing changed hands."""
    form, match = await forms.read(request), await _own(request)
    with or_again("matches/show.html", **await _context(request, match, form)):
        said = await parse({"reason": form.get("reason")} if form.has("reason") else {}, FailDraft)
        async with of(request).database.transaction() as session:
            closed = await closing.fail(session, match.id, said.reason, by=request.user.id, now=clock.now())
    free = N_("Noted. What was promised is free for others again.")
    return go(request, f"/matches/{match.id}", said=_noted(closed, free))


PAGES = (
    row("GET", "/me/matches", list_own, SIGNED_IN, "One's own matches"),
    row("GET", "/posts/{id}/matches", list_of_post, SIGNED_IN, "The matches of one's own post"),
    row("GET", "/matches/{id}", show, SIGNED_IN, "One match"),
    row("POST", "/matches/{id}/accept", accept, REAL_NAME, "Say yes"),
    row("POST", "/matches/{id}/decline", decline, SIGNED_IN, "Say no"),
    row("POST", "/matches/{id}/block", block, SIGNED_IN, "Block the other side"),
    row("POST", "/matches/{id}/complete", complete, SIGNED_IN, "It changed hands"),
    row("POST", "/matches/{id}/fail", fail, SIGNED_IN, "Nothing changed hands"),
)
