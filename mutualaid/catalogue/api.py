"""The door of the catalogue, open to all."""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mutualaid import services
from mutualaid.catalogue import snapshot
from mutualaid.catalogue.wire import ItemList, ItemQuery, ItemView
from mutualaid.kit import cursors
from mutualaid.kit.doors import answer, language, query
from mutualaid.kit.endpoints import Endpoint
from mutualaid.kit.errors import FieldError
from mutualaid.kit.policies import Policy
from mutualaid.kit.texts import N_


async def list_items(request: Request) -> Response:
    """`GET /items`: what may be shared and what is refused, with its reason."""
    house, spoken = services.of(request), language(request)
    catalogue = await snapshot.current(house.database)

    async def known(asked: ItemQuery) -> list[FieldError]:
        if asked.group is None or asked.group in catalogue.groups():
            return []
        return [FieldError("group", "group_unknown", N_("There is no such group."))]

    asked = await query(request, ItemQuery, check=known)
    name = json.dumps(["items", asked.q, asked.group])
    after = cursors.decode(house.ring, name, asked.cursor, kinds=[str])[0] if asked.cursor else None
    found = catalogue.find(asked.q, asked.group, after=after)
    page = found[: asked.limit]
    more = cursors.encode(house.ring, name, [page[-1].code]) if len(page) < len(found) else None
    items = [ItemView.of(item, spoken) for item in page]
    return answer(ItemList(items=items, next_cursor=more), headers={"Vary": "Accept-Language"})


_OPEN: Policy[Any] = Policy("public", signed_in=False)

ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/v1/items",
        list_items,
        _OPEN,
        {200: ItemList},
        "What may be shared, and what is refused and why",
        query=ItemQuery,
        tag="catalogue",
    ),
)
