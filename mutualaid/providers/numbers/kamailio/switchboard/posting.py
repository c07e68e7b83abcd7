"""POST over connections that are kept: a call waits for each of these, and a general client costs more than the service does."""

import asyncio
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import httptools

_LONGEST: Final = 65_536  # bytes of an answer
_KEPT: Final = 32  # idle connections


class Unreachable(Exception):
    """No answer, or none in HTTP."""


@dataclass(slots=True)
class _Answer:
    """What httptools reads, part by part; whether the connection lasts is known when the headers are."""

    parser: httptools.HttpResponseParser | None = None
    body: bytearray = field(default_factory=bytearray)
    whole: bool = False
    lasts: bool = False

    def on_headers_complete(self) -> None:
        assert self.parser is not None
        self.lasts = self.parser.should_keep_alive()

    def on_body(self, part: bytes) -> None:
        self.body += part

    def on_message_complete(self) -> None:
        self.whole = True


class Poster:
    """`base`: an http or https address; `headers`: sent each time. JSON goes there, whatever comes back is bytes."""

    def __init__(self, base: str, headers: dict[str, str], *, patience_s: float) -> None:
        where = urlsplit(base)
        self._tls = where.scheme == "https"
        self._host, self._port = where.hostname or "", where.port or (443 if self._tls else 80)
        self._path = where.path.rstrip("/")
        given = {"Host": where.netloc, "Content-Type": "application/json", **headers}
        self._head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        self._patience_s = patience_s
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    def close(self) -> None:
        while self._idle:
            self._idle.pop()[1].close()

    async def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """(status, body). Raises `Unreachable`."""
        start = f"POST {self._path}{path} HTTP/1.1\r\n{self._head}Content-Length: {len(body)}\r\n\r\n"
        message = start.encode() + body
        try:
            async with asyncio.timeout(self._patience_s):
                while self._idle:  # one that was kept may have been closed over there meanwhile
                    if (told := await self._exchange(*self._idle.pop(), message, fresh=False)) is not None:
                        return told
                opened = await asyncio.open_connection(self._host, self._port, ssl=self._tls or None)
                told = await self._exchange(*opened, message, fresh=True)
        except (OSError, TimeoutError, httptools.HttpParserError):
            raise Unreachable from None
        if told is None:
            raise Unreachable
        return told

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, message: bytes, *, fresh: bool
    ) -> tuple[int, bytes] | None:
        """None where the connection was closed before it said anything."""
        keep = False
        answer = _Answer()
        answer.parser = parser = httptools.HttpResponseParser(answer)
        try:
            writer.write(message)
            while not answer.whole:
                part = await reader.read(_LONGEST)
                if not part or len(answer.body) > _LONGEST:
                    return None
                parser.feed_data(part)
            keep = answer.lasts and len(self._idle) < _KEPT
            return parser.get_status_code(), bytes(answer.body)
        except ConnectionError:
            if fresh:
                raise
            return None
        finally:
            answer.parser = None  # the two hold each other
            if keep:
                self._idle.append((reader, writer))
            else:
                writer.close()
