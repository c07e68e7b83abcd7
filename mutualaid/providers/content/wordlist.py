"""Honest without a vendor: a short list of our own, `words.txt` beside this file.

Tuned to ask a moderator rather than to punish: most hits mean REVIEW, since 对头孢过敏 and 非卖品 are innocent. Texts
are folded before the look-up (width, case, and every space, mark or sign between two characters), so that 出 售 and
出·售 are found as well.
"""

import re
import unicodedata
from dataclasses import dataclass
from importlib import resources

from mutualaid.providers.content import LONGEST, Label, Scene, Suggestion, Verdict


@dataclass(frozen=True, slots=True)
class Rule:
    suggestion: Suggestion
    label: Label
    pattern: re.Pattern[str]


def fold(text: str) -> str:
    """Letters and digits only, in one width and one case."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if unicodedata.category(c)[0] in "LN")


def read_rules(listing: str) -> list[Rule]:
    """`SUGGESTION LABEL word word …` a line; a word between slashes is a regular expression over the folded text; `#`
    begins a remark.
    """
    rules = []
    for line in listing.splitlines():
        suggestion, label, *words = line.partition("#")[0].split() or ("", "")
        if words:
            rules.append(Rule(Suggestion(suggestion), Label(label), re.compile("|".join(map(_expression, words)))))
    return rules


def _expression(word: str) -> str:
    if word.startswith("/"):
        return word[1:-1]
    if not (folded := fold(word)):
        raise ValueError("an empty word would be found everywhere")
    return re.escape(folded)


class Wordlist:
    name = "wordlist"
    is_fake = False

    def __init__(self) -> None:
        self._rules = read_rules(resources.files(__package__).joinpath("words.txt").read_text(encoding="utf-8"))

    async def judge(self, text: str, *, scene: Scene = Scene.POST, openid: str | None = None) -> Verdict:
        if len(text) > LONGEST:
            raise ValueError("the text is too long to be judged at once")
        folded = fold(text)
        hits = [rule for rule in self._rules if rule.pattern.search(folded)]
        if not hits:
            return Verdict(Suggestion.PASS)
        worst = Suggestion.RISKY if any(hit.suggestion is Suggestion.RISKY for hit in hits) else Suggestion.REVIEW
        return Verdict(worst, frozenset(hit.label for hit in hits))
