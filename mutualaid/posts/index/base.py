"""The sorted columns: posts by age; each stream's by age, by rank, by cell, by region. Built once, never changed.

A post's number is its place by (`created_at` ascending, id descending): the higher of two is the newer, and among equals
the one with the lower id, so that every order of the plaza ends in "the higher number first". A stream is a topic and
a kind. The one thing that changes is `alive`: what has changed since the building is dead here and stands in the tail.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from mutualaid.posts.index.circles import Circles
from mutualaid.posts.index.places import Array, Places
from mutualaid.posts.index.rows import Row
from mutualaid.posts.index.runs import Runs, by_place, by_region
from mutualaid.posts.rules import Kind

ID: Final = np.dtype([("high", ">u8"), ("middle", ">u8"), ("low", ">u4")])  # of 40 hex digits, ordered as the texts are
KINDS: Final[tuple[Kind, ...]] = ("need", "offer")
_OF_POSTS: Final = ("high", "middle", "low", "created", "until", "cell", "region", "rank", "real")


@dataclass(slots=True)
class Columns:
    """Posts and their entries, in any order: `owner` is a post's place among these, `stream` see `Topics`."""

    high: Array  # of the id, see `ID`
    middle: Array
    low: Array
    created: Array
    until: Array
    cell: Array
    region: Array
    rank: Array
    real: Array
    owner: Array
    stream: Array

    @classmethod
    def of(cls, rows: Sequence[Row], topics: "Topics", places: Places) -> "Columns":
        """So many rows as columns."""
        ids = np.frombuffer(bytes.fromhex("".join(row.id for row in rows)), dtype=ID)
        counts = [len(row.topics) for row in rows]
        return cls(
            high=ids["high"].astype(np.uint64),
            middle=ids["middle"].astype(np.uint64),
            low=ids["low"].astype(np.uint32),
            created=np.array([row.created for row in rows], dtype=np.int64),
            until=np.array([row.until for row in rows], dtype=np.int64),
            cell=np.array([places.number(row.cell) for row in rows], dtype=np.int32),
            region=np.array([row.region for row in rows], dtype=np.int32),
            rank=np.array([row.rank for row in rows], dtype=np.int16),
            real=np.array([row.real for row in rows], dtype=np.int8),
            owner=np.repeat(np.arange(len(rows), dtype=np.int32), counts),
            stream=np.array([topics.stream(t, row.kind) for row in rows for t in row.topics], dtype=np.int32),
        )

    @classmethod
    def joined(cls, parts: Sequence["Columns"]) -> "Columns":
        """Several as one."""
        starts = np.cumsum([0, *(len(part.created) for part in parts)], dtype=np.int32)
        owner = np.concatenate([part.owner + start for part, start in zip(parts, starts, strict=False)])
        others = {name: np.concatenate([getattr(p, name) for p in parts]) for name in (*_OF_POSTS, "stream")}
        return cls(owner=owner, **others)

    def only(self, kept: Array) -> "Columns":
        """The posts for which `kept` is true, with their entries."""
        place = np.cumsum(kept, dtype=np.int32) - 1
        entries = kept[self.owner]
        posts = {name: getattr(self, name)[kept] for name in _OF_POSTS}
        return Columns(**posts, owner=place[self.owner[entries]], stream=self.stream[entries])


class Topics:
    """Streams as numbers: twice the topic's, plus the kind's."""

    def __init__(self) -> None:
        self._number: dict[str, int] = {}

    def stream(self, topic: str, kind: Kind) -> int:
        return 2 * self._number.setdefault(topic, len(self._number)) + KINDS.index(kind)

    def streams(self, topics: Sequence[str], kinds: Sequence[Kind]) -> list[int]:
        """Those that exist."""
        known = [self._number[topic] for topic in dict.fromkeys(topics) if topic in self._number]
        return [2 * number + KINDS.index(kind) for number in known for kind in kinds]


@dataclass(slots=True)
class Lane:
    """One stream's posts: by number, by (rank, number descending), by cell, and by region and cell."""

    aged: Array
    ranked: Array
    placed: Runs
    coded: Runs
    stream: int
    reach: int = 2_000  # metres that a question for the nearest looks at first; it learns

    @property
    def octets(self) -> int:
        return int(self.aged.nbytes + self.ranked.nbytes) + self.placed.octets + self.coded.octets


@dataclass(slots=True)
class Base:
    """See the module."""

    high: Array
    middle: Array
    low: Array
    created: Array
    until: Array
    cell: Array
    region: Array
    rank: Array
    real: Array
    lanes: dict[int, Lane]
    by_id: Array  # numbers in the order of `high`
    alive: Array
    dead: int = 0
    circles: Circles = field(default_factory=Circles)

    def __len__(self) -> int:
        return len(self.created)

    def find(self, post_id: str) -> int | None:
        """The number of a living post."""
        high, middle, low = parts_of(post_id)
        place = int(np.searchsorted(self.high, np.uint64(high), sorter=self.by_id))
        while place < len(self.by_id) and self.high[number := self.by_id[place]] == high:
            if self.middle[number] == middle and self.low[number] == low and self.alive[number]:
                return int(number)
            place += 1
        return None

    def id_of(self, number: int) -> str:
        return f"{self.high[number]:016x}{self.middle[number]:016x}{self.low[number]:08x}"

    def kill(self, number: int) -> None:
        self.alive[number] = False
        self.dead += 1

    def boundary(self, created: int, post_id: str) -> int:
        """How many numbers come behind this place in the newest order: all of them are lower than what is returned."""
        low, high = (int(np.searchsorted(self.created, created, side)) for side in ("left", "right"))
        while low < high and self.id_of(low) > post_id:
            low += 1
        return low

    def columns(self) -> Columns:
        """The living posts, to be built anew."""
        owner = np.concatenate([lane.aged for lane in self.lanes.values()] or [np.empty(0, np.int32)])
        counts = [len(lane.aged) for lane in self.lanes.values()]
        stream = np.repeat(np.array(list(self.lanes), dtype=np.int32), counts)
        whole = Columns(**{name: getattr(self, name) for name in _OF_POSTS}, owner=owner, stream=stream)
        return whole.only(self.alive)

    @property
    def octets(self) -> int:
        """What its arrays hold."""
        own: int = sum(getattr(self, name).nbytes for name in (*_OF_POSTS, "by_id", "alive"))
        return own + sum(lane.octets for lane in self.lanes.values())


def parts_of(post_id: str) -> tuple[int, int, int]:
    """An id as three numbers, see `ID`."""
    return int(post_id[:16], 16), int(post_id[16:32], 16), int(post_id[32:], 16)


def build(columns: Columns, keys: Array) -> Base:
    """Sort. `keys`: of each cell by number, see `runs.place_keys`. For a thread: numpy lets the loop go on while it sorts."""
    order = np.lexsort((~columns.low, ~columns.middle, ~columns.high, columns.created))
    place = np.empty(len(order), dtype=np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    base = Base(
        **{name: getattr(columns, name)[order] for name in _OF_POSTS},
        lanes={},
        by_id=np.empty(0, np.int32),
        alive=np.ones(len(order), dtype=np.bool_),
    )
    base.by_id = np.argsort(base.high, kind="stable").astype(np.int32)
    eastward = np.empty(len(keys), dtype=np.int32)
    eastward[np.argsort(keys, kind="stable")] = np.arange(len(keys), dtype=np.int32)
    number, stream = place[columns.owner], columns.stream
    by_stream = np.lexsort((number, stream))
    number, stream = number[by_stream], stream[by_stream]
    found, starts = np.unique(stream, return_index=True)
    for one, first, last in zip(found, starts, np.append(starts[1:], len(stream)), strict=False):
        base.lanes[int(one)] = _lane(base, int(one), number[first:last].copy(), keys, eastward)
    return base


def _lane(base: Base, stream: int, aged: Array, keys: Array, eastward: Array) -> Lane:
    newest = aged[::-1]
    ranked = newest[np.argsort(base.rank[newest], kind="stable")]
    placed = by_place(newest, base.cell, keys, eastward)
    return Lane(aged, ranked, placed, by_region(newest, base.cell, base.region, eastward), stream)
