"""An index: a base, what came since, and the plaza's orders over both. Everything here runs at once, without waiting."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import Final

import numpy as np

from mutualaid.kit.geo import Point
from mutualaid.kit.instants import micros
from mutualaid.posts.index import base as bases
from mutualaid.posts.index import search
from mutualaid.posts.index.base import KINDS, Base, Topics
from mutualaid.posts.index.nearest import Asked, nearest
from mutualaid.posts.index.places import Array, Places
from mutualaid.posts.index.rows import Row
from mutualaid.posts.index.search import Wanted
from mutualaid.posts.index.tail import Tail
from mutualaid.posts.plaza import Filters
from mutualaid.posts.plaza_records import ANYTHING
from mutualaid.posts.rules import Kind
from mutualaid.posts.streams import Found

_LONG_TAIL: Final = 4_096

Hit = tuple[int | None, Found]


class Standing:
    """What stands on the plaza. `places` and `topics` outlive it: the next base is numbered by the same."""

    def __init__(self, base: Base, places: Places, topics: Topics) -> None:
        self.base, self.places, self.topics = base, places, topics
        self.tail = Tail()

    def __len__(self) -> int:
        return len(self.base) - self.base.dead + len(self.tail.rows)

    def put(self, post_id: str, row: Row | None) -> None:
        """The post stands so now, or (None) no longer."""
        self.tail.drop(post_id)
        if (number := self.base.find(post_id)) is not None:
            self.base.kill(number)
        if row is not None:
            self.tail.add(row, self.topics, self.places)

    @property
    def worn(self) -> bool:
        """Whether a new base is worth its making."""
        return max(len(self.tail), self.base.dead) > max(_LONG_TAIL, len(self.base) // 64)

    @property
    def octets(self) -> int:
        return self.base.octets + self.places.octets

    # ---- the orders: the same answers as plaza.py's over SQL ----

    def newest(self, filters: Filters, *, now: datetime, after: tuple[datetime, str] | None, limit: int) -> list[Hit]:
        """`created_at` descending, then id."""
        wanted, streams = _wanted(filters, now), self._streams(filters)
        below = len(self.base) if after is None else self.base.boundary(micros(after[0]), after[1])
        numbers = search.newest(self.base, self._lanes(streams), wanted, self.places, below=below, limit=limit)
        old = self._found(self.base, numbers)
        if not len(self.tail):
            return list(old)
        late = self._late(streams, wanted)
        late = late[self._older(late, after)]
        late = late[np.lexsort((*self._ids(late), -self.tail.created[late]))][:limit]
        return self._merged(old, self._found(self.tail, late), limit)

    def urgent(
        self, filters: Filters, *, now: datetime, after: tuple[int, datetime, str] | None, limit: int
    ) -> list[Hit]:
        """By rank, then as `newest`."""
        wanted, streams = _wanted(filters, now), self._streams(filters)
        behind = None if after is None else (after[0], self.base.boundary(micros(after[1]), after[2]))
        numbers = search.urgent(self.base, self._lanes(streams), wanted, self.places, after=behind, limit=limit)
        old = self._found(self.base, numbers)
        if not len(self.tail):
            return list(old)
        late = self._late(streams, wanted)
        if after is not None:
            rank = self.tail.rank[late]
            late = late[(rank > after[0]) | ((rank == after[0]) & self._older(late, after[1:]))]
        late = late[np.lexsort((*self._ids(late), -self.tail.created[late], self.tail.rank[late]))][:limit]
        return self._merged(old, self._found(self.tail, late), limit, by_rank=True)

    def nearest(
        self,
        filters: Filters,
        *,
        now: datetime,
        viewer: str,
        within_m: int | None,
        after: tuple[int, datetime, str] | None,
        limit: int,
    ) -> list[Hit]:
        """By whole metres from the viewer's cell, then as `newest`."""
        wanted, streams = _wanted(filters, now), self._streams(filters)
        behind = None if after is None else (after[0], self.base.boundary(micros(after[1]), after[2]))
        asked = Asked(viewer, within_m, behind, limit)
        numbers, metres = nearest(self.base, self._lanes(streams), wanted, self.places, asked)
        old = self._found(self.base, numbers, metres)
        if not len(self.tail):
            return list(old)
        late = self._late(streams, wanted)
        away = self.places.metres(viewer, self.tail.cell[late])
        near = np.ones(len(late), np.bool_) if within_m is None else away <= within_m
        if after is not None:
            near &= (away > after[0]) | ((away == after[0]) & self._older(late, after[1:]))
        late, away = late[near], away[near]
        order = np.lexsort((*self._ids(late), -self.tail.created[late], away))[:limit]
        came = self._found(self.tail, late[order], away[order])
        return self._merged(old, came, limit)

    def counted(
        self, south_west: Point, north_east: Point, *, kind: Kind | None, item: str | None, now: datetime
    ) -> dict[str, Counter[Kind]]:
        """How many posts of each kind lie in each cell of a box of degrees."""
        wanted, found = Wanted(micros(now)), defaultdict[str, Counter[Kind]](Counter)
        for its_kind in KINDS if kind is None else (kind,):
            streams = self.topics.streams((item or ANYTHING,), (its_kind,))
            numbers = [search.inside(lane, self.places, south_west, north_east) for lane in self._lanes(streams)]
            late = self.tail.of_streams(streams)
            late = late[self.places.inside(south_west, north_east, self.tail.cell[late])]
            for columns, chosen in [(self.base, each) for each in numbers] + [(self.tail, late)]:
                standing = columns.cell[chosen[wanted.of(columns, self.places, chosen)]]
                for cell, count in zip(*np.unique(standing, return_counts=True), strict=True):
                    found[self.places.name(cell)][its_kind] += int(count)
        return found

    # ---- parts ----

    def _streams(self, filters: Filters) -> list[int]:
        topics = (ANYTHING,) if filters.items is None else filters.items
        return self.topics.streams(topics, KINDS if filters.kind is None else (filters.kind,))

    def _lanes(self, streams: Sequence[int]) -> list[bases.Lane]:
        return [self.base.lanes[stream] for stream in streams if stream in self.base.lanes]

    def _late(self, streams: Sequence[int], wanted: Wanted) -> Array:
        """Which rows of the tail are wanted."""
        numbers = self.tail.of_streams(streams)
        return numbers[wanted.of(self.tail, self.places, numbers)]

    def _older(self, late: Array, after: tuple[datetime, str] | None) -> Array:
        """Which of these rows come behind this place in the newest order."""
        if after is None:
            return np.ones(len(late), np.bool_)
        created, at = self.tail.created[late], micros(after[0])
        behind = np.zeros(len(late), np.bool_)
        for theirs, its in zip(self._ids(late), reversed(bases.parts_of(after[1])), strict=True):
            behind = (theirs > its) | ((theirs == its) & behind)
        older: Array = (created < at) | ((created == at) & behind)
        return older

    def _ids(self, late: Array) -> tuple[Array, ...]:
        """As keys of a sort, the least significant first."""
        return self.tail.low[late], self.tail.middle[late], self.tail.high[late]

    def _found(self, columns: Base | Tail, numbers: Array, metres: Array | None = None) -> Iterator[Hit]:
        count = len(numbers)
        parts = np.empty(count, dtype=bases.ID)
        for name in bases.ID.names or ():
            parts[name] = getattr(columns, name)[numbers]
        ids, digits = parts.tobytes().hex(), 2 * bases.ID.itemsize
        found = map(
            Found,
            [ids[start : start + digits] for start in range(0, digits * count, digits)],
            map(self.places.name, columns.cell[numbers].tolist()),
            columns.rank[numbers].tolist(),
            columns.created[numbers].tolist(),
        )
        return zip([None] * count if metres is None else metres.tolist(), found, strict=True)

    def _merged(self, old: Iterator[Hit], late: Iterator[Hit], limit: int, *, by_rank: bool = False) -> list[Hit]:
        def place(hit: Hit) -> tuple[int, int, int, str]:
            metres, found = hit
            return metres or 0, found.rank if by_rank else 0, -found.created, found.post_id

        return list(islice(merge(old, late, key=place), limit))


def _wanted(filters: Filters, now: datetime) -> Wanted:
    return Wanted(
        now=micros(now),
        real=filters.real_name,
        region=None if filters.region is None else (int(filters.region[0]), int(filters.region[1])),
        within=filters.within,
    )
