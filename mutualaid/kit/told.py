"""How a fake is told to fail: by a test in this process, or by a file that every worker sees.

The file lies in the outbox (`DATA/outbox/sms.fail`) and holds the name of an error; while it is there every call
fails with it.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from mutualaid.kit.outside import ProviderDown, Throttled

Failure = Callable[[], Exception]


class Told:
    """`errors` adds a provider's own names to the three that every fake knows: `down`, `broken` (not retryable),
    `throttled` (30 s).
    """

    def __init__(self, provider: str, outbox: Path, errors: Mapping[str, Failure] | None = None) -> None:
        self._file = outbox / f"{provider}.fail"
        self._path = os.fspath(self._file)
        self._errors: dict[str, Failure] = {
            "down": lambda: ProviderDown(provider),
            "broken": lambda: ProviderDown(provider, retryable=False),
            "throttled": lambda: Throttled(provider, 30),
            **(errors or {}),
        }
        self._name: str | None = None
        self._left: int | None = None

    def fail(self, name: str, *, times: int | None = None) -> None:
        """Fail the next `times` calls, or every call until `mend`, in this process. An unknown name is a KeyError."""
        self._errors[name]
        self._name, self._left = name, times

    def mend(self) -> None:
        """Take back what `fail` said; the file stays where it is."""
        self._name = self._left = None

    def obey(self) -> None:
        """Raise what was ordered, if anything was. Reading the file takes microseconds: no thread is worth it."""
        name = self._ordered()
        if name is None:
            return
        if name not in self._errors:
            raise ValueError(f"{self._file.name}: expected one of {', '.join(sorted(self._errors))}")
        raise self._errors[name]()

    def _ordered(self) -> str | None:
        if self._name is not None:
            name = self._name
            if self._left is not None:
                self._left -= 1
                if self._left <= 0:
                    self.mend()
            return name
        try:
            return self._file.read_text(encoding="utf-8").strip() or None if os.path.exists(self._path) else None
        except FileNotFoundError:  # it went this instant
            return None
