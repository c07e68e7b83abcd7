"""The words of a text, as the search in notes knows them. Pure.

A text is folded (NFKC, no upper case) and cut into runs. A run of Han characters gives every two neighbours in it: 口罩吗 gives
口罩 and 罩吗; a run of one gives that one. A run of other letters and digits is one word: N95口罩 gives n95 and 口罩. What is
neither parts words and means nothing: no character is a wildcard.

A post answers to a question when its note and the names of its items, Chinese and English, have every word of the question.
"""

import re
import unicodedata
from functools import lru_cache
from operator import add
from typing import Final

FEWEST: Final = 2  # letters, digits or characters in a question
Term = tuple[str, ...]
"""A word that is asked for, and the words of the items whose names have it: a post has the term that has any of them."""

LONGEST: Final = 40  # of a question, folded; hence also of a word: what is longer can never be asked for
LONGEST_ROW: Final = 65  # an item's code with its mark
_HAN: Final = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_RUNS: Final = re.compile(f"([{_HAN}]+)|([^\\W_{_HAN}]+)")


def fold(text: str) -> str:
    """Full-width letters as plain ones, no upper case: as texts are compared."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def words_of(*texts: str) -> frozenset[str]:
    """The words of these texts together."""
    found: set[str] = set()
    for text in texts:
        for run in _RUNS.finditer(fold(text)):
            han, other = run.groups()
            if han is None:
                if len(other) <= LONGEST:
                    found.add(other)
            else:
                found.update((han,) if len(han) == 1 else map(add, han, han[1:]))
    return frozenset(found)


words_of_names = lru_cache(maxsize=4096)(words_of)


def item_word(code: str) -> str:
    """What stands for an item among the words of its posts: no text has such a word, for its mark parts words."""
    return f"#{code}"


def letters_in(text: str) -> int:
    """How many letters, digits and characters of it count."""
    return sum(len(run[0]) for run in _RUNS.finditer(fold(text)))
