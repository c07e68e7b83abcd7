"""A line to a server that a test can hold up: what the server says then waits, as behind a stalled network."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit


class Line:
    def __init__(self) -> None:
        self.url = ""
        self.opened = 0  # connections so far
        self.open = 0  # connections now
        self.flows = asyncio.Event()  # cleared: the server's words are held back, none is lost
        self.flows.set()


@asynccontextmanager
async def to_server(url: str) -> AsyncIterator[Line]:
    """A loopback port that leads to the server at `url`."""
    there = urlsplit(url)
    line = Line()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line.opened += 1
        line.open += 1
        far_reader, far_writer = await asyncio.open_connection(there.hostname, there.port)
        ways = (
            asyncio.create_task(_carry(reader, far_writer, None)),
            asyncio.create_task(_carry(far_reader, writer, line.flows)),
        )
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.wait(ways)
        for end in (writer, far_writer):
            end.close()
            with suppress(OSError):
                await end.wait_closed()
        line.open -= 1

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    line.url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
    try:
        yield line
    finally:
        line.flows.set()
        server.close()
        await server.wait_closed()
        async with asyncio.timeout(10):
            while line.open:  # noqa: ASYNC110 — they end by themselves when the client has closed
                await asyncio.sleep(0.005)


async def _carry(source: asyncio.StreamReader, target: asyncio.StreamWriter, flows: asyncio.Event | None) -> None:
    with suppress(OSError):
        while words := await source.read(65536):
            if flows is not None:
                await flows.wait()
            target.write(words)
            await target.drain()
