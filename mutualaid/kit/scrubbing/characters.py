"""Characters that a text may not hold at all: they hide or turn round what a reader sees. Refused at the door (422)."""

import unicodedata
from typing import Final, Literal

from mutualaid.kit.scrubbing.fold import INVISIBLE_LETTERS

Refused = Literal["bidi_control", "zero_width", "control_character", "not_a_character"]

_BIDI: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_JOINER: Final = "\u200d"
_JOINER_OF_WORDS: Final = "\u034f"  # without ink like the format characters, but counted as a mark
_WITHOUT_INK: Final = INVISIBLE_LETTERS | {_JOINER_OF_WORDS}
_BLACK_FLAG: Final = "\U0001f3f4"
_LONGEST_FLAG: Final = 7  # the flag, up to five letters, the closing tag
_SKIN_TONES: Final = "\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"
_STYLES: Final = "\ufe0e\ufe0f"


def refused_characters(text: str) -> list[Refused]:
    """The reasons, each once, in order of appearance; empty for a text that may stay.

    Allowed: line breaks (\\n, and \\r\\n as forms send it), joiners and tags inside emoji, variation selectors.
    """
    if text.isprintable() and _WITHOUT_INK.isdisjoint(text):  # no category below is ever printable
        return []
    reasons: dict[Refused, None] = {}
    for at, character in enumerate(text):
        if (reason := _reason(text, at, character)) is not None:
            reasons[reason] = None
    return list(reasons)


def _reason(text: str, at: int, character: str) -> Refused | None:
    if character in _BIDI:
        return "bidi_control"
    category = unicodedata.category(character)
    if category in ("Cc", "Zl", "Zp"):
        breaks_line = character == "\n" or text[at : at + 2] == "\r\n"
        return None if breaks_line else "control_character"
    if category == "Cs" or ord(character) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(character) <= 0xFDEF:
        return "not_a_character"  # lone halves of surrogate pairs cannot be stored, the others are never text
    if category == "Cf" or character in INVISIBLE_LETTERS or character == _JOINER_OF_WORDS:
        return None if _inside_emoji(text, at, character) else "zero_width"
    return None


def _inside_emoji(text: str, at: int, character: str) -> bool:
    if character == _JOINER:
        before = text[max(0, at - 3) : at].rstrip(_STYLES + _SKIN_TONES)
        return _is_pictured(before[-1:]) and _is_pictured(text[at + 1 : at + 2])
    if 0xE0020 <= ord(character) <= 0xE007F:  # flags of regions: a black flag, then letters as tags
        return _BLACK_FLAG in text[max(0, at - _LONGEST_FLAG) : at]
    return False


def _is_pictured(character: str) -> bool:
    return character != "" and unicodedata.category(character) == "So"
