"""Chances that hang on persons and events alone: the same for every policy, in whatever order it asks."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, TypeVar

T = TypeVar("T")

_NORMAL: Final = NormalDist()
_STEPS: Final = 1 << 53


@dataclass(frozen=True, slots=True)
class Coins:
    """Every coin of one seed. An event is named by any texts and numbers."""

    seed: int

    def uniform(self, *event: str | int) -> float:
        """Within (0, 1)."""
        named = "\x1f".join(map(str, (self.seed, *event))).encode()
        number = int.from_bytes(hashlib.blake2b(named, digest_size=8).digest(), "big")
        return ((number >> 11) + 0.5) / _STEPS

    def falls(self, chance: float, *event: str | int) -> bool:
        """True with this chance."""
        return self.uniform(*event) < chance

    def normal(self, *event: str | int) -> float:
        """Mean 0, standard deviation 1."""
        return _NORMAL.inv_cdf(self.uniform(*event))

    def whole(self, least: int, most: int, *event: str | int) -> int:
        """From least to most, each as likely."""
        return least + int(self.uniform(*event) * (most - least + 1))

    def one_of(self, parts: Mapping[T, int], *event: str | int) -> T:
        """One of these, by its parts."""
        left = self.uniform(*event) * sum(parts.values())
        for value, part in parts.items():
            left -= part
            if left < 0:
                return value
        return list(parts)[-1]  # rounding alone leads here
