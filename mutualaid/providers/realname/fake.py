"""Every well-formed identity matches, except names that begin with 错 (mismatch), 无 (no record) or 慢 (no answer in
time).
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

from mutualaid.kit.outside import ProviderDown
from mutualaid.kit.told import Told
from mutualaid.providers.realname import Result

TIME_OUT = 2.0  # seconds until the slow register is given up; the door has 3
WELL_FORMED = re.compile(r"[0-9]{17}[0-9X]")


class FakeRealname:
    """Keeps nothing of what it was asked: the answer follows from the question alone, so the same key has the same
    answer.
    """

    name = "fake"
    is_fake = True
    by_appointment = False

    def __init__(self, outbox: Path, *, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        self.told = Told("realname", outbox)
        self._sleep = sleep

    async def check(self, name: str, id_number: str, *, key: str) -> Result:
        self.told.obey()
        match name[:1]:
            case "慢":
                await self._sleep(TIME_OUT)
                raise ProviderDown("realname")
            case "错":
                return Result.MISMATCH
            case "无":
                return Result.NO_RECORD
        return Result.MATCH if WELL_FORMED.fullmatch(id_number) else Result.MISMATCH
