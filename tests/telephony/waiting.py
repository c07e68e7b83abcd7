"""Waiting for what another process does."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def until(look: Callable[[], Awaitable[T | None]], *, patience_s: float = 30) -> T:
    async with asyncio.timeout(patience_s):
        while (found := await look()) is None:  # noqa: ASYNC110 — another process knows it
            await asyncio.sleep(0.02)
        return found
