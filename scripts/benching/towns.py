"""Synthetic posts from one seed. `spread`: 200 towns with Zipf weights; `hot`: one city of 1,500 cells, the fullest of
which holds 2 % of all posts. Items by Zipf weights over the real catalogue, needs to offers as 4 to 1, every third author
or so with a real name."""

import zlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import h3
import numpy as np
from demo_city import NEED_NOTES, OFFER_NOTES
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.catalogue.rules import Item
from mutualaid.kit import cells, spots
from mutualaid.posts import rules
from mutualaid.regions import store as regions
from mutualaid.regions.records import RegionRow
from mutualaid.regions.rules import MICRO

SETS: Final = ("spread", "hot")
TOWNS: Final = 200
HOT_CELLS: Final = 1_500
_HOT_RINGS: Final = 22  # the disk round the centre that holds so many cells
_HOT_SLOPE: Final = 0.58  # weight of the n-th cell: n to the power of minus this
_MOST_ITEMS: Final = 60
_AT_ONCE: Final = 10_000
_AREA: Final = 6  # cells of one cell of this resolution share a district
_KM: Final = 111.2  # of a degree of latitude

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of three tables, as dictionaries; posts also with their cell's centre: `lat`, `lng`, and `x`, `y`, `z` on the unit
    sphere."""

    members: list[Row]
    posts: list[Row]
    lines: list[Row]


@dataclass(frozen=True, slots=True)
class Ground:
    """What the seeded database gives: districts (code, lat, lng), the items that may be listed."""

    districts: Sequence[tuple[str, float, float]]
    items: Sequence[Item]

    @classmethod
    async def read(cls, session: AsyncSession, items: Sequence[Item]) -> "Ground":
        chosen = select(RegionRow.code, RegionRow.inner_lat, RegionRow.inner_lng).where(RegionRow.shape.is_not(None))
        rows = await session.execute(chosen.order_by(RegionRow.code))
        listable = [item for item in items if item.listable]
        return cls([(code, lat / MICRO, lng / MICRO) for code, lat, lng in rows], listable[:_MOST_ITEMS])


def zipf(n: int, slope: float = 1.0) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """n weights that sum to 1, the k-th as 1 / k^slope."""
    weights = 1 / np.arange(1, n + 1) ** slope
    return np.asarray(weights / weights.sum())


class Towns:
    """One set. The same seed and moment give the same posts."""

    def __init__(self, name: str, seed: int, ground: Ground, made_at: datetime) -> None:
        self.name = name
        self.ground = ground
        self._made_at = made_at
        self._stream = [seed, zlib.crc32(name.encode())]
        random = np.random.default_rng(self._stream)
        chosen = random.choice(len(ground.districts), TOWNS, replace=False)
        self.towns = [ground.districts[n] for n in chosen] if name == "spread" else [_busiest(ground)]
        self._wide_km = random.uniform(3, 12, len(self.towns))
        self._weights = zipf(len(self.towns))
        self._hot = _disk(*self.towns[0][1:]) if name == "hot" else []
        self._district_of: dict[str, str] = {}

    def random(self, purpose: str) -> np.random.Generator:
        """A stream of its own for each purpose."""
        return np.random.default_rng([*self._stream, zlib.crc32(purpose.encode())])

    def draw(self, random: np.random.Generator, n: int) -> list[tuple[int, str]]:
        """n times (number of the town, cell), as posts and their readers are spread."""
        if self._hot:
            return [(0, self._hot[k]) for k in random.choice(HOT_CELLS, n, p=zipf(HOT_CELLS, _HOT_SLOPE))]
        found = []
        for town, north, east in zip(
            random.choice(TOWNS, n, p=self._weights),
            random.standard_normal(n),
            random.standard_normal(n),
            strict=True,
        ):
            _, lat, lng = self.towns[town]
            degrees = self._wide_km[town] / _KM
            east_degrees = degrees / np.cos(np.radians(lat))
            found.append((int(town), cells.cell_of(lat + north * degrees, lng + east * east_degrees)))
        return found

    async def batches(self, session: AsyncSession, posts: int) -> AsyncIterator[Batch]:
        """So many posts with their lines, and the authors before them. `session`: of a database with regions."""
        random = self.random("posts")
        authors = _authors(random, max(posts // 4, 100), self._made_at)
        yield Batch(authors, [], [])
        names = [author["id"] for author in authors]
        for begin in range(0, posts, _AT_ONCE):
            n = min(_AT_ONCE, posts - begin)
            drawn = self.draw(random, n)
            districts = [await self._district(session, town, cell) for town, cell in drawn]
            yield self._batch(random, names, [cell for _, cell in drawn], districts)

    async def _district(self, session: AsyncSession, town: int, cell: str) -> str:
        """Where the middle of the wider cell lies; outside every district, that of the town."""
        area = cells.parent(cell, _AREA)
        if area not in self._district_of:
            found = await regions.locate(session, *cells.centre(area))
            self._district_of[area] = found.code if found else self.towns[town][0]
        return self._district_of[area]

    def _batch(
        self, random: np.random.Generator, names: Sequence[str], where: Sequence[str], districts: Sequence[str]
    ) -> Batch:
        n, items = len(where), self.ground.items
        ids, line_ids = _ids(random, n), iter(_ids(random, 3 * n))
        author, need = random.integers(len(names), size=n), random.random(n) < 0.8
        ago, whole = random.uniform(0, 72 * 3600, n), random.random(n) < 0.1
        urgent, asked = random.random(n) < 0.1, random.geometric(0.5, n) - 1
        wanted = random.choice(len(items), (n, 3), p=zipf(len(items)))
        lines_of, note = random.choice([1, 2, 3], n, p=[0.7, 0.2, 0.1]), random.integers(1 << 30, size=n)
        posts, lines = [], []
        for k in range(n):
            kind: rules.Kind = "need" if need[k] else "offer"
            created = self._made_at - timedelta(seconds=float(ago[k]))
            created = created.replace(second=0, microsecond=0) if whole[k] else created  # some of the same moment
            notes = NEED_NOTES if kind == "need" else OFFER_NOTES
            post_id = _dated(ids[k], created)
            lat, lng = cells.centre(where[k])
            x, y, z = spots.on_sphere((lat, lng))
            posts.append(
                {
                    "id": post_id,
                    "author_id": names[author[k]],
                    "kind": kind,
                    "state": "open",
                    "cell": where[k],
                    "spot": where[k],
                    "lat": lat,
                    "lng": lng,
                    "x": x,
                    "y": y,
                    "z": z,
                    "region": districts[k],
                    "urgency": "urgent" if urgent[k] else "normal",
                    "reach_km": 10,
                    "handover": ["pickup"],
                    "contact": rules.default_contact(kind),
                    "for_other": False,
                    "beneficiary_age_band": None,
                    "keeps_enough": kind == "offer",
                    "available": [],
                    "note": notes[note[k] % len(notes)],
                    "scrubbed": False,
                    "created_at": created,
                    "confirmed_at": created,
                    "until": self._made_at + rules.STAYS_MOST,
                    "waiting": sum(self._made_at - created >= wait for wait in rules.WAITS),
                    "contacted": int(asked[k]),
                }
            )
            for position, which in enumerate(dict.fromkeys(wanted[k, : lines_of[k]].tolist())):
                lines.append(self._line(_dated(next(line_ids), created), post_id, position, items[which], kind))
        return Batch([], posts, lines)

    def _line(self, line_id: str, post_id: str, position: int, item: Item, kind: rules.Kind) -> Row:
        amount = max(1, item.most(kind) // 2)
        return {
            "id": line_id,
            "post_id": post_id,
            "position": position,
            "item": item.code,
            "quantity": amount,
            "remaining": amount,
            "expires_on": (self._made_at + timedelta(days=200)).date() if kind == "offer" else None,
            "sealed": kind == "offer",
        }


def _ids(random: np.random.Generator, n: int) -> list[str]:
    digits = random.bytes(16 * n).hex()
    return [digits[k : k + 32] for k in range(0, 32 * n, 32)]


def _dated(digits: str, at: datetime) -> str:
    """As `row_id` would have made it then."""
    return f"{int(at.timestamp() * 4) & 0xFFFFFFFF:08x}{digits}"


def _authors(random: np.random.Generator, n: int, made_at: datetime) -> list[Row]:
    real = random.random(n) < 0.3
    return [
        {
            "id": member_id,
            "language": "zh-Hans",
            "display_name": "王**" if checked else f"邻居{member_id[:4]}",
            "real_name": "checked" if checked else "none",
            "created_at": made_at - timedelta(days=9),
        }
        for member_id, checked in zip(_ids(random, n), real, strict=True)
    ]


def _busiest(ground: Ground) -> tuple[str, float, float]:
    """青秀区, where the demo's city has its middle."""
    return next(district for district in ground.districts if district[0] == "450103")


def _disk(lat: float, lng: float) -> list[str]:
    """`HOT_CELLS` cells, those in the middle first."""
    middle = cells.cell_of(lat, lng)
    disk = [(h3.grid_distance(middle, cell), cell) for cell in h3.grid_disk(middle, _HOT_RINGS)]
    return [cell for _, cell in sorted(disk)[:HOT_CELLS]]
