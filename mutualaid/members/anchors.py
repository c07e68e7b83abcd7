"""Home anchors: where a member's true point is decided into the cell that everybody else sees, once and for good.

The only module that reads or writes a true point. Rounding each post anew would tell the point in the end: fifty
jittered readings of one home, or two cells that share an edge. So a home is anchored once, and whatever lies within
`SAME_HOME_M` of it is that home.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import orjson
from sqlalchemy import Integer, LargeBinary, String, bindparam, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.kit import audit, cells, geo, sealing
from mutualaid.kit.geo import Point
from mutualaid.kit.ids import new_id
from mutualaid.kit.plain import Plain, plain_of
from mutualaid.kit.prepared import Prepared, Put, rows_of
from mutualaid.kit.sealing import DataKey
from mutualaid.members import footing, rules
from mutualaid.members.footing import Footing
from mutualaid.members.records import Anchor, CrowdMark, Home

COARSEST = 6
_MARK = "crowd"
_AT_ONCE = 500


async def shown_cell(
    session: AsyncSession, member_id: str, point: Point, *, key: DataKey, crowd_k: int, now: datetime
) -> str:
    """The cell to show for this point (WGS-84 lat, lng), decided and kept within the session's transaction."""
    plain = await plain_of(session)
    decided = await decide(plain, await footing.of(plain, member_id), point, key=key, crowd_k=crowd_k, now=now)
    for put in decided.puts:
        await plain.put(put)
    return decided.cell


@dataclass(frozen=True, slots=True)
class Decided:
    """The cell to show, and what is to be written so that it stays so: nothing for a home that is known."""

    cell: str
    puts: tuple[Put, ...] = ()


async def decide(
    plain: Plain, member: Footing, point: Point, *, key: DataKey, crowd_k: int, now: datetime, keeps: bool = True
) -> Decided:
    """Which cell to show for this point (WGS-84 lat, lng). The member is locked: two posts at once by one member must not
    make two anchors.

    `key`: the member's data key. `crowd_k`: the fewest members that a cell may stand for. `keeps`: whether the point may be
    kept; where the member has not consented to that, an address gives its cell and is forgotten.
    """
    here = geo.turned(point)
    known = [(geo.apart_m(here, geo.turned(_point(home, key))), home.made, home.cell) for home in member.homes]
    if near := [each for each in known if each[0] <= rules.SAME_HOME_M]:
        return Decided(min(near)[2])
    cell, marks = await _crowded(plain, member, cells.cell_of(*point), crowd_k=crowd_k)
    if not keeps:
        return Decided(cell, tuple(marks))
    anchor_id = new_id()
    sealed = sealing.seal(key, json.dumps(point), table=Anchor.__tablename__, column="point", row=anchor_id)
    anchor = {"id": anchor_id, "member_id": member.member_id, "point": sealed, "cell": cell, "made_at": now}
    noted = audit.row(plain.ring, actor=member.member_id, deed="anchor.made", subject=anchor_id, now=now)
    return Decided(cell, (*marks, rows_of(Anchor, [anchor]), rows_of(audit.AuditRow, [noted])))


async def destroy_anchors(session: AsyncSession, member_id: str) -> None:
    """Destroy every true point of the member. Posts keep the cell that was decided; the next point is anchored anew."""
    await session.execute(delete(Anchor).where(Anchor.member_id == member_id))


def _point(home: Home, key: DataKey) -> Point:
    lat, lng = orjson.loads(sealing.unseal(key, home.point, table=Anchor.__tablename__, column="point", row=home.id))
    return lat, lng


async def _crowded(plain: Plain, member: Footing, cell: str, *, crowd_k: int) -> tuple[str, Sequence[Put]]:
    """The finest cell, by its parents, in which enough distinct people were ever anchored, this one counted; and the
    marks to write. Nobody needs to know beyond `crowd_k`.

    The person is marked at every resolution, once, for the crowd of a wider cell is everybody inside it. Where their ID
    number was read it is by that, so that nobody becomes a crowd by several accounts, or by leaving and coming back.
    """
    named = [*([member.person.hex()] if member.person is not None else []), member.member_id]
    line = [cell, *(cells.parent(cell, resolution) for resolution in range(cells.RESOLUTION - 1, COARSEST - 1, -1))]
    own = [[mark for name in named for mark in sealing.lookups(plain.ring, _MARK, f"{name}|{wider}")] for wider in line]
    asked: dict[str, Any] = {f"cell{n}": wider for n, wider in enumerate(line)}
    asked |= {f"mark{n}_{v}": mark for n, marks in enumerate(own) for v, mark in enumerate(marks)}
    (found,) = await plain.fetch(_crowds(len(line), len(own[0])), **asked, most=crowd_k)
    crowds = [found[2 * n] + 1 for n in range(len(line))]
    shown = next((wider for wider, crowd in zip(line, crowds, strict=True) if crowd >= crowd_k), line[-1])
    missing = [n for n in range(len(line)) if not found[2 * n + 1]]
    mark = {n: sealing.lookup(plain.ring, _MARK, f"{named[0]}|{line[n]}") for n in missing}
    rows = [{"cell": line[n], "mark": mark[n]} for n in missing]
    return shown, [rows_of(CrowdMark, rows)] if rows else []


@cache
def _crowds(levels: int, marks: int) -> Prepared:
    """For each cell of a line: how many others were ever anchored there, counted no further than `most`; how often this
    person was. `marks`: under how many their own may stand, by each version of the look-up key and each name of theirs."""

    def make(_dialect: str, prefix: str) -> Any:
        most = bindparam(f"{prefix}most", type_=Integer(), required=True)
        asked = []
        for n in range(levels):
            there = CrowdMark.cell == bindparam(f"{prefix}cell{n}", type_=String(), required=True)
            own = [bindparam(f"{prefix}mark{n}_{v}", type_=LargeBinary(), required=True) for v in range(marks)]
            others = select(CrowdMark.mark).where(there, CrowdMark.mark.not_in(own)).limit(most).subquery()
            asked.append(select(func.count()).select_from(others).scalar_subquery())
            asked.append(select(func.count()).where(there, CrowdMark.mark.in_(own)).scalar_subquery())
        return select(*asked)

    return Prepared(make)


async def crowds(session: AsyncSession, wanted: Collection[str]) -> dict[str, int]:
    """How many members were ever anchored in each of these cells; what nobody was in is left out."""
    found: dict[str, int] = {}
    asked = sorted(wanted)
    for start in range(0, len(asked), _AT_ONCE):
        some = asked[start : start + _AT_ONCE]
        query = select(CrowdMark.cell, func.count()).where(CrowdMark.cell.in_(some)).group_by(CrowdMark.cell)
        found |= {cell: count for cell, count in await session.execute(query)}
    return found
