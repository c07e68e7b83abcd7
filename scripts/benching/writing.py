"""A writer beside whatever is measured: so many posts change each second, each in a transaction of its own.

`python -m benching.writing URL A_SECOND SECONDS` says how many it changed.
"""

import asyncio
import random
import sqlite3
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Final

import asyncpg
from sqlalchemy.engine import make_url

_IDS: Final = "SELECT id FROM posts ORDER BY id LIMIT 2000"

Change = Callable[[str], Awaitable[None]]


async def write(url: str, a_second: int, seconds: float) -> int:
    """Changes posts evenly over the time, or as fast as the database lets it."""
    ids, change = await (_postgresql if url.startswith("postgresql") else _sqlite)(url)
    drawn, begun, done = random.Random(1), time.monotonic(), 0
    while (passed := time.monotonic() - begun) < seconds:
        if done < passed * a_second:
            await change(drawn.choice(ids))
            done += 1
        else:
            await asyncio.sleep(0.5 / a_second)
    return done


async def _sqlite(url: str) -> tuple[list[str], Change]:
    connection = sqlite3.connect(make_url(url).database or "", isolation_level=None)
    connection.execute("PRAGMA synchronous=FULL")

    async def change(post_id: str) -> None:
        connection.execute("UPDATE posts SET contacted = contacted + 1 WHERE id = ?", (post_id,))

    return [row[0] for row in connection.execute(_IDS)], change


async def _postgresql(url: str) -> tuple[list[str], Change]:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))

    async def change(post_id: str) -> None:
        await connection.execute("UPDATE posts SET contacted = contacted + 1 WHERE id = $1", post_id)

    return [row[0] for row in await connection.fetch(_IDS)], change


if __name__ == "__main__":
    print(asyncio.run(write(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))))
