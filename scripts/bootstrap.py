"""From nothing but Python to a ready `.venv`, and the locks it is made from. Standard library only.

    bootstrap.py ready run|dev    exit 0 when `.venv` is what the lock asks for (a dev environment serves for run too)
    bootstrap.py make run|dev     makes it so

uv does the work: the one on PATH, else the one that `scripts/bootstrap.lock` pins by hash, fetched by the new
environment's own pip, which knows its index. Where uv cannot, pip does it. Every package comes with a hash that the
lock names, and as a wheel but for one. A stamp is written when all is done and taken away before anything is touched,
so a half-made environment is never taken for a good one.
"""

import hashlib
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

sys.path.insert(0, str(Path(__file__).resolve().parent))  # started with -I, which leaves the script's directory out

ROOT = Path(__file__).resolve().parent.parent
LOCKS = {"run": "requirements.lock", "dev": "requirements-dev.lock"}
UV_LOCK = "scripts/bootstrap.lock"
SOURCE_ONLY = "eviltransform"  # of the development packages, the one without a wheel
BUILDER = "setuptools"  # builds it: from the lock, not from the network
WHEELS = ("--only-binary", ":all:", "--no-binary", SOURCE_ONLY)
LAYOUT = 2  # raise it when what this file writes into .venv changes

NO_ENSUREPIP = """\
这个 Python 缺少 ensurepip，无法建立运行环境。Debian、Ubuntu 请安装 python3-venv：apt-get install python3-venv
This Python comes without ensurepip, so no environment can be made.
On Debian and Ubuntu install python3-venv: apt-get install python3-venv
"""

# Through sh: a #! line would end at the first blank of a path, and at 127 characters.
LAUNCHER = """\
#!/bin/sh
'''exec' '{python}' "$0" "$@"
' '''
import sys

from mutualaid.cli import main

if __name__ == "__main__":  # processes that are spawned load this file anew
    sys.exit(main())
"""


class CannotMake(Exception):
    """The environment cannot be made; the text says why and what helps."""


# ---- what is wanted, what is there ------------------------------------------------------------------------------


def wanted(root: Path, kind: str) -> dict[str, str | int]:
    """What the stamp of a good environment must say. `dev` asks for all that `run` asks for, and more."""
    stamp: dict[str, str | int] = {
        "layout": LAYOUT,
        "root": str(root),  # scripts in .venv name it: a moved checkout needs a new one
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
    }
    for each in ("run", "dev") if kind == "dev" else ("run",):
        stamp[each] = hashlib.sha256((root / LOCKS[each]).read_bytes()).hexdigest()
    return stamp


def stamp_of(root: Path) -> Path:
    return root / ".venv" / "made-from.json"


def made(root: Path) -> dict[str, object]:
    """What the environment's stamp says; empty where there is none or it cannot be read."""
    try:
        stamp = json.loads(stamp_of(root).read_bytes())
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def is_ready(root: Path, kind: str) -> bool:
    """True when the environment was finished from just these locks, here, for this Python."""
    stamp = made(root)
    return all(stamp.get(name) == value for name, value in wanted(root, kind).items())


# ---- making it --------------------------------------------------------------------------------------------------


class Maker:
    """Makes environments in one directory; `hold` is a file descriptor that children keep, or -1."""

    def __init__(self, directory: Path, hold: int = -1) -> None:
        self.directory = directory
        self.python = directory / "bin" / "python"
        self.hold = hold
        own = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_TARGET", "PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV")
        # A person's `user = true` or `require-virtualenv` is about their other work, not about this directory.
        self.environ = {name: value for name, value in os.environ.items() if name not in own} | {"PIP_USER": "0"}

    def run(
        self, *command: str | Path, extra: dict[str, str] | None = None, quiet: bool = False, feed: str = ""
    ) -> tuple[int, str]:
        """Exit code and, when quiet, standard output. A command that cannot be started answers 127."""
        import signal
        import subprocess

        try:
            child = subprocess.Popen(
                [str(word) for word in command],
                env=self.environ | (extra or {}),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if quiet else None,
                stderr=subprocess.DEVNULL if quiet else None,
                text=True,
                pass_fds=() if self.hold < 0 else (self.hold,),
                process_group=0,
            )
        except OSError:
            return 127, ""
        try:
            answer, _ = child.communicate(feed)
        except BaseException:
            # ensurepip and pip start children of their own: all must be gone before the next maker sweeps up.
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            raise
        return child.returncode, answer or ""

    def lay(self) -> None:
        """An empty environment in place of whatever was there."""
        import shutil

        if self.directory.is_symlink():
            self.directory.unlink()
        elif self.directory.exists():
            shutil.rmtree(self.directory)
        code, _ = self.run(sys.executable, "-I", "-m", "venv", "--without-pip", self.directory)
        if code:
            raise CannotMake(NO_ENSUREPIP)

    def need_pip(self) -> None:
        import importlib.util

        if self.run(self.python, "-I", "-m", "pip", "--version", quiet=True)[0] == 0:
            return
        if importlib.util.find_spec("ensurepip") is None:
            raise CannotMake(NO_ENSUREPIP)
        if self.run(self.python, "-I", "-m", "ensurepip", quiet=True)[0]:
            raise CannotMake(NO_ENSUREPIP)

    def pip(self, lock: Path, *options: str) -> bool:
        self.need_pip()
        fixed = ("--require-hashes", "--no-deps", "--disable-pip-version-check", "--quiet")
        return self.run(self.python, "-I", "-m", "pip", "install", *fixed, *WHEELS, *options, "-r", lock)[0] == 0

    def pip_all(self, lock: Path) -> bool:
        """The whole lock by pip. What builds the package without a wheel goes first: pip builds before it installs."""
        from pip_words import block_of

        if BUILDER in lock.read_text(encoding="utf-8"):
            first = self.directory / "builder.lock"
            first.write_text(block_of(BUILDER, lock.read_text(encoding="utf-8")), encoding="utf-8")
            if not self.pip(first):
                return False
        return self.pip(lock, "--no-build-isolation")

    def own_uv(self, root: Path) -> Path | None:
        """The pinned uv, installed into this environment."""
        uv = self.directory / "bin" / "uv"
        if not uv.exists() and not self.pip(root / UV_LOCK):
            return None
        return uv

    def uv_words(self, *, with_links: bool = True) -> dict[str, str]:
        """What uv must be told of pip's settings: by this environment's pip, or by the machine's where it has none."""
        from pip_words import pip_settings, uv_settings

        for python in (self.python, Path(sys.executable)):
            code, listing = self.run(python, "-I", "-m", "pip", "config", "list", quiet=True)
            if code == 0:
                words = uv_settings(pip_settings(listing), self.environ)
                return words if with_links else {k: v for k, v in words.items() if k != "UV_FIND_LINKS"}
        return {}

    def fill(self, root: Path, lock: Path) -> None:
        """Installs what the lock names."""
        import shutil

        on_path = shutil.which("uv")
        if on_path and self.run(on_path, "--version", quiet=True)[0]:
            on_path = None  # a shim without a uv behind it
        uv = on_path or self.own_uv(root)
        if uv:
            fixed = ("--require-hashes", "--no-deps", "--compile-bytecode", "--no-build-isolation-package", SOURCE_ONLY)
            words = self.uv_words()
            if (
                self.run(uv, "pip", "install", "--python", self.python, *fixed, *WHEELS, "-r", lock, extra=words)[0]
                == 0
            ):
                return
            say("uv 未能完成，改用 pip · uv could not, pip goes on")
        if not self.pip_all(lock):
            raise CannotMake("无法安装依赖，原因见上 · the packages could not be installed; the reason is above\n")


def make_importable(root: Path, directory: Path) -> None:
    """The checkout itself on the environment's path, and `bin/mutualaid`. No build: nothing here needs one."""
    for packages in directory.glob("lib/python*/site-packages"):
        (packages / "mutualaid.pth").write_text(f"{root}\n", encoding="utf-8")
    launcher = directory / "bin" / "mutualaid"
    python = str(directory / "bin" / "python").replace("'", "'\\''")
    launcher.write_text(LAUNCHER.format(python=python), encoding="utf-8")
    launcher.chmod(0o755)


def make(root: Path, kind: str) -> None:
    """A ready environment of that kind. Waits for another process that is making it."""
    import fcntl

    hold = os.open(root / "scripts", os.O_RDONLY)
    try:
        # Children inherit the lock: one that outlives a killed parent keeps the next maker waiting, not mixing.
        fcntl.flock(hold, fcntl.LOCK_EX)
        if is_ready(root, kind):
            return
        maker = Maker(root / ".venv", hold)
        before = made(root)
        stamp_of(root).unlink(missing_ok=True)
        say("正在准备运行环境，只在依赖变动后重做 · making the environment, once until the lock changes")
        grows = kind == "dev" and "dev" not in before and wanted(root, "run").items() <= before.items()
        if not grows:
            maker.lay()
        maker.fill(root, root / LOCKS[kind])
        make_importable(root, maker.directory)
        fresh = stamp_of(root).with_suffix(".new")
        fresh.write_text(json.dumps(wanted(root, kind), indent=1), encoding="utf-8")
        os.sync()  # after a power cut a stamp must not stand over files that never reached the disk
        fresh.replace(stamp_of(root))
    finally:
        os.close(hold)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def obey(arguments: list[str]) -> int:
    match arguments:
        case ["ready", ("run" | "dev") as kind]:
            return 0 if is_ready(ROOT, kind) else 1
        case ["make", ("run" | "dev") as kind]:
            make(ROOT, kind)
            return 0
    say(__doc__ or "")
    return 2


def finish(deed: Callable[[list[str]], int]) -> NoReturn:
    """Does the deed with the command's arguments and ends with its exit code; what went wrong is one message."""
    import signal

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a polite end stops the children too
    try:
        code = deed(sys.argv[1:])
    except CannotMake as error:
        sys.stderr.write(str(error))
        code = 1
    except KeyboardInterrupt:
        say("已中断，下次会重新开始 · interrupted; the next start begins anew")
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    finish(obey)
