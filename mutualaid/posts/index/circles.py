"""Cells round a viewer's cell, the nearest first, as they were measured: neighbours ask the same, again and again."""

from dataclasses import dataclass
from typing import Final

from mutualaid.posts.index.places import Array

_MOST: Final = 16 << 20  # octets
_EACH: Final = 600  # what one costs beside its numbers, about


@dataclass(frozen=True, slots=True)
class Circle:
    """All runs of a lane within `reach` metres: how far each is, where its posts begin and end. Nearest first."""

    reach: int
    metres: Array
    begin: Array
    end: Array

    def until(self, reach: int) -> "Circle":
        """Those within so many metres."""
        last = int(self.metres.searchsorted(reach, "right"))
        return Circle(reach, self.metres[:last], self.begin[:last], self.end[:last])


class Circles:
    """By lane and viewer's cell; what was measured first goes where there is no room. A base's own: it never changes."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._octets = 0
        self._kept: dict[tuple[int, str], Circle] = {}

    def get(self, stream: int, viewer: str) -> Circle | None:
        return self._kept.get((stream, viewer))

    def reach(self, stream: int, viewer: str) -> int | None:
        """How far it was measured there."""
        found = self.get(stream, viewer)
        return None if found is None else found.reach

    def put(self, stream: int, viewer: str, circle: Circle) -> None:
        self._forget((stream, viewer))
        self._kept[stream, viewer] = circle
        self._octets += _size(circle)
        while self._octets > self._most:
            self._forget(next(iter(self._kept)))

    def _forget(self, which: tuple[int, str]) -> None:
        if (old := self._kept.pop(which, None)) is not None:
            self._octets -= _size(old)


def _size(circle: Circle) -> int:
    return _EACH + 3 * int(circle.metres.nbytes)
