"""scripts/bench matching: the engine alone, from columns in memory; needs no database."""

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any, Final

from benching import sweeps
from benching.markets import MARKETS
from benching.report import Figure

COME: Final = 2_000  # posts that come one after another
BOOK_MOST: Final = 100_000
BESIDE_MOST: Final = 1_000_000

Told = Callable[[str, int, int], None]


def figures(sizes: tuple[int, ...], sets: tuple[str, ...], rounds: int, seed: int, told: Told) -> Iterator[Figure]:
    """Of every market and size, as they come; each measured in a process of its own."""
    for name in sets:
        for posts in sizes:
            label = f"{name}, {posts:,} posts"
            told(label, 0, 4)
            for processes in (1, 2):
                who = f"{processes} process" + "es" * (processes > 1)
                yield Figure(
                    "sweep", name, posts, "whole sweep", who, _apart(sweeps.whole, name, posts, seed, rounds, processes)
                )
                told(label, processes, 4)
            if posts <= BOOK_MOST:
                come = min(COME, max(posts // 5, 20))
                yield Figure(
                    "one post", name, posts, "one more post", "book", _apart(sweeps.arrivals, name, posts, seed, come)
                )
            told(label, 3, 4)
            if posts <= 100_000:
                for who, values in _apart(sweeps.beside, name, posts, seed, rounds).items():
                    yield Figure("beside", name, posts, "same graph, same costs", who, values)
            told(label, 4, 4)


def _apart(measure: Callable[..., Any], *asked: object) -> Any:
    """In a fresh process, whose memory is its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure, *asked).result()


__all__ = ["MARKETS", "figures"]
