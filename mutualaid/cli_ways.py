"""What every command needs: the settings, the open services, and a sentence for what an operator can mend."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import typer
from rich.console import Console

from mutualaid.kit import logs
from mutualaid.kit.settings import Settings, SettingsRefused, load

T = TypeVar("T")
console = Console(stderr=True)


def settings() -> Settings:
    """The settings, or a sentence about what is wrong with them."""
    try:
        return load(os.environ)
    except SettingsRefused as refusal:
        raise refused(refusal) from None


def refused(refusal: SettingsRefused) -> typer.Exit:
    """How a command ends whose settings are refused."""
    console.print(f"[red]设置有误 / settings refused[/red]\n{refusal}", highlight=False)
    return typer.Exit(2)


def with_services(deed: Callable[[Any], Coroutine[Any, Any, T]], *, anew: bool = False) -> T:
    """Run a deed that needs the open services. `anew`: also where there is no database yet, which is made then."""
    from mutualaid.wiring import open_services  # opened only where needed: --help stays quick

    given = settings()
    if not anew:
        _require_database(given)
    logs.configure()

    async def run() -> T:
        async with open_services(given) as services:
            return await deed(services)

    with told():
        return asyncio.run(run())


def _require_database(given: Settings) -> None:
    """Exit 2, nothing opened or made, where there is no database of ours, or one without its keys: most likely a wrong DATA."""
    from mutualaid.migrate import is_there

    if not asyncio.run(is_there(given.database_url)):
        zh, en = "没有数据库", "no database"
    elif not given.keys_dir.is_dir():
        zh, en = "没有密钥", "no keys"
    else:
        return
    where = f"{given.data}{'' if _in_data(given) else ' (MUTUALAID_DATABASE_URL)'}"
    console.print(f"[red]{zh} / {en}[/red]: {where}", highlight=False, soft_wrap=True)
    console.print(
        "请检查 MUTUALAID_DATA;第一次使用请先运行 mutualaid migrate / "
        "please check MUTUALAID_DATA; the first time, run mutualaid migrate before",
        highlight=False,
        soft_wrap=True,
    )
    raise typer.Exit(2)


def _in_data(given: Settings) -> bool:
    return str(given.data) in given.database_url


@contextmanager
def told() -> Iterator[None]:
    """What an operator can mend is said in a sentence; everything else is a fault of ours."""
    from mutualaid.kit.errors import Overloaded
    from mutualaid.kit.ring import RingRefused
    from mutualaid.kit.shelves import ShelfRefused

    try:
        yield
    except SettingsRefused as refusal:
        raise refused(refusal) from None
    except (RingRefused, ShelfRefused) as refusal:
        console.print(f"[red]密钥不可用 / the keys cannot be used[/red]: {refusal}", highlight=False)
        raise typer.Exit(1) from None
    except Overloaded:
        console.print(
            "[red]数据库没有应答 / the database does not answer[/red]: MUTUALAID_DATABASE_URL, MUTUALAID_KEYS_URL"
        )
        raise typer.Exit(1) from None


@contextmanager
def listening_on(host: str, port: int) -> Iterator[None]:
    """A port that is taken is said in a sentence."""
    from mutualaid.kit.listening import CannotListen

    try:
        yield
    except CannotListen as problem:
        console.print(
            f"[red]无法监听 / cannot listen on {host}:{port}[/red]: {problem}; 换一个 --port / try another --port"
        )
        raise typer.Exit(1) from None
