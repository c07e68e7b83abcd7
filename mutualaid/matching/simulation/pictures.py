"""The figures as pictures, each as PNG and SVG. matplotlib is an extra, `plot`; in a checkout
`.venv/bin/python -m pip install matplotlib`."""

from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mutualaid.matching.simulation.figures import mean_of
from mutualaid.matching.simulation.running import BOUND, POLICIES, Run, table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS: Final = dict(zip(POLICIES, ("#0072b2", "#e69f00", "#009e73", "#999999"), strict=True))
_HOURS: Final = 72


class NoPlotting(Exception):
    """matplotlib is not installed."""


def check() -> None:
    """Raises `NoPlotting` before long work, and not after it."""
    try:
        import matplotlib  # noqa: F401  # asked for, not used
    except ImportError as problem:
        raise NoPlotting from problem


def write(found: Sequence[Run], folder: Path) -> list[Path]:
    """Both pictures into this folder, made if need be. Equal runs give equal files."""
    check()
    import matplotlib

    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    with matplotlib.rc_context({"svg.hashsalt": "mutualaid", "svg.fonttype": "none", "font.size": 9}):
        for name, figure in (("met", _met(found)), ("hours", _hours(found))):
            for suffix, stamp in (("svg", {"Date": None}), ("png", {"Software": None})):
                written.append(folder / f"{name}.{suffix}")
                figure.savefig(written[-1], dpi=150, metadata=stamp)
    return written


def _figure() -> "tuple[Figure, Axes]":
    from matplotlib.figure import Figure  # and not pyplot, which keeps every figure and asks for a screen

    figure = Figure(figsize=(5.6, 3.4), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _met(found: Sequence[Run]) -> "Figure":
    """The share of need met, with 95 % intervals."""
    figure, axes = _figure()
    told = table(found)
    for place, policy in enumerate(POLICIES):
        met = told[policy]["met"]
        assert met is not None
        axes.bar(place, 100 * met.mean, yerr=100 * (met.half or 0), color=_COLOURS[policy], width=0.6, capsize=4)
        axes.annotate(f"{100 * met.mean:.1f}", (place, 2), ha="center", color="white", fontweight="bold")
    axes.set_xticks(range(len(POLICIES)), POLICIES)
    axes.set_ylabel("quantity met, % of what was asked for")
    axes.set_title(f"{len(found)} seeded cities; bars: 95 % intervals", fontsize=9)
    return figure


def _hours(found: Sequence[Run]) -> "Figure":
    """The share of needs that had help within so many hours."""
    figure, axes = _figure()
    hours = range(_HOURS + 1)
    for policy in (policy for policy in POLICIES if policy != BOUND):
        shares = [_within(each[policy].helped, each[policy].needs) for each in found]
        line = [100 * mean_of([share[hour] for share in shares]).mean for hour in hours]
        axes.plot(hours, line, label=policy, color=_COLOURS[policy])
    axes.set(xlabel="hours since the need was posted", ylabel="needs with a first handover, %", xlim=(0, _HOURS))
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    return figure


def _within(helped: Sequence[float], needs: int) -> list[float]:
    """By the hour from 0 on, the share of needs helped until then."""
    count = [0] * (_HOURS + 1)
    for hour in helped:
        if hour <= _HOURS:
            count[-int(-hour // 1)] += 1
    return [helped_by / max(needs, 1) for helped_by in accumulate(count)]
