"""Who posts what, where and when: drawn from the seed before anybody is matched."""

import math
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import Final

from mutualaid.catalogue import sheet
from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.kit import cells, geo
from mutualaid.kit.clock import SHANGHAI
from mutualaid.matching.simulation.coins import Coins
from mutualaid.matching.simulation.parameters import BY_HOUR, ITEMS, REACH_KM, Parameters
from mutualaid.posts.rules import STAYS, Handover, Kind

START: Final = datetime(2022, 12, 20, tzinfo=SHANGHAI)
SHORT: Final = timedelta(hours=24)
_DEGREE_M: Final = 111_195.0  # of latitude, on the sphere of `geo`


@dataclass(frozen=True, slots=True)
class Poster:
    """One person and their one post, of one line. Its id names the person and the line too."""

    id: str
    kind: Kind
    item: str
    quantity: int
    cell: str
    reach_km: int
    ways: frozenset[Handover]
    urgent: bool
    posted: datetime
    until: datetime
    expires_on: date | None

    @property
    def urgency(self) -> str:
        return "urgent" if self.urgent else "normal"


@dataclass(frozen=True, slots=True)
class City:
    """Everybody who will post, in the order in which they do."""

    coins: Coins
    parameters: Parameters
    catalogue: Catalogue
    posters: tuple[Poster, ...]

    def of(self, kind: Kind) -> list[Poster]:
        return [each for each in self.posters if each.kind == kind]


@lru_cache(maxsize=1)
def catalogue() -> Catalogue:
    """The one that every installation begins with."""
    raw = (files("mutualaid.catalogue") / "catalogue.csv").read_bytes()
    return Catalogue(0, tuple(sheet.items(sheet.read(raw))))


def draw(seed: int, parameters: Parameters) -> City:
    """The city of this seed."""
    coins = Coins(seed)
    drawing = _Drawing(coins, parameters)
    needs = parameters.days * parameters.needs_a_day
    posters = [drawing.poster("need", n) for n in range(needs)]
    posters += [drawing.poster("offer", n) for n in range(needs // parameters.needs_an_offer)]
    posters.sort(key=lambda each: (each.posted, each.id))
    return City(coins, parameters, catalogue(), tuple(posters))


@dataclass(frozen=True, slots=True)
class _Drawing:
    coins: Coins
    parameters: Parameters

    def poster(self, kind: Kind, number: int) -> Poster:
        who, coins, like = f"{kind[0]}{number:06d}", self.coins, self.parameters
        posted = self._posted(who)
        item = coins.one_of(ITEMS, "item", who)
        short = kind == "need" and coins.falls(like.short_lived, "short", who)
        ways: set[Handover] = {"pickup"}
        if coins.falls(like.delivery, "delivery", who):
            ways.add("delivery")
        if coins.falls(like.courier, "courier", who):
            ways.add("courier")
        return Poster(
            id=who,
            kind=kind,
            item=item,
            quantity=self._quantity(kind, item, who),
            cell=self._home(who),
            reach_km=coins.one_of(REACH_KM, "reach", who),
            ways=frozenset(ways),
            urgent=kind == "need" and coins.falls(like.urgent, "urgent", who),
            posted=posted,
            until=posted + (SHORT if short else STAYS),
            expires_on=self._expires(posted, who) if kind == "offer" else None,
        )

    def _posted(self, who: str) -> datetime:
        day = self.coins.whole(0, self.parameters.days - 1, "day", who)
        hour = self.coins.one_of(dict(enumerate(BY_HOUR)), "hour", who)
        second = self.coins.whole(0, 3_599, "second", who)
        return START + timedelta(days=day, hours=hour, seconds=second)

    def _quantity(self, kind: Kind, code: str, who: str) -> int:
        item = catalogue().get(code)
        assert item is not None
        if kind == "need":
            return self.coins.whole(-(-item.need_max // 2), item.need_max, "quantity", who)
        most = min(item.offer_max, self.parameters.families_a_box * item.need_max)
        return self.coins.whole(1, most, "quantity", who)

    def _expires(self, posted: datetime, who: str) -> date | None:
        if not self.coins.falls(self.parameters.soon_expired, "soon", who):
            return None
        return posted.date() + timedelta(days=self.coins.whole(4, 10, "good for", who))

    def _home(self, who: str) -> str:
        """A quarter by its weight, then a place round its middle."""
        like = self.parameters
        quarter = self.coins.one_of({n: 10_000 // (n + 1) for n in range(like.quarters)}, "quarter", who)
        far = like.quarters_within_km * math.sqrt(self.coins.uniform("far", quarter))
        around = 2 * math.pi * self.coins.uniform("around", quarter)
        east = far * math.cos(around) + like.quarter_km * self.coins.normal("east", who)
        north = far * math.sin(around) + like.quarter_km * self.coins.normal("north", who)
        return cells.cell_of(*_moved(like.centre, east * 1000, north * 1000))


def _moved(place: geo.Point, east_m: float, north_m: float) -> geo.Point:
    lat = place[0] + north_m / _DEGREE_M
    return lat, place[1] + east_m / (_DEGREE_M * math.cos(math.radians(place[0])))
