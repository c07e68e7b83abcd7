"""An instance of one's own on a free loopback port, for scripts and tests: started, waited for, stopped by its own pid."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

COMMAND = (sys.executable, "-m", "mutualaid.cli")
_PATIENCE = 120.0  # seconds: a first start migrates and seeds
_ADDRESS = re.compile(r"^mutualaid  (http://\S+)", re.MULTILINE)


class InstanceDidNotStart(Exception):
    """Carries the end of what it said."""


@dataclass(frozen=True, slots=True)
class Instance:
    """Where it answers, and where its outboxes and database are."""

    url: str
    data: Path

    @property
    def environment(self) -> dict[str, str]:
        """For commands that shall mean this instance."""
        return environment(self.data)


def environment(data: Path, settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment with none of its own MUTUALAID settings but these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MUTUALAID_")}
    return (
        kept | {"MUTUALAID_DATA": str(data)} | {f"MUTUALAID_{name}": value for name, value in (settings or {}).items()}
    )


@contextmanager
def running(
    data: Path,
    *,
    command: Sequence[str] = COMMAND,
    settings: Mapping[str, str] | None = None,
    directory: Path | None = None,
    variables: Mapping[str, str] | None = None,
    in_child: Callable[[], None] | None = None,
) -> Iterator[Instance]:
    """`serve` with a worker in `data`; `in_child` runs in the new process before it becomes the server.

    Raises `InstanceDidNotStart`.
    """
    data.mkdir(parents=True, exist_ok=True)
    log = data / "serve.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, "serve", "--port", "0"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env=environment(data, settings) | dict(variables or {}),
            preexec_fn=in_child,
        )
    try:
        yield Instance(_wait(process, log), data)
    finally:
        _stop(process)


def _wait(process: subprocess.Popen[bytes], log: Path) -> str:
    until = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < until:
        if said := _ADDRESS.search(log.read_text(errors="replace")):
            return said[1]
        time.sleep(0.05)
    raise InstanceDidNotStart(log.read_text(errors="replace")[-2000:])


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
