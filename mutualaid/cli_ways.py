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


def with_services(deed: Callable[..., Coroutine[Any, Any, T]], *args: Any) -> T:
    """Run a deed that needs the open services."""
    from mutualaid.wiring import open_services  # opened only where needed: --help stays quick

    given = settings()
    logs.configure()

    async def run() -> T:
        async with open_services(given) as services:
            return await deed(services, *args)

    with told():
        return asyncio.run(run())


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
