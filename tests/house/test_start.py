"""Two commands on a bare machine: `scripts/run` in a fresh clone, with nothing of this shell's environment.

The bounds are promises to whoever tries the thing out (docs: README), measured once each and without retries, before the
other tests begin: `scripts/test` runs what is marked `alone` by itself.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers import end_with_parent

pytestmark = pytest.mark.alone

ROOT = Path(__file__).resolve().parents[2]
FIRST_START_S, NEXT_START_S, IDLE_S, IDLE_MB = 90.0, 3.0, 5.0, 180
PATIENCE_S = 300.0  # a first start that is too slow shall be told in seconds, not as a hang
ADDRESS = re.compile(r"^mutualaid  (http://\S+)", re.MULTILINE)
KEPT = re.compile(r"HOME|(PIP|UV)_.*|(https?|all|no)_proxy|SSL_CERT_(FILE|DIR)|CURL_CA_BUNDLE|REQUESTS_CA_BUNDLE", re.I)
DEBIANS = Path("/usr/bin/python3")


def can_make_environments(python: Path) -> bool:
    question = "import sys, ensurepip; sys.exit(sys.version_info < (3, 11))"
    return python.exists() and subprocess.run([python, "-I", "-c", question], check=False).returncode == 0


def paths() -> dict[str, str]:
    """Name → PATH. Debian's own Python is tried where it is installed with python3-venv."""
    found = {"this python": f"{Path(sys.executable).resolve().parent}:/usr/bin:/bin"}
    if can_make_environments(DEBIANS) and DEBIANS.resolve() != Path(sys.executable).resolve():
        found["debian's python"] = "/usr/bin:/bin"
    return found


@dataclass
class Started:
    process: subprocess.Popen[bytes]
    url: str
    seconds: float  # from the command to the first 200 of /readyz
    log: Path

    def memory_mb(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1]) // 1024


@contextmanager
def started(clone: Path, path: str) -> Iterator[Started]:
    """`scripts/run` as a stranger would type it, on a port of the system's choice."""
    environ = {name: value for name, value in os.environ.items() if KEPT.fullmatch(name)} | {"PATH": path}
    log = clone.with_name("run.log")
    began = time.monotonic()
    with log.open("wb") as out:
        process = subprocess.Popen(
            [clone / "scripts" / "run", "--port", "0"],
            cwd=clone.parent,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            preexec_fn=end_with_parent(),
        )
    try:
        yield Started(process, _ready(process, log, began), time.monotonic() - began, log)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def _ready(process: subprocess.Popen[bytes], log: Path, began: float) -> str:
    while process.poll() is None and time.monotonic() - began < PATIENCE_S:
        if (said := ADDRESS.search(log.read_text(errors="replace"))) and _answers(f"{said[1]}/readyz"):
            return said[1]
        time.sleep(0.02)
    raise AssertionError(log.read_text(errors="replace")[-3000:])


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 — a loopback address that the server printed
            return int(answer.status) == 200
    except urllib.error.URLError:
        return False


@pytest.fixture(scope="module", params=paths().items(), ids=lambda param: param[0])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str, float]]:
    """A clone whose environment was just made by its first start: where, with which PATH, in how many seconds."""
    _, path = request.param
    clone = tmp_path_factory.mktemp("fresh") / "clone"
    subprocess.run(["git", "clone", "-q", ROOT, clone], check=True)
    with started(clone, path) as first:
        first.process.send_signal(signal.SIGINT)
        assert first.process.wait(30) == 0, first.log.read_text()
        seconds = first.seconds
    yield clone, path, seconds
    shutil.rmtree(clone)


def test_the_first_start_is_ready_within_a_minute_and_a_half(made: tuple[Path, str, float]) -> None:
    clone, _, seconds = made

    print(f"first start: {seconds:.1f} s")
    assert seconds <= FIRST_START_S
    assert (clone / ".venv").is_dir() and (clone / "var" / "mutualaid.db").is_file()


def test_it_starts_again_within_three_seconds_idles_small_and_stops_cleanly(made: tuple[Path, str, float]) -> None:
    clone, path, _ = made

    with started(clone, path) as again:
        told = again.log.read_text()
        assert again.url in told and "/api/docs" in told and "测试模式" in told
        time.sleep(IDLE_S)
        memory = again.memory_mb()
        print(f"next start: {again.seconds:.2f} s; {memory} MB after {IDLE_S:.0f} s idle")

        again.process.send_signal(signal.SIGINT)
        assert again.process.wait(20) == 0
        assert "Traceback" not in again.log.read_text() and "crashed" not in again.log.read_text()

    assert again.seconds <= NEXT_START_S
    assert memory <= IDLE_MB


def test_a_taken_port_is_said_in_a_sentence(made: tuple[Path, str, float]) -> None:
    clone, path, _ = made
    with started(clone, path) as running:
        port = running.url.rsplit(":", 1)[1]

        second = subprocess.run(
            [clone / "scripts" / "run", "--port", port],
            env={"PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )

    assert second.returncode == 1
    assert port in second.stderr and "--port" in second.stderr and "Traceback" not in second.stderr


def test_the_clone_stays_clean(made: tuple[Path, str, float]) -> None:
    """What a start leaves behind is ignored by git: nothing of an instance is ever committed by mistake."""
    left = subprocess.run(
        ["git", "status", "--porcelain"], cwd=made[0], capture_output=True, text=True, check=True
    ).stdout

    assert left == ""
