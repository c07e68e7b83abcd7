"""Thousands who only listen: one process holds them all, tells them all, and lets them all go when it ends."""

import asyncio
import resource
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.faults.test_planted import Neighbour
from tests.figures import Figure
from tests.harness import API, a_need
from tests.instances import an_instance

TOLD_WITHIN_S = 20.0


@asynccontextmanager
async def a_listener(url: str) -> AsyncIterator[asyncio.StreamReader]:
    """One more, over a socket of their own, welcomed."""
    where = urlsplit(url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write(f"GET {API}/plaza/stream HTTP/1.1\r\nhost: x\r\n\r\n".encode())
    await reader.readuntil(b"retry: 2000\n\n")
    try:
        yield reader
    finally:
        writer.close()


async def told(url: str, count: int, publish: Neighbour) -> tuple[float, float]:
    """So many listen until a post has reached each: (seconds until the last was told, seconds to let them in)."""
    welcomed, ready = 0, asyncio.Event()

    async def listen() -> None:
        nonlocal welcomed
        async with a_listener(url) as reader:
            welcomed += 1
            if welcomed == count:
                ready.set()
            await reader.readuntil(b"event: post.opened\n")

    began = time.monotonic()
    async with asyncio.TaskGroup() as everybody, asyncio.timeout(120):
        for _ in range(count):
            everybody.create_task(listen())
        await ready.wait()
        let_in = time.monotonic() - began
        answer = await asyncio.to_thread(publish.ask, "POST", "/posts", a_need())
        assert answer.status_code == 201, answer.text
        published = time.monotonic()
    return time.monotonic() - published, let_in


def _of_metrics(client: httpx2.Client, name: str) -> float:
    lines = client.get("/metrics").text.splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith(f"{name} ")))


async def _listened(template: Path, folder: Path, count: int) -> dict[str, float]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 2 * count + 500)), hard))
    with an_instance(template, folder) as running, httpx2.Client(base_url=running.url, timeout=60) as client:
        author = await asyncio.to_thread(Neighbour(running, client, "13900000001").sign_in, "王小明", 7)
        before = _of_metrics(client, "process_resident_memory_bytes")
        seconds, let_in = await told(running.url, count, author)
        after = _of_metrics(client, "process_resident_memory_bytes")
        assert client.get(f"{API}/posts").status_code == 200
    return {
        "listeners": count,
        "told_within_s": round(seconds, 3),
        "let_in_within_s": round(let_in, 3),
        "memory_kb_each": round((after - before) / 1024 / count, 1),
    }


async def test_some_hundred_listen_and_all_are_told(template_data: Path, sqlite_template: Path, tmp_path: Path) -> None:
    found = await _listened(template_data, tmp_path, 150)
    assert found["told_within_s"] < TOLD_WITHIN_S


@pytest.mark.deep("listeners", n=2_000)
async def test_two_thousand_listen_to_one_process(
    template_data: Path, sqlite_template: Path, tmp_path: Path, figure: Figure
) -> None:
    found = await _listened(template_data, tmp_path, 2_000)
    assert found["told_within_s"] < TOLD_WITHIN_S
    figure.keep(**found)
