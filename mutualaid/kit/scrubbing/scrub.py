"""Free text without what would lead round the platform: numbers, chat ids, links, prices."""

from dataclasses import dataclass
from typing import Final, get_args

from mutualaid.kit.scrubbing import numbers, words
from mutualaid.kit.scrubbing.fold import TOKEN, Folded, Kind, Span, fold

# Where findings overlap, the longest gives its name; of equally long ones the earliest in the list of kinds.
_RANK: Final[tuple[Kind, ...]] = get_args(Kind)
_MOST_ROUNDS: Final = 8  # people's texts need two; one built like an onion would need as many as it has skins


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """`text` may be kept and shown; `hits` says what was hidden, one kind for each `〔已隐去〕`, in order of finding.

    `doubtful`: nothing to hide, but a slang word stands there that a moderator might look at.
    """

    text: str
    hits: tuple[Kind, ...]
    doubtful: bool


def scrub(text: str) -> Scrubbed:
    """Hides each finding behind `〔已隐去〕`. Scrubbing again changes nothing more; never raises; linear in the length.

    The result may be longer than the text: a finding of two characters becomes a token of five.
    """
    hits: list[Kind] = []
    for _ in range(_MOST_ROUNDS):
        folded = fold(text)
        found = _merged(folded, [*numbers.find(folded.text), *words.find(folded.text)])
        if not found:
            return Scrubbed(text, tuple(hits), words.is_doubtful(folded.text))
        # Hiding one thing can uncover another beside it: look again.
        hits += [span.kind for span in found]
        text = _hidden(text, found)
    return Scrubbed(TOKEN, tuple(hits), doubtful=True)


def _merged(folded: Folded, spans: list[Span]) -> list[Span]:
    """Spans over the original text; those that overlap or touch become one."""
    merged: list[list[Span]] = []
    end = -1
    for span in sorted(Span(folded.starts[start], folded.ends[stop - 1], kind) for start, stop, kind in spans):
        if span.start > end:
            merged.append([])
        merged[-1].append(span)
        end = max(end, span.end)
    return [Span(group[0].start, max(span.end for span in group), min(group, key=_weight).kind) for group in merged]


def _weight(span: Span) -> tuple[int, int]:
    return span.start - span.end, _RANK.index(span.kind)


def _hidden(text: str, spans: list[Span]) -> str:
    pieces: list[str] = []
    at = 0
    for span in spans:
        pieces += [text[at : span.start], TOKEN]
        at = span.end
    return "".join([*pieces, text[at:]])
