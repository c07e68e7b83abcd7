"""The districts of cells, remembered: which one a cell's centre lies in never changes until the regions are seeded anew.

A cell is asked of the shapes once; whoever posts from it later costs no question. Bounded, and looked over now and then
for another version of the source, since another process may have seeded it.
"""

import time
from dataclasses import dataclass, field
from typing import Final, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.kit import cells
from mutualaid.kit.database import Database
from mutualaid.kit.geo import Point
from mutualaid.kit.plain import Asked, Plain, plain_of
from mutualaid.regions import store
from mutualaid.regions.records import Region

K = TypeVar("K")

_MOST: Final = 20_000  # cells; some 200 octets each
_FRESH_S: Final = 10.0


@dataclass(slots=True)
class _Held:
    version: str | None
    looked_at: float
    inside: dict[str, Region | None] = field(default_factory=dict)  # by cell: where its very centre lies
    near: dict[tuple[str, float], Region | None] = field(default_factory=dict)


_held: WeakKeyDictionary[Database, _Held] = WeakKeyDictionary()


async def near_centre(database: Database, plain: Plain, cell: str, *, within_m: float) -> Region | None:
    """The district of the cell's centre, or the nearest one so many metres away: `store.locate_near`. What is not
    remembered is asked in the transaction that is open."""
    held = _held.get(database) or _Held(None, 0.0)
    if (inside := await _inside(held, plain, cell)) is not None:
        return inside
    if (cell, within_m) not in held.near:
        found = await store.nearest_by(plain, *cells.centre(cell), within_m)
        _keep(held.near, (cell, within_m), found)
        return found
    return held.near[cell, within_m]


async def require_at(database: Database, point: Point, *, field: str) -> None:
    """`store.require_at` of a point that a person gave: 422 at `field` where it is not in China.

    A cell of that resolution reaches 600 m from its centre. So where the centre lies in a district, the point does too, or
    the border between them is nearer than the tolerance for quays (1,000 m): the shapes need not be asked.
    """
    held, cell = _fresh(database), cells.cell_of(*point)
    if held is not None and await _inside(held, database.glancing, cell) is not None:
        return
    async with database.reading() as session:
        held = await _looked_over(database, session)
        if await _inside(held, await plain_of(session), cell) is None:
            await store.require_at(session, *point, field=field)


async def _inside(held: _Held, plain: Asked, cell: str) -> Region | None:
    if cell not in held.inside:
        found = await store.locate_by(plain, *cells.centre(cell))
        _keep(held.inside, cell, found)
        return found
    return held.inside[cell]


def _keep(kept: dict[K, Region | None], key: K, found: Region | None) -> None:
    while len(kept) >= _MOST:
        del kept[next(iter(kept))]
    kept[key] = found


def _fresh(database: Database) -> _Held | None:
    held = _held.get(database)
    return held if held is not None and time.monotonic() - held.looked_at < _FRESH_S else None


async def _looked_over(database: Database, session: AsyncSession) -> _Held:
    if (held := _fresh(database)) is not None:
        return held
    looked_at, version = time.monotonic(), await store.seeded_version(session)
    held = _held.get(database)
    if held is None or held.version != version:
        held = _held[database] = _Held(version, looked_at)
    held.looked_at = looked_at
    return held
