"""Records of calls on disk until the service has taken them. They name no phone: the service knows the call by its id."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

import structlog
from pydantic import BaseModel

from mutualaid.providers.numbers import Cause, Outcome
from mutualaid.providers.numbers.kamailio.switchboard.authority import Authority

_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0
_AT_ONCE: Final = 50  # records in one push
_REFUSED: Final = frozenset({400, 413, 415, 422})
log = structlog.get_logger()

EndedBy = Literal["caller", "callee", "service", "limit", "switchboard"]


class Record(BaseModel):
    """What became of one call. `seconds`: of talk. Instants in UTC; None where it never came so far."""

    call_id: str
    outcome: Outcome
    cause: Cause
    seconds: int = 0
    started_at: datetime
    rang_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime
    ended_by: EndedBy


class Spool:
    """One file a record. `drain` hands over what lies there, oldest first, for as long as it runs."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._authority = authority
        self._came = asyncio.Event()

    def keep(self, record: Record) -> None:
        """Whole or not at all: the name appears when the content is there."""
        file = self._folder / f"{record.call_id}.json"
        part = file.with_suffix(".part")
        part.write_text(record.model_dump_json(), encoding="utf-8")
        part.rename(file)
        self._came.set()

    def waiting(self) -> int:
        return sum(1 for _ in self._folder.glob("*.json"))

    async def drain(self) -> None:
        pause = _FIRST_PAUSE_S
        while True:
            self._came.clear()
            if await self.hand_over():
                await self._came.wait()
                pause = _FIRST_PAUSE_S
            else:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)

    async def hand_over(self) -> bool:
        """Everything that lies here, once, oldest first. False where the service is not to be reached: the rest waits."""
        files = sorted(self._folder.glob("*.json"), key=lambda one: one.stat().st_mtime_ns)
        for start in range(0, len(files), _AT_ONCE):
            if not await self._hand_over(files[start : start + _AT_ONCE]):
                return False
        return True

    async def _hand_over(self, files: Sequence[Path]) -> bool:
        """One that the service reads and will not have is set aside (`.refused`), so that it holds up no other."""
        status = await self._authority.take(b"[" + b",".join(file.read_bytes() for file in files) + b"]")
        if 200 <= status < 300:
            for file in files:
                file.unlink(missing_ok=True)
            return True
        if status not in _REFUSED:
            return False
        if len(files) == 1:
            files[0].rename(files[0].with_suffix(".refused"))
            log.error("switchboard.record_refused", status=status)
            return True
        return all([await self._hand_over([file]) for file in files])


def seconds_between(answered: datetime | None, ended: datetime) -> int:
    return max(0, round((ended - answered).total_seconds())) if answered is not None else 0
