"""Kamailio, rtpengine and the switchboard as processes of a test: started on free ports, ended by their own ids."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from mutualaid.kit.settings import Settings
from mutualaid.telephony import plan, write
from tests.servers import end_with_parent, free_port

RELAY = "127.0.0.2"
PROXY = "127.0.0.3"
_PATIENCE_S = 45.0
MODULES = next((str(path.parent) for path in Path("/usr/lib").glob("*/kamailio/modules/tm.so")), "")


def missing() -> list[str]:
    """Which of the programs that Debian has packages for are not here."""
    found = [name for name in ("kamailio", "rtpengine", "sipp") if not _where(name)]
    return found if MODULES else sorted({*found, "kamailio"})


def _where(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def program(name: str) -> str:
    found = _where(name)
    assert found is not None
    return found


def skip_where_missing() -> None:
    if gone := missing():
        pytest.skip(f"no {', '.join(gone)}: scripts/ci-packages installs them")


def free_udp_port(host: str = "127.0.0.1") -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def chosen(settings: Settings, *, service: str, numbers: Path, trusted: str = "", trunk: str = "") -> Settings:
    """The settings of a telephony on free ports."""
    first = 40_000 + (os.getpid() % 100) * 200
    return settings.model_copy(
        update={
            "numbers": "kamailio",
            "numbers_file": numbers,
            "telephony_listen": f"{PROXY}:{free_udp_port(PROXY)}",
            "telephony_switchboard": f"127.0.0.1:{free_udp_port()}",
            "telephony_control": f"127.0.0.1:{free_port()}",
            "telephony_relay": f"127.0.0.1:{free_udp_port()}",
            "telephony_media": f"{RELAY}:{first}-{first + 198}",
            "telephony_service": service,
            "telephony_trunk": trunk,
            "telephony_trusted": trusted,
        }
    )


@dataclass
class Telephony:
    """Three processes, each of which a test may end and start again. `log`: everything that any of them said."""

    settings: Settings
    folder: Path
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def listen(self) -> tuple[str, int]:
        return plan(self.settings).listen.pair

    @property
    def log(self) -> Path:
        return self.folder / "telephony.log"

    def password(self, number: str) -> str:
        return plan(self.settings).password(number)

    def start(self, *names: str) -> None:
        write(self.settings, self.folder)
        for name in names or ("relay", "kamailio", "switchboard"):
            with self.log.open("ab") as out:
                self._running[name] = subprocess.Popen(
                    self._command(name),
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    env=self.environment(),
                    preexec_fn=end_with_parent(),
                    start_new_session=True,
                )
        for name in names or ("relay", "kamailio", "switchboard"):
            self._wait(name)

    def stop(self, *names: str, how: signal.Signals = signal.SIGTERM) -> None:
        for name in names or (*reversed(self._running),):
            process = self._running.pop(name)
            group = how == signal.SIGKILL  # Kamailio's workers outlive a parent that is killed
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, how) if group else process.send_signal(how)
            try:
                process.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def _command(self, name: str) -> list[str]:
        match name:
            case "kamailio":
                config = str(self.folder / "kamailio.cfg")
                return [program("kamailio"), "-DD", "-E", "-L", MODULES, "-Y", str(self.folder), "-f", config]
            case "relay":
                return [program("rtpengine"), f"--config-file={self.folder / 'rtpengine.conf'}"]
            case _:
                return [sys.executable, "-m", "mutualaid.cli", "telephony", "switchboard"]

    def environment(self) -> dict[str, str]:
        given = {
            f"MUTUALAID_{name.upper()}": str(getattr(self.settings, name))
            for name in type(self.settings).model_fields
            if name.startswith("telephony_") or name == "numbers_file"
        }
        ours = {"MUTUALAID_DATA": str(self.settings.data), "MUTUALAID_NUMBERS": "kamailio", **given}
        return {name: value for name, value in os.environ.items() if not name.startswith("MUTUALAID_")} | ours

    def _wait(self, name: str) -> None:
        until = time.monotonic() + _PATIENCE_S
        process = self._running[name]
        while not self.answers(name):
            assert process.poll() is None, f"{name} ended: {self.log.read_text(errors='replace')[-2000:]}"
            assert time.monotonic() < until, f"{name} does not answer"
            time.sleep(0.02)

    def answers(self, name: str) -> bool:
        """Whether that one of the three is up."""
        match name:
            case "kamailio":
                return answers_options(self.listen)
            case "relay":
                return udp_is_open(*plan(self.settings).relay.pair)
            case _:
                with contextlib.suppress(httpx2.HTTPError):
                    return httpx2.get(f"http://{self.settings.telephony_control}/health").status_code == 200
                return False

    def calls(self) -> int:
        """How many are under way at the switchboard."""
        told = httpx2.get(f"http://{self.settings.telephony_control}/health")
        return int(told.json()["calls"])


def answers_options(address: tuple[str, int]) -> bool:
    """Whether somebody speaks SIP there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(0.1)
        probe.connect(address)
        host, port = probe.getsockname()
        lines = [
            f"OPTIONS sip:{address[0]} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{time.monotonic_ns()}",
            f"From: <sip:probe@{host}>;tag=1",
            f"To: <sip:{address[0]}>",
            f"Call-ID: {time.monotonic_ns()}",
            "CSeq: 1 OPTIONS",
            "Max-Forwards: 5",
            "Content-Length: 0",
        ]
        try:
            probe.send("\r\n".join((*lines, "", "")).encode())
            return probe.recv(2000).startswith(b"SIP/2.0 200")
        except OSError:
            return False


def udp_is_open(host: str, port: int) -> bool:
    """Whether a process has bound it, as Linux says."""
    number = int.from_bytes(socket.inet_aton(host), "little")
    return f"{number:08X}:{port:04X}" in Path("/proc/net/udp").read_text()


@contextlib.contextmanager
def running(settings: Settings, folder: Path) -> Iterator[Telephony]:
    telephony = Telephony(settings, folder)
    try:
        telephony.start()
        yield telephony
    finally:
        telephony.stop()
