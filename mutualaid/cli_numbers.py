"""`mutualaid numbers | simulate | telephony …`: masked numbers, for an operator."""

import asyncio
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop

from mutualaid.cli_ways import console, listening_on, settings, told, with_services
from mutualaid.kit import logs

numbers = typer.Typer(no_args_is_help=True, help="Masked numbers: how many are needed; does the vendor agree with us?")
simulate = typer.Typer(no_args_is_help=True, help="Vendors that answer on this machine, for development.")
telephony = typer.Typer(no_args_is_help=True, help="Our own telephony (NUMBERS=kamailio).")


_HERE = "127.0.0.1"  # simulators answer this machine only


class VendorName(StrEnum):
    aliyun = "aliyun"
    tencent = "tencent"
    huawei = "huawei"


class ModeName(StrEnum):
    axb = "axb"
    axe = "axe"
    x = "x"


@telephony.command()
def render(
    to: Annotated[Path | None, typer.Option(help="A folder; DATA/telephony by default.", file_okay=False)] = None,
) -> None:
    """Write kamailio.cfg and rtpengine.conf from the settings; prints where they are."""
    from mutualaid.telephony import write

    with told():
        given = settings()
        _warn_if_unasked(given.numbers)
        for file in write(given, to):
            print(file)


def _warn_if_unasked(numbers: str) -> None:
    """Our own telephony connects nobody while the service asks another maker for its numbers."""
    if numbers != "kamailio":
        console.print(
            f"[yellow]注意 / note[/yellow]: MUTUALAID_NUMBERS={numbers};只有设为 kamailio,服务才用这套电话 / "
            "the service uses this telephony only with kamailio",
            highlight=False,
        )


@telephony.command()
def password(phone: Annotated[str, typer.Option(help="The soft phone's number, E.164 or national.")]) -> None:
    """What a soft phone signs in with; it follows from the number, nothing is kept."""
    from mutualaid.kit.phones import PhoneRejected, parse_dialled
    from mutualaid.telephony import plan

    try:
        number = parse_dialled(phone).phone.e164
    except PhoneRejected as refusal:
        console.print(f"[red]不是可用的号码 / not a usable number[/red]: {refusal.reason}")
        raise typer.Exit(2) from None
    with told():
        print(plan(settings()).password(number))


@telephony.command()
def switchboard() -> None:
    """Connect calls until SIGINT or SIGTERM; calls under way are hung up then."""
    from mutualaid.telephony import run

    given = settings()
    _warn_if_unasked(given.numbers)
    logs.configure()
    try:
        with told(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(given))
    except OSError as problem:
        console.print(
            f"[red]无法监听 / cannot listen[/red]: {problem.strerror}; MUTUALAID_TELEPHONY_SWITCHBOARD, …_CONTROL"
        )
        raise typer.Exit(1) from None


@numbers.command()
def plan(
    pairs: Annotated[int, typer.Option(min=1, help="Contacts that stand at once, in all.")],
    per_member: Annotated[int, typer.Option(min=1, help="Contacts that one member has at once, and begins in a day.")],
    per_number: Annotated[int, typer.Option(min=1, help="Pairs that one number carries at the vendor.")] = 200,
    rest_days: Annotated[float, typer.Option(min=0, help="How long a number rests for its two.")] = 7,
) -> None:
    """Print the pool size that is needed, and why."""
    from datetime import timedelta

    from mutualaid.contacts.planning import Plan

    asked = Plan(pairs, per_member, per_number, rest=timedelta(days=rest_days))
    for number, why in asked.reasons():
        typer.echo(f"{number:>7}  {why}")
    typer.echo(f"{asked.numbers:>7}  需要 / needed")


@numbers.command()
def reconcile() -> None:
    """Ask the vendor about every contact: bind what it has lost, unbind what has ended. Safe at any time."""

    async def run(services: Any) -> Any:
        from mutualaid.contacts import reconciling
        from mutualaid.kit import clock

        with console.status("与号码商核对 / asking the vendor") as status:
            return await reconciling.all_of_them(services, now=clock.now, told=lambda n: status.update(f"{n}"))

    found = with_services(run)
    done = ", ".join(f"{what} {count}" for what, count in sorted(found.items()))
    typer.echo(done or "没有需要核对的 / there is nothing to compare")


@numbers.command("hook")
def hook() -> None:
    """The address that the vendor is to push calls to; of some vendors it holds a secret, so tell it to nobody else."""
    from mutualaid.kit.ring import hook_token
    from mutualaid.providers.numbers.making import hook_address

    given = settings()
    with told():
        typer.echo(hook_address(given, hook_token(given.keys_dir)))


@simulate.command("numbers")
def simulate_numbers(
    vendor: Annotated[VendorName, typer.Option(help="Whose wire to speak.")],
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8009,
    mode: Annotated[ModeName, typer.Option(help="Of huawei: what its application is for.")] = ModeName.axb,
    platform: Annotated[str, typer.Option(help="Where the platform listens, for pushes.")] = "http://127.0.0.1:8000",
    count: Annotated[int, typer.Option("--numbers", min=1, max=9999, help="How many numbers it has.")] = 50,
) -> None:
    """A vendor of masked numbers: signatures checked, codes and bad days as the real one's. Play with it at /_simulate/…"""
    import uvicorn

    from mutualaid.kit import clock
    from mutualaid.kit.listening import listen
    from mutualaid.kit.ring import hook_token
    from mutualaid.providers.numbers.simulators import running

    if mode is not ModeName.axb and vendor is not VendorName.huawei:
        raise typer.BadParameter(f"{vendor.value} 只有 axb / has only axb", param_hint="--mode")
    given = settings()
    with told(), listening_on(_HERE, port):
        listening = listen(_HERE, port)
        clock.follow(given.now_file)
        token = hook_token(given.keys_dir)
        plan = running.Plan(vendor.value, platform, token, mode=mode.value, numbers=count)
        named = running.settings_for(plan, address=f"http://{_HERE}:{port}", folder=given.data)
    for name, value in named.items():
        typer.echo(f"{name}={value}")
    app = running.make(plan, now=clock.now).app()
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
    with suppress(KeyboardInterrupt):
        server.run(sockets=[listening])
