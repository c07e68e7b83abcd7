"""The key ring: versioned 256-bit keys by purpose, in one file beside the data, never in a database or its backups.

`DATA/keys/ring.json` is made at first start, readable by its owner only, and replaced whole (write, fsync, rename), so
a power cut leaves the old ring or the new one. Processes that start together take turns by a lock file: one makes, all
read. A ring in memory looks at most every `LOOKS_S` whether another process has written the file, and at once for a version
that it does not know: a rotation in two steps waits far longer between them.
"""

import base64
import fcntl
import json
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NoReturn

KEY_BYTES: Final = 32
PURPOSES: Final = ("envelope", "lookup", "audit", "code", "cursor", "session", "limits")

LOOKS_S: Final = 0.05

_FORMAT = 1
_RING = "ring.json"
_LOCK = "ring.lock"
_HOOK_TOKEN = "hook-token"  # noqa: S105 — the name of a file, not a token


class RingRefused(Exception):
    """The ring file cannot be used; the message says why and never holds a key."""


class KeyUnknown(LookupError):
    """No such purpose or version on this ring."""

    def __init__(self) -> None:
        super().__init__("no such key")


class _Purpose:
    """The versions of one purpose; `current` is the one to write with, all of them are read with."""

    __slots__ = ("current", "keys")

    def __init__(self, current: int, keys: dict[int, bytes]) -> None:
        self.current = current
        self.keys = keys


class KeyRing:
    """Keys by purpose and version. Versions start at 1 and are never used twice for a purpose."""

    def __init__(self, directory: Path, *, looks_s: float = 0.0) -> None:
        self._directory = directory
        self._looks_s = looks_s
        self._looks_again_at = 0.0
        self._path = directory / _RING
        self._seen: tuple[int, int] = (0, 0)
        self._purposes: dict[str, _Purpose] = {}

    def __repr__(self) -> str:
        return "KeyRing(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key ring is never pickled")

    @classmethod
    def open(cls, directory: Path | str, *, looks_s: float = 0.0) -> "KeyRing":
        """The ring in `directory` (`DATA/keys`), made there if there is none; purposes new to it are added.

        `looks_s`: how long what is in memory stands without another look at the file; 0 is a look with each call.

        Raises `RingRefused` where the file is damaged, of a later format, or readable by others.
        """
        ring = cls(Path(directory), looks_s=looks_s)
        _private_directory(ring._directory)
        with ring._writing():
            missing = [purpose for purpose in PURPOSES if purpose not in ring._purposes]
            if missing:
                made = {purpose: _Purpose(1, {1: secrets.token_bytes(KEY_BYTES)}) for purpose in missing}
                ring._write({**ring._purposes, **made})
        return ring

    def current(self, purpose: str) -> tuple[int, bytes]:
        """The version to write with, and its key."""
        found = self._of(purpose)
        return found.current, found.keys[found.current]

    def at(self, purpose: str, version: int) -> bytes:
        """The key of one version; `KeyUnknown` (a `LookupError`) if it never was or was retired."""
        key = self._of(purpose).keys.get(version)
        if key is None:
            self._looks_again_at = 0.0  # another process may just have introduced it
            key = self._of(purpose).keys.get(version)
        if key is None:
            raise KeyUnknown
        return key

    def versions(self, purpose: str) -> list[int]:
        """Every version that can be read with, the newest first; introduced ones that are not yet current included."""
        return sorted(self._of(purpose).keys, reverse=True)

    def every(self, purpose: str) -> list[tuple[int, bytes]]:
        """Every version with its key, the newest first: what to search by."""
        return sorted(self._of(purpose).keys.items(), reverse=True)

    def introduce(self, purpose: str) -> int:
        """Add the next version without writing with it yet: every process learns to find by it first. Returns it.

        Look-ups need this first step under load: were one process to write under a version that another does not yet
        search by, the two could register one phone twice. Wait longer than the longest transaction, then `promote`.
        """
        with self._writing():
            old = self._held(purpose)
            version = max(old.keys) + 1
            added = _Purpose(old.current, {**old.keys, version: secrets.token_bytes(KEY_BYTES)})
            self._write({**self._purposes, purpose: added})
        return version

    def promote(self, purpose: str, version: int) -> None:
        """Write with `version` from now on."""
        with self._writing():
            old = self._held(purpose)
            if version not in old.keys:
                raise KeyUnknown
            self._write({**self._purposes, purpose: _Purpose(version, old.keys)})

    def rotate(self, purpose: str) -> int:
        """Introduce and promote at once: right for every purpose that is found by its stated version. Returns it."""
        version = self.introduce(purpose)
        self.promote(purpose, version)
        return version

    def retire(self, purpose: str, version: int) -> None:
        """Destroy an old version: whatever is still sealed or found under it is lost. The current one is refused."""
        with self._writing():
            old = self._held(purpose)
            if version == old.current:
                raise RingRefused("the current version cannot be retired")
            if version not in old.keys:
                return
            if version == max(old.keys):
                raise RingRefused("the newest version cannot be retired: its number would be used again")
            kept = {number: key for number, key in old.keys.items() if number != version}
            self._write({**self._purposes, purpose: _Purpose(old.current, kept)})

    def _of(self, purpose: str) -> _Purpose:
        if (now := time.monotonic()) >= self._looks_again_at:
            self._looks_again_at = now + self._looks_s
            if self._stamp() != self._seen:
                self._load()
        return self._held(purpose)

    def _held(self, purpose: str) -> _Purpose:
        found = self._purposes.get(purpose)
        if found is None:
            raise KeyUnknown
        return found

    def _stamp(self) -> tuple[int, int]:
        """Inode and time of the file: a rename changes the first, so two writes within one clock tick differ too."""
        try:
            state = os.stat(self._path)
        except FileNotFoundError:
            # The file was moved away from under a running process: go on with the keys in memory.
            return self._seen
        return state.st_ino, state.st_mtime_ns

    def _load(self) -> None:
        with open(self._path, "rb") as file:
            state = os.fstat(file.fileno())
            if stat.S_IMODE(state.st_mode) & 0o077:
                raise RingRefused(f"{_RING} can be read by others: make its mode 0600")
            self._purposes = _parse(file.read())
            self._seen = state.st_ino, state.st_mtime_ns

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold the lock file with the newest state loaded, so that two writers never lose each other's keys."""
        with _locked(self._directory):
            if self._path.exists():
                self._load()
            yield

    def _write(self, purposes: dict[str, _Purpose]) -> None:
        stored = {
            name: {"current": p.current, "keys": {str(v): base64.b64encode(k).decode() for v, k in p.keys.items()}}
            for name, p in purposes.items()
        }
        body = json.dumps({"format": _FORMAT, "purposes": stored}, indent=1).encode()
        _replace(self._path, body)
        self._load()


def hook_token(directory: Path | str) -> str:
    """The bearer token of the numbers route hook, from `hook-token` in `directory`; made there at first start."""
    folder = Path(directory)
    _private_directory(folder)
    path = folder / _HOOK_TOKEN
    with _locked(folder):
        if not path.exists():
            _replace(path, secrets.token_urlsafe(KEY_BYTES).encode())
        token = path.read_text(encoding="ascii").strip()
    if not token:
        raise RingRefused(f"{_HOOK_TOKEN} is empty: remove it, and the next start makes a new one")
    return token


def _parse(body: bytes) -> dict[str, _Purpose]:
    try:
        stored = json.loads(body)
        if stored["format"] != _FORMAT:
            raise RingRefused(f"{_RING} is of another format than this release reads")
        purposes = {
            name: _Purpose(p["current"], {int(v): base64.b64decode(k, validate=True) for v, k in p["keys"].items()})
            for name, p in stored["purposes"].items()
        }
        whole = all(
            p.current in p.keys and all(v > 0 and len(k) == KEY_BYTES for v, k in p.keys.items())
            for p in purposes.values()
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise RingRefused(f"{_RING} is damaged") from None  # what json quotes of the file could be half a key
    if not whole:
        raise RingRefused(f"{_RING} is damaged")
    return purposes


def _private_directory(directory: Path) -> None:
    if not directory.exists():
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if stat.S_IMODE(directory.stat().st_mode) & 0o077:
        directory.chmod(0o700)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """One writer at a time, over all processes; the kernel lets go of the lock of one that dies."""
    descriptor = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(path: Path, body: bytes) -> None:
    """Put `body` at `path` so that a reader, or a power cut, sees the old file or the new one and never a part."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        os.rename(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
