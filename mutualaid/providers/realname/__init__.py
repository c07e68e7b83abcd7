"""The promise of the real-name check: do this name and this ID number belong together?

The ID number lives only inside the call: a maker neither keeps nor logs it. Whether it is well formed is checked by
the caller before.
"""

from enum import StrEnum
from typing import Protocol

from mutualaid.kit.outside import ProviderDown, Throttled

__all__ = ["ByAppointment", "ProviderDown", "RealnameMaker", "Result", "Throttled"]


class Result(StrEnum):
    """What a register answers, without its words. Only the first is a yes; the next two are told to the member as
    one.
    """

    MATCH = "match"
    MISMATCH = "mismatch"  # also where the register calls the name or the number malformed
    NO_RECORD = "no_record"
    UNSUPPORTED = "unsupported"  # a kind of document that this register does not hold
    DAILY_LIMIT = "daily_limit"  # this identity was asked for too often today


class ByAppointment(RuntimeError):
    """Somebody asked a maker whose `by_appointment` says that a moderator looks at the paper instead: a fault of
    ours.
    """


class RealnameMaker(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def is_fake(self) -> bool: ...

    @property
    def by_appointment(self) -> bool:
        """True: nothing can be asked, a moderator checks the paper in person. Then `check` must not be called."""
        ...

    async def check(self, name: str, id_number: str, *, key: str) -> Result:
        """Ask the register, within 2.5 seconds in all (the door answers within 3).

        The same `key` is one question: asked again it is not billed twice where the vendor can tell. Raises
        ProviderDown (a time-out too; the member's try is then not counted) and Throttled.
        """
        ...
