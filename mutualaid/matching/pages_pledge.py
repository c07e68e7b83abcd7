"""The pledge by browser: which of one's own posts goes with this one, and how much of each line."""

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from mutualaid.catalogue import snapshot
from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.kit import cells, clock
from mutualaid.kit.doors import language, parse
from mutualaid.kit.errors import FieldError, Invalid, NotFound
from mutualaid.kit.faces import forms
from mutualaid.kit.faces.deeds import deed
from mutualaid.kit.faces.errors import or_again
from mutualaid.kit.faces.forms import Form
from mutualaid.kit.faces.rendering import page
from mutualaid.kit.faces.rows import row
from mutualaid.kit.texts import N_
from mutualaid.matching import pledging, rules, store
from mutualaid.matching.drafts import PledgeDraft
from mutualaid.matching.meeting import may_meet
from mutualaid.members.errors import ConsentNeeded, RealNameNeeded
from mutualaid.members.pages_consents import asked_first
from mutualaid.members.policies import REAL_NAME
from mutualaid.posts import cards
from mutualaid.posts.cards import Card, LineCard
from mutualaid.posts.errors import OwnPost
from mutualaid.posts.wire import PostView, post_view
from mutualaid.services import of

_LOOKED_AT: Final = 50  # of one's own posts, the newest


_AT_LEAST: Final = N_("How many? At least 1 of one line.")
_AT_MOST: Final = N_("At most {most}.")


def _free(line: LineCard) -> int:
    """What nobody has been promised yet."""
    return line.remaining - line.held


@dataclass(frozen=True, slots=True)
class Pair:
    """One line of the need and one of the offer that fit; `n` numbers the pairs of the whole page."""

    n: int
    need_line: LineCard
    offer_line: LineCard
    name: str
    unit: str

    @property
    def most(self) -> int:
        return min(_free(self.need_line), _free(self.offer_line))


@dataclass(frozen=True, slots=True)
class Choice:
    """One of one's own posts and the pairs it makes; how far the two lie apart, and how far the nearer reach of both goes."""

    mine: PostView
    pairs: list[Pair]
    metres: int
    reach_km: int

    @property
    def too_far(self) -> bool:
        return self.metres > self.reach_km * 1000


async def _around(request: Request, form: Form) -> dict[str, Any]:
    services, reader = of(request), request.user.id
    catalogue = await snapshot.current(services.database)
    async with services.database.reading() as session:
        theirs = await cards.visible(session, request.path_params["id"], reader=reader)
        if theirs is None:
            raise NotFound
        if theirs.author_id == reader:
            raise OwnPost
        own = await _own(session, reader, theirs)
        ended = await store.never_again(session, theirs.id)

    def view(card: Card) -> PostView:
        return post_view(card, catalogue, language=language(request), reader=reader)

    choices: list[Choice] = []
    n = 0
    for mine in own:
        pairs = _pairs(mine, theirs, catalogue, request, start=n)
        n += len(pairs)
        if pairs and mine.id not in ended:
            metres, reach_km = cells.between_m(mine.cell, theirs.cell), min(mine.reach_km, theirs.reach_km)
            choices.append(Choice(view(mine), pairs, metres, reach_km))
    other, here = rules.other(theirs.kind), quote(f"/posts/{theirs.id}/pledge", safe="")
    make = f"/posts/new?kind={other}&item={theirs.lines[0].item}&next={here}"
    past = any(mine.id in ended for mine in own)
    return {"form": form, "post": view(theirs), "choices": choices, "make": make, "past": past}


async def _own(session: AsyncSession, reader: str, theirs: Card) -> list[Card]:
    found = await cards.own(session, reader, after=None, limit=_LOOKED_AT)
    return [card for card in found if card.state == "open" and card.kind != theirs.kind]


def _pairs(mine: Card, theirs: Card, catalogue: Catalogue, request: Request, *, start: int) -> list[Pair]:
    need, offer = (mine, theirs) if mine.kind == "need" else (theirs, mine)
    found: list[Pair] = []
    spoken = language(request)
    for wanted in need.lines:
        instead = rules.substitutes_of([wanted.item], catalogue.items) if wanted.substitutes else frozenset()
        for given in offer.lines:
            item = catalogue.get(given.item)
            if item is not None and (given.item == wanted.item or given.item in instead):
                pair = Pair(start + len(found), wanted, given, item.title(spoken), item.counted_in(spoken))
                found += [pair] if pair.most > 0 else []
    return found


async def show(request: Request) -> Response:
    """What of one's own goes with this post; where nothing does, the way to post it."""
    return page(request, "matches/pledge.html", **await _around(request, forms.of_query(request)))


async def pledge(request: Request) -> Response:
    """Pledge the amounts that were typed, consent asked where it is missing."""
    form = await forms.read(request)
    around = await _around(request, form)
    if form.get("do") == "edit":
        return page(request, "matches/pledge.html", **around)
    chosen = next((choice for choice in around["choices"] if choice.mine.id == form.get("post")), None)
    shown = chosen.pairs if chosen else []
    pairs = [pair for pair in shown if forms.number(form.get(_field(pair.n))) not in (None, 0)]
    with or_again("matches/pledge.html", but=(ConsentNeeded, RealNameNeeded), **around):
        _refuse_amounts(form, shown, pairs)
        try:
            response: Response = await asked_first(request, form, lambda: _pledge(request, form, pairs))
        except Invalid as refusal:
            raise forms.beside(refusal, "lines", [_field(pair.n) for pair in pairs]) from refusal
    return response


def _refuse_amounts(form: Form, shown: list[Pair], pairs: list[Pair]) -> None:
    """Nothing at all, or more than there is: said beside the fields, with the most that can be."""
    if shown and not pairs:
        raise Invalid([FieldError(_field(pair.n), "too_small", _AT_LEAST) for pair in shown])
    left = {line.id: _free(line) for pair in pairs for line in (pair.need_line, pair.offer_line)}
    wrong: list[FieldError] = []
    for pair in pairs:
        ends, number = (pair.need_line.id, pair.offer_line.id), forms.number(form.get(_field(pair.n)))
        most = max(0, min(left[line] for line in ends))
        if not isinstance(number, int):
            continue  # what is no number is refused with the rest of the draft
        if number > most:
            wrong.append(FieldError(_field(pair.n), "too_big", _AT_MOST, {"most": most}))
        for line in ends:
            left[line] -= number
    if wrong:
        raise Invalid(wrong)


async def _pledge(request: Request, form: Form, pairs: list[Pair]) -> Response:
    lines = [
        {
            "need_line": pair.need_line.id,
            "offer_line": pair.offer_line.id,
            "quantity": forms.number(form.get(_field(pair.n))),
        }
        for pair in pairs
    ]
    draft = await parse({"post": form.get("post"), "lines": lines}, PledgeDraft)
    post_id, database = request.path_params["id"], of(request).database
    async with database.reading() as session:
        await may_meet(session, request.user, [post_id, draft.post])
    catalogue = await snapshot.current(database)
    async with deed(request) as d:
        match, _ = await pledging.pledge(
            d.session, post_id, draft, by=request.user.id, catalogue=catalogue, now=clock.now()
        )
        said = N_("You two have agreed.") if match.state == "agreed" else N_("Your neighbour is asked to say yes.")
        return await d.go(f"/matches/{match.id}", said=said)


def _field(n: int) -> str:
    return f"lines.{n}"


PAGES = (
    row("GET", "/posts/{id}/pledge", show, REAL_NAME, "What goes with this post", limit="read"),
    row("POST", "/posts/{id}/pledge", pledge, REAL_NAME, "Pledge", limit="write"),
)
