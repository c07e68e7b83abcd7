"""The doors of regions, open to all: the list to choose from, and the district of a point."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mutualaid import services
from mutualaid.kit import cursors
from mutualaid.kit.coordinates import to_wgs84
from mutualaid.kit.doors import answer, query
from mutualaid.kit.endpoints import Endpoint
from mutualaid.kit.policies import Policy
from mutualaid.regions import store
from mutualaid.regions.wire import LocateQuery, RegionEntry, RegionList, RegionQuery


async def list_below(request: Request) -> Response:
    """`GET /regions`: the regions right below one, the provinces without `parent`; whole unless `limit` is given."""
    asked = await query(request, RegionQuery)
    house, name = services.of(request), f"regions below {asked.parent}"
    after = cursors.decode(house.ring, name, asked.cursor, kinds=[str])[0] if asked.cursor else ""
    async with house.database.reading() as session:
        if asked.parent is not None:
            await store.require(session, asked.parent, field="parent")
        found = [region for region in await store.children(session, asked.parent) if region.code > after]
    page = found[: asked.limit]
    more = cursors.encode(house.ring, name, [page[-1].code]) if len(page) < len(found) else None
    return answer(RegionList(items=[RegionEntry.of(region) for region in page], next_cursor=more))


async def locate(request: Request) -> Response:
    """`GET /regions/locate`: the district of a point; 422 outside China."""
    asked = await query(request, LocateQuery)
    lat, lng = to_wgs84(asked.lat, asked.lng, asked.crs)
    async with services.of(request).database.reading() as session:
        region = await store.require_at(session, lat, lng, field="lat")
    return answer(RegionEntry.of(region))


_OPEN: Policy[Any] = Policy("public", signed_in=False)

ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/v1/regions",
        list_below,
        _OPEN,
        {200: RegionList},
        "The regions right below one, or the provinces",
        query=RegionQuery,
        tag="regions",
    ),
    Endpoint(
        "GET",
        "/api/v1/regions/locate",
        locate,
        _OPEN,
        {200: RegionEntry},
        "The district of a point",
        query=LocateQuery,
        tag="regions",
    ),
)
