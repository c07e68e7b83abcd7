"""Which rows can be used. The others are left out, counted and named: one bad row stops nobody's help."""

from collections.abc import Iterator, Mapping

import numpy as np

from mutualaid.matching.engine.plan import Report, Skip
from mutualaid.matching.engine.problem import ANY_TIME, PER_DEGREE, Column, Flags, Lines, Offers, Problem
from mutualaid.matching.rules import REACH_MOST_M


def usable(problem: Problem, report: Report) -> tuple[Column, Column]:
    """(rows of needs, rows of offers) that make sense; what is left out stands in the report afterwards."""
    return (
        _sift(problem, problem.needs, report, report.skipped_needs),
        _sift(problem, problem.offers, report, report.skipped_offers),
    )


def _sift(problem: Problem, lines: Lines, report: Report, named: dict[int, Skip]) -> Column:
    fine = np.ones(len(lines), np.bool_)
    for why, rows in _faults(problem, lines):
        found = np.flatnonzero(fine & rows)
        if len(found):
            report.skipped[why] = report.skipped.get(why, 0) + len(found)
            named.update({} if why == "nothing_left" else dict.fromkeys(found.tolist(), why))
        fine &= ~rows
    return np.flatnonzero(fine)


def _faults(problem: Problem, lines: Lines) -> Iterator[tuple[Skip, Flags]]:
    yield "negative_quantity", lines.quantity < 0
    yield "nothing_left", lines.quantity == 0
    unknown = (lines.item < 0) | (lines.item >= len(problem.items))
    yield "item_unknown", unknown
    if isinstance(lines, Offers) and len(problem.items):
        yield "item_refused", ~problem.items.listable[np.where(unknown, 0, lines.item)]
    yield "place_missing", _nowhere(lines.lat, 90) | _nowhere(lines.lng, 180)
    yield "reach_out_of_range", (lines.reach < 0) | (lines.reach > REACH_MOST_M)
    yield "schedule_unknown", (lines.schedule < ANY_TIME) | (lines.schedule >= len(problem.schedules))
    yield "ways_unknown", lines.ways < 0
    yield "ended", lines.until <= problem.now


def refuse(problem: Problem, lines: Lines) -> None:
    """`ValueError` with the first fault of any of these lines."""
    for why, rows in _faults(problem, lines):
        if rows.any():
            raise ValueError(why)


def _nowhere(degrees: Column, most: int) -> Flags:
    return np.asarray((degrees < -most * PER_DEGREE) | (degrees > most * PER_DEGREE))  # NOWHERE as well


def counted(skipped: Mapping[str, int]) -> str:
    """One line for a log: reasons and numbers, nothing else."""
    return ", ".join(f"{why}: {count}" for why, count in sorted(skipped.items())) or "none"
