"""Which district a point lies in, and the list of regions. A shape is fetched when it is asked about and only a few are
kept: the whole country would be a hundred megabytes as objects."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Integer, Row, bindparam, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.kit.coordinates import looks_swapped
from mutualaid.kit.errors import FieldError, Invalid
from mutualaid.kit.plain import Asked, plain_of
from mutualaid.kit.prepared import Prepared
from mutualaid.kit.texts import N_
from mutualaid.regions import rules
from mutualaid.regions.records import Region, RegionRow, RegionSource

_REGION = (
    RegionRow.code,
    RegionRow.name,
    RegionRow.level,
    RegionRow.parent,
    RegionRow.path,
    RegionRow.inner_lat,
    RegionRow.inner_lng,
    RegionRow.shape.is_not(None).label("is_district"),
)
_Row = Row[*tuple[Any, ...]]
_NEAR_M = 3000.0  # three edges of a shown cell
_QUAY_M = 1000.0


async def locate(session: AsyncSession, lat: float, lng: float) -> Region | None:
    """The district that this WGS-84 point (degrees) lies in; None outside every one of them."""
    return await locate_by(await plain_of(session), lat, lng)


async def locate_near(session: AsyncSession, lat: float, lng: float, within_m: float = _NEAR_M) -> Region | None:
    """The district that the point lies in, or else the one whose border is nearest, at most `within_m` metres away.

    For a cell's centre, which may fall into the sea or over the border although the member inside the cell does not,
    and for points on quays and banks, which the generalised line may cut off. Equally near ones: the lowest code.
    """
    plain = await plain_of(session)
    return await locate_by(plain, lat, lng) or await nearest_by(plain, lat, lng, within_m)


async def locate_by(plain: Asked, lat: float, lng: float) -> Region | None:
    """`locate` for whoever asks."""
    y, x = rules.micro(lat), rules.micro(lng)
    for *values, packed in await plain.fetch(_SHAPES, south=y, north=y, west=x, east=x):
        if rules.contains(rules.unpack(packed), y, x):
            return _of(values)
    return None


async def nearest_by(plain: Asked, lat: float, lng: float, within_m: float) -> Region | None:
    """The district whose border is nearest to a point outside them all."""
    y, x = rules.micro(lat), rules.micro(lng)
    up, aside = rules.span(within_m, lat)
    nearest: tuple[float, Sequence[Any]] | None = None
    for *values, packed in await plain.fetch(_SHAPES, south=y - up, north=y + up, west=x - aside, east=x + aside):
        metres = rules.distance_m(rules.unpack(packed), y, x)
        if metres <= within_m and (nearest is None or metres < nearest[0]):
            nearest = (metres, values)
    return _of(nearest[1]) if nearest else None


async def require_at(session: AsyncSession, lat: float, lng: float, *, field: str) -> Region:
    """The district of a point that a person gave (WGS-84), with a tolerance for banks and quays; else 422 at `field`:
    outside China, or most likely lat and lng exchanged."""
    if region := await locate_near(session, lat, lng, _QUAY_M):
        return region
    if looks_swapped(lat, lng):
        raise Invalid([FieldError(field, "lat_lng_swapped", N_("Latitude and longitude seem to be exchanged."))])
    raise Invalid([FieldError(field, "outside_china", N_("This place is not in China."))])


async def get(session: AsyncSession, code: str) -> Region | None:
    """One region of any level."""
    row = (await session.execute(select(*_REGION).where(RegionRow.code == code))).first()
    return _region(row) if row else None


async def require(session: AsyncSession, code: str, *, field: str) -> Region:
    """The region of this code; 422 at `field` for one that does not exist."""
    if (region := await get(session, code)) is None:
        raise Invalid([FieldError(field, "region_unknown", N_("There is no such region."))])
    return region


async def children(session: AsyncSession, parent: str | None) -> list[Region]:
    """The regions right below this one, the provinces for None, by code. A district has none."""
    rows = await session.execute(select(*_REGION).where(RegionRow.parent == parent).order_by(RegionRow.code))
    return [_region(row) for row in rows]


async def seeded_version(session: AsyncSession) -> str | None:
    """Which source the table holds."""
    return await session.scalar(select(RegionSource.version))


async def clear(session: AsyncSession) -> None:
    """Empty the table, to be filled anew in the same transaction."""
    await session.execute(delete(RegionRow))
    await session.execute(delete(RegionSource))


async def add(session: AsyncSession, rows: Sequence[dict[str, str | int | bytes | None]]) -> None:
    """Insert these rows, as `source.rows` gives them."""
    await session.execute(insert(RegionRow), rows)


def _shapes(_dialect: str, prefix: str) -> Any:
    """The few districts whose bounds come into question, with their shapes.

    The inner query is answered by the index alone; asked in one piece, SQLite walks half the table (60 times slower).
    """
    south, north, west, east = (
        bindparam(f"{prefix}{side}", type_=Integer(), required=True) for side in ("south", "north", "west", "east")
    )
    candidates = select(RegionRow.code).where(
        RegionRow.min_lat <= north,
        RegionRow.max_lat >= south,
        RegionRow.min_lng <= east,
        RegionRow.max_lng >= west,
    )
    query = select(*_REGION, RegionRow.shape).where(RegionRow.code.in_(candidates), RegionRow.shape.is_not(None))
    return query.order_by(RegionRow.code)


_SHAPES: Final = Prepared(_shapes)


def _region(row: _Row) -> Region:
    return _of(tuple(row))


def _of(values: Sequence[Any]) -> Region:
    code, name, level, parent, path, inner_lat, inner_lng, is_district = values
    return Region(code, name, level, parent, path, inner_lat, inner_lng, bool(is_district))
