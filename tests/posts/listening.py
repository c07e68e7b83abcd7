"""Somebody who listens to the plaza's stream: the application is asked as a server asks it, without a socket."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message

PATIENCE_S = 10.0


@dataclass
class Event:
    name: str
    data: dict[str, Any]
    place: str


@dataclass
class Ear:
    """What was heard so far. `status` is there once the answer has begun; `placed` once the place was told, `ended` once it
    is over."""

    events: list[Event] = field(default_factory=list)
    status: int = 0
    type: str = ""
    place: str = ""
    began: asyncio.Event = field(default_factory=asyncio.Event)
    placed: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    _came: asyncio.Event = field(default_factory=asyncio.Event)
    _left: asyncio.Event = field(default_factory=asyncio.Event)
    _text: str = ""
    _asked: bool = False

    async def receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.type = dict(message["headers"])[b"content-type"].decode()
            return
        self._text += message.get("body", b"").decode()
        while "\n\n" in self._text:
            block, _, self._text = self._text.partition("\n\n")
            self._heard(dict(line.split(": ", 1) for line in block.splitlines() if ": " in line))
        self.began.set()
        if not message.get("more_body"):
            self.ended.set()

    def _heard(self, fields: dict[str, str]) -> None:
        if "id" in fields:
            self.place = fields["id"]
            self.placed.set()
        if "event" in fields:
            self.events.append(Event(fields["event"], json.loads(fields["data"]), self.place))
            self._came.set()

    async def one(self) -> Event:
        """The next event, waited for."""
        async with asyncio.timeout(PATIENCE_S):
            while not self.events:
                self._came.clear()
                await self._came.wait()
        return self.events.pop(0)

    async def next(self, count: int) -> list[tuple[str, str]]:
        """(name, post) of the next so many events."""
        heard = [await self.one() for _ in range(count)]
        return [(event.name, event.data.get("id", "")) for event in heard]

    def leave(self) -> None:
        self._left.set()


@asynccontextmanager
async def listening(
    app: ASGIApp, query: str = "", *, path: str = "/api/v1/plaza/stream", **headers: str
) -> AsyncIterator[Ear]:
    """An ear at the stream within the block, its answer begun."""
    ear = Ear()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 5),
        "server": ("testserver", 80),
    }

    async def ask() -> None:
        await app(scope, ear.receive, ear.send)

    answering = asyncio.create_task(ask())
    try:
        async with asyncio.timeout(PATIENCE_S):
            await ear.began.wait()
        yield ear
    finally:
        ear.leave()
        await asyncio.wait([answering], timeout=PATIENCE_S)
        assert answering.done()
        answering.result()
