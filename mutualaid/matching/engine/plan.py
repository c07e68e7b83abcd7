"""What the engine answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from mutualaid.matching.engine.problem import Column
from mutualaid.matching.rules import Refusal

Skip = Literal[
    "nothing_left",
    "negative_quantity",
    "item_unknown",
    "item_refused",
    "place_missing",
    "reach_out_of_range",
    "schedule_unknown",
    "ways_unknown",
    "ended",
]


class Tiers(NamedTuple):
    """The goal, in its order: the first three as large as can be, the last as small."""

    urgent: int  # units given to urgent needs
    quantity: int  # units given
    waiting: int  # units times the class of the need
    metres: int  # units times the way

    def better(self) -> tuple[int, int, int, int]:
        """Larger is better."""
        return (self.urgent, self.quantity, self.waiting, -self.metres)


NOTHING: Final = Tiers(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Part:
    """One part that could not be solved exactly. `bound`: what no plan along the edges of its graph exceeds."""

    needs: int
    offers: int
    because: str
    reached: Tiers
    bound: Tiers


@dataclass(slots=True)
class Report:
    """How a plan came about.

    skipped    rows left out, by reason; `skipped_needs`, `skipped_offers`: which (not those with nothing left)
    nodes, edges, added, rounds   of the graph: edges at first, edges that pricing added, rounds until none was wanting
    certified  the potentials prove that no pair within reach, in the graph or out of it, would better the plan
    fallbacks  parts that were solved greedily, with their gap
    gap        what the last pass (useful splits) gave up of tier 3, and the metres it added
    too_small  splits below the useful minimum that stayed, because tiers 1 and 2 come first
    seconds    of the processors, by what was done
    """

    skipped: dict[str, int] = field(default_factory=dict)
    skipped_needs: dict[int, Skip] = field(default_factory=dict)
    skipped_offers: dict[int, Skip] = field(default_factory=dict)
    parts: int = 0
    nodes: int = 0
    edges: int = 0
    added: int = 0
    rounds: int = 0
    certified: bool = True
    fallbacks: list[Part] = field(default_factory=list)
    gap: Tiers = NOTHING
    too_small: int = 0
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """Who gives how much to whom: row k gives `quantity[k]` of offer line `offer[k]` to need line `need[k]` (rows of the
    problem's columns), `metres[k]` apart. Ordered by need, then offer."""

    need: Column
    offer: Column
    quantity: Column
    metres: Column
    tiers: Tiers
    report: Report


@dataclass(frozen=True, slots=True)
class Explained:
    """One pair. Either rules bar it, or it could be used: so many metres, so many units at most."""

    refusals: tuple[Refusal, ...]
    metres: int
    most: int
    planned: int = 0

    @property
    def eligible(self) -> bool:
        return not self.refusals


Skips = Mapping[int, Skip]
