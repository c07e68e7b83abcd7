"""Chinese identity numbers by GB 11643-1999: what is well formed, and how old its holder is. Pure rules.

Also accepted, since their numbers are built alike: the residence permits for people of Hong Kong, Macau and Taiwan
(810000, 820000, 830000) and the permanent-resident card of foreigners (since December 2023: 9, province, nationality,
birth, sequence, check).
Nothing in here keeps, prints or logs a number.
"""

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Literal

Holder = Literal["citizen", "hong_kong", "macau", "taiwan", "permanent_resident"]
AgeBand = Literal["under_14", "14_17", "adult", "60_plus"]
IdentityReason = Literal[
    "malformed",
    "wrong_length",
    "obsolete",
    "unknown_region",
    "no_such_birthday",
    "born_in_the_future",
    "too_old",
    "wrong_check_digit",
]

OLDEST: Final = 120  # years

_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS: Final = "10X98765432"  # by the weighted sum modulo 11 (ISO 7064 MOD 11-2)
_FULL: Final = re.compile(r"[0-9]{17}[0-9X]")
_PERMITS: Final[dict[str, Holder]] = {"81": "hong_kong", "82": "macau", "83": "taiwan"}
# Region → its provinces. Only the province is looked at: a district that was abolished since
# somebody's birth still stands in their number.
_BY_REGION: Final = {"1": "12345", "2": "123", "3": "1234567", "4": "123456", "5": "01234", "6": "12345", "7": "1"}
_PROVINCES: Final = frozenset(f"{first}{second}" for first, seconds in _BY_REGION.items() for second in seconds)


class IdentityRejected(ValueError):
    """This text is no identity number. `reason` is stable; the message never carries the number."""

    def __init__(self, reason: IdentityReason) -> None:
        super().__init__(reason)
        self.reason: IdentityReason = reason


@dataclass(frozen=True, slots=True)
class Identity:
    """A well-formed number: 18 characters, X upper-case. Its repr tells nothing; drop it when the check is over."""

    normalised: str = field(repr=False)
    birth: date = field(repr=False)
    holder: Holder = field(repr=False)

    def __str__(self) -> str:
        return repr(self)


def check(id_number: str, *, today: date) -> Identity:
    """The identity behind what was typed: full-width digits, spaces and a small x are forgiven.

    `today` is the Shanghai calendar date. Raises `IdentityRejected`.
    """
    number = _folded(id_number)
    if not number.isascii() or not number.isalnum():
        raise IdentityRejected("malformed")
    if len(number) == 15 and number.isdigit():
        raise IdentityRejected("obsolete")  # first-generation cards ended with the year 2012
    if len(number) != 18:
        raise IdentityRejected("wrong_length")
    if not _FULL.fullmatch(number):
        raise IdentityRejected("malformed")
    holder = _holder(number)
    birth = _birth(number, today)
    if number[17] != check_digit(number[:17]):
        raise IdentityRejected("wrong_check_digit")
    return Identity(number, birth, holder)


def check_digit(first_17: str) -> str:
    """The 18th character that belongs to 17 digits: a digit or X."""
    return _CHECKS[sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, first_17, strict=True)) % 11]


def age_on(birth: date, day: date) -> int:
    """Completed years on `day`; the birthday itself counts, and one of 29 February comes on 1 March in common years."""
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


def age_band(age: int) -> AgeBand:
    """Which rules apply: under 14 nobody joins (a parent posts for a child), 14 to 17 ask but offer no medicine."""
    if age < 14:
        return "under_14"
    if age < 18:
        return "14_17"
    return "adult" if age < 60 else "60_plus"


def _folded(id_number: str) -> str:
    if len(id_number) > 100:
        return ""
    folded = unicodedata.normalize("NFKC", id_number)
    return "".join(c for c in folded if not c.isspace() and unicodedata.category(c) != "Cf").upper()


def _holder(number: str) -> Holder:
    if number[0] == "9":
        # Layout of the permanent-resident card: general knowledge, not read in a standard. If wrong, correct this line.
        if number[1:3] not in _PROVINCES:
            raise IdentityRejected("unknown_region")
        return "permanent_resident"
    if number[:2] in _PERMITS:
        return _PERMITS[number[:2]]
    if number[:2] not in _PROVINCES:
        raise IdentityRejected("unknown_region")
    return "citizen"


def _birth(number: str, today: date) -> date:
    try:
        birth = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        raise IdentityRejected("no_such_birthday") from None
    if birth > today:
        raise IdentityRejected("born_in_the_future")
    if birth.year < 1900 or age_on(birth, today) > OLDEST:
        raise IdentityRejected("too_old")
    return birth
