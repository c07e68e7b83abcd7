"""Where a fake puts what it would have sent: one JSON object a line, each key once, shared by all workers of a
machine.

The file is the only memory. Every letter carries its key, so whoever holds the file's lock and has read to its end
knows which keys were posted; that survives a restart, and a process that dies half-way leaves at worst a line without
an end, which nobody reads.
"""

import asyncio
import fcntl
import json
import os
import threading
from collections import defaultdict, deque
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from mutualaid.kit.phones import Phone

REMEMBERED = 20  # letters kept in memory for each address: what a page may show


@dataclass(frozen=True, slots=True)
class Letter:
    """What would have been sent. Its repr shows nothing: all of it is personal."""

    to: str
    template: str
    text: str
    params: dict[str, str]
    at: str
    page: str | None = None

    def __repr__(self) -> str:
        return "Letter(…)"


@runtime_checkable
class Showing(Protocol):
    """A maker that can show what it would have sent: the fakes, so that pages in test mode may."""

    async def recent(self, to: Phone, *, limit: int = 5) -> list[Letter]:
        """The last letters to one phone, newest first."""
        ...


def stamp(at: datetime) -> str:
    """RFC 3339 in UTC with `Z`."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


class Letterbox:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._mutex = threading.Lock()
        self._forget(inode=None)

    async def post(self, letter: Letter, *, key: str) -> bool:
        """Append the letter unless its key was posted before, by whichever process. Says whether it was appended."""
        return await asyncio.to_thread(self._post, letter, key)

    async def recent(self, to: str, *, limit: int = REMEMBERED) -> list[Letter]:
        """The last letters to one address, newest first."""
        return await asyncio.to_thread(self._recent, to, limit)

    def _post(self, letter: Letter, key: str) -> bool:
        entry = {name: value for name, value in asdict(letter).items() if value is not None}
        line = json.dumps(entry | {"key": key}, ensure_ascii=False).encode() + b"\n"
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._mutex:
            handle = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                # Given back when the handle is closed, also by a process that dies.
                fcntl.flock(handle, fcntl.LOCK_EX)
                if self._read_on(handle):
                    os.write(handle, b"\n")  # ends the line of a sender that died; whole or not, it is judged now
                    self._read_on(handle)
                if key in self._keys:
                    return False
                # One write, so that a reader without the lock never sees half of two letters.
                written = os.write(handle, line)
                if written < len(line):
                    raise OSError("the letterbox took only part of a letter")
                self._read_on(handle)
                return True
            finally:
                os.close(handle)

    def _recent(self, to: str, limit: int) -> list[Letter]:
        with self._mutex:
            try:
                handle = os.open(self._path, os.O_RDONLY)
            except FileNotFoundError:
                return []
            try:
                self._read_on(handle)
            finally:
                os.close(handle)
            return list(reversed(self._letters[to]))[:limit] if to in self._letters else []

    def _read_on(self, handle: int) -> bool:
        """Take in what was appended since the last look. True when the file ends in a torn line."""
        status = os.fstat(handle)
        if status.st_ino != self._inode or status.st_size < self._offset:
            self._forget(inode=status.st_ino)
        tail = os.pread(handle, status.st_size - self._offset, self._offset)
        whole, _, rest = tail.rpartition(b"\n")
        self._offset += len(tail) - len(rest)
        for line in whole.split(b"\n"):
            self._take_in(line)
        return bool(rest)

    def _take_in(self, line: bytes) -> None:
        try:
            entry: dict[str, Any] = json.loads(line)
        except ValueError:
            return  # an empty or torn line: its sender died, and asks again under the same key
        self._keys.add(entry["key"])
        letter = Letter(entry["to"], entry["template"], entry["text"], entry["params"], entry["at"], entry.get("page"))
        self._letters[letter.to].append(letter)

    def _forget(self, *, inode: int | None) -> None:
        """Begin anew: with an empty memory, or because somebody removed or emptied the file."""
        self._inode = inode
        self._offset = 0
        self._keys: set[str] = set()
        self._letters: defaultdict[str, deque[Letter]] = defaultdict(lambda: deque(maxlen=REMEMBERED))
