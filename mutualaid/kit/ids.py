"""Ids: opaque, with 128 random bits, in lower-case hex digits, which Python and every collation sort alike."""

import os
import secrets
import time
from typing import Final

_DRAWN_AT_ONCE: Final = 64


def new_id() -> str:
    """32 digits, all of them random: for members, and whatever could tell when one of them came."""
    return secrets.token_hex(16)


def row_id() -> str:
    """32 random digits behind eight of the time, a quarter of a second each: rows which are written together lie together in
    every index that has it, and one page takes them all. For rows that may say when they came to be, as a post does."""
    return f"{int(time.time() * 4) & 0xFFFFFFFF:08x}{_random_digits()}"


def _random_digits() -> str:
    """32 of them; the system is asked for those of many ids at once."""
    if not _DRAWN:
        digits = secrets.token_hex(16 * _DRAWN_AT_ONCE)
        _DRAWN.extend(digits[n : n + 32] for n in range(0, len(digits), 32))
    return _DRAWN.pop()


_DRAWN: Final[list[str]] = []  # and not told to anybody yet
os.register_at_fork(after_in_child=_DRAWN.clear)  # else two processes would draw the same
