"""scripts/bench contacts: masked numbers. Each part is a module of its own that says what it found."""

import argparse
import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from benching import calling, home, leases, machine
from tests.telephony.programs import missing

ROOT: Final = Path(__file__).resolve().parents[2]


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("scripts/bench contacts", description="Masked numbers.")
    parser.add_argument("--figures", type=Path, metavar="FILE", help="default: docs/figures/bench-contacts.json")
    parser.add_argument("--only", choices=("leases", "calls"), help="one part; its figures are a file of their own")
    parser.add_argument("--quick", action="store_true", help="a few calls, to see that all works; keeps no figures")
    given = parser.parse_args(words)
    name = f"contacts-{given.only}" if given.only else "contacts"
    usual = None if given.quick else ROOT / "docs" / "figures" / f"bench-{name}.json"
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(given.figures or usual, given.only, quick=given.quick))


async def _run(file: Path | None, only: str | None, *, quick: bool) -> int:
    begun = time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    found: dict[str, Any] = {}
    with (
        home.a_folder(None) as folder,
        home.a_server(folder, kept=False) as server,
        Progress(*columns, console=console) as progress,
    ):
        on = machine.about(folder) | {"postgresql": await machine.postgresql(server)}
        bars: dict[str, TaskID] = {}

        def told(what: str, done: int, total: int) -> None:
            if what not in bars:
                bars[what] = progress.add_task(what, total=total)
            progress.update(bars[what], completed=done, total=total)

        if only != "calls":
            found |= await leases.measure(folder, server, leases.QUICK if quick else leases.Effort(), told)
        if only != "leases" and (gone := missing()):
            console.print(f"没有 / no {', '.join(gone)}: scripts/ci-packages")
        elif only != "leases":
            found |= await calling.measure(folder, calling.QUICK if quick else calling.Effort(), told)
    print("\n".join(_lines(found)))
    if file is not None:
        kept = {"name": "contacts", "seconds": round(time.monotonic() - begun, 1), "machine": on, "figures": found}
        _keep(file, kept)
    return 0


def _keep(file: Path, figures: dict[str, Any]) -> None:
    file.write_text(json.dumps(figures, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _lines(found: dict[str, Any]) -> list[str]:
    lines = ["| what | N | figure |", "|---|---|---|", *leases.lines(found)]
    if one := found.get("set_up"):
        by = [f"{who} {one[f'{who}_p50_ms']:.2f} / {one[f'{who}_p99_ms']:.2f} ms" for who in ("static", "asked")]
        added = f"{', '.join(by)}; asking adds {one['added_p50_ms']:.2f} ms"
        lines.append(f"| set-up of a masked call, p50 / p99 | 2 × {one['n']:,} in turns | {added} |")
    if one := found.get("calls"):
        tried = f"{one['a_second']}/s clean, {one['highest_tried']}/s tried"
        lines.append(f"| whole calls, decided by the service, none failed or sent again | {one['n']:,} | {tried} |")
    return lines
