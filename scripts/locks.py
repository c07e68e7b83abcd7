"""Writes the locks anew: every platform's hashes, no address. Options go to `uv pip compile`. Standard library only."""

import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # started with -I, which leaves the script's directory out

from bootstrap import LOCKS, ROOT, UV_LOCK, CannotMake, Maker, finish, say

FIXED = ("--universal", "--python-version", "3.11", "--generate-hashes", "--no-header", "--quiet")
JOBS: tuple[tuple[str, tuple[str, ...], str], ...] = (  # the lock, its sources, what is fed in
    (UV_LOCK, ("-", "--no-annotate"), "uv\n"),
    (LOCKS["run"], ("pyproject.toml",), ""),
    (LOCKS["dev"], ("pyproject.toml", "--group", "dev", "--constraint", LOCKS["run"]), ""),
)


def write(options: list[str]) -> int:
    """The three locks, by the pinned uv in an environment of its own. Pins stay unless the options upgrade them."""
    os.chdir(ROOT)  # names inside the locks are relative to it
    with tempfile.TemporaryDirectory() as scratch:
        maker = Maker(Path(scratch) / "venv")
        maker.lay()
        uv = maker.own_uv(ROOT)
        if uv is None:
            raise CannotMake("无法取得 uv · uv could not be fetched\n")
        words = maker.uv_words()
        words.pop("UV_FIND_LINKS", None)  # a lock names what the index has, not what lies on this machine's disk
        for name, sources, feed in JOBS:
            command: tuple[str | Path, ...] = (uv, "pip", "compile", *sources, *FIXED, *options, "--output-file", name)
            if maker.run(*command, extra=words, feed=feed)[0]:
                raise CannotMake(f"{name}: uv pip compile failed\n")
            lock = Path(name)
            text = lock.read_text(encoding="utf-8")
            lock.write_text("# written by scripts/lock\n" + text, encoding="utf-8")
            say(f"{name}: {text.count('--hash=')} hashes")
    return 0


if __name__ == "__main__":
    finish(write)
