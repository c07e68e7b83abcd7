"""What is told of runs, by the figures and by the command."""

import math
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mutualaid.cli import app
from mutualaid.matching.simulation import figures, pictures, running, telling
from mutualaid.matching.simulation.figures import Outcome, gini, mean_of, quantile, student
from mutualaid.matching.simulation.parameters import Parameters
from mutualaid.matching.simulation.running import BOUND, GREEDY, OURS, PLAZA, Run

TINY = Parameters(days=1, needs_a_day=12)


@pytest.fixture(scope="module")
def found() -> list[Run]:
    return [running.run(seed, TINY) for seed in (1, 2)]


def test_equal_attention_is_zero_and_all_for_one_is_nearly_one() -> None:
    assert gini([3, 3, 3, 3]) == pytest.approx(0)
    assert gini([0, 0, 0, 8]) == pytest.approx(0.75)
    assert gini([0, 0]) is None


def test_nine_tenths_are_no_larger_than_the_p90() -> None:
    assert quantile([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 0.9) == 9
    assert quantile([4.0], 0.9) == 4.0


def test_student_s_t_is_that_of_the_tables() -> None:
    tables = {1: 12.706, 4: 2.776, 5: 2.571, 9: 2.262, 19: 2.093, 39: 2.023, 10_000: 1.960}

    assert {k: student(k) for k in tables} == pytest.approx(tables, abs=2e-3)
    assert all(student(k) > student(k + 1) for k in range(1, 60))


def test_a_mean_of_one_has_no_interval() -> None:
    assert mean_of([2.0]) == figures.Mean(2.0, None)
    assert mean_of([1.0, 3.0]).half == pytest.approx(12.706, abs=1e-3)
    assert mean_of([1.0]).low == -math.inf


def test_ours_is_shown_only_by_enough_seeds_and_an_interval_on_one_side() -> None:
    def runs(*ours: float) -> list[Run]:
        return [{OURS: _met(each), GREEDY: _met(0.4), PLAZA: _met(0.6), BOUND: _met(1.0)} for each in ours]

    enough = running.shown(runs(*[0.5, 0.52] * 10))
    few = running.shown(runs(*[0.5, 0.52] * 9))
    wide = running.shown(runs(*[0.1, 0.8] * 10))

    assert [each.holds for each in enough] == [True, False]
    assert [each.holds for each in few] == [None, None]
    assert wide[0].holds is None


def _met(share: float) -> Outcome:
    return Outcome(quantity=round(100 * share), asked=100, needs=10, met=share, km=None, unused=0)


def test_a_run_tells_of_every_policy_within_what_can_be(found: list[Run]) -> None:
    for run in found:
        assert tuple(run) == running.POLICIES
        for each in run.values():
            assert 0 <= each.met <= run[BOUND].met <= 1
            assert all(a <= b for a, b in pairwise(each.helped))


def test_the_table_has_a_row_for_every_policy_and_says_what_is_not_known(found: list[Run]) -> None:
    lines = telling.told(found)

    rows = {line.split("|")[1].strip(): line for line in lines if line.startswith("|")}
    assert set(rows) >= set(running.POLICIES)
    assert rows[BOUND].count("—") == 3
    assert sum("未定 / not told" in line for line in lines) == 2


def test_the_command_runs_a_city_in_its_own_process_and_prints_the_table() -> None:
    said = subprocess.run(  # by its launcher, which spawned processes load anew
        [Path(sys.executable).parent / "mutualaid", "match", "simulate", "--days", "1", "--needs", "8"],
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert said.returncode == 0, said.stderr
    assert "| clairvoyant |" in said.stdout


def test_pictures_are_written_both_ways_and_alike_each_time(found: list[Run], tmp_path: Path) -> None:
    written = pictures.write(found, tmp_path / "a")
    again = pictures.write(found, tmp_path / "b")

    assert [path.name for path in written] == ["met.svg", "met.png", "hours.svg", "hours.png"]
    assert [path.read_bytes() for path in written] == [path.read_bytes() for path in again]
    assert b"clairvoyant" in written[0].read_bytes()
    assert written[1].read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_the_command_says_so_before_it_begins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    said = CliRunner().invoke(app, ["match", "simulate", "--plot", str(tmp_path)])

    assert said.exit_code == 1
    assert not list(tmp_path.iterdir())
