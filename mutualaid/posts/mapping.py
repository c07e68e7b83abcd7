"""The plaza as a map: how many needs and offers lie in which cells, coarser the more is looked at.

A cell is shown only where at least so many members were ever anchored as a shown cell must stand for; what stands for
fewer is merged upward. Where the crowd of a wide cell is not counted, the largest of the crowds inside it stands for it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import cos, radians
from typing import Final, cast

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.kit import cells
from mutualaid.kit.clock import sql_now
from mutualaid.kit.coordinates import Crs, to_wgs84
from mutualaid.kit.errors import Overloaded
from mutualaid.kit.geo import Point
from mutualaid.members import anchors
from mutualaid.posts.plaza_records import ANYTHING, PlazaCell, PlazaEntry
from mutualaid.posts.rules import Kind

_WIDEST: Final = ((0.2, 8), (0.5, 7), (1.4, 6), (3.7, 5), (10.0, 4))  # degrees that are looked at: resolution
_COARSEST: Final = 3
_READ_MOST: Final = 5_000  # cells that the tables are asked for
_AT_ONCE: Final = 500

Counts = Mapping[str, Counter[Kind]]
"""For each shown cell, how many posts of which kind."""


@dataclass(frozen=True, slots=True)
class Box:
    """What is looked at: WGS-84 degrees, the corners in the south-west and the north-east."""

    south_west: Point
    north_east: Point

    @classmethod
    def of(cls, bbox: str, crs: Crs) -> "Box":
        """From `LAT_MIN,LNG_MIN,LAT_MAX,LNG_MAX`, whose form and order were checked."""
        south, west, north, east = map(float, bbox.split(","))
        return cls(to_wgs84(south, west, crs), to_wgs84(north, east, crs))

    def holds(self, cell: str) -> bool:
        """Whether the cell's centre lies inside."""
        (south, west), (north, east), (lat, lng) = self.south_west, self.north_east, cells.centre(cell)
        return south <= lat <= north and west <= lng <= east

    @property
    def resolution(self) -> int:
        """Some hundreds of hexagons at most are worth drawing."""
        (south, west), (north, east) = self.south_west, self.north_east
        wide = max(north - south, (east - west) * cos(radians((south + north) / 2)))
        return next((resolution for most, resolution in _WIDEST if wide <= most), _COARSEST)


async def from_tables(
    session: AsyncSession, box: Box, *, kind: Kind | None, item: str | None
) -> dict[str, Counter[Kind]]:
    """The counts inside a box, by SQL. Raises `Overloaded` where the item lies in more cells than can be read."""
    topic = item or ANYTHING
    kinds: tuple[Kind, ...] = ("need", "offer") if kind is None else (kind,)
    query = select(PlazaCell.cell).where(PlazaCell.topic == topic, PlazaCell.kind.in_(kinds)).limit(_READ_MOST + 1)
    occupied = (await session.scalars(query)).all()
    if len(occupied) > _READ_MOST:
        raise Overloaded(retry_after=30)
    found = defaultdict[str, Counter[Kind]](Counter)
    inside = [cell for cell in dict.fromkeys(occupied) if cells.is_cell(cell) and box.holds(cell)]
    for start in range(0, len(inside), _AT_ONCE):
        entries = (
            select(PlazaEntry.cell, PlazaEntry.kind, func.count())
            .where(
                PlazaEntry.topic == topic,
                PlazaEntry.kind.in_(kinds),
                PlazaEntry.real.in_((0, 1)),
                PlazaEntry.cell.in_(inside[start : start + _AT_ONCE]),
                PlazaEntry.until > sql_now(),
            )
            .group_by(PlazaEntry.cell, PlazaEntry.kind)
        )
        for cell, its_kind, count in await session.execute(entries):
            found[cell][cast(Kind, its_kind)] += count
    return found


async def drawn(session: AsyncSession, counts: Counts, resolution: int, *, crowd_k: int) -> Counts:
    """The counts at this resolution or coarser, so that each cell stands for enough members; by cell."""
    crowds = await _crowds(session, counts, crowd_k=crowd_k)
    shown: dict[str, Counter[Kind]] = defaultdict(Counter)
    waiting = dict(counts)
    for level in range(resolution, _COARSEST - 1, -1):
        groups: dict[str, list[str]] = defaultdict(list)
        for cell in waiting:
            groups[cells.at_most(cell, level)].append(cell)
        for group, inside in groups.items():
            if max(crowds.get(mark, 0) for mark in _marks(group, inside)) >= crowd_k:
                for cell in inside:
                    shown[group] += waiting.pop(cell)
    return dict(sorted(shown.items()))


def _marks(group: str, inside: Iterable[str]) -> set[str]:
    """The cells by whose crowds a group is judged."""
    if cells.resolution(group) >= anchors.COARSEST:
        return {group}
    return {cells.at_most(cell, anchors.COARSEST) for cell in inside}


async def _crowds(session: AsyncSession, counts: Counts, *, crowd_k: int) -> Mapping[str, int]:
    """How many members were ever anchored in each of these cells and in the wider ones round them."""
    wanted = {cells.at_most(cell, level) for cell in counts for level in range(anchors.COARSEST, cells.RESOLUTION + 1)}
    if crowd_k <= 1:  # whoever posted lives there
        return dict.fromkeys(wanted, 1)
    return await anchors.crowds(session, wanted)
