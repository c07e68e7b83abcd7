"""Known and unknown phones cannot be told apart, by what is answered or by how long it takes."""

import time
from collections.abc import Sequence

import pytest

from tests.figures import Figure
from tests.harness import House, Person


def _auc(known: Sequence[float], unknown: Sequence[float]) -> float:
    """How well the time tells the two apart: 0.5 not at all, 1.0 always (folded: either may be the slower one)."""
    ranked = sorted([(t, True) for t in known] + [(t, False) for t in unknown])
    ranks = sum(rank for rank, (_, is_known) in enumerate(ranked, 1) if is_known)
    share = (ranks - len(known) * (len(known) + 1) / 2) / (len(known) * len(unknown))
    return max(share, 1 - share)


async def _ask(person: Person) -> tuple[float, str]:
    began = time.perf_counter()
    answer = await person.post("/sessions/otp", {"phone": person.phone})
    took = time.perf_counter() - began
    assert answer.status_code == 202 and set(answer.json()) == {"challenge", "expires_in"}
    return took, answer.json()["challenge"]


async def _guess(person: Person, challenge: str) -> tuple[float, str]:
    began = time.perf_counter()
    answer = await person.post("/sessions", {"challenge": challenge, "code": "000000"})
    return time.perf_counter() - began, answer.text


@pytest.mark.deep("uniform_answers", n=1000, to_reach=0.55)
async def test_asking_and_guessing_take_as_long_for_known_as_for_unknown_phones(house: House, figure: Figure) -> None:
    known = [await house.newcomer() for _ in range(10)]
    asked: dict[bool, list[float]] = {True: [], False: []}
    guessed: dict[bool, list[float]] = {True: [], False: []}
    bodies: dict[bool, set[str]] = {True: set(), False: set()}

    for n in range(1000):
        for is_known in (n % 2 == 0, n % 2 == 1):  # neither is always the first
            person = Person(house, known[n % 10].phone) if is_known else house.stranger()
            took, challenge = await _ask(person)
            asked[is_known].append(took)
            took, body = await _guess(person, challenge)
            guessed[is_known].append(took)
            bodies[is_known].add(body)

    found = {"asking": _auc(asked[True], asked[False]), "guessing": _auc(guessed[True], guessed[False])}
    figure.keep(auc=found, bodies=len(bodies[True] | bodies[False]))
    assert bodies[True] == bodies[False] and len(bodies[True]) == 1
    assert max(found.values()) <= 0.55
