"""The landing, the plaza, one post (its door is in matching, which tells its author of proposals)."""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from mutualaid.catalogue import snapshot
from mutualaid.catalogue.rules import Item
from mutualaid.kit import cells, clock
from mutualaid.kit.doors import language, parse
from mutualaid.kit.errors import NotFound
from mutualaid.kit.faces import forms
from mutualaid.kit.faces.errors import or_again
from mutualaid.kit.faces.forms import Form
from mutualaid.kit.faces.rendering import page
from mutualaid.kit.faces.rows import row
from mutualaid.kit.texts import DEFAULT, Language
from mutualaid.members.policies import PUBLIC
from mutualaid.posts import at_hand, cards, reading, wire, word_store
from mutualaid.posts.checking import Checker
from mutualaid.posts.wire import LiveQuery, PlazaQuery
from mutualaid.regions import picking
from mutualaid.services import of

_FILTERS: Final = ("kind", "item", "group", "q", "real_name", "within_km", "sort", "cursor")
_NARROWING: Final = ("item", "group", "province", "real_name", "within_km", "sort", "near")
_KEPT: Final = ("kind", "item", "group", "q", "province", "city", "region", "real_name", "within_km", "sort", "near")


async def landing(request: Request) -> Response:
    """The two buttons, and how many needs were solved."""
    async with of(request).database.reading() as session:
        stats = await reading.read_stats(session, clock.now())
    return page(request, "posts/landing.html", stats=stats)


async def list_plaza(request: Request) -> Response:
    """Who needs or offers what: nearest first where a place is known, else newest first."""
    services, form = of(request), forms.of_query(request)
    checker = await Checker.at_door(services, language(request))
    async with services.database.reading() as session:
        picked = await picking.pick(session, *(form.get(name) for name in ("province", "city", "region")))
        near, whose = await _near(request, session, form)
    raw = {name: form.get(name) for name in _FILTERS if form.has(name)}
    raw |= {"region": picked.code} if picked.code else {}
    raw |= {"near": near} if near else {}
    items = [(item.code, item.title(checker.language)) for item in checker.catalogue.items if item.listable]
    chosen = sum(form.has(name) for name in _NARROWING)
    around: dict[str, Any] = {"form": form, "picked": picked, "whose": whose, "items": items, "chosen": chosen}
    with or_again("posts/list.html", cards=[], more=None, sort="", live="", **around):
        asked = await parse(raw, PlazaQuery, check=checker.plaza)
        if asked.q and request.user is not None:  # others find by names alone, see `read_plaza`
            await word_store.keep_few(services.database)
        standing = await at_hand.follower_of(request).caught_up()
        orders = at_hand.from_memory(standing, asked)
        async with services.database.reading() as session:
            notes, catalogue = request.user is not None, checker.catalogue
            found = await reading.read_plaza(session, services.ring, asked, catalogue, notes=notes, orders=orders)
    reader = request.user.id if request.user else None
    cards = [
        wire.post_view(card, checker.catalogue, language=checker.language, reader=reader, distance_m=metres)
        for metres, card in found.cards
    ]
    more = None
    if found.next_cursor is not None:
        kept = [(name, form.get(name)) for name in _KEPT if form.has(name)]
        more = f"/posts?{urlencode([*kept, ('cursor', found.next_cursor)])}"
    around |= _live(raw, form)
    return page(request, "posts/list.html", cards=cards, more=more, sort=reading.sort_of(asked), **around)


def _live(raw: dict[str, str], form: Form) -> dict[str, str]:
    """Where this list's news are told, and the list itself, to be opened again."""
    filters = {name: value for name, value in raw.items() if name in LiveQuery.model_fields}
    kept = [(name, form.get(name)) for name in _KEPT if form.has(name)]
    first = not form.has("cursor")  # later pages are not where something new comes
    return {"live": f"/live/plaza?{urlencode(filters)}" if first else "", "here": f"/posts?{urlencode(kept)}"}


async def _near(request: Request, session: AsyncSession, form: Form) -> tuple[str | None, str]:
    """From where distances are told: the place in the address, or else the area of one's own latest post."""
    if form.has("near"):
        return form.get("near"), "browser"
    if request.user is None or form.get("from") == "nowhere":
        return None, ""
    latest = await cards.own(session, request.user.id, after=None, limit=1)
    if not latest:
        return None, ""
    lat, lng = cells.centre(latest[0].cell)
    return f"{lat:.6f},{lng:.6f}", "post"


async def show(request: Request, **more: Any) -> Response:
    """One post, with what this reader may do about it. `more`: what a room above tells of it."""
    services = of(request)
    reader = request.user.id if request.user else None
    async with services.database.reading() as session:
        card = await cards.visible(session, request.path_params["id"], reader=reader)
        own = await cards.own(session, reader, after=None, limit=1) if reader else []
    if card is None:
        raise NotFound
    metres = cells.between_m(own[0].cell, card.cell) if own and card.author_id != reader else None
    catalogue = await snapshot.current(services.database)
    view = wire.post_view(card, catalogue, language=language(request), reader=reader, distance_m=metres)
    items = [item for line in card.lines if (item := catalogue.get(line.item)) is not None]
    return page(request, "posts/show.html", post=view, heed=_heed(items, language(request)), **more)


def _heed(items: Sequence[Item], spoken: Language) -> list[tuple[str, str]]:
    """What to heed of these items, and in which language it is written: leaflets stand in Chinese for everybody."""
    found: dict[str, str] = {}
    for item in items:
        if caution := item.caution(spoken):
            found[f"{item.title(spoken)} – {caution}"] = spoken
        if item.leaflet:
            found[f"{item.name} – {item.leaflet}"] = DEFAULT
    return [(text, written) for text, written in found.items()]


PAGES = (
    row("GET", "/", landing, PUBLIC, "The landing"),
    row("GET", "/posts", list_plaza, PUBLIC, "The plaza", limit="read"),
)
