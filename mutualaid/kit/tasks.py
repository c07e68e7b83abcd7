"""Ending what runs beside us."""

import asyncio
from typing import Any, Final

_AGAIN_S: Final = 0.5


async def end(*tasks: asyncio.Task[Any] | None) -> None:
    """Cancel, until they are over. Once may not be enough: a driver that is closing a connection at that moment takes the
    cancellation for its own trouble, and Python 3.11's `wait_for` forgets it where what it waited for has just come; the
    task goes on.
    """
    waiting = {task for task in tasks if task is not None and not task.done()}
    while waiting:
        for task in waiting:
            task.cancel()
        _over, waiting = await asyncio.wait(waiting, timeout=_AGAIN_S)
