"""Where the plaza's orders come from: the tables, or the index in memory. Both give the same answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from mutualaid.kit.reads import Tables
from mutualaid.posts import plaza
from mutualaid.posts.plaza import Filters
from mutualaid.posts.streams import Found

if TYPE_CHECKING:
    from mutualaid.posts.index.standing import Standing

Hit = tuple[int | None, Found]
Moment = tuple[datetime, str]
Placed = tuple[int, datetime, str]


class Orders(Protocol):
    """Each the first `limit` behind the place `after`: (`distance_m` or None, entry)."""

    async def newest(self, filters: Filters, *, after: Moment | None, limit: int) -> Sequence[Hit]: ...

    async def urgent(self, filters: Filters, *, after: Placed | None, limit: int) -> Sequence[Hit]: ...

    async def nearest(
        self, filters: Filters, *, viewer: str, within_m: int | None, after: Placed | None, limit: int
    ) -> Sequence[Hit]: ...


@dataclass(frozen=True, slots=True)
class FromTables:
    """By SQL."""

    tables: Tables

    async def newest(self, filters: Filters, *, after: Moment | None, limit: int) -> Sequence[Hit]:
        return [(None, one) for one in await plaza.newest(self.tables, filters, after=after, limit=limit)]

    async def urgent(self, filters: Filters, *, after: Placed | None, limit: int) -> Sequence[Hit]:
        return [(None, one) for one in await plaza.urgent(self.tables, filters, after=after, limit=limit)]

    async def nearest(
        self, filters: Filters, *, viewer: str, within_m: int | None, after: Placed | None, limit: int
    ) -> Sequence[Hit]:
        return await plaza.nearest(self.tables, filters, viewer=viewer, within_m=within_m, after=after, limit=limit)


@dataclass(frozen=True, slots=True)
class FromMemory:
    """From an index that has caught up, as of `now`."""

    standing: "Standing"
    now: datetime

    async def newest(self, filters: Filters, *, after: Moment | None, limit: int) -> Sequence[Hit]:
        return self.standing.newest(filters, now=self.now, after=after, limit=limit)

    async def urgent(self, filters: Filters, *, after: Placed | None, limit: int) -> Sequence[Hit]:
        return self.standing.urgent(filters, now=self.now, after=after, limit=limit)

    async def nearest(
        self, filters: Filters, *, viewer: str, within_m: int | None, after: Placed | None, limit: int
    ) -> Sequence[Hit]:
        return self.standing.nearest(filters, now=self.now, viewer=viewer, within_m=within_m, after=after, limit=limit)
