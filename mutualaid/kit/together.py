"""SQLite's writers together: what comes while the disk is at work is written in one transaction and synced once.

Each deed has a savepoint of its own, so that one that is refused leaves nothing and spoils no other; none is told that it
is done before the commit that holds it is on the disk. One task writes for all, and ends when nobody waits.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from mutualaid.kit.direct import Direct
from mutualaid.kit.plain import Plain, SqlitePlain
from mutualaid.kit.ring import KeyRing

Deed = Callable[[Plain], Awaitable[Any]]

_MOST: Final = 64  # deeds a transaction: other writers wait for it


class Together:
    """`writing` holds off all other writers of this process; `connect` opens the connection that is kept; `committed` is
    told the bells to ring."""

    def __init__(
        self,
        ring: KeyRing,
        *,
        writing: Callable[[], AbstractAsyncContextManager[None]],
        connect: Callable[[], Awaitable[Direct]],
        committed: Callable[[set[str]], Awaitable[None]],
    ) -> None:
        self._ring = ring
        self._writing = writing
        self._connect = connect
        self._committed = committed
        self._waiting: deque[tuple[Deed, asyncio.Future[Any]]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._connection: Direct | None = None

    async def do(self, deed: Deed) -> Any:
        """The deed's result, once it is committed. A deed awaits nothing but its statements."""
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((deed, done))
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="writing together")
        return await done

    async def close(self) -> None:
        if self._task is not None:
            await asyncio.wait([self._task])
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._write()
        finally:
            self._task = None

    async def _write(self) -> None:
        """One transaction of those who wait. Whatever ends it ends them all, and leaves nothing of any."""
        begun: list[tuple[asyncio.Future[Any], Any]] = []
        rung: set[str] = set()
        try:
            async with self._writing():
                connection = self._connection = self._connection or await self._connect()
                await connection.begin()
                try:
                    while self._waiting and len(begun) < _MOST:
                        await self._one(connection, begun, rung)
                    await connection.waits("COMMIT")
                except BaseException:
                    await self._undo(connection)
                    raise
        except Exception as problem:
            if not begun and self._waiting:  # nobody's turn had come: it is theirs who waits longest
                begun.append((self._waiting.popleft()[1], None))
            for done, _ in begun:
                if not done.done():
                    done.set_exception(problem)
            return
        try:
            await self._committed(rung)
        finally:
            for done, result in begun:
                if not done.done():
                    done.set_result(result)

    async def _one(self, connection: Direct, begun: list[tuple[asyncio.Future[Any], Any]], rung: set[str]) -> None:
        deed, done = self._waiting.popleft()
        if done.done():  # whoever asked for it has gone
            return
        bells: set[str] = set()
        connection.rows("SAVEPOINT one", ())
        try:
            result = await deed(SqlitePlain(connection, self._ring, bells))
        except Exception as refusal:
            if not connection.in_transaction:  # a fault that undid all of it: a full disk
                begun.append((done, None))
                raise
            connection.rows("ROLLBACK TO one", ())
            if not done.done():
                done.set_exception(refusal)
        else:
            begun.append((done, result))
            rung |= bells
        connection.rows("RELEASE one", ())

    async def _undo(self, connection: Direct) -> None:
        """Nothing is left open; a connection that cannot even do that is given up."""
        try:
            if connection.in_transaction:
                await connection.execute("ROLLBACK")
        except Exception:
            self._connection = None
            await connection.close()
