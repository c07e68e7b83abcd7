"""Every bad field of a post at once: what the rules, the catalogue, the borders and the clock say of a draft."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from mutualaid.catalogue import snapshot
from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.kit import clock
from mutualaid.kit.errors import FieldError, Invalid
from mutualaid.kit.texts import N_, Language
from mutualaid.posts import placing, rules
from mutualaid.posts.drafts import PostAmendment, PostDraft, WindowDraft
from mutualaid.posts.wire import LiveQuery, MapQuery
from mutualaid.regions import store as regions
from mutualaid.services import Services


@dataclass(slots=True)
class Checker:
    """What the checks need, gathered at the door; and, once a draft was found right, where it lies."""

    services: Services
    catalogue: Catalogue
    language: Language
    now: datetime
    placed: placing.Placed | None = None

    @classmethod
    async def at_door(cls, services: Services, language: Language) -> "Checker":
        return cls(services, await snapshot.current(services.database), language, clock.now())

    async def draft(self, draft: PostDraft) -> Sequence[FieldError]:
        """A new post."""
        lines = draft.lines or []
        find = self.catalogue.get
        today = clock.today(self.now)
        found = [
            *rules.line_errors(draft.kind, lines, find, today=today, language=self.language),
            *rules.handover_errors(draft.handover, lines, find),
            *rules.until_errors(draft.until, now=self.now),
            *rules.window_errors(_windows(draft.available), now=self.now),
            *placing.place_errors(draft),
        ]
        try:
            self.placed = await placing.locate(self.services, draft)
        except Invalid as refusal:
            found += refusal.fields
        return found

    async def amendment(self, change: PostAmendment) -> Sequence[FieldError]:
        """A change of one's own post; what depends on the post itself is checked with it."""
        return [
            *rules.until_errors(change.until, now=self.now),
            *rules.window_errors(_windows(change.available), now=self.now),
        ]

    async def plaza(self, query: LiveQuery) -> Sequence[FieldError]:
        """What a reader asks the plaza."""
        found: list[FieldError] = []
        found += self._item_errors(query.item)
        if query.group is not None and query.group not in self.catalogue.groups():
            found.append(FieldError("group", "group_unknown", N_("There is no such group.")))
        if query.near is not None:
            found += placing.box_errors("near", *near_point(query.near))
        elif "near" not in query.model_fields_set:
            sort = getattr(query, "sort", None)
            asking = [("sort", sort == "distance"), ("within_km", query.within_km is not None)]
            needed = N_("Distance needs a place: please give near.")
            found += [FieldError(name, "near_needed", needed) for name, asked in asking if asked]
        if query.region is not None:
            async with self.services.database.reading() as session:
                if await regions.get(session, query.region) is None:
                    found.append(FieldError("region", "region_unknown", N_("There is no such region.")))
        return found

    async def map(self, query: MapQuery) -> Sequence[FieldError]:
        """What a reader looks at."""
        found = self._item_errors(query.item)
        if query.bbox is not None:
            south, west, north, east = map(float, query.bbox.split(","))
            if min(south, north) < -90 or max(south, north) > 90 or min(west, east) < -180 or max(west, east) > 180:
                found.append(FieldError("bbox", "outside_earth", N_("Latitudes end at ±90, longitudes at ±180.")))
            elif south >= north or west >= east:
                corners = N_("Please give the south-western corner first; no box crosses the 180th meridian.")
                found.append(FieldError("bbox", "bbox_inverted", corners))
        return found

    def _item_errors(self, item: str | None) -> list[FieldError]:
        if item is None or self.catalogue.get(item) is not None:
            return []
        return [FieldError("item", "item_unknown", N_("This item is not in the catalogue."))]


def near_point(near: str) -> tuple[float, float]:
    """`LAT,LNG` as two numbers; its form was checked by the query model."""
    lat, lng = near.split(",")
    return float(lat), float(lng)


def _windows(windows: Sequence[WindowDraft | None] | None) -> list[rules.Window | None]:
    return [w.window if w is not None else None for w in windows or ()]
