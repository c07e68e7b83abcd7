"""The form of a need or an offer: the same fields as the API's draft, checked by the same checks, nothing typed lost."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from mutualaid.catalogue.rules import Item
from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.kit import clock
from mutualaid.kit.doors import language, parse
from mutualaid.kit.faces import forms
from mutualaid.kit.faces.deeds import deed
from mutualaid.kit.faces.errors import or_again
from mutualaid.kit.faces.forms import Form
from mutualaid.kit.faces.rendering import page
from mutualaid.kit.faces.rows import row
from mutualaid.kit.fields import rfc3339
from mutualaid.kit.plain import plain_of
from mutualaid.kit.texts import N_, Language
from mutualaid.members.errors import ConsentNeeded
from mutualaid.members.pages_consents import asked_first
from mutualaid.members.policies import VERIFIED
from mutualaid.notices import suspension
from mutualaid.posts.checking import Checker
from mutualaid.posts.drafts import PostDraft
from mutualaid.posts.posting import Ready
from mutualaid.posts.rules import Kind, default_contact
from mutualaid.regions import picking
from mutualaid.regions.picking import Picked
from mutualaid.services import of

_MOST_LINES: Final = 10
_STAYS: Final = (24, 72, 168, 336)  # hours to choose from
_OF_LINE: Final = ("item", "quantity")
_HOME: Final = {"province": ["450000"], "city": ["450100"]}  # Nanning, until something else was chosen


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it was typed."""

    item: str = ""
    quantity: str = ""
    expires_on: str = ""
    sealed: bool = False
    substitutes: bool = False

    @property
    def untouched(self) -> bool:
        return self == Line()


def lines_of(form: Form) -> list[Line]:
    """The lines that were typed, those left empty dropped; one empty line where there are none."""
    found = []
    for n in range(_MOST_LINES):
        at = f"lines.{n}."
        found.append(
            Line(
                item=form.get(f"{at}item"),
                quantity=form.get(f"{at}quantity"),
                expires_on=form.get(f"{at}expires_on"),
                sealed=form.has(f"{at}sealed"),
                substitutes=form.has(f"{at}substitutes"),
            )
        )
    return [line for line in found if not line.untouched] or [Line()]


def draft_of(form: Form, lines: Sequence[Line], picked: Picked, *, now: datetime) -> dict[str, Any]:
    """What was typed, in the shape of the API's draft."""
    kind = kind_of(form)
    raw: dict[str, Any] = {
        "kind": kind,
        "lines": [_line(line, kind) for line in lines],
        "urgency": form.get("urgency", "normal"),
        "reach_km": forms.number(form.get("reach_km", "10")),
        "handover": form.all("handover"),
        "contact": form.get("contact", default_contact(kind)),
        "for_other": form.has("for_other"),
        "beneficiary_age_band": form.get("beneficiary_age_band") or None,
        "keeps_enough": form.has("keeps_enough"),
        "note": form.get("note"),
    }
    if (hours := forms.number(form.get("stays"))) in _STAYS:
        raw["until"] = rfc3339(now + timedelta(hours=hours))
    if form.has("lat") and form.has("lng"):
        raw["place"] = {"lat": forms.decimal(form.get("lat")), "lng": forms.decimal(form.get("lng"))}
    else:
        raw |= {"region": picked.place, "address": form.get("address") or None}
    return raw


def _line(line: Line, kind: Kind) -> dict[str, Any]:
    """A field left empty is one that is missing: so it is told, and not as a text that is too short."""
    typed = {"item": line.item, "quantity": forms.number(line.quantity)}
    raw: dict[str, Any] = {name: value for name, value in typed.items() if value not in ("", None)}
    if kind == "need":
        return raw | {"substitutes": line.substitutes}
    return raw | {"expires_on": line.expires_on or None, "sealed": line.sealed}


def kind_of(form: Form) -> Kind:
    return "offer" if form.get("kind") == "offer" else "need"


async def around(request: Request, form: Form, lines: list[Line], checker: Checker) -> dict[str, Any]:
    """Everything that stands in the form besides what was typed."""
    async with of(request).database.reading() as session:
        picked = await picking.pick(session, *(form.get(name) for name in ("province", "city", "region")))
    kind = kind_of(form)
    return {
        "form": form,
        "kind": kind,
        "lines": lines,
        "picked": picked,
        "limits": [],
        "suspended": await suspension.told(request),
        "substitutable": substitutable(checker.catalogue, checker.language),
        "groups": groups(checker.catalogue, kind, checker.language),
        "chosen": [item for line in lines if (item := checker.catalogue.get(line.item)) is not None],
        "stays": _STAYS,
        "next": forms.safe_next(form.get("next"), ""),
        "most_lines": _MOST_LINES,
    }


def groups(catalogue: Catalogue, kind: Kind, spoken: Language) -> list[tuple[str, list[tuple[str, str, int, str]]]]:
    """What may be posted, by group: code, name, the most of it, its unit."""
    found: dict[str, list[Item]] = {}
    for item in catalogue.items:
        if item.listable:
            found.setdefault(item.group, []).append(item)
    return [
        (group, [(item.code, item.title(spoken), item.most(kind), item.counted_in(spoken)) for item in items])
        for group, items in found.items()
    ]


def substitutable(catalogue: Catalogue, spoken: Language) -> list[str]:
    """The names of what something else of the catalogue may stand for."""
    count = Counter(item.substitute_group for item in catalogue.items if item.listable and item.substitute_group)
    return [item.title(spoken) for item in catalogue.items if item.listable and count[item.substitute_group or ""] > 1]


async def show_form(request: Request) -> Response:
    """An empty form; `kind`, `next`, `region`, and `item` and `quantity`, one for each line, may stand in the address."""
    asked = forms.of_query(request)
    typed = {name: [asked.get(name)] for name in ("kind", "next")}
    home = _HOME
    if asked.has("region"):
        async with of(request).database.reading() as session:
            line = await picking.line_of(session, asked.get("region"))
        home = {name: [code] for name, code in zip(("province", "city", "region"), line, strict=False)}
    lines = {f"lines.{n}.{name}": [value] for name in _OF_LINE for n, value in enumerate(asked.all(name))}
    form = Form({**typed, **home, **lines, "handover": ["pickup"]})
    checker = await Checker.at_door(of(request), language(request))
    return page(request, "posts/new.html", **await around(request, form, lines_of(form), checker))


Heed = Callable[[PostDraft, Checker], Awaitable[Mapping[str, Any]]]


async def create(request: Request, heed: Heed) -> Response:
    """Publish what was typed; or, by the other buttons of the form, show it again with one list or one line more.

    `heed`: what a room above would have its author know before, shown once with the form.
    """
    form = await forms.read(request)
    checker = await Checker.at_door(of(request), language(request))
    lines = lines_of(form)
    do = form.get("do")
    if do == "line" and len(lines) < _MOST_LINES:
        lines.append(Line())
    if do == "address":
        form = Form({**form.typed, "lat": [], "lng": []})
    context = await around(request, form, lines, checker)
    if do:
        return page(request, "posts/new.html", **context)
    with or_again("posts/new.html", but=(ConsentNeeded,), **context):
        raw = draft_of(form, lines, context["picked"], now=checker.now)
        draft = await parse(raw, PostDraft, check=checker.draft)
        if not form.has("heeded") and (told := await heed(draft, checker)):
            return page(request, "posts/new.html", **{**context, **told})
        response: Response = await asked_first(request, form, lambda: _publish(request, draft, checker))
    return response


async def _publish(request: Request, draft: PostDraft, checker: Checker) -> Response:
    ready = await Ready.of(checker, draft, author=request.user, now=clock.now())
    form = await forms.read(request)
    async with deed(request) as d:
        plain = await plain_of(d.session)
        card, puts = await ready.publish(plain)
        await plain.put(*puts)
        to = forms.safe_next(form.get("next"), f"/posts/{card.id}")
        return await d.go(to, said=N_("Your post is published.") if card.state == "open" else _REVIEWED)


_REVIEWED: Final = N_("Your post is kept; a moderator looks at it before others see it.")

PAGES = (row("GET", "/posts/new", show_form, VERIFIED, "The form of a need or an offer"),)
