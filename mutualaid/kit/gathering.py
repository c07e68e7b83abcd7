"""Asked by many at once: what comes while an answer is under way goes out with the next, in one lot."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

from mutualaid.kit.errors import Overloaded

Q = TypeVar("Q")
A = TypeVar("A")

_MOST: Final = 32  # a lot: who stands behind it waits for it
_PATIENCE_S: Final = 5.0  # for an answer: a database that is cut off would hold up all who come after


class Gathering(Generic[Q, A]):
    """`send` is given a lot and says the answers in its order; what it raises, all of the lot are told, and 503 where it takes
    longer than `patience_s`: then it is cancelled."""

    def __init__(
        self, send: Callable[[Sequence[Q]], Awaitable[Sequence[A]]], *, patience_s: float = _PATIENCE_S
    ) -> None:
        self._send = send
        self._patience_s = patience_s
        self._waiting: list[tuple[Q, asyncio.Future[A]]] = []
        self._task: asyncio.Task[None] | None = None

    async def ask(self, question: Q) -> A:
        """The answer of the lot that this goes with, which has not gone out yet."""
        answered: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answered))
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="asking together")
        return await answered

    async def close(self) -> None:
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            while self._waiting:
                lot, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
                await self._answer([each for each in lot if not each[1].done()])  # but for those who have gone
        finally:
            self._task = None

    async def _answer(self, lot: Sequence[tuple[Q, asyncio.Future[A]]]) -> None:
        try:
            async with asyncio.timeout(self._patience_s) as waiting:
                answers = await self._send([question for question, _ in lot]) if lot else []
            for (_, answered), answer in zip(lot, answers, strict=True):
                if not answered.done():
                    answered.set_result(answer)
        except Exception as problem:
            told = Overloaded(retry_after=2) if waiting.expired() else problem
            for _, answered in lot:
                if not answered.done():
                    answered.set_exception(told)
        finally:
            for _, answered in lot:
                answered.cancel()  # nobody waits for ever, should this task be ended
