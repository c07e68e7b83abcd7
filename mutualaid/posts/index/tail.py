"""What came or changed since the base was built: columns that grow, looked through as a whole at each question."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from mutualaid.posts.index.base import Columns, Topics, parts_of
from mutualaid.posts.index.places import Array, Places
from mutualaid.posts.index.rows import Row

_ROOM: Final = 256


class Tail:
    """Rows in the order of their coming; a changed one is dead, and comes again at the end."""

    def __init__(self) -> None:
        self._size = self._entries = 0
        self.rows: dict[str, int] = {}
        self._columns: dict[str, Array] = {
            "high": np.empty(_ROOM, np.uint64),
            "middle": np.empty(_ROOM, np.uint64),
            "low": np.empty(_ROOM, np.uint32),
            "created": np.empty(_ROOM, np.int64),
            "until": np.empty(_ROOM, np.int64),
            "cell": np.empty(_ROOM, np.int32),
            "region": np.empty(_ROOM, np.int32),
            "rank": np.empty(_ROOM, np.int16),
            "real": np.empty(_ROOM, np.int8),
            "alive": np.empty(_ROOM, np.bool_),
        }
        self._owner = np.empty(_ROOM, np.int32)
        self._stream = np.empty(_ROOM, np.int32)

    def __len__(self) -> int:
        """Dead ones included: what a question looks through."""
        return self._size

    def __getattr__(self, name: str) -> Array:
        """A column, as far as it is filled."""
        try:
            return self._columns[name][: self._size]
        except KeyError:
            raise AttributeError(name) from None

    def add(self, row: Row, topics: Topics, places: Places) -> None:
        """A post that stands; an older form of it must have been dropped."""
        high, middle, low = parts_of(row.id)
        place = places.number(row.cell)
        values = (high, middle, low, row.created, row.until, place, row.region, row.rank, row.real, True)
        if self._size == len(self._columns["high"]):
            self._columns = {name: np.concatenate((c, np.empty_like(c))) for name, c in self._columns.items()}
        for column, value in zip(self._columns.values(), values, strict=True):
            column[self._size] = value
        for topic in row.topics:
            if self._entries == len(self._owner):
                self._owner = np.concatenate((self._owner, np.empty_like(self._owner)))
                self._stream = np.concatenate((self._stream, np.empty_like(self._stream)))
            self._owner[self._entries], self._stream[self._entries] = self._size, topics.stream(topic, row.kind)
            self._entries += 1
        self.rows[row.id] = self._size
        self._size += 1

    def drop(self, post_id: str) -> None:
        """The post is gone, or about to come anew."""
        found = self.rows.pop(post_id, None)
        if found is not None:
            self._columns["alive"][found] = False

    def of_streams(self, streams: Sequence[int]) -> Array:
        """The numbers of living and dead rows under these streams, each once."""
        stream = self._stream[: self._entries]
        owner: Array = self._owner[: self._entries][np.isin(stream, streams)]
        return np.unique(owner)

    def columns(self) -> Columns:
        """The living rows."""
        posts = {name: getattr(self, name) for name in self._columns if name != "alive"}
        whole = Columns(**posts, owner=self._owner[: self._entries], stream=self._stream[: self._entries])
        return whole.only(self.alive)
