"""How long each way takes for a page of the plaza, and whether the page is right.

The ways take turns, round by round, each with the same questions. Of every form of question the first answers are compared
with brute force.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median

from benching.questions import A_PAGE, Question
from benching.truth import Truth
from benching.ways import Ask

Questions = Mapping[str, Sequence[Question]]  # by the name of their form
Answers = dict[tuple[str, str, int], list[str]]  # form, way, number of the question


@dataclass(frozen=True, slots=True)
class Took:
    """Milliseconds, the median over the rounds; `n` questions in all."""

    n: int
    p50_ms: float
    p99_ms: float

    @classmethod
    def of(cls, rounds: Sequence[Sequence[float]]) -> "Took":
        p50, p99 = (median(at(seconds, share) for seconds in rounds) for share in (0.5, 0.99))
        return cls(sum(map(len, rounds)), p50 * 1000, p99 * 1000)


def at(values: Sequence[float], share: float) -> float:
    """The value that this share of them do not exceed (the nearest rank)."""
    return sorted(values)[ceil(share * len(values)) - 1]


async def measure(
    ways: Mapping[str, Ask], questions: Questions, *, rounds: int, told: Callable[[int, int], None]
) -> tuple[dict[tuple[str, str], Took], Answers]:
    """(form, way) → how long it took, and every answer."""
    took: dict[tuple[str, str], list[list[float]]] = defaultdict(list)
    answers: Answers = {}
    for n, (form, asked) in enumerate(questions.items()):
        told(n, len(questions))
        # statements are compiled the first time; whoever has no answer then is not asked again
        able = {way: ask for way, ask in ways.items() if await ask(asked[0]) is not None}
        for first in range(rounds):
            for way, ask in able.items():
                seconds = []
                for number in range(first, len(asked), rounds):
                    begun = time.perf_counter()
                    answers[form, way, number] = await ask(asked[number]) or []
                    seconds.append(time.perf_counter() - begun)
                took[form, way].append(seconds)
    told(len(questions), len(questions))
    return {key: Took.of(each) for key, each in took.items()}, answers


def check(
    truth: Truth, questions: Questions, answers: Answers, ways: Collection[str], *, each: int
) -> dict[str, tuple[int, int]]:
    """Way → (how many of its answers were compared, how many of them are wrong): `each` of every form."""
    compared: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for form, asked in questions.items():
        right = [truth.answer(question, A_PAGE) for question in asked[:each]]
        for (of_form, way, number), answer in answers.items():
            if of_form == form and way in ways and number < each:
                compared[way] += 1
                wrong[way] += answer != right[number]
    return {way: (compared[way], wrong[way]) for way in compared}
