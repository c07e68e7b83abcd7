"""What readers of posts are answered: cards and lists."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.kit import cells, geo
from mutualaid.kit.coordinates import Crs, from_wgs84
from mutualaid.kit.fields import (
    Cursor,
    Day,
    FreeText,
    Limit,
    Moment,
    Query,
    QueryBool,
    QueryFloat,
    Text,
    View,
    refuse,
)
from mutualaid.kit.texts import N_, Language
from mutualaid.posts.cards import Card, LineCard
from mutualaid.posts.drafts import Sort
from mutualaid.posts.records import HiddenBy, State
from mutualaid.posts.rules import AgeBand, Contact, Handover, Kind, Outcome, Urgency
from mutualaid.posts.words import FEWEST, LONGEST, fold, letters_in

_DEGREES = r"-?[0-9]{1,3}(\.[0-9]{1,20})?"
_BOX = rf"^{_DEGREES}(,{_DEGREES}){{3}}$"

RealNameHow = Literal["checked", "vouched", "steward"]


class LineView(View):
    id: str
    item: str
    name: str
    unit: str
    quantity: int
    remaining: int
    held: int
    expires_on: Day | None
    substitutes: bool


class RegionView(View):
    code: str
    name: str
    path: str


class PlaceView(View):
    """A cell and its centre: never anybody's point."""

    cell: str
    lat: float
    lng: float
    crs: Crs


class AuthorView(View):
    display_name: str
    real_name: bool
    real_name_how: RealNameHow | None


class WindowView(View):
    from_: Moment = Field(alias="from")
    to: Moment


class PostView(View):
    """A card. `author` and `note` are null for readers who are not signed in."""

    id: str
    kind: Kind
    state: State
    lines: list[LineView]
    region: RegionView
    place: PlaceView
    urgency: Urgency
    reach_km: int
    handover: list[Handover]
    contact: Contact
    available: list[WindowView]
    for_other: bool
    beneficiary_age_band: AgeBand | None
    keeps_enough: bool
    author: AuthorView | None
    mine: bool
    note: str | None
    scrubbed: bool
    hidden_by: HiddenBy | None
    outcome: Outcome | None
    created_at: Moment
    confirmed_at: Moment
    until: Moment
    ended_at: Moment | None
    distance_m: int | None
    distance_km: float | None


class PostList(View):
    items: list[PostView]
    next_cursor: str | None


class Stats(View):
    """The counters of the landing page."""

    as_of: Moment
    open_needs: int
    open_offers: int
    resolved_needs_through_platform: int
    resolved_needs_total: int
    resolved_offers_total: int
    resolved_24h: int
    members: int


class Reported(View):
    """A moderator will look; `hidden` tells whether the post is off the plaza already."""

    id: str
    reason: str
    hidden: bool


def _words(text: str) -> str:
    """What the search in notes can be asked: some words, not too long; `%`, `*` and the like are none and mean nothing."""
    if len(text) > 10 * LONGEST or len(fold(text)) > LONGEST:
        raise refuse("too_long", N_("At most {max_length} characters."), max_length=LONGEST)
    if (letters := letters_in(text)) == 0 and text:
        raise refuse("no_word", N_("Please give letters, digits or Chinese characters."))
    if letters < FEWEST:
        raise refuse("too_short", N_("At least {min_length} characters."), min_length=FEWEST)
    return text


Words = Annotated[
    FreeText,
    AfterValidator(_words),
    WithJsonSchema(
        {
            "type": "string",
            "minLength": FEWEST,
            "maxLength": LONGEST,
            "description": "words of the note and of the items' names; signed out, of the names only",
        }
    ),
]


class LiveQuery(Query):
    """Filters of the plaza."""

    kind: Kind | None = None
    item: Annotated[Text, Field(min_length=1, max_length=64)] | None = None
    group: Annotated[Text, Field(min_length=1, max_length=64)] | None = None
    q: Words | None = None
    region: Annotated[str, Field(pattern=r"^[0-9]{6}$")] | None = None
    real_name: QueryBool | None = None
    near: Annotated[str, Field(max_length=64, pattern=rf"^{_DEGREES},{_DEGREES}$")] | None = None
    crs: Crs = "wgs84"
    within_km: Annotated[QueryFloat, Field(gt=0, le=2000)] | None = None


class PlazaQuery(LiveQuery):
    """Filters and order of the plaza."""

    sort: Sort | None = None
    limit: Limit = 20
    cursor: Cursor | None = None


class MapQuery(Query):
    """What is looked at: `LAT_MIN,LNG_MIN,LAT_MAX,LNG_MAX`."""

    bbox: Annotated[str, Field(max_length=128, pattern=_BOX)]
    crs: Crs = "wgs84"
    kind: Kind | None = None
    item: Annotated[Text, Field(min_length=1, max_length=64)] | None = None


class MapCell(View):
    """A cell, its centre, and how many posts lie in it."""

    cell: str
    lat: float
    lng: float
    needs: int
    offers: int


class MapCells(View):
    items: list[MapCell]


class PageQuery(Query):
    """One's own lists."""

    limit: Limit = 20
    cursor: Cursor | None = None


class OwnQuery(PageQuery):
    """One's own posts, places in the datum asked for."""

    crs: Crs = "wgs84"


class CrsQuery(Query):
    """The datum that places are answered in."""

    crs: Crs = "wgs84"


def post_view(
    card: Card,
    catalogue: Catalogue,
    *,
    language: Language,
    crs: Crs = "wgs84",
    reader: str | None,
    distance_m: int | None = None,
) -> PostView:
    """A card as this reader sees it; `reader` None is signed out and gets neither author nor note."""
    return PostView.model_validate(
        post_fields(card, catalogue, language=language, crs=crs, reader=reader, distance_m=distance_m)
    )


def post_fields(
    card: Card,
    catalogue: Catalogue,
    *,
    language: Language,
    crs: Crs = "wgs84",
    reader: str | None,
    distance_m: int | None = None,
) -> dict[str, Any]:
    """What a `PostView` is made of, in its order, as plain values: cards of the plaza are written from these."""
    lat, lng = cells.centre(card.cell)
    if crs != "wgs84":
        lat, lng = from_wgs84(lat, lng, crs)
    mine = reader == card.author_id
    return {
        "id": card.id,
        "kind": card.kind,
        "state": card.state,
        "lines": [_line_fields(line, catalogue, language) for line in card.lines],
        "region": {"code": card.region, "name": card.region_name, "path": card.region_path},
        "place": {"cell": card.cell, "lat": round(lat, 9), "lng": round(lng, 9), "crs": crs},
        "urgency": card.urgency,
        "reach_km": card.reach_km,
        "handover": card.handover,
        "contact": card.contact,
        "available": [{"from": window.start, "to": window.end} for window in card.windows],
        "for_other": card.for_other,
        "beneficiary_age_band": card.beneficiary_age_band if reader else None,
        "keeps_enough": card.keeps_enough,
        "author": _author_fields(card) if reader else None,
        "mine": mine,
        "note": card.note if reader else None,
        "scrubbed": card.scrubbed,
        "hidden_by": card.hidden_by if mine else None,
        "outcome": card.outcome if mine else None,
        "created_at": card.created_at,
        "confirmed_at": card.confirmed_at,
        "until": card.until,
        "ended_at": card.ended_at,
        "distance_m": distance_m,
        "distance_km": None if distance_m is None else geo.distance_km(distance_m),
    }


def _author_fields(card: Card) -> dict[str, Any]:
    how: RealNameHow | None = None if card.author_real_name == "none" else card.author_real_name
    return {"display_name": card.author_name, "real_name": how is not None, "real_name_how": how}


def _line_fields(line: LineCard, catalogue: Catalogue, language: Language) -> dict[str, Any]:
    item = catalogue.get(line.item)
    return {
        "id": line.id,
        "item": line.item,
        "name": item.title(language) if item else line.item,
        "unit": item.counted_in(language) if item else "",
        "quantity": line.quantity,
        "remaining": line.remaining,
        "held": line.held,
        "expires_on": line.expires_on,
        "substitutes": line.substitutes,
    }


def map_cells(counts: Mapping[str, Mapping[Kind, int]], crs: Crs) -> MapCells:
    """Counts by cell, each with its centre in the datum asked for."""
    items = []
    for cell, by_kind in counts.items():
        lat, lng = from_wgs84(*cells.centre(cell), crs)
        needs, offers = by_kind.get("need", 0), by_kind.get("offer", 0)
        items.append(MapCell(cell=cell, lat=round(lat, 9), lng=round(lng, 9), needs=needs, offers=offers))
    return MapCells(items=items)
