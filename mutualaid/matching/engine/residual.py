"""A best flow between lines that stays the best: one unit more or less, along the shortest alternating path.

Prices and values are kept so that no pair pays more than it costs; Dijkstra then runs on what is left between them and
goes no further than the gain could reach. Whoever gains nothing is known by the prices alone, without any search.
"""

import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import numpy as np

from mutualaid.matching.engine.growing import Growing
from mutualaid.matching.engine.problem import Column

Near = Callable[[int], tuple[Column, Column]]  # lines beside a line, and their metres
Moves = dict[tuple[int, int], int]  # (need line, offer line): units more, or less
_OFFER: Final = 0
_NEED: Final = 1  # nodes of the search are 2 · line + one of these


class Residual:
    """What each offer line gives to each need line, and what is left between them.

    top[n]: the rank of need n times the weight. left, asks: units that an offer still has and a need still wants.
    """

    def __init__(self, top: Column, asks: Column, left: Column, price: Column, value: Column) -> None:
        self.price, self.value = Growing(price), Growing(value)
        self.top: list[int] = top.tolist()
        self.asks: list[int] = asks.tolist()
        self.left: list[int] = left.tolist()
        self.gives: dict[int, dict[int, int]] = {}
        self.gets: dict[int, dict[int, int]] = {}
        self.moves: Moves = {}
        self.visited = 0

    def add_need(self, top: int, asks: int, value: int) -> int:
        self.top.append(top)
        self.asks.append(asks)
        return self.value.append(value)

    def add_offer(self, left: int, price: int) -> int:
        self.left.append(left)
        return self.price.append(price)

    def move(self, n: int, o: int, units: int) -> None:
        """Give so many more, or less where negative."""
        gives, gets = self.gives.setdefault(o, {}), self.gets.setdefault(n, {})
        held = gives.get(n, 0) + units
        if held:
            gives[n], gets[o] = held, held
        else:
            gives.pop(n, None)
            gets.pop(o, None)
        self.left[o] -= units
        self.asks[n] -= units
        self.moves[n, o] = self.moves.get((n, o), 0) + units

    def give(self, o: int, near_offer: Near) -> None:
        """Bring what this offer has left to where it is worth most; afterwards no plan is better."""
        self._settle(_OFFER, o, near_offer)

    def serve(self, n: int, near_need: Near) -> None:
        """Bring this need what it still asks for, where that is worth more than what it displaces."""
        self._settle(_NEED, n, near_need)

    # ---- ways: forwards from an offer, backwards from a need ---------------------------------------------------------

    def _settle(self, kind: int, line: int, near: Near) -> None:
        """Along the shortest ways, until nothing of this line is left over or nothing is gained by it."""
        over, sign = (self.left, -1) if kind == _OFFER else (self.asks, 1)
        while over[line] > 0 and self._gain(kind, line) > 0:
            least, end, seen, before = self._search(kind, line, near)
            for node, far in seen.items():
                if far < least:
                    (self.value if node % 2 else self.price).at[node // 2] += sign * (least - far)
            if end < 0:
                return
            way = list(_steps(end, before))
            self._push(way if kind == _OFFER else way[::-1])

    def _gain(self, kind: int, line: int) -> int:
        """What a unit of this offer costs; what one at this need is worth above its value. No way from there is longer, and
        a way that ends there has so much further to go: the offer is spared, the need goes without."""
        if kind == _OFFER:
            return int(self.price.at[line])
        return self.top[line] - int(self.value.at[line])

    def _search(self, kind: int, source: int, near: Near) -> tuple[int, int, dict[int, int], dict[int, int]]:
        """(length, last node or -1, lengths, the node before each) of the shortest way. From an offer to a need that still
        asks, or to an offer that is then spared; from a need to an offer with something left, or to a need that then goes
        without."""
        price, value = self.price.at, self.value.at
        forwards = kind == _OFFER
        here, there = (price, value) if forwards else (value, price)
        held, back = (self.gives, self.gets) if forwards else (self.gets, self.gives)
        wanting = self.asks if forwards else self.left
        least, end = self._gain(kind, source), -1
        start = 2 * source + kind
        seen, before = {start: 0}, {start: -1}
        heap, done = [(0, start)], set()
        while heap:
            far, node = heapq.heappop(heap)
            if far >= least:
                break
            if node in done:
                continue
            done.add(node)
            line = node // 2
            if node % 2 == kind:
                if line != source and held.get(line) and far + self._gain(kind, line) < least:
                    least, end = far + self._gain(kind, line), node
                lines, metres = near(line)
                fars = (
                    metres + (far + here[line]) - there[lines]
                    if forwards
                    else metres + (far - here[line]) + there[lines]
                )
                close = np.flatnonzero(fars < least)
                found: Iterable[tuple[int, int]] = zip(
                    (2 * lines[close] + 1 - kind).tolist(), fars[close].tolist(), strict=True
                )
            else:
                if wanting[line] > 0:
                    length = far - self._gain(_NEED, line) if forwards else far  # what an offer has left costs nothing
                    if length < least:
                        least, end = length, node
                found = ((2 * each + kind, far) for each in back.get(line, ()))
            for other, length in found:
                if length < seen.get(other, least):
                    seen[other], before[other] = length, node
                    heapq.heappush(heap, (length, other))
        self.visited += len(done)
        return least, end, seen, before

    def _push(self, way: list[int]) -> None:
        """Along this way, last node first: offer to need gives more, need to offer takes back."""
        steps = [(a, b) for b, a in itertools.pairwise(way)]  # a before b
        room = []
        for a, b in steps:
            if a % 2 == _NEED:
                room.append(self.gets[a // 2][b // 2])
        first, last = way[-1], way[0]
        if first % 2 == _OFFER:
            room.append(self.left[first // 2])
        if last % 2 == _NEED:
            room.append(self.asks[last // 2])
        units = min(room)
        for a, b in steps:
            if a % 2 == _NEED:
                self.move(a // 2, b // 2, -units)
        for a, b in steps:
            if a % 2 == _OFFER:
                self.move(b // 2, a // 2, units)


def _steps(end: int, before: dict[int, int]) -> Iterator[int]:
    """The nodes from the end back to the start."""
    while end >= 0:
        yield end
        end = before[end]
