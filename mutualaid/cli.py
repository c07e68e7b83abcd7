"""mutualaid serve | worker | migrate | seed | member | match | import | audit | numbers | simulate | telephony.

Long work shows its progress.
"""

import asyncio
import signal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
import uvloop

from mutualaid import cli_match, cli_numbers
from mutualaid.cli_ways import console, listening_on, settings, told, with_services
from mutualaid.kit import logs

T = TypeVar("T")


class RoleName(StrEnum):
    member = "member"
    moderator = "moderator"
    vendor = "vendor"
    admin = "admin"


app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
member = typer.Typer(no_args_is_help=True, help="Members and their roles.")
bring_in = typer.Typer(no_args_is_help=True, help="Bring in what others keep.")
audit = typer.Typer(no_args_is_help=True, help="The audit chain.")
app.add_typer(member, name="member")
app.add_typer(bring_in, name="import")
app.add_typer(audit, name="audit")
app.add_typer(cli_numbers.numbers, name="numbers")
app.add_typer(cli_numbers.simulate, name="simulate")
app.add_typer(cli_numbers.telephony, name="telephony")


@app.command()
def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 for phones on the same network.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
    worker: Annotated[bool, typer.Option(help="Work in this process too; --no-worker for serving only.")] = True,
) -> None:
    """Migrate, seed, serve; Ctrl-C stops cleanly."""
    from mutualaid.serving import run

    given = settings()
    logs.configure()
    with told(), listening_on(host, port), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(given, host=host, port=port, with_worker=worker))


@app.command()
def worker() -> None:
    """Work on jobs only; any number of workers may run beside any number of serving processes."""

    async def work(services: Any) -> None:
        from mutualaid.app import working

        stop = asyncio.Event()
        for name in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(name, stop.set)
        async with working(services):
            console.print("worker ready")
            await stop.wait()

    with_services(work)


@app.command()
def migrate(
    to: Annotated[str, typer.Option(help="A migration's id, or head.")] = "head",
    down: Annotated[
        bool, typer.Option("--down", help="Go down to that migration instead (base: the empty database).")
    ] = False,
) -> None:
    """Bring the database to the newest shape."""
    if down and to == "head":
        raise typer.BadParameter("say down to which migration: --down --to base", param_hint="--to")

    async def run(services: Any) -> None:
        from mutualaid import migrate as shape

        await (shape.downgrade if down else shape.upgrade)(services.database, to)

    with_services(run, anew=True)
    console.print("migrated")


@app.command()
def seed() -> None:
    """Regions and catalogue as the package ships them; a second time changes nothing."""

    async def run(services: Any) -> None:
        from mutualaid.kit import clock
        from mutualaid.seed import seed as fill

        await fill(services.database, now=clock.now())

    with console.status("地区与目录 / regions and catalogue"):
        with_services(run)
    console.print("seeded")


@member.command()
def promote(
    phone: Annotated[str, typer.Option(help="E.164 or a national number.")],
    role: Annotated[RoleName, typer.Option()],
) -> None:
    """Give a member another role; audited, in force at once."""

    async def run(services: Any) -> None:
        from mutualaid.kit import clock
        from mutualaid.kit.phones import parse
        from mutualaid.members.standing import promote

        async with services.database.transaction() as session:
            await promote(session, parse(phone), role.value, actor=None, now=clock.now())

    from mutualaid.kit.phones import PhoneRejected
    from mutualaid.members.errors import MemberUnknown

    try:
        with_services(run)
    except PhoneRejected as refusal:
        console.print(f"[red]不是可用的手机号 / not a usable phone[/red]: {refusal.reason}")
        raise typer.Exit(2) from None
    except MemberUnknown:
        console.print("[red]没有用这个手机号登录过的成员 / nobody has signed in with this phone yet[/red]")
        raise typer.Exit(1) from None
    console.print(f"role is now {role.value}")


@bring_in.command("catalogue")
def import_catalogue(file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)]) -> None:
    """Amend the catalogue from a CSV file of the shipped form; every change is audited, nothing is deleted."""

    async def run(services: Any) -> Any:
        from mutualaid.catalogue import importing
        from mutualaid.kit import clock

        return await importing.run(services.database, file, actor=None, now=clock.now())

    from mutualaid.catalogue.sheet import CatalogueRefused

    try:
        report = with_services(run)
    except CatalogueRefused as refusal:
        console.print(str(refusal), markup=False, highlight=False)
        raise typer.Exit(2) from None
    if report.changes is None:
        console.print("没有变化 / nothing changed")
        return
    changes = report.changes
    console.print(
        f"version {report.version}: "
        f"{len(changes.added)} added, {len(changes.changed)} changed, {len(changes.withdrawn)} withdrawn"
    )


@audit.command()
def verify() -> None:
    """Seal, then walk the whole chain; exit 1 where it does not hold."""

    async def run(services: Any) -> Any:
        from mutualaid.kit import audit as chain

        return await chain.verify(services.database, services.ring, services.settings.audit_heads)

    verdict = with_services(run)
    if verdict.ok:
        console.print(f"链完整 / the chain holds: {verdict.rows} rows")
        return
    console.print(
        f"[red]链在第 {verdict.broken_at} 行断开 / the chain breaks at row {verdict.broken_at}: {verdict.why}[/red]"
    )
    raise typer.Exit(1)


app.add_typer(cli_match.commands(with_services), name="match")


def main() -> None:
    """The console script."""
    app()


if __name__ == "__main__":
    main()
