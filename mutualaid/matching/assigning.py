"""The best assignment on a small ground, exactly: successive shortest paths in whole numbers, no library.

The same goal as the sweep's, tier by tier: urgent quantity, quantity, waiting class times quantity, then the way. Python's
integers do not overflow, so the tiers are one cost. Meant for a few dozen lines round one post; the sweep has the engine.
"""

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

P = TypeVar("P")


class Tiers(NamedTuple):
    """What an assignment is worth, the first first; `metres` (times quantity) the less the better."""

    urgent: int
    quantity: int
    waiting: int
    metres: int

    @property
    def worth(self) -> tuple[int, int, int, int]:
        return self.urgent, self.quantity, self.waiting, -self.metres


@dataclass(frozen=True, slots=True)
class Edge:
    """This offer's line could serve that need's line. `metres`: what counts as the way; `stands`: it is proposed already,
    which decides between equals."""

    need_line: str
    offer_line: str
    urgent: bool
    waiting: int
    metres: int
    stands: bool = False


Amounts = dict[tuple[str, str], int]  # (line of a need, line of an offer) → units


def tiers(edges: Mapping[tuple[str, str], Edge], amounts: Mapping[tuple[str, str], int]) -> Tiers:
    """What these amounts are worth."""
    found = [(edges[pair], amount) for pair, amount in amounts.items()]
    return Tiers(
        urgent=sum(amount for edge, amount in found if edge.urgent),
        quantity=sum(amount for _, amount in found),
        waiting=sum(amount * edge.waiting for edge, amount in found),
        metres=sum(amount * edge.metres for edge, amount in found),
    )


def assign(edges: Sequence[Edge], wanted: Mapping[str, int], given: Mapping[str, int]) -> Amounts:
    """The best amounts, given what each line still wants and what each still has. Of equals the first named come first."""
    found: Amounts = {}
    for part in apart(edges, lambda edge: edge.need_line, lambda edge: edge.offer_line):
        graph = _Graph(part, wanted, given)
        while graph.better():
            pass
        found |= graph.amounts()
    return found


def apart(pairs: Iterable[P], one: Callable[[P], str], other: Callable[[P], str]) -> list[list[P]]:
    """These pairs in parts that have no end in common, in a steady order."""
    leader: dict[str, str] = {}

    def lead(end: str) -> str:
        while leader.setdefault(end, end) != end:
            leader[end] = leader[leader[end]]
            end = leader[end]
        return end

    listed = list(pairs)
    for pair in listed:
        leader[lead(one(pair))] = lead(other(pair))
    parts: dict[str, list[P]] = {}
    for pair in listed:
        parts.setdefault(lead(one(pair)), []).append(pair)
    return list(parts.values())


class _Graph:
    """Needs and offers, and what flows from one to the other. A unit on an edge costs less than nothing: what it gains.

    Node n has the potential p(n), its distance from the beginning along the last shortest paths: no edge with room left
    from a to b costs less than p(b) - p(a), so that Dijkstra's search finds the next path.
    """

    def __init__(self, edges: Sequence[Edge], wanted: Mapping[str, int], given: Mapping[str, int]) -> None:
        self._edges = edges
        needs = list(dict.fromkeys(edge.need_line for edge in edges))
        offers = list(dict.fromkeys(edge.offer_line for edge in edges))
        number = {line: n for n, line in enumerate((*needs, *offers))}
        self._first_offer = len(needs)
        self._left = [max(0, wanted[line]) for line in needs] + [max(0, given[line]) for line in offers]
        self._flow = [0] * len(edges)
        self._out: list[list[tuple[int, int, int]]] = [[] for _ in number]  # (to, edge, cost of a unit)
        self._potential = [0] * len(number)
        for edge, n, cost in zip(edges, range(len(edges)), _costs(edges, sum(self._left[: len(needs)])), strict=True):
            need, offer = number[edge.need_line], number[edge.offer_line]
            self._out[need].append((offer, n, cost))
            self._out[offer].append((need, n, -cost))
            self._potential[offer] = min(self._potential[offer], cost)
        self._begin = 0  # the potential of the beginning, before all needs
        self._end = min(self._potential, default=0)  # of the end, behind all offers

    def amounts(self) -> Amounts:
        return {(edge.need_line, edge.offer_line): n for edge, n in zip(self._edges, self._flow, strict=True) if n}

    def better(self) -> bool:
        """Send what fits along the path that gains most; False when none gains anything."""
        reached, came, end, away = self._search()
        if end < 0:
            return False
        for node, distance in reached.items():  # as if all others, and the end, had come nearer by as much
            if distance < away:
                self._potential[node] += distance - away
        self._begin -= away
        if self._end >= self._begin:
            return False
        self._send(end, came)
        return True

    def _search(self) -> tuple[dict[int, int], dict[int, tuple[int, int]], int, int]:
        """How far nodes are from the needs with something left, in reduced cost, and from where each is reached, no further
        than the nearest offer with something left: that one (-1: none), and how far the end is behind it."""
        potential, left, flow, first_offer = self._potential, self._left, self._flow, self._first_offer
        best = {node: self._begin - potential[node] for node in range(first_offer) if left[node] > 0}
        queue = [(distance, node) for node, distance in best.items()]
        heapq.heapify(queue)
        reached: dict[int, int] = {}
        came: dict[int, tuple[int, int]] = {}
        end, away = -1, 0
        while queue:
            distance, node = heapq.heappop(queue)
            if end >= 0 and distance > away:
                break
            if node in reached:
                continue
            reached[node] = distance
            if node >= first_offer and left[node] > 0:
                behind = distance + potential[node] - self._end
                if end < 0 or (behind, node) < (away, end):
                    end, away = node, behind
            reduced = distance + potential[node]
            for to, edge, cost in self._out[node]:
                if to in reached or (node >= first_offer and flow[edge] == 0):
                    continue
                through = reduced + cost - potential[to]
                if to not in best or through < best[to]:
                    best[to], came[to] = through, (node, edge)
                    heapq.heappush(queue, (through, to))
        return reached, came, end, away

    def _send(self, end: int, came: Mapping[int, tuple[int, int]]) -> None:
        path, node = [], end
        while node in came:
            node, edge = came[node]
            path.append((edge, 1 if node < self._first_offer else -1))
        amount = min(self._left[node], self._left[end], *(self._flow[edge] for edge, way in path if way < 0))
        for edge, way in path:
            self._flow[edge] += way * amount
        self._left[node] -= amount
        self._left[end] -= amount


def _costs(edges: Sequence[Edge], most: int) -> list[int]:
    """What a unit on each edge costs: less than nothing, since a unit of a higher tier is worth more than all that `most`
    units can be worth in the lower ones."""
    ways = [edge.metres * (most + 1) - edge.stands for edge in edges]
    way = max((abs(each) for each in ways), default=0) * most + 1
    wait = max((edge.waiting for edge in edges), default=0) * most + 1
    urgent = (most + 1) * wait
    return [each - way * (edge.waiting + wait + urgent * edge.urgent) for edge, each in zip(edges, ways, strict=True)]
