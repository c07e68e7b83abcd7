"""Databases on the one PostgreSQL server of the run: the next test's is made while this one runs."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine


class Spares:
    """Copies of one template. `one()` lends a database that is dropped behind its back once it is given back."""

    def __init__(self, url: str, engine: AsyncEngine) -> None:
        self._url = make_url(url)
        self._engine = engine
        self._template = f"template_{secrets.token_hex(8)}"
        self._next: asyncio.Task[str] | None = None
        self._going: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def of(cls, url: str) -> AsyncIterator[Self]:
        engine = create_async_engine(url, isolation_level="AUTOCOMMIT", pool_size=3)
        found = cls(url, engine)
        yield found
        await asyncio.gather(*found._going, *([found._next] if found._next else []))
        await engine.dispose()

    async def template(self) -> str:
        """The address of the template, to be filled before the first is lent. Nobody may be connected to it then."""
        await self._say(f'CREATE DATABASE "{self._template}"')
        return self._address(self._template)

    @asynccontextmanager
    async def one(self) -> AsyncIterator[str]:
        name = await (self._next or self._make())
        self._next = asyncio.create_task(self._make())
        yield self._address(name)
        going = asyncio.create_task(self._say(f'DROP DATABASE "{name}" WITH (FORCE)'))
        self._going.add(going)
        going.add_done_callback(self._going.discard)

    async def _make(self) -> str:
        name = f"t_{secrets.token_hex(8)}"
        await self._say(f'CREATE DATABASE "{name}" TEMPLATE "{self._template}" STRATEGY FILE_COPY')
        return name

    async def _say(self, statement: str) -> None:
        async with self._engine.connect() as connection:
            await connection.execute(text(statement))

    def _address(self, name: str) -> str:
        return self._url.set(database=name).render_as_string(hide_password=False)
