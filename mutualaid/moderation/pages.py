"""The moderators' queue by browser: claim a case, rule on its post or on a member, with a reason."""

from collections.abc import Sequence
from typing import Any, Final, get_args
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from mutualaid.catalogue import snapshot
from mutualaid.contacts import store as contacts
from mutualaid.kit import clock
from mutualaid.kit.doors import language, parse
from mutualaid.kit.errors import FieldError, Invalid, NotFound
from mutualaid.kit.faces import forms
from mutualaid.kit.faces.errors import or_again
from mutualaid.kit.faces.forms import Form
from mutualaid.kit.faces.rendering import go, page
from mutualaid.kit.faces.rows import row
from mutualaid.kit.texts import N_
from mutualaid.members.policies import STAFF, STAFF_DEED
from mutualaid.moderation import actions, cases, reading, standing, store
from mutualaid.moderation.rules import MEMBER_DEEDS, POST_DEEDS, Reason
from mutualaid.moderation.wire import CaseQuery, CaseView, MemberRulingDraft, PostRulingDraft
from mutualaid.services import of

_REASONS: Final[tuple[Reason, ...]] = get_args(Reason)
_CHOOSE: Final = N_("Please choose.")
_REPORTERS: Final = N_("This is the post of whoever reported; please rule on the member who was reported.")


async def list_cases(request: Request) -> Response:
    """The queue: whoever has waited longest comes first."""
    services, form = of(request), forms.of_query(request)
    shown = form.get("state") or "open"
    raw = {name: form.get(name) for name in ("reason", "cursor") if form.has(name)} | {"state": shown}
    around: dict[str, Any] = {"form": form, "state": shown, "reasons": _REASONS, "cases": [], "more": None, "mine": 0}
    with or_again("moderation/list.html", **around):
        asked = await parse(raw, CaseQuery)
        reader, spoken, catalogue = request.user.id, language(request), await snapshot.current(services.database)
        async with services.database.reading() as session:
            found = await store.page(session, services.ring, asked, reader=reader)
            mine = await store.claimed_by(session, reader) if shown == "open" else 0
            views = await reading.views(
                services.keys, session, found.cases, reader=reader, language=spoken, catalogue=catalogue
            )
    more = None
    if found.next_cursor:
        kept = [(name, form.get(name)) for name in ("state", "reason") if form.has(name)]
        more = f"/moderation?{urlencode([*kept, ('cursor', found.next_cursor)])}"
    return page(request, "moderation/list.html", **{**around, "cases": views, "more": more, "mine": mine})


async def _around(request: Request, form: Form = forms.EMPTY) -> dict[str, Any]:
    """A case with its post, its reports and the members on whom may be ruled; 403 `own_ruling` for one of those."""
    services, reader, spoken = of(request), request.user.id, language(request)
    catalogue = await snapshot.current(services.database)
    async with services.database.reading() as session:
        found = await store.get(session, request.path_params["id"])
        if found is None:
            raise NotFound
        await cases.refuse_party(session, [found.case.id], by=reader)
        views = await reading.views(
            services.keys, session, [found], reader=reader, language=spoken, catalogue=catalogue
        )
        names = await contacts.display_names(session, [part.id for part in views[0].members])
        match = await reading.disputed(session, found.case, catalogue=catalogue, language=spoken)
        author = await reading.author_of(session, found.case)
        rulings = await reading.past_rulings(services.keys, session, views[0])
        suspended = await store.suspended_of(session, [part.id for part in views[0].members])
    closed = views[0].state == "closed"
    people = [
        (part.id, part.role, names.get(part.id, ""))
        for part in views[0].members
        if part.id in suspended or not closed  # of a closed case, only a suspension is left to be lifted
    ]
    return {
        "case": views[0],
        "people": people,
        "match": match,
        "rulings": rulings,
        "whose": next((part.role for part in views[0].members if part.id == author), None),
        "form": form,
        "reasons": _REASONS,
    }


async def show(request: Request) -> Response:
    return page(request, "moderation/case.html", **await _around(request))


async def claim(request: Request) -> Response:
    """This case is mine for ten minutes."""
    around = await _around(request)
    with or_again("moderation/case.html", **around):
        async with of(request).database.transaction() as session:
            await cases.claim(session, around["case"].id, by=request.user.id, now=clock.now())
    return go(request, f"/moderation/cases/{around['case'].id}", said=N_("The case is yours for ten minutes."))


async def rule_on_post(request: Request) -> Response:
    """Close, hide, restore or approve the case's post."""
    form, by = await forms.read(request), request.user
    around = await _around(request, form)
    case: CaseView = around["case"]
    key = await of(request).keys.get(by.id)
    deed = next((name for name in POST_DEEDS if name == form.get("deed")), None)

    async def chosen(_draft: PostRulingDraft) -> Sequence[FieldError]:
        if deed is None:
            return [FieldError("deed", "required", _CHOOSE)]
        if around["whose"] == "reporter" and deed != "approve":
            return [FieldError("deed", "reporters_post", _REPORTERS)]
        return []

    with or_again("moderation/case.html", **around):
        raw = _ruling(form, "") | {"cut_contacts": form.has("cut_contacts")}
        draft = await parse(raw, PostRulingDraft, check=chosen)
        if case.post is None or deed is None:
            raise NotFound
        async with of(request).database.transaction() as session:
            await actions.rule(session, case.post.id, deed, draft, by=by, key=key, now=clock.now())
    return go(request, "/moderation", said=N_("Ruled; those whom it concerns are told."))


async def rule_on_member(request: Request) -> Response:
    """Suspend, restore or vouch for one of the members whom the case is about; the case itself may still be open."""
    form, by = await forms.read(request), request.user
    around = await _around(request, form)
    key = await of(request).keys.get(by.id)
    deed = next((name for name in MEMBER_DEEDS if name == form.get("member.deed")), None)
    whom = next((member for member, _, _ in around["people"] if member == form.get("member.id")), None)

    async def chosen(_draft: MemberRulingDraft) -> Sequence[FieldError]:
        asked = {"id": whom, "deed": deed}
        return [FieldError(name, "required", _CHOOSE) for name, value in asked.items() if value is None]

    with or_again("moderation/case.html", **around):
        try:
            draft = await parse(_ruling(form, "member."), MemberRulingDraft, check=chosen)
        except Invalid as refusal:
            raise Invalid(
                [FieldError(f"member.{e.field}", e.code, e.text, e.params) for e in refusal.fields]
            ) from refusal
        if whom is None or deed is None:
            raise NotFound
        async with of(request).database.transaction() as session:
            await standing.rule(session, whom, deed, draft, by=by, key=key, now=clock.now())
    return go(request, f"/moderation/cases/{around['case'].id}", said=N_("Ruled; those whom it concerns are told."))


def _ruling(form: Form, prefix: str) -> dict[str, Any]:
    reason = form.get(f"{prefix}reason")
    return ({"reason": reason} if reason else {}) | {"note": form.get(f"{prefix}note")}


PAGES = (
    row("GET", "/moderation", list_cases, STAFF, "The queue"),
    row("GET", "/moderation/cases/{id}", show, STAFF, "One case"),
    row("POST", "/moderation/cases/{id}/claim", claim, STAFF, "Claim a case"),
    row("POST", "/moderation/cases/{id}/post", rule_on_post, STAFF_DEED, "Rule on the case's post"),
    row("POST", "/moderation/cases/{id}/member", rule_on_member, STAFF_DEED, "Rule on a member"),
)
