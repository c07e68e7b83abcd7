"""Asking for consent in the middle of something: a page that lists exactly what is missing and carries the form along."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request

from mutualaid.kit import clock
from mutualaid.kit.doors import language
from mutualaid.kit.faces import forms
from mutualaid.kit.faces.errors import Again
from mutualaid.kit.faces.forms import Form
from mutualaid.members import consents
from mutualaid.members.consent_texts import PURPOSES, TEXTS, Purpose
from mutualaid.members.errors import ConsentNeeded
from mutualaid.members.sessions import visitor_of
from mutualaid.members.wire import ConsentTextView
from mutualaid.services import of

_BOX = "consent."


async def give_ticked(request: Request, form: Form) -> None:
    """Give each consent whose own box was ticked, to the version that was shown beside it."""
    ticked = [(purpose, version) for purpose in PURPOSES if (version := form.get(_BOX + purpose)) != ""]
    for purpose, version in ticked:
        async with of(request).database.transaction() as session:
            await consents.give(
                session,
                request.user.id,
                purpose,
                version=forms.number(version) if version.isdigit() else 0,
                channel="web",
                now=clock.now(),
            )
    if ticked:  # what the session was read with is of before
        request.scope["user"] = await visitor_of(request)


async def asked_first(request: Request, form: Form, deed: Callable[[], Awaitable[Any]]) -> Any:
    """Give what was ticked, then do the deed; where consent is still missing, show what for, with the form kept."""
    await give_ticked(request, form)
    try:
        return await deed()
    except ConsentNeeded as needed:
        texts = [ConsentTextView.of(TEXTS[_purpose(e.field)], language(request)) for e in needed.fields]
        context = {"form": form, "texts": texts, "action": request.url.path}
        raise Again("members/consents_needed.html", needed, context) from needed


def _purpose(name: str) -> Purpose:
    return next(purpose for purpose in PURPOSES if purpose == name)
