"""How many numbers a pool needs, as arithmetic, and why.

A contact of two persons may use a number that neither of them has, live or at rest, and that carries fewer pairs than it
can. Members are vertices, contacts are edges, numbers are colours: a proper edge colouring in which a colour has at most
`per_number` edges. Whoever takes any number that is left (first-fit, or the one that rested longest) is never without one
if there are more than those that either of the two has and those that are full.
"""

from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import Final

from mutualaid.contacts.rules import LEASE, LEAST_REST, QUARANTINE

HEADROOM: Final = 1.2


@dataclass(frozen=True, slots=True)
class Plan:
    """What a pool of so many pairs at once needs. `per_member`: contacts that one member has at once, and begins in a day.

    `lasts`: how long a contact stands; `rest`: how long a number then is at rest for its two.
    """

    pairs: int
    per_member: int
    per_number: int
    lasts: timedelta = LEASE
    rest: timedelta = QUARANTINE

    def kept(self, rest: timedelta) -> int:
        """Numbers that one member has at most, live or at rest, where rests last so long."""
        return ceil(self.per_member * (self.lasts + rest) / self.lasts)

    @property
    def least(self) -> int:
        """Below this some are refused whoever allocates: a member's contacts differ, and the pairs must fit in."""
        return max(self.per_member, ceil(self.pairs / self.per_number))

    @property
    def usual(self) -> int:
        """Enough without rests, as a rule: 2k − 1 for the persons, or what the pairs fill."""
        return max(2 * self.per_member - 1, ceil(self.pairs / self.per_number))

    def certain(self, rest: timedelta) -> int:
        """Enough whatever the contacts are, where rests last so long: of all numbers but one, two persons may have all but
        one of theirs each, and the other pairs may fill the rest of them."""
        return (self.pairs - 1) // self.per_number + 2 * self.kept(rest) - 1

    @property
    def roomy(self) -> int:
        """The usual, and a fifth for rests."""
        return ceil(HEADROOM * self.usual)

    @property
    def shortest(self) -> timedelta:
        """How long a number rests where no other is free."""
        return min(self.rest, LEAST_REST)

    @property
    def numbers(self) -> int:
        """What to have: the usual and a fifth, and never so few that a rest must be shorter than the shortest."""
        return max(self.roomy, self.certain(self.shortest))

    def reasons(self) -> list[tuple[int, str]]:
        """Each number beside what it is, for whoever runs this, in two languages."""
        k, full = self.per_member, f"⌈{self.pairs}/{self.per_number}⌉"

        def certain(rest: timedelta) -> str:
            return f"⌊{self.pairs - 1}/{self.per_number}⌋ + 2 × {self.kept(rest)} − 1"

        hours = f"{self.shortest / timedelta(hours=1):g}"
        return [
            (self.least, f"最少 / at least: max({k}, {full})"),
            (self.usual, f"不计冷却，一般够用 / usually enough, rests left out: max(2 × {k} − 1, {full})"),
            (self.roomy, "再加两成 / and a fifth for rests"),
            (
                self.certain(self.shortest),
                f"冷却缩到 {hours} 小时也必定够 / certain with rests of {hours} h: {certain(self.shortest)}",
            ),
            (
                self.certain(self.rest),
                f"冷却从不缩短也必定够 / certain with no rest ever cut short: {certain(self.rest)}",
            ),
        ]
