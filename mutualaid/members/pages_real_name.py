"""The real-name check by browser, its consent asked on the same page by a box of its own."""

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mutualaid.kit import clock
from mutualaid.kit.doors import language, parse
from mutualaid.kit.errors import FieldError
from mutualaid.kit.faces import forms
from mutualaid.kit.faces.errors import or_again
from mutualaid.kit.faces.rendering import go, page
from mutualaid.kit.faces.rows import row
from mutualaid.kit.peers import peer_of
from mutualaid.kit.texts import N_
from mutualaid.members import checking, identity, pacing, profile, verifying
from mutualaid.members.consent_texts import TEXTS
from mutualaid.members.errors import ConsentNeeded
from mutualaid.members.pages_consents import give_ticked
from mutualaid.members.policies import SIGNED_IN
from mutualaid.members.wire import ConsentTextView, RealNameDraft
from mutualaid.services import of

_SAMPLE = "45010319900307001"
_BOX = "consent.real_name_check"


async def _around(request: Request, to: str) -> dict[str, Any]:
    """Who one is, what consent is missing, and in test mode an identity to try with."""
    services = of(request)
    me = await profile.describe(services, request.user.id)
    given = any(consent.purpose == "real_name_check" for consent in me.consents)
    consent = None if given else ConsentTextView.of(TEXTS["real_name_check"], language(request))
    sample = ("王小明", _SAMPLE + identity.check_digit(_SAMPLE)) if services.realname.is_fake else None
    return {"me": me, "consent": consent, "sample": sample, "next": to}


async def show(request: Request) -> Response:
    to = forms.safe_next(request.query_params.get("next"), "/me/account")
    return page(request, "members/real_name.html", **await _around(request, to))


async def check(request: Request) -> Response:
    """Have name and ID number compared once."""
    services, form, now = of(request), await forms.read(request), clock.now()
    to = forms.safe_next(form.get("next"), "/me/account")
    around = await _around(request, to)
    well_formed = checking.identity_number(clock.today(now))

    async def complete(draft: RealNameDraft) -> Sequence[FieldError]:
        found = list(await well_formed(draft))
        if around["consent"] is not None and not form.has(_BOX):
            found.append(FieldError(_BOX, ConsentNeeded.code, ConsentNeeded.text))
        return found

    with or_again("members/real_name.html", form=form, **around):
        raw = {"name": form.get("name"), "id_number": form.get("id_number")}
        draft = await parse(raw, RealNameDraft, check=complete)
        await give_ticked(request, form)
        number = identity.check(draft.id_number, today=clock.today(now))
        await pacing.for_identity_check(services, request.user.id, peer=peer_of(request))
        state = await verifying.check_real_name(services, request.user.id, draft.name, number, now=now)
    if state == "none":
        return go(request, "/me/account", said=N_("A moderator will look at your paper in person; nothing was kept."))
    return go(request, to, said=N_("Your real name is checked."))


PAGES = (
    row("GET", "/real-name", show, SIGNED_IN, "The real-name check"),
    row("POST", "/real-name", check, SIGNED_IN, "Have one's real name checked"),
)
