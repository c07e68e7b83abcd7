"""pytest plugin: the long tests behind `--deep`, in parts that need not be run twice.

    @pytest.mark.deep("nearest_order", n=100_000, seed=7)
    async def test_nearest_order_equals_brute_force_at_full_size(figure: Figure) -> None:
        ...
        figure.keep(wrong=0, p99_ms=0.9)

An ordinary run leaves these tests out. `--deep` runs them alone; a part that passes writes docs/figures/NAME.json with
what was asked (the marker's keywords), the figures, the seconds and the machine. A part whose file answers the same
question is not run again, so an interrupted run goes on where it stopped; `--fresh` runs all. A parametrised test is
one part a parameter: NAME-PARAMETER.json.
"""

import json
import os
import platform
import re
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

FIGURES = Path(__file__).resolve().parent.parent / "docs" / "figures"

Value = str | int | float | bool | None | list[float] | dict[str, float]
_PASSED = pytest.StashKey[bool]()


class Figure:
    """What one part found: numbers and short words, JSON only."""

    def __init__(self) -> None:
        self.kept: dict[str, Value] = {}

    def keep(self, **figures: Value) -> None:
        self.kept.update(figures)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("figures")
    group.addoption(
        "--deep", action="store_true", help="run the long tests, and only those; their figures go to docs/figures/"
    )
    group.addoption("--fresh", action="store_true", help="with --deep: also the parts whose figures are there already")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "deep(name, **asked): a part of `scripts/test --deep`; keeps docs/figures/NAME.json"
    )


def part_of(item: pytest.Item) -> tuple[str, dict[str, Value]] | None:
    """The part's name and what it is asked, or None for an ordinary test."""
    marker = item.get_closest_marker("deep")
    if marker is None:
        return None
    call = getattr(item, "callspec", None)
    name = f"{marker.args[0]}-{call.id}" if call is not None else str(marker.args[0])
    return re.sub(r"[^\w.-]+", "_", name), dict(marker.kwargs)


def is_kept(folder: Path, name: str, asked: dict[str, Value]) -> bool:
    """True where a file answers the same question."""
    try:
        return bool(json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))["asked"] == asked)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def keep(folder: Path, name: str, asked: dict[str, Value], figures: dict[str, Value], seconds: float) -> None:
    """Writes the part's file whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    told = {
        "part": name,
        "asked": asked,
        "figures": figures,
        "seconds": round(seconds, 1),
        "machine": {
            "cores": os.cpu_count(),
            "system": platform.system(),
            "architecture": platform.machine(),
            "python": platform.python_version(),
        },
    }
    fresh = folder / f".{name}.new"
    fresh.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    fresh.replace(folder / f"{name}.json")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    deep, fresh = config.getoption("--deep"), config.getoption("--fresh")
    chosen: list[pytest.Item] = []
    left: list[pytest.Item] = []
    for item in items:
        part = part_of(item)
        wanted = (part is not None and (fresh or not is_kept(FIGURES, *part))) if deep else part is None
        (chosen if wanted else left).append(item)
    items[:] = chosen
    if left:
        config.hook.pytest_deselected(items=left)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.stash[_PASSED] = report.passed
    return report


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Iterator[Figure]:
    """Keeps the figures of a deep part that passed."""
    part = part_of(request.node)
    assert part is not None, "figure belongs to tests marked deep"
    begun = time.monotonic()
    found = Figure()
    yield found
    if request.node.stash.get(_PASSED, False):
        keep(FIGURES, *part, found.kept, time.monotonic() - begun)
