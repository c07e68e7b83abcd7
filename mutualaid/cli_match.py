"""`mutualaid match …`: the sweep and the reasons, for an operator. The engine is loaded by these commands alone."""

import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

match = typer.Typer(no_args_is_help=True, help="Who is proposed to whom, and why.")
console = Console(stderr=True)

_SHOWN = 20  # changes of a sweep, one a line
_TIERS = {
    "urgent": ("紧急需求得到", "to urgent needs"),
    "quantity": ("共得到", "in all"),
    "waiting": ("等待加权", "weighted by waiting"),
    "metres": ("路程(米×数量)", "metres times quantity"),
}

Run = Callable[[Callable[[Any], Coroutine[Any, Any, Any]]], Any]


def commands(run: Run) -> typer.Typer:
    """The commands, given the way to run something with the open services."""

    @match.command()
    def sweep(
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    ) -> None:
        """Think the whole market through and put right what is proposed; --dry-run changes nothing."""
        _sweep(run, dry_run=dry_run)

    @match.command()
    def explain(post: Annotated[str, typer.Argument(help="A post's id.")]) -> None:
        """Why each near counterpart of a post is or is not proposed to it."""
        _explain(run, post)

    @match.command()
    def simulate(
        seeds: Annotated[int, typer.Option(min=1, help="How many cities.")] = 1,
        first: Annotated[int, typer.Option(min=0, help="The first city's seed.")] = 1,
        days: Annotated[int, typer.Option(min=1, max=60, help="Days in which posts come.")] = 4,
        needs: Annotated[int, typer.Option(min=1, max=5_000, help="Needs a day.")] = 120,
        processes: Annotated[int, typer.Option(min=1, help="Cities run side by side.")] = 1,
        plot: Annotated[Path | None, typer.Option(file_okay=False, help="Write pictures into this folder.")] = None,
    ) -> None:
        """Run seeded cities for days: our matching beside greedy, the plaza alone, and the most that could be met."""
        _simulate(range(first, first + seeds), days=days, needs=needs, processes=processes, plot=plot)

    return match


def _sweep(run: Run, *, dry_run: bool) -> None:
    async def deed(services: Any) -> Any:
        from mutualaid.catalogue import snapshot
        from mutualaid.kit import clock
        from mutualaid.matching import planning, sweeping

        catalogue, now = await snapshot.current(services.database), clock.now()
        planned = await planning.plan(services.database, catalogue, None, now=now)
        sweeping.warn(planned)
        if not dry_run:
            await sweeping.write(services.database, planned, catalogue, now=now)
        return planned

    planned = run(deed)
    report = planned.report
    say = console.print
    say(f"需求行 / need lines {report['needs']}, 供给行 / offer lines {report['offers']}", highlight=False)
    if promised := report["skipped"].pop("nothing_left", 0):
        say(f"已全部约定 / promised altogether: {promised}", highlight=False)
    for why, count in sorted(report["skipped"].items()):
        say(f"跳过 / left out: {why} × {count}", highlight=False)
    for line, why in sorted({**report["skipped_needs"], **report["skipped_offers"]}.items())[:_SHOWN]:
        say(f"  {line}: {why}", highlight=False)
    for part in report["fallbacks"]:
        gap = f"缺口 / gap {part['gap']}"
        say(f"[yellow]贪心求解 / solved greedily[/yellow]: {part['because']}, {gap}", highlight=False)
    for name, (zh, en) in _TIERS.items():
        say(f"{zh} / {en}: {report['before'][name]} → {report['best'][name]}", highlight=False)
    _changes(planned)
    verb = "将" if dry_run else "已"
    would = "would be" if dry_run else "were"
    say(
        f"{verb}撤回 {report['withdrawn']}, 调整 {report['altered']}, 新推荐 {report['made']} / "
        f"{would} withdrawn {report['withdrawn']}, altered {report['altered']}, proposed {report['made']}",
        highlight=False,
    )


def _changes(planned: Any) -> None:
    lines = []
    for move in planned.moves:
        lines += [f"- {need} ↔ {offer}" for need, offer in move.withdrawn]
        for sign, pairs in (("~", move.altered), ("+", move.made)):
            for (need, offer), shares in pairs.items():
                amounts = ", ".join(f"{share.item} {share.quantity}" for share in shares)
                lines.append(f"{sign} {need} ↔ {offer}: {amounts}")
    for line in lines[:_SHOWN]:
        console.print(line, highlight=False, markup=False)
    if len(lines) > _SHOWN:
        console.print(f"… 另有 {len(lines) - _SHOWN} 项 / and {len(lines) - _SHOWN} more", highlight=False)


def _explain(run: Run, post_id: str) -> None:
    from mutualaid.matching.explaining import WORDS

    async def deed(services: Any) -> Any:
        from mutualaid.catalogue import snapshot
        from mutualaid.kit import clock
        from mutualaid.matching import explaining

        catalogue = await snapshot.current(services.database)
        found = await explaining.explain(services.database, post_id, catalogue=catalogue, now=clock.now())
        names = [item for code in (found.items if found else ()) if (item := catalogue.get(code)) is not None]
        return found, names

    found, items = run(deed)
    if found is None:
        console.print("[red]没有这个开放的帖子 / no open post of this id[/red]")
        raise typer.Exit(1)
    for why in found.besides:
        console.print(" / ".join(WORDS[why]), highlight=False, markup=False)
    if not found.counterparts:
        zh, en = "、".join(item.name for item in items), ", ".join(item.name_en for item in items)
        said = f"{found.reach_km} 公里内没有对应的帖子: {zh} / no counterpart within {found.reach_km} km: {en}"
        console.print(said, highlight=False, markup=False)
    for each in found.counterparts:
        zh, en = (", ".join(WORDS[why][n] for why in each.why) for n in (0, 1))
        way = "同一片区 / same neighbourhood" if each.metres == 0 else f"{each.metres / 1000:.1f} km"
        console.print(f"{each.post_id}  {way}  × {each.quantity}  {zh} / {en}", highlight=False, markup=False)


def _simulate(seeds: Sequence[int], *, days: int, needs: int, processes: int, plot: Path | None) -> None:
    from rich.progress import track

    from mutualaid.matching.simulation import pictures, running, telling
    from mutualaid.matching.simulation.parameters import Parameters

    if plot is not None:
        try:
            pictures.check()
        except pictures.NoPlotting:
            said = (
                f"[red]画图需要 matplotlib / pictures need matplotlib[/red]: {sys.executable} -m pip install matplotlib"
            )
            console.print(said, highlight=False)
            raise typer.Exit(1) from None
    going = running.runs(seeds, Parameters(days=days, needs_a_day=needs), processes=processes)
    found = list(track(going, "模拟 / simulating", total=len(seeds), console=console, transient=True))
    for line in telling.told(found):
        typer.echo(line)
    for path in pictures.write(found, plot) if plot is not None else ():
        console.print(str(path), highlight=False, markup=False)
