"""What the seeds say, as lines: a table in Markdown, parts of the clairvoyant's quantity, what is shown."""

from collections.abc import Sequence
from typing import Final

from mutualaid.matching.simulation import running
from mutualaid.matching.simulation.figures import Mean
from mutualaid.matching.simulation.running import Run, Shown

_COLUMNS: Final = {
    "met": ("需求得到满足 / need met", 100, " %"),
    "urgent": ("其中紧急 / of the urgent", 100, " %"),
    "median_h": ("得到帮助的小时数 / hours to help, median", 1, ""),
    "p90_h": ("p90", 1, ""),
    "km": ("平均路程 / mean km", 1, ""),
    "gini": ("关注的基尼系数 / Gini of attention", 1, ""),
    "unused": ("过期未用 / boxes expired unused", 1, ""),
}


def told(found: Sequence[Run]) -> list[str]:
    """All of it."""
    rows = running.table(found)
    lines = [
        f"{len(found)} 座城市 / cities; ± 95 %",
        "",
        "| | " + " | ".join(title for title, _, _ in _COLUMNS.values()) + " |",
        "|---|" + "---|" * len(_COLUMNS),
    ]
    for policy, row in rows.items():
        cells = [_cell(row[name], times, unit) for name, (_, times, unit) in _COLUMNS.items()]
        lines.append(f"| {policy} | " + " | ".join(cells) + " |")
    parts = ", ".join(f"{policy} {_cell(mean, digits=3)}" for policy, mean in running.of_bound(found).items())
    lines += ["", f"占全知上界 / of the clairvoyant: {parts}"]
    return lines + [_verdict(each) for each in running.shown(found)]


def _cell(mean: Mean | None, times: float = 1, unit: str = "", *, digits: int = 2) -> str:
    if mean is None:
        return "—"
    about = "" if mean.half is None else f" ± {times * mean.half:.{digits}f}"
    return f"{times * mean.mean:.{digits}f}{about}{unit}"


def _verdict(each: Shown) -> str:
    how = {True: "成立 / holds", False: "不成立 / does not hold", None: "未定 / not told"}[each.holds]
    return f"ours − {each.other}: {_cell(each.difference, 100, ' %')}; ours ≥ {each.other}: {how}"
