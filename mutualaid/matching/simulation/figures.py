"""What is counted of a run, and what many seeds say of it. Pure."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist, fmean, median, stdev
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:  # a run's own process has loaded them; who tells of it has no need to
    from mutualaid.matching.engine.plan import Plan
    from mutualaid.matching.simulation.city import City
    from mutualaid.matching.simulation.house import House

NAMES: Final = ("met", "urgent", "median_h", "p90_h", "km", "gini", "unused")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One city under one policy. None: nothing to tell of.

    met       share of the needs' quantity that was handed over; `urgent`: of the urgent needs' quantity
    median_h, p90_h   hours from a need's post to its first handover, of those that had one
    km        mean way of a unit
    gini      of attention: proposals or picks that each need had a part in
    unused    offers that ended without having given anything
    helped    hours to help of every need that had any, ascending; for the pictures
    """

    quantity: int
    asked: int
    needs: int
    met: float
    km: float | None
    unused: int
    urgent: float | None = None
    median_h: float | None = None
    p90_h: float | None = None
    gini: float | None = None
    helped: tuple[float, ...] = field(default=(), repr=False)

    def value(self, name: str) -> float | None:
        found = getattr(self, name)
        return None if found is None else float(found)


def outcome(house: "House") -> Outcome:
    """What a run came to."""
    needs, offers = house.city.of("need"), house.city.of("offer")
    asked, given = sum(each.quantity for each in needs), sum(each.quantity for each in house.given)
    urgent = sum(each.quantity for each in needs if each.urgent)
    first: dict[str, float] = {}
    for each in house.given:
        first.setdefault(each.need.id, (each.at - each.need.posted).total_seconds() / 3600)
    hours = sorted(first.values())
    gave = {each.offer.id for each in house.given}
    return Outcome(
        quantity=given,
        asked=asked,
        needs=len(needs),
        met=given / asked if asked else 0.0,
        km=sum(each.quantity * each.metres for each in house.given) / given / 1000 if given else None,
        unused=sum(each.id not in gave for each in offers),
        urgent=sum(each.quantity for each in house.given if each.need.urgent) / urgent if urgent else None,
        median_h=median(hours) if hours else None,
        p90_h=quantile(hours, 0.9) if hours else None,
        gini=gini([house.attention[each.id] for each in needs]),
        helped=tuple(hours),
    )


def bound(city: "City", plan: "Plan") -> Outcome:
    """What the clairvoyant's plan comes to. It knows no hours and asks nobody."""
    asked, given = sum(each.quantity for each in city.of("need")), plan.tiers.quantity
    urgent = sum(each.quantity for each in city.of("need") if each.urgent)
    return Outcome(
        quantity=given,
        asked=asked,
        needs=len(city.of("need")),
        met=given / asked if asked else 0.0,
        km=plan.tiers.metres / given / 1000 if given else None,
        unused=len(city.of("offer")) - len(set(plan.offer.tolist())),
        urgent=plan.tiers.urgent / urgent if urgent else None,
    )


def quantile(ascending: Sequence[float], share: float) -> float:
    """The least value that is at least as large as this share of them."""
    return ascending[max(0, math.ceil(share * len(ascending)) - 1)]


def gini(values: Iterable[float]) -> float | None:
    """0: all have alike; towards 1: few have all. None where there is nothing to share."""
    ascending = sorted(values)
    n, total = len(ascending), sum(ascending)
    if not total:
        return None
    return 2 * sum(rank * value for rank, value in enumerate(ascending, 1)) / (n * total) - (n + 1) / n


# ---- many seeds --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean with its 95 % interval (Student's t); `half` is None for less than two values."""

    mean: float
    half: float | None

    @property
    def low(self) -> float:
        return self.mean - (math.inf if self.half is None else self.half)

    @property
    def high(self) -> float:
        return self.mean + (math.inf if self.half is None else self.half)


def mean_of(values: Sequence[float]) -> Mean:
    """Of independent values, at least one."""
    n = len(values)
    half = None if n < 2 else student(n - 1) * stdev(values) / math.sqrt(n)
    return Mean(fmean(values), half)


_FEW: Final = (12.7062, 4.3027, 3.1824, 2.7764)


def student(freedom: int) -> float:
    """The 97.5 % point of Student's t; from five degrees of freedom on by its expansion about the normal one
    (Abramowitz & Stegun 26.7.5), right to three digits."""
    if freedom <= len(_FEW):
        return _FEW[freedom - 1]
    z = NormalDist().inv_cdf(0.975)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + math.fsum(term / freedom**k for k, term in enumerate(terms, 1))
