"""Figures as they are told: tables for docs/performance.md, and the same numbers as JSON."""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Figure:
    """What one of the measured did at one size. `values`: numbers by the names that the JSON keeps, None where unknown."""

    part: str
    set: str
    posts: int
    what: str
    who: str
    values: Values


# ---- how a part is shown -----------------------------------------------------------------------------------------


def _milliseconds(values: Values) -> str:
    return f"{values['p50_ms']:.2f} / {values['p99_ms']:.2f}"


def _wrong(values: Values) -> str:
    return f"wrong = {values['wrong']} of {values['n']}"


def _rate(values: Values) -> str:
    shown = [f"{values['a_second']:,.0f}/s", f"{values['of_bare']:.3f} × bare"]
    shown += [f"{values['of_twin']:.1f} × FastAPI"] if values["of_twin"] is not None else []
    shown += [f"{values['core_ms']:.2f} ms"] if values["core_ms"] is not None else []
    return ", ".join(shown)


def _cost(values: Values) -> str:
    shown = [f"{values['octets'] / 1e6:.1f} MB"]
    for name in ("made", "renewed"):
        shown.append(f"{name} in {values[f'{name}_s']:.1f} s, stall {values[f'{name}_stall_ms']:.0f} ms")
    waited = f"{values['caught_up_p50_ms']:.2f} / {values['caught_up_p99_ms']:.2f} ms"
    return ", ".join([*shown, f"at {values['written']:.0f} writes/s {waited}, {values['behind_s']:.2f} s"])


def _sweep(values: Values) -> str:
    shown = f"{values['cpu_s']:.2f} s = {values['of_graph']:.2f} × graph ({values['wall_s']:.2f} s by the clock); "
    shown += f"graph {values['graph_s']:.2f}, solve {values['solve_s']:.2f}, certificate {values['price_s']:.2f}; "
    proof = "certified, share 1.000, way 1.000" if values["certified"] else "not certified"
    return f"{shown}{values['mb']:,} MB; {proof}"


def _one_post(values: Values) -> str:
    shown = f"{values['mean_ms']:.2f} ms (p50 {values['p50_ms']:.2f}, p99 {values['p99_ms']:.2f}) = 1/{values['one_in']:,.0f}; "
    regained = " / ".join(f"{share:.4f}" for share in values["regained"])
    return shown + f"regained {regained}; way {values['drift_metres']:+.5%} after {values['n']:,}"


def _beside(values: Values) -> str:
    best = "the optimum" if values["same"] else f"share {values['share']:.3f}, way × {values['way']:.3f}"
    return f"{values['seconds']:.2f} s, {best}"


@dataclass(frozen=True, slots=True)
class _Shape:
    """`grows`: the values whose growth with the number of posts is told."""

    title: str
    cell: Callable[[Values], str]
    grows: tuple[str, ...]


_SHAPES: Final = {
    "nearest": _Shape("a page of 20 posts, p50 / p99 in ms", _milliseconds, ("p50_ms", "p99_ms")),
    "check": _Shape("pages that are not as they should be", _wrong, ()),
    "memory": _Shape(
        "the plaza in memory; catching up before an answer, p50 / p99; longest behind where nobody reads",
        _cost,
        ("octets",),
    ),
    "read": _Shape("`GET /posts?near=…&kind=…`, whole stack; ms of the server's core", _rate, ("of_bare",)),
    "create": _Shape("`POST /posts`, whole stack; ms of the server's core", _rate, ("of_bare",)),
    "sweep": _Shape("the whole sweep, seconds of the processors, medians", _sweep, ("cpu_s", "mb")),
    "one post": _Shape(
        "one post after another, beside a whole sweep; seconds of the processor", _one_post, ("mean_ms",)
    ),
    "beside": _Shape("other ways on the same graph, seconds of the processor, medians", _beside, ("seconds",)),
}


def slope(points: Sequence[tuple[int, float]]) -> float | None:
    """k where a value grows as (number of posts)^k from the first point to the last: 0 is flat, 1 in proportion."""
    if not points or points[0][0] == points[-1][0] or min(value for _, value in points) <= 0:
        return None
    (few, small), (many, large) = points[0], points[-1]
    return math.log(large / small) / math.log(many / few)


def heading(name: str, machine: Values) -> str:
    """The line over the tables: what they were measured on."""
    return f"scripts/bench {name}: " + ", ".join(f"{key} {value}" for key, value in machine.items()) + "\n"


def tables(figures: Iterable[Figure]) -> str:
    """One table for each part and set, sizes side by side, in Markdown."""
    groups: dict[tuple[str, str], list[Figure]] = {}
    for figure in figures:
        groups.setdefault((figure.part, figure.set), []).append(figure)
    return "\n\n".join(_table(_SHAPES[part], of_set, group) for (part, of_set), group in groups.items()) + "\n"


def _table(shape: _Shape, of_set: str, figures: Sequence[Figure]) -> str:
    sizes = sorted({figure.posts for figure in figures})
    rows: dict[tuple[str, str], dict[int, Values]] = {}
    for figure in figures:
        rows.setdefault((figure.what, figure.who), {})[figure.posts] = figure.values
    growing = ["last / first", "slope"] if shape.grows and len(sizes) > 1 else []
    heads = ["", "", *(f"{size:,} posts" for size in sizes), *growing]
    lines = [_line(heads), _line(["---"] * len(heads))]
    for (what, who), by_size in rows.items():
        shown = [shape.cell(by_size[size]) if size in by_size else "" for size in sizes]
        lines.append(_line([what, who, *shown, *(_growth(shape.grows, by_size) if growing else [])]))
    return f"{of_set}: {shape.title}\n\n" + "\n".join(lines)


def _growth(names: Sequence[str], by_size: dict[int, Values]) -> list[str]:
    series = [[(size, by_size[size][name]) for size in sorted(by_size)] for name in names]
    times = [f"{points[-1][1] / points[0][1]:.2f}" if points[0][1] else "—" for points in series]
    slopes = ["—" if (k := slope(points)) is None else f"{k:+.2f}" for points in series]
    return [" / ".join(times), " / ".join(slopes)]


def _line(words: Sequence[str]) -> str:
    return "| " + " | ".join(words) + " |"


# ---- the file ----------------------------------------------------------------------------------------------------


def keep(file: Path, name: str, asked: Values, machine: Values, seconds: float, figures: Sequence[Figure]) -> None:
    """Writes the file whole or not at all."""
    told = {
        "bench": name,
        "asked": asked,
        "machine": machine,
        "seconds": round(seconds, 1),
        "figures": [asdict(figure) for figure in figures],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f".{file.name}.new")
    fresh.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    fresh.replace(file)
