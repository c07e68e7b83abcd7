"""Home anchors: where a member's true point is decided into the cell that everybody else sees, once and for good.

The only module that reads or writes a true point. Rounding each post anew would tell the point in the end: fifty
jittered readings of one home, or two cells that share an edge. So a home is anchored once, and whatever lies within
`SAME_HOME_M` of it is that home.
"""

import json
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.kit import audit, cells, geo, sealing
from mutualaid.kit.database import new_id
from mutualaid.kit.geo import Point
from mutualaid.kit.sealing import DataKey
from mutualaid.members import rules, store
from mutualaid.members.records import Anchor, CrowdMark

COARSEST = 6
_MARK = "crowd"
_AT_ONCE = 500


async def shown_cell(
    session: AsyncSession, member_id: str, point: Point, *, key: DataKey, crowd_k: int, now: datetime
) -> str:
    """The cell to show for this point (WGS-84 lat, lng).

    `key`: the member's data key. `crowd_k`: the fewest members that a cell may stand for.
    """
    await store.get_locked(session, member_id)  # two posts at once by one member must not make two anchors
    known = [(geo.distance_m(point, _point(anchor, key)), anchor) for anchor in await _anchors(session, member_id)]
    near = [(metres, anchor.made_at, anchor.cell) for metres, anchor in known if metres <= rules.SAME_HOME_M]
    if near:
        return min(near)[2]
    cell = await _crowded(session, member_id, cells.cell_of(*point), crowd_k=crowd_k)
    anchor_id = new_id()
    sealed = sealing.seal(key, json.dumps(point), table=Anchor.__tablename__, column="point", row=anchor_id)
    session.add(Anchor(id=anchor_id, member_id=member_id, point=sealed, cell=cell, made_at=now))
    await session.flush()
    audit.note(session, actor=member_id, deed="anchor.made", subject=anchor_id, now=now)
    return cell


async def destroy_anchors(session: AsyncSession, member_id: str) -> None:
    """Destroy every true point of the member. Posts keep the cell that was decided; the next point is anchored anew."""
    await session.execute(delete(Anchor).where(Anchor.member_id == member_id))


async def _anchors(session: AsyncSession, member_id: str) -> list[Anchor]:
    return list(await session.scalars(select(Anchor).where(Anchor.member_id == member_id)))


def _point(anchor: Anchor, key: DataKey) -> Point:
    lat, lng = json.loads(sealing.unseal(key, anchor.point, table=Anchor.__tablename__, column="point", row=anchor.id))
    return lat, lng


async def _crowded(session: AsyncSession, member_id: str, cell: str, *, crowd_k: int) -> str:
    """The finest cell, by its parents, in which enough distinct members were ever anchored, this one counted.

    The member is marked at every resolution, for the crowd of a wider cell is everybody inside it.
    """
    line = [cell, *(cells.parent(cell, resolution) for resolution in range(cells.RESOLUTION - 1, COARSEST - 1, -1))]
    crowds = [await _crowd_in(session, member_id, wider, crowd_k=crowd_k) for wider in line]
    return next((wider for wider, crowd in zip(line, crowds, strict=True) if crowd >= crowd_k), line[-1])


async def _crowd_in(session: AsyncSession, member_id: str, cell: str, *, crowd_k: int) -> int:
    """Mark the member as anchored in the cell, once, and count who ever was; nobody needs to know beyond `crowd_k`."""
    value = f"{member_id}|{cell}"
    marks = sealing.lookups(store.ring_of(session), _MARK, value)
    marked = await session.scalar(select(CrowdMark.mark).where(CrowdMark.cell == cell, CrowdMark.mark.in_(marks)))
    if marked is None:
        session.add(CrowdMark(cell=cell, mark=sealing.lookup(store.ring_of(session), _MARK, value)))
        await session.flush()
    enough = select(CrowdMark.mark).where(CrowdMark.cell == cell).limit(crowd_k).subquery()
    return await session.scalar(select(func.count()).select_from(enough)) or 0


async def crowds(session: AsyncSession, wanted: Collection[str]) -> dict[str, int]:
    """How many members were ever anchored in each of these cells; what nobody was in is left out."""
    found: dict[str, int] = {}
    asked = sorted(wanted)
    for start in range(0, len(asked), _AT_ONCE):
        some = asked[start : start + _AT_ONCE]
        query = select(CrowdMark.cell, func.count()).where(CrowdMark.cell.in_(some)).group_by(CrowdMark.cell)
        found |= {cell: count for cell, count in await session.execute(query)}
    return found
