"""scripts/bench: what it is asked, and its way through sets and sizes."""

import argparse
import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from benching import home, machine, matching, nearest, people, questions, report, serving, standing, web
from benching.home import BOTH, Home, Pair
from benching.markets import MARKETS
from benching.report import Figure
from benching.towns import SETS, Towns
from benching.truth import Truth
from benching.ways import WAYS

ROOT: Final = Path(__file__).resolve().parents[2]
PARTS: Final = {
    "plaza": ("nearest", "memory", "read", "create"),
    "nearest": ("nearest",),
    "memory": ("memory",),
    "read": ("read",),
    "create": ("create",),
    "matching": ("matching",),
}
SEED: Final = 20230107
CHECKED: Final = 300  # pages at least that are compared with brute force, for each way, set and size


@dataclass(frozen=True, slots=True)
class Asked:
    """What a run does; see `--help`."""

    name: str
    sizes: tuple[int, ...]
    sets: tuple[str, ...]
    rounds: int
    questions: int
    seconds: float
    connections: int
    members: int
    seed: int


def posts(text: str) -> int:
    """`500`, `10k`, `1M`."""
    scale = {"k": 1_000, "M": 1_000_000}.get(text[-1:], 1)
    return int(text.rstrip("kM")) * scale


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("scripts/bench", description="The plaza or the matching, as ratios in one run.")
    parser.add_argument(
        "name", nargs="?", choices=PARTS, default="plaza", help="all of the plaza, one part of it, or matching"
    )
    parser.add_argument("--sizes", default="10k,100k,1M", help="numbers of posts")
    parser.add_argument("--sets", help="spread, hot, and for matching: one item; default: all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--questions", type=int, default=100, help="of each form and round")
    parser.add_argument("--seconds", type=float, default=2.0, help="that an application is asked each round")
    parser.add_argument("--connections", type=int, default=64, help="that ask at once")
    parser.add_argument("--members", type=int, default=1_000, help="who read and post")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where loaded databases stay for the next run")
    parser.add_argument("--figures", type=Path, metavar="FILE", help="default: docs/figures/bench-NAME.json")
    parser.add_argument("--quick", action="store_true", help="one short round, to see that all works; keeps no figures")
    return parser


def read_arguments(words: Sequence[str] | None) -> tuple[Asked, Path | None, Path | None]:
    """(what is asked, the folder to keep, the file of figures)."""
    given = _arguments().parse_args(words)
    asked = Asked(
        name=given.name,
        sizes=tuple(sorted(posts(size) for size in given.sizes.split(","))),
        sets=tuple(given.sets.split(",")) if given.sets else (MARKETS if given.name == "matching" else SETS),
        rounds=1 if given.quick else given.rounds,
        questions=6 if given.quick else given.questions,
        seconds=0.2 if given.quick else given.seconds,
        connections=given.connections,
        members=30 if given.quick else given.members,
        seed=given.seed,
    )
    usual = None if given.quick else ROOT / "docs" / "figures" / f"bench-{given.name}.json"
    return asked, given.keep, given.figures or usual


class Told:
    """Progress on standard error: one bar for whatever is under way."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bars: dict[str, TaskID] = {}

    def __call__(self, what: str, done: int, total: int) -> None:
        if what not in self._bars:
            self._bars[what] = self._progress.add_task(what, total=total)
        self._progress.update(self._bars[what], completed=done, total=total)

    def about(self, what: str) -> Callable[[int, int], None]:
        return lambda done, total: self(what, done, total)


class Bench:
    """One run."""

    def __init__(self, asked: Asked, home: Home, folder: Path, core: set[int], told: Told) -> None:
        self._asked = asked
        self._home = home
        self._folder = folder
        self._core = core
        self._told = told
        self._effort = web.Effort(asked.rounds, asked.seconds, asked.connections)

    async def figures(self) -> AsyncIterator[Figure]:
        """Of every set, size and part, as they come."""
        parts = PARTS[self._asked.name]
        ground = await self._home.ground()
        for of_set in self._asked.sets:
            towns = Towns(of_set, self._asked.seed, ground, self._home.made_at)
            for size in self._asked.sizes:
                async with self._pairs(towns, size) as pairs:
                    label = f"{of_set}, {size:,} posts"
                    found: list[tuple[str, str, str, Any]] = []
                    if "nearest" in parts:
                        found += await self._nearest(towns, pairs, label)
                    if "memory" in parts:
                        found += await self._memory(pairs, label)
                    if "read" in parts or "create" in parts:
                        found += await self._web(towns, pairs, label, parts)
                    for part, what, who, values in found:
                        yield Figure(part, of_set, size, what, who, values)

    @asynccontextmanager
    async def _pairs(self, towns: Towns, size: int) -> AsyncIterator[dict[str, Pair]]:
        async with AsyncExitStack() as stack:
            yield {d: await stack.enter_async_context(self._home.lend(towns, size, d)) for d in BOTH}

    async def _nearest(self, towns: Towns, pairs: dict[str, Pair], label: str) -> list[tuple[str, str, str, Any]]:
        each = self._asked.questions * self._asked.rounds
        drawn = questions.draw(towns, each)
        async with AsyncExitStack() as stack:
            opened = {way.name: await stack.enter_async_context(way.open(pairs[way.dialect])) for way in WAYS}
            ways = {name: ask for name, ask in opened.items() if ask is not None}
            told = self._told.about(f"{label}: pages")
            took, answers = await nearest.measure(ways, drawn, rounds=self._asked.rounds, told=told)
        self._told(f"{label}: brute force", 0, 1)
        async with pairs["sqlite"].ours() as database, database.reading() as session:
            truth = await Truth.read(session)
        compared = min(each, -(-CHECKED // len(drawn)))
        exact = {way.name for way in WAYS if way.exact}
        wrong = nearest.check(truth, drawn, answers, exact, each=compared)
        self._told(f"{label}: brute force", 1, 1)
        return [
            *(("nearest", form, way, asdict(found)) for (form, way), found in took.items()),
            *(("check", "brute force", way, {"n": n, "wrong": bad}) for way, (n, bad) in wrong.items()),
        ]

    async def _memory(self, pairs: dict[str, Pair], label: str) -> list[tuple[str, str, str, Any]]:
        found: list[tuple[str, str, str, Any]] = []
        for n, (dialect, pair) in enumerate(pairs.items()):
            self._told(f"{label}: memory", n, len(pairs))
            cost = await standing.measure(pair, seconds=self._asked.seconds)
            found.append(("memory", "", web.NAMES[dialect], asdict(cost)))
        self._told(f"{label}: memory", len(pairs), len(pairs))
        return found

    async def _web(
        self, towns: Towns, pairs: dict[str, Pair], label: str, parts: Sequence[str]
    ) -> list[tuple[str, str, str, Any]]:
        found: list[tuple[str, str, str, Any]] = []
        who = {dialect: await people.settle(pair, towns, self._asked.members) for dialect, pair in pairs.items()}
        with web.running(pairs, self._folder, self._core) as servers:
            if "read" in parts:
                told = self._told.about(f"{label}: reading")
                rates, (n, different) = await web.read(towns, who, servers, self._effort, told)
                found += [("read", web.NAMES.get(d, ""), name, asdict(rate)) for (name, d), rate in rates.items()]
                found.append(("check", "ours and the twin's", "all", {"n": n, "wrong": different}))
            if "create" in parts:
                servers.end_tables()
                told = self._told.about(f"{label}: publishing")
                rates = await web.create(towns, who, servers, self._effort, told)
                found += [("create", web.NAMES.get(d, ""), name, asdict(rate)) for (name, d), rate in rates.items()]
        return found


async def run(asked: Asked, kept: Path | None, file: Path | None) -> int:
    """Measure, print, keep; 1 where any page was wrong."""
    begun = time.monotonic()
    server_core, others = serving.cores()
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with home.a_folder(kept) as folder:
        on = machine.about(folder)
        serving.keep_to(others)  # the load, PostgreSQL and all else; the server measured has a core of its own
        with home.a_server(folder, kept=kept is not None) as server, Progress(*columns, console=console) as progress:
            on["postgresql"] = await machine.postgresql(server)
            told = Told(progress)
            async with Home.open(folder, server, kept=kept is not None, number=asked.seed, told=told) as where:
                bench = Bench(asked, where, folder, server_core, told)
                figures = [figure async for figure in bench.figures()]
    print(report.heading(asked.name, on))
    print(report.tables(figures))
    if file is not None:
        report.keep(file, asked.name, asdict(asked), on, time.monotonic() - begun, figures)
    return 1 if any(figure.values.get("wrong") for figure in figures) else 0


def run_matching(asked: Asked, file: Path | None) -> int:
    """The same for the matching engine; 1 where a plan is not proven the best, or another's optimum differs."""
    begun = time.monotonic()
    on = machine.about(Path.cwd(), machine.MATCHING)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        figures = list(matching.figures(asked.sizes, asked.sets, asked.rounds, asked.seed, Told(progress)))
    print(report.heading(asked.name, on))
    print(report.tables(figures))
    if file is not None:
        report.keep(file, asked.name, asdict(asked), on, time.monotonic() - begun, figures)
    return 0 if all(figure.values.get("certified", True) for figure in figures) else 1


def main(words: Sequence[str] | None = None) -> int:
    """The command; its exit status."""
    asked, kept, file = read_arguments(words)
    if asked.name == "matching":
        return run_matching(asked, file)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run(asked, kept, file))
