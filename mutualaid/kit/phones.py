"""Telephone numbers: what members type becomes E.164, and nothing that prints one shows more than its last digits.

The numbering plan is that of `phonenumbers`, which calls a range "mobile" only when it has been given to people.
Ranges for machines (146, 148, 149, …) are refused for an account, although the scrubber still hides them.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat, PhoneNumberType, ValidationResult

RejectedBecause = Literal[
    "not_a_number", "too_short", "too_long", "landline", "service_number", "foreign", "unknown_range", "extension"
]

_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_TYPED: Final = re.compile(r"\+?[0-9 ()./\-]{1,40}")
_DASHES: Final = re.compile(r"[‐‑‒–—―−－_·•]")
_EXTENSION: Final = re.compile(r"\s*(?:转接?|轉|分机号?|分機|;?ext[.=]?|[,;#x])\s*[:.]?\s*([0-9]{1,7})$", re.IGNORECASE)
_CHINESE_MOBILE: Final = re.compile(r"1[3-9]")
_VIRTUAL_OPERATORS: Final = ("162", "165", "167", "170", "171")
_SERVICE_TYPES: Final = (
    PhoneNumberType.TOLL_FREE,
    PhoneNumberType.PREMIUM_RATE,
    PhoneNumberType.SHARED_COST,
    PhoneNumberType.UAN,
    PhoneNumberType.VOIP,
    PhoneNumberType.PAGER,
    PhoneNumberType.VOICEMAIL,
)


class PhoneRejected(ValueError):
    """This text is no phone that can sign in. `reason` is stable; the message never carries the text itself."""

    def __init__(self, reason: RejectedBecause) -> None:
        super().__init__(reason)
        self.reason: RejectedBecause = reason


@dataclass(frozen=True, slots=True)
class Phone:
    """One number in E.164. `repr` and `str` show two digits; whoever needs the number says `.e164`."""

    e164: str

    def __post_init__(self) -> None:
        if not _E164.fullmatch(self.e164):
            raise ValueError("a Phone is made of an E.164 number")

    def __repr__(self) -> str:
        return f"Phone(…{self.e164[-2:]})"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class Dialled:
    """What somebody dialled: a number of any kind, and the digits after it where there are any."""

    phone: Phone
    extension: str | None


def parse(text: str, *, regions: Sequence[str] = ("CN",)) -> Phone:
    """The mobile number that a member typed: spaced, dashed, full-width, with or without +86 / 0086 / 86.

    `regions` are the ISO codes whose mobiles may sign in; the first one is meant where no country code is given.
    Raises `PhoneRejected`.
    """
    number, extension = _split(text)
    parsed = _parsed(number, regions)
    if parsed.country_code not in {phonenumbers.country_code_for_region(region) for region in regions}:
        raise PhoneRejected("foreign")
    _refuse_unless_mobile(parsed)
    if extension is not None:  # somebody types a masked number with its extension: that is not where a code can be sent
        raise PhoneRejected("extension")
    return Phone(phonenumbers.format_number(parsed, PhoneNumberFormat.E164))


def parse_dialled(text: str, *, regions: Sequence[str] = ("CN",)) -> Dialled:
    """Any number of any country that could be dialled, landlines included, with its extension (`,8123` or `转8123`).

    For callers and called numbers, which need not belong to a member. Raises `PhoneRejected` (`not_a_number`,
    `too_short` or `too_long`).
    """
    number, extension = _split(text)
    parsed = _parsed(number, regions)
    _refuse_unless_possible(parsed)
    return Dialled(Phone(phonenumbers.format_number(parsed, PhoneNumberFormat.E164)), extension)


def national(e164: str) -> str:
    """The digits that one dials at home: `+8613800138000` → `13800138000` (11 digits for a Chinese mobile)."""
    return phonenumbers.national_significant_number(_of_e164(e164))


def mask(e164: str) -> str:
    """The number as its owner may see it again: `138****8000`; of short foreign numbers only the ends are shown."""
    digits = national(e164)
    if len(digits) == 11:
        return f"{digits[:3]}****{digits[-4:]}"
    return f"{digits[:2]}****{digits[-2:]}"


def of_virtual_operator(phone: Phone) -> bool:
    """True for 162, 165, 167, 170 and 171: ranges of virtual operators, which some identity checks do not know."""
    return phone.e164.startswith("+86") and national(phone.e164).startswith(_VIRTUAL_OPERATORS)


def _split(text: str) -> tuple[str, str | None]:
    """ASCII number and extension. What is copied out of an address book carries invisible direction marks: they go."""
    folded = unicodedata.normalize("NFKC", "".join(c for c in text[:200] if unicodedata.category(c) != "Cf"))
    folded = _DASHES.sub("-", folded).strip()
    found = _EXTENSION.search(folded)
    number = (folded[: found.start()] if found else folded).strip()
    if len(text) > 200 or not _TYPED.fullmatch(number):
        raise PhoneRejected("not_a_number")
    return number, found[1] if found else None


def _parsed(number: str, regions: Sequence[str]) -> PhoneNumber:
    failures: list[RejectedBecause] = []
    first: PhoneNumber | None = None
    for region in regions:
        try:
            parsed = phonenumbers.parse(number, region)
        except NumberParseException as failure:
            failures.append(_PARSE_FAILURES.get(failure.error_type, "not_a_number"))
            continue
        if phonenumbers.is_valid_number(parsed):
            return parsed
        first = first or parsed
    if first is None:
        raise PhoneRejected(failures[0] if failures else "not_a_number")
    return first


_PARSE_FAILURES: Final[dict[int, RejectedBecause]] = {
    NumberParseException.TOO_SHORT_AFTER_IDD: "too_short",
    NumberParseException.TOO_SHORT_NSN: "too_short",
    NumberParseException.TOO_LONG: "too_long",
}


def _refuse_unless_possible(parsed: PhoneNumber) -> None:
    possible = phonenumbers.is_possible_number_with_reason(parsed)
    if possible in (ValidationResult.TOO_SHORT, ValidationResult.IS_POSSIBLE_LOCAL_ONLY):
        raise PhoneRejected("too_short")
    if possible == ValidationResult.TOO_LONG:
        raise PhoneRejected("too_long")
    if possible != ValidationResult.IS_POSSIBLE:
        raise PhoneRejected("not_a_number")


def _refuse_unless_mobile(parsed: PhoneNumber) -> None:
    kind = phonenumbers.number_type(parsed)
    if kind in (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE):
        return
    if kind == PhoneNumberType.FIXED_LINE:
        raise PhoneRejected("landline")
    if kind in _SERVICE_TYPES:
        raise PhoneRejected("service_number")
    digits = phonenumbers.national_significant_number(parsed)
    if parsed.country_code == 86 and _CHINESE_MOBILE.match(digits) and len(digits) != 11:
        # The plan of China has numbers of 7 to 12 digits; a mobile has 11, and that is what the typist meant.
        raise PhoneRejected("too_short" if len(digits) < 11 else "too_long")
    _refuse_unless_possible(parsed)
    raise PhoneRejected("unknown_range")


def _of_e164(e164: str) -> PhoneNumber:
    if not _E164.fullmatch(e164):
        raise ValueError("not an E.164 number")
    return phonenumbers.parse(e164)
