"""Disguises taken off: full-width, circled, keycap and foreign digits, look-alike letters, invisible characters.

`fold` gives one plain text with the way back to the original; `readings` the few ways in which its digits may be read.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, NamedTuple

TOKEN: Final = "〔已隐去〕"  # noqa: S105 - the mark left in a text, no secret

Kind = Literal[
    "id_number",
    "phone",
    "landline",
    "bank_card",
    "email",
    "link",
    "wechat",
    "qq",
    "chat",
    "plate",
    "price",
    "pay_first",
]


class Span(NamedTuple):
    """A finding in the folded text: [start, end) and what it is."""

    start: int
    end: int
    kind: Kind


@dataclass(frozen=True, slots=True)
class Folded:
    """Folded text; its character i came from original[starts[i]:ends[i]], dropped marks behind it included."""

    text: str
    starts: Sequence[int]
    ends: Sequence[int]


# Letters without ink: Hangul fillers; the other invisible characters are known by their category.
INVISIBLE_LETTERS: Final = frozenset("\u115f\u1160\u3164\uffa0")
_LOOK_ALIKES: Final = str.maketrans(
    {
        **dict(zip("аеорсухіјѕԛԝѵνοχωӏ", "aeopcyxijsqwvvoxwl", strict=True)),
        **dict.fromkeys("♥♡❣💓💕💖💗💘💙💚💛💜💝💞💟🖤🤍🤎🧡", "❤"),
        "➕": "+",
        "✚": "+",
    }
)
_SPELLED_LETTERS: Final = ("NEGATIVE CIRCLED LATIN ", "NEGATIVE SQUARED LATIN ", "REGIONAL INDICATOR SYMBOL ")


def fold(text: str) -> Folded:
    """Plain lower-case text. Never raises, whatever the characters; linear in the length."""
    if TOKEN not in text:
        plain_ones = [*map(_plain, text)]
        if all(len(plain) == 1 for plain in plain_ones):
            return Folded("".join(plain_ones), range(len(text)), range(1, len(text) + 1))
    folded: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    at = 0
    while at < len(text):
        # What was hidden before reads as one separator: else the token itself would serve to cut a number in two.
        width, plain = (len(TOKEN), "·") if text.startswith(TOKEN, at) else (1, _plain(text[at]))
        if not plain and ends:
            ends[-1] = at + width
        for character in plain:
            folded.append(character)
            starts.append(at)
            ends.append(at + width)
        at += width
    return Folded("".join(folded), starts, ends)


@lru_cache(maxsize=8192)
def _plain(character: str) -> str:
    category = unicodedata.category(character)
    if category in ("Mn", "Me", "Cf") or character in INVISIBLE_LETTERS:
        return ""
    if category == "Cc":
        return " " if character.isspace() else ""
    if category in ("Cs", "Co", "Cn"):
        return " "
    if category in ("Nd", "No", "Nl"):
        return _number(character)
    name = unicodedata.name(character, "")
    if name.startswith(_SPELLED_LETTERS):
        return name[-1].lower()
    plain = unicodedata.normalize("NFKC", character).lower().translate(_LOOK_ALIKES)
    if category == "So" and any(c.isalpha() for c in plain):
        plain = "".join(c for c in plain if not c.isdigit())  # the 2 of ㎡ belongs to no number
    return "".join(c for c in plain if unicodedata.category(c) not in ("Mn", "Me", "Cf"))


def _number(character: str) -> str:
    value = unicodedata.numeric(character, -1.0)
    digits = unicodedata.normalize("NFKC", character).lower()
    if value != int(value):
        return character  # ½ is no 1 and 2
    if any(c in "0123456789" for c in digits):
        return "".join(c for c in digits if c.isalnum())  # ⑴ and ⒈ without bracket and dot
    if digits.isascii():
        return digits  # Roman numerals are used as letters: Ⅴ信
    return str(int(value)) if 0 <= value <= 9 else character


# ---- readings: over the letters, '0'-'9' and ' ' for whatever may separate digits; same length as the folded text ----

_SPOKEN: Final = {"两": "2", "拐": "7", "勾": "9", "洞": "0"}
BORROWED: Final = "oli○◯⭕⚪●|丨ǀ∣│┃"  # no digits of their own; only some readings count them
_SEPARATING_WORDS: Final = "杠ー"
_ROUND: Final = "○◯⭕⚪●"
_BARS: Final = "|丨ǀ∣│┃"
_CROSSES: Final = "×✕✖❌乂"
_LETTERS: Final = str.maketrans({"o": "0", "l": "1", "i": "1", **dict.fromkeys(_ROUND, "0")})
_BARS_ARE_ONES: Final = str.maketrans(dict.fromkeys(_BARS, "1"))
_BARS_SEPARATE: Final = str.maketrans(dict.fromkeys(_BARS, " "))
_ROUNDS_SEPARATE: Final = str.maketrans(dict.fromkeys(_ROUND, " "))
_ONE_SEPARATES: Final = str.maketrans({"一": " "})


class Reading(NamedTuple):
    """One way to read the folded text. `letters`: o, l and i count as digits, beside others that are digits anyway."""

    text: str
    letters: bool


def readings(folded: str) -> Iterator[Reading]:
    """Every distinct reading (1 for most texts, 9 at most): Chinese numerals as words, as digits, or 一 as a dash;
    o, l, i as letters or digits; a bar as separator or as 1."""
    base = "".join(map(_sorted_out, folded))
    seen: set[str] = set()
    for numerals in (base, spoken_digits(base), spoken_digits(base.translate(_ONE_SEPARATES))):
        for letters, bars in ((False, _BARS_SEPARATE), (True, _BARS_ARE_ONES), (True, _BARS_SEPARATE)):
            text = numerals.translate(bars).translate(_LETTERS if letters else _ROUNDS_SEPARATE)
            if text not in seen:
                seen.add(text)
                yield Reading(text, letters)


def spoken_digits(folded: str) -> str:
    """Chinese numerals, formal, ancient and spoken on the phone (幺 两 拐 勾 洞), as digits."""
    return "".join(map(_spoken, folded))


@lru_cache(maxsize=8192)
def _spoken(character: str) -> str:
    if character in _SPOKEN:
        return _SPOKEN[character]
    value = unicodedata.numeric(character, -1.0) if unicodedata.category(character) == "Lo" else -1.0
    return str(int(value)) if value in range(10) else character


@lru_cache(maxsize=8192)
def may_be_digit(character: str) -> bool:
    """Whether any reading of a folded text has a digit where this character stands."""
    return character.isdigit() or character in BORROWED or _spoken(character).isdigit()


@lru_cache(maxsize=8192)
def _sorted_out(character: str) -> str:
    if character in _ROUND or character in _BARS:
        return character
    if character in _CROSSES:
        return "x"
    if character in _SEPARATING_WORDS or unicodedata.category(character)[0] in "PSZ":
        return " "
    return character
