"""What serves members never loads what the sweep needs: its memory would double."""

import subprocess
import sys

SWITCHBOARD = "mutualaid.providers.numbers.kamailio.switchboard.serving"
HEAVY = ("sqlalchemy", "scipy", "pylmcf", "ortools", "mutualaid.matching.engine", "mutualaid.matching.market")
SERVING = "mutualaid.app, mutualaid.cli, mutualaid.handlers, mutualaid.routes, mutualaid.serving, mutualaid.worker"


def loaded(statement: str) -> list[str]:
    """Which heavy modules that statement loads in a process of its own."""
    asked = f"import sys; {statement}; print(*(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_serving_and_working_load_no_solver() -> None:
    assert loaded(f"import {SERVING}") == ["sqlalchemy"]


def test_the_switchboard_loads_no_database_either() -> None:
    assert loaded(f"import {SWITCHBOARD}") == []


def test_a_solver_that_is_loaded_is_seen() -> None:
    assert set(loaded("import mutualaid.matching.compared")) >= {"scipy", "mutualaid.matching.engine"}
