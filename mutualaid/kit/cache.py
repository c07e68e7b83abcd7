"""The cache: Redis or Valkey for limits, bells and short memories. It may vanish, be flushed or roll back any moment.

So nothing here is ever the truth, and nobody waits long for it: a command has `PATIENCE_S`, is not repeated, and after
a loss only one caller in `REST_S` asks again, while all others hear `CacheLost` at once.

A connection whose command was cancelled or ran out of time is closed by redis-py (8.x) before it goes back to the pool:
a late answer cannot reach the next caller. The tests hold it to that, since an earlier release did not.

`memory://` is one process with no server. What counts and rings there does so in the process itself (`embedded`); only
a plain command opens the in-process Redis, whose import would cost each small installation 28 MB and a second of start.
"""

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final

PATIENCE_S: Final = 0.5
REST_S: Final = 1.0

_CONNECTIONS = 8  # a loop that answers in a fraction of a millisecond needs few; a burst must not connect at once
_QUIET_S = 1.0  # a subscription silent for so long is asked whether it lives

Word = bytes | str | int | float


class CacheLost(Exception):
    """The cache does not answer, or not as it should. The cause is chained; the message holds nothing."""

    def __init__(self) -> None:
        super().__init__("the cache is lost")


class Script:
    """A Lua script, known to the server by its digest."""

    __slots__ = ("digest", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()  # the server's own name for it


class Cache:
    """One client for a process. `connect` makes redis-py's; `embedded` says that there is no server behind it.

    patience_s: seconds that a command may take before the cache counts as lost; None for as long as it takes.
    """

    def __init__(
        self,
        connect: Callable[[], Any],
        *,
        embedded: bool = False,
        patience_s: float | None = PATIENCE_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.embedded = embedded
        self._patience_s = patience_s
        self._connect = connect
        self._client: Any = None
        self._monotonic = monotonic
        self._turns = asyncio.Semaphore(_CONNECTIONS)
        self._lost = False
        self._asks_again_at = 0.0

    async def command(self, *words: Word) -> Any:
        """One command and its answer, undecoded. Raises `CacheLost`."""
        return await self._ask(lambda client: client.execute_command(*words))

    async def run(self, script: Script, keys: Sequence[str], arguments: Sequence[Word]) -> Any:
        """Run a script on keys that lie in one slot (`{tag}`), and hand back its answer. Raises `CacheLost`."""
        return await self._ask(lambda client: _run(client, script, keys, arguments))

    async def available(self) -> bool:
        """Does it answer now? Asked by /readyz; an embedded one always does."""
        if self.embedded:
            return True
        try:
            await self._ask(lambda client: client.execute_command("PING"), at_once=True)
        except CacheLost:
            return False
        return True

    async def messages(self, channel: str) -> AsyncGenerator[bytes | None, None]:
        """What is published on `channel`: first None, once the subscription stands, then each message.

        Ends only by `CacheLost`; a server that went silent is noticed within `2 × _QUIET_S`. Close the iterator
        (`contextlib.aclosing`): its connection is dropped then.
        """
        async with AsyncExitStack() as stack:
            try:
                client = self._opened()
                async with asyncio.timeout(self._patience_s):
                    await client.initialize()  # a cluster's map of nodes: its subscriptions do not ask for it
                    heard = client.pubsub()
                    stack.push_async_callback(_drop, heard)
                    await heard.subscribe(channel)
                asked = False
                while True:
                    message = await heard.get_message(timeout=_QUIET_S)
                    if message is None:
                        if asked:
                            raise TimeoutError
                        await heard.ping()
                        asked = True
                        continue
                    asked = False
                    if message["type"] == "subscribe":
                        yield None
                    elif message["type"] == "message":
                        yield message["data"]
            except Exception as problem:
                if not _is_loss(problem):
                    raise
                raise CacheLost from problem

    async def close(self) -> None:
        """Close every connection."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _opened(self) -> Any:
        if self._client is None:
            self._client = self._connect()
        return self._client

    async def _ask(self, question: Callable[[Any], Awaitable[Any]], *, at_once: bool = False) -> Any:
        if self._lost:
            now = self._monotonic()
            if now < self._asks_again_at and not at_once:
                raise CacheLost
            # This one asks; the others do not wait for its answer.
            self._asks_again_at = now + (self._patience_s or 0) + REST_S
        try:
            async with asyncio.timeout(self._patience_s), self._turns:
                answer = await question(self._opened())
        except asyncio.CancelledError:
            self._asks_again_at = 0.0  # the one who asked went away without an answer: the next may ask
            raise
        except Exception as problem:
            if not _is_loss(problem):
                raise
            self._lost = True
            self._asks_again_at = self._monotonic() + REST_S
            raise CacheLost from problem
        self._lost = False
        return answer


async def _run(client: Any, script: Script, keys: Sequence[str], arguments: Sequence[Word]) -> Any:
    from redis.exceptions import NoScriptError

    try:
        return await client.execute_command("EVALSHA", script.digest, len(keys), *keys, *arguments)
    except NoScriptError:  # a new or flushed server: EVAL also makes it known
        return await client.execute_command("EVAL", script.text, len(keys), *keys, *arguments)


async def _drop(heard: Any) -> None:
    """Close a subscription's connection, whatever state it is in."""
    try:
        await heard.aclose()
    except Exception as problem:
        if not _is_loss(problem):
            raise


def _is_loss(problem: Exception) -> bool:
    """Whatever redis-py raises is a loss: also a replica, full memory, a cluster without its slots, a wrong password."""
    from redis.exceptions import RedisError

    return isinstance(problem, RedisError | OSError)  # time-outs are OSErrors


async def open_cache(url: str, *, patience_s: float = PATIENCE_S) -> Cache:
    """`memory://`, `redis://`, `rediss://` or `redis+cluster://`. A server that is away now may come later."""
    scheme = url.partition("://")[0]
    if scheme == "memory":
        return Cache(_in_process, embedded=True, patience_s=None)  # nobody there who could be away: it is only slow
    if scheme not in ("redis", "rediss", "redis+cluster"):
        raise ValueError("the cache's address begins with memory://, redis://, rediss:// or redis+cluster://")
    connect = _cluster if scheme == "redis+cluster" else _single
    cache = Cache(connect(url, patience_s), patience_s=patience_s)
    await cache.available()  # the first connection is made now, not in somebody's request
    return cache


def _single(url: str, patience_s: float) -> Callable[[], Any]:
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    return lambda: Redis.from_url(
        url,
        socket_timeout=patience_s,
        socket_connect_timeout=patience_s,
        max_connections=_CONNECTIONS + 8,  # subscriptions besides
        retry=Retry(NoBackoff(), 0),
    )


def _cluster(url: str, patience_s: float) -> Callable[[], Any]:
    from redis.asyncio import RedisCluster
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    return lambda: RedisCluster.from_url(
        url.replace("redis+cluster://", "redis://", 1),
        socket_timeout=patience_s,
        socket_connect_timeout=patience_s,
        max_connections=_CONNECTIONS + 8,
        retry=Retry(NoBackoff(), 1),  # once more after the map of nodes was read anew: a slot may have moved
        require_full_coverage=False,
    )


def _in_process() -> Any:
    from fakeredis import FakeAsyncRedis, FakeServer

    return FakeAsyncRedis(server=FakeServer())
