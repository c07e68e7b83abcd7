"""What gives up after a short patience, and then does something else, waits longer in tests: on a busy machine a test is
told what it asks for, only later. Tests of giving up set a patience of their own."""

from mutualaid.contacts import rules
from mutualaid.posts.index import follower

LONG_S = 30.0


def widen() -> None:
    for module, name in (
        (rules, "PATIENCE_S"),
        (follower, "_PATIENCE_S"),
    ):  # else 202, and the tables instead of memory
        assert isinstance(getattr(module, name), float)
        setattr(module, name, LONG_S)
