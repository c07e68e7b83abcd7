"""Any deed by anybody at any moment, on both databases: nothing is promised twice, nothing outlives its end, all is told.

What is played stands in `neighbourhood`: town (where), deeds (what people do), meeting and keeping (the rules by which
hypothesis chooses), truths (what must hold), traces (the audit rows that must be there).
"""

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, Phase, seed
from hypothesis import settings as hypothesis_settings
from hypothesis.stateful import run_state_machine_as_test

from mutualaid.kit.settings import Settings
from tests.figures import Figure
from tests.journeys.neighbourhood.keeping import Neighbourhood
from tests.journeys.neighbourhood.town import town
from tests.moments import Clock

STEPS = 25
PARTS = 5


SHORTEST = (Phase.generate, Phase.shrink)


def play(
    settings: Settings,
    clock: Clock,
    *,
    sequences: int,
    seeded: int,
    phases: Sequence[Phase] = SHORTEST,
) -> tuple[type[Neighbourhood], int]:
    """So many sequences in one town, then its audit chain is verified: the machine with its counts, and the chain's rows.

    The same seed plays the same sequences, on both databases. A broken truth is an AssertionError, with the shortest
    sequence that breaks it.
    """
    how = hypothesis_settings(
        max_examples=sequences,
        stateful_step_count=STEPS,
        derandomize=False,
        database=None,
        deadline=None,
        phases=phases,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    with town(settings, clock) as (place, loop):
        own = {"town": place, "loop": loop, "done": Counter()}
        machine = seed(seeded)(type("Neighbourhood", (Neighbourhood,), own))
        run_state_machine_as_test(machine, settings=how)
        verdict = loop.run_until_complete(place.verify())
    assert verdict.ok, verdict
    return machine, verdict.rows


def test_whatever_happens_in_any_order_nothing_is_promised_twice_and_nothing_outlives_its_end(
    settings: Settings, clock: Clock, dialect: str
) -> None:
    begun = time.monotonic()

    machine, rows = play(settings, clock, sequences=12, seeded=20230107)

    took = time.monotonic() - begun
    print(f"\n{dialect}: {machine.sequences} sequences, {machine.steps} steps, {rows} audit rows, {took:.0f} s")
    print(", ".join(f"{what} {count}" for what, count in sorted(machine.done.items())))
    assert machine.sequences >= 12


@pytest.mark.deep("stateful", n=1_000, steps=STEPS, parts=PARTS)
@pytest.mark.parametrize("part", range(PARTS))
def test_ten_thousand_sequences_on_both_databases_break_nothing(
    settings: Settings, clock: Clock, dialect: str, part: int, figure: Figure
) -> None:
    machine, rows = play(settings, clock, sequences=1_000, seeded=part)

    assert machine.sequences >= 1_000
    figure.keep(
        sequences=machine.sequences,
        steps=machine.steps,
        audit_rows=rows,
        broken=0,
        deeds={what: float(count) for what, count in sorted(machine.done.items())},
    )


async def _nothing(*_given: Any, **_named: Any) -> int:
    return 0


# What is broken on purpose, and what must be seen of it.
FAULTS: dict[str, tuple[str, Any, str]] = {
    "held_for_ever": ("mutualaid.posts.records.PostLine.free_up", lambda *_: None, "held"),
    "held_by_one_side": ("mutualaid.posts.records.PostLine.hold", lambda *_: None, "held"),
    "pairs_return": ("mutualaid.matching.pledging.NEVER_AGAIN", (), "has returned"),
    "matches_stay": ("mutualaid.matching.ending.withdraw_all", _nothing, "outlives its post"),
    "leases_stay": ("mutualaid.contacts.ending.release_for_post", _nothing, "a lease outlives its post"),
}


@pytest.mark.deep("stateful_control", n=400)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("dialect", ["sqlite"])
def test_what_is_broken_on_purpose_is_found(settings: Settings, clock: Clock, fault: str, figure: Figure) -> None:
    where, broken, told = FAULTS[fault]
    with mock.patch(where, broken), pytest.raises(AssertionError, match=told):
        play(settings, clock, sequences=400, seeded=7, phases=(Phase.generate,))
    figure.keep(found=True)
