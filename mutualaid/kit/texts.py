"""Texts in two languages by gettext: the msgid is the English sentence, `locale/zh_Hans` holds the Chinese one."""

import gettext
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal

Language = Literal["zh-Hans", "en"]
DEFAULT: Language = "zh-Hans"

_MOST_READ = 500  # characters of a header that lists a reader's languages
_LOCALE = Path(__file__).parent.parent / "locale"


def N_(msgid: str) -> str:
    """Mark a sentence as one that will be said; it is translated when the reader is known."""
    return msgid


@cache
def translations(language: Language) -> gettext.NullTranslations:
    if language == "en":
        return gettext.NullTranslations()
    return gettext.translation("mutualaid", _LOCALE, languages=[language.replace("-", "_")])


def say(msgid: str, language: Language, /, **params: object) -> str:
    """The sentence in the reader's language, `{names}` filled in. A mapping's values are not translated."""
    sentence = translations(language).gettext(msgid)
    return sentence.format_map(_Shown(params)) if params else sentence


class _Shown(dict[str, Any]):
    """A sentence that lost a parameter is still said, rather than failing where an error is being explained."""

    def __init__(self, params: Mapping[str, object]) -> None:
        super().__init__(params)

    def __missing__(self, key: str) -> str:
        return "…"


def preferred(accept_language: str | None) -> Language:
    """zh-Hans unless the reader ranks English above Chinese (RFC 9110 §12.5.4)."""
    return _ranked((accept_language or "")[:_MOST_READ])


@lru_cache(maxsize=1_024)
def _ranked(accept_language: str) -> Language:
    best: tuple[float, Language] = (0.0, DEFAULT)
    for part in accept_language.split(","):
        tag, _, weight = part.strip().partition(";")
        language: Language | None = {"zh": DEFAULT, "en": "en"}.get(tag.strip().lower().split("-")[0])
        try:
            q = float(weight.strip().removeprefix("q=")) if weight else 1.0
        except ValueError:
            continue
        if language is not None and q > best[0]:
            best = (q, language)
    return best[1]
