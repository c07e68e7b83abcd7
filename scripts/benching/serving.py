"""One worker of an application: uvicorn with uvloop and httptools, on a core of its own where there are two."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from instance import environment

from tests.servers import end_with_parent, free_port

_PATIENCE_S: Final = 60.0
_OPTIONS: Final = ("--loop", "uvloop", "--http", "httptools", "--ws", "none", "--lifespan", "on")
_QUIET: Final = ("--no-access-log", "--no-server-header", "--log-level", "warning")


class ServerDidNotStart(Exception):
    """Carries the end of what it said."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where it listens, and its process."""

    port: int
    pid: int

    def cpu_s(self) -> float | None:
        """Processor seconds it has used, its threads included; None where /proc does not tell."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except FileNotFoundError:
            return None
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cores() -> tuple[set[int], set[int]]:
    """(the server's, everybody else's); both empty where there is but one, or where nobody can be held to one."""
    found = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return (set(found[:1]), set(found[1:])) if len(found) > 1 else (set(), set())


def keep_to(which: set[int]) -> None:
    """This process, and those that it starts from now on, run on these cores only."""
    if which:
        os.sched_setaffinity(0, which)


@contextmanager
def serving(app: str, log: Path, core: set[int], variables: Mapping[str, str], *, factory: bool) -> Iterator[Server]:
    """`app` as uvicorn names it, with these variables, for as long as the block."""
    port = free_port()
    words = [sys.executable, "-m", "uvicorn", app, "--port", str(port), *_OPTIONS, *_QUIET]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*words, "--factory"] if factory else words,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment(log.parent) | dict(variables),
            preexec_fn=_before(core),
        )
    try:
        _wait(process, port, log)
        yield Server(port, process.pid)
    finally:
        process.terminate()
        process.wait(20)


def _before(core: set[int]) -> Callable[[], None]:
    end = end_with_parent()

    def before() -> None:
        keep_to(core)
        if end is not None:
            end()

    return before


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + _PATIENCE_S
    while process.poll() is None and time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise ServerDidNotStart(log.read_text(errors="replace")[-2000:])
