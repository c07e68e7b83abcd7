"""A load generator: keep-alive connections that ask again as soon as they are answered. Raw, so that its own core suffices."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"
_PATIENCE_S: Final = 30.0

Next = Callable[[], bytes]  # the next request, ready to be sent


class BadAnswer(Exception):
    """An answer that was not expected; the message holds its beginning."""


@dataclass(frozen=True, slots=True)
class Driven:
    """So many answers in so many seconds."""

    answers: int
    seconds: float

    @property
    def a_second(self) -> float:
        return self.answers / self.seconds


def request(method: str, path: str, token: str, *, body: bytes = b"", headers: str = "") -> bytes:
    """HTTP/1.1 as it goes over the line."""
    sent = f"content-type: application/json\r\ncontent-length: {len(body)}\r\n" if body else ""
    head = f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\n{sent}{headers}\r\n"
    return head.encode() + body


class _Line(asyncio.Protocol):
    """One connection. `status`: what every answer must have; `answered` is told of each and says whether to go on."""

    def __init__(self, following: Next, status: int, answered: Callable[[], bool]) -> None:
        self._following = following
        self._status = f"HTTP/1.1 {status} ".encode()
        self._answered = answered
        self._held = b""
        self.over: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._following())

    def data_received(self, data: bytes) -> None:
        self._held = data if not self._held else self._held + data
        end = self._held.find(_END)
        if end < 0:
            return
        at = self._held[:end].lower().find(_LENGTH) if self._held.startswith(self._status) else -1
        if at < 0:
            self._end(BadAnswer(self._held[:500].decode(errors="replace")))
            return
        length = int(self._held[at + len(_LENGTH) : self._held.find(b"\r\n", at)])
        if len(self._held) < end + len(_END) + length:
            return
        last, self._held = self._held, b""
        if self._answered():
            self._transport.write(self._following())
        else:
            self.over.set_result(last[end + len(_END) :])

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(BadAnswer("the connection was closed"))

    def close(self) -> None:
        self._transport.close()

    def _end(self, problem: Exception) -> None:
        if not self.over.done():
            self.over.set_exception(problem)


async def drive(port: int, following: Next, *, status: int, connections: int, seconds: float) -> Driven:
    """Ask for so many seconds, over so many connections. Raises `BadAnswer` for any that has not this status."""
    answers = 0
    until = time.perf_counter() + seconds

    def answered() -> bool:
        nonlocal answers
        answers += 1
        return time.perf_counter() < until

    begun = time.perf_counter()
    await _until_over(port, lambda: _Line(following, status, answered), connections, seconds + _PATIENCE_S)
    return Driven(answers, time.perf_counter() - begun)


async def one(port: int, asked: bytes, *, status: int) -> bytes:
    """The body of a single answer."""
    return (await _until_over(port, lambda: _Line(lambda: asked, status, lambda: False), 1, _PATIENCE_S))[0]


async def _until_over(port: int, line: Callable[[], _Line], connections: int, patience_s: float) -> list[bytes]:
    """The last answer of each connection. The first bad one ends them all."""
    loop, lines = asyncio.get_running_loop(), []
    try:
        async with asyncio.timeout(patience_s):
            for _ in range(connections):
                lines.append((await loop.create_connection(line, "127.0.0.1", port))[1])
            return await asyncio.gather(*(each.over for each in lines))
    finally:
        for each in lines:
            each.close()
