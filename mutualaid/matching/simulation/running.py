"""Seeds run one after another or side by side, each in a process of its own, and the table that is told."""

import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Final

from mutualaid.matching.simulation import figures
from mutualaid.matching.simulation.figures import Mean, Outcome, mean_of
from mutualaid.matching.simulation.parameters import Parameters

OURS, GREEDY, PLAZA, BOUND = "ours", "greedy nearest", "plaza only", "clairvoyant"
POLICIES: Final = (OURS, GREEDY, PLAZA, BOUND)
SHOWN_FROM: Final = 20  # seeds

Run = Mapping[str, Outcome]  # by policy


def run(seed: int, parameters: Parameters) -> Run:
    """One city under every policy."""
    from mutualaid.matching.simulation import clairvoyant  # these load scipy and the solver
    from mutualaid.matching.simulation.city import draw
    from mutualaid.matching.simulation.house import House
    from mutualaid.matching.simulation.others import Greedy, Plaza
    from mutualaid.matching.simulation.ours import Ours

    city = draw(seed, parameters)
    found = {
        name: figures.outcome(House(city, policy).run())
        for name, policy in ((OURS, Ours()), (GREEDY, Greedy()), (PLAZA, Plaza()))
    }
    return {**found, BOUND: figures.bound(city, clairvoyant.best(city))}


def runs(seeds: Sequence[int], parameters: Parameters, *, processes: int) -> Iterator[Run]:
    """Those of these seeds, in their order, in fresh processes."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(processes, len(seeds)), mp_context=context) as pool:
        yield from pool.map(run, seeds, [parameters] * len(seeds))


@dataclass(frozen=True, slots=True)
class Shown:
    """Ours against another policy: the paired differences of the share met."""

    other: str
    difference: Mean
    seeds: int

    @property
    def holds(self) -> bool | None:
        """Whether ours meets no less; None where the seeds do not tell."""
        if self.seeds < SHOWN_FROM or self.difference.half is None:
            return None
        return True if self.difference.low >= 0 else False if self.difference.high < 0 else None


def table(found: Sequence[Run]) -> dict[str, dict[str, Mean | None]]:
    """Each policy's figures over the seeds; None where there is nothing to tell of."""
    return {policy: {name: _mean(found, policy, name) for name in figures.NAMES} for policy in POLICIES}


def _mean(found: Sequence[Run], policy: str, name: str) -> Mean | None:
    values = [value for each in found if (value := each[policy].value(name)) is not None]
    return mean_of(values) if values else None


def of_bound(found: Sequence[Run]) -> dict[str, Mean | None]:
    """The quantity that each policy met, in parts of the clairvoyant's; None where nothing could be met."""
    some = [each for each in found if each[BOUND].quantity]
    return {
        policy: mean_of([each[policy].quantity / each[BOUND].quantity for each in some]) if some else None
        for policy in POLICIES
        if policy != BOUND
    }


def shown(found: Sequence[Run]) -> list[Shown]:
    """Whether ours meets no less than greedy, and no less than the plaza alone."""
    return [
        Shown(other, mean_of([each[OURS].met - each[other].met for each in found]), len(found))
        for other in (GREEDY, PLAZA)
    ]
