import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from mutualaid.kit.bells import Bells
from mutualaid.kit.cache import PATIENCE_S, Cache, CacheLost, open_cache
from tests.kit.conftest import Until
from tests.kit.line import to_server
from tests.servers import ValkeyServer


class Ear:
    """A listener that writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    async def __call__(self, payload: str) -> None:
        self.heard.append(payload)


@asynccontextmanager
async def _listening(bells: Bells, name: str, until: Until) -> AsyncIterator[Ear]:
    """An ear on the line, after the first call to look at everything."""
    ear = Ear()
    async with bells.listening(name, ear):
        await until(lambda: bells.connected)
        ear.heard.clear()
        yield ear


async def test_a_bell_is_heard_in_another_process(cache: Cache, until: Until) -> None:
    here, there = Bells(cache), Bells(cache)

    async with _listening(there, "session", until) as ear:
        await here.ring("session", "f00d")
        await here.ring("outbox")
        await here.ring("session", "beef")
        await until(lambda: len(ear.heard) == 2)

    assert ear.heard == ["f00d", "beef"]
    await here.close()
    await there.close()


async def test_ones_own_bell_is_heard_at_once_and_once(cache: Cache, until: Until) -> None:
    here, there = Bells(cache), Bells(cache)

    async with _listening(here, "x", until) as ear, _listening(there, "x", until) as other:
        await here.ring("x", "1")
        assert ear.heard == ["1"]
        await until(lambda: other.heard == ["1"])
        await there.ring("x", "2")
        await until(lambda: ear.heard[-1] == "2")

    assert ear.heard == ["1", "2"]
    await here.close()
    await there.close()


async def test_without_a_server_bells_ring_within_the_process() -> None:
    bells, ear = Bells(await open_cache("memory://")), Ear()

    async with bells.listening("outbox", ear):
        await bells.ring("outbox")
    await bells.ring("outbox")

    assert ear.heard == [""] and bells.connected
    await bells.close()


async def test_who_gets_on_the_line_is_told_to_look_at_everything(cache: Cache, until: Until) -> None:
    bells, ear = Bells(cache), Ear()

    async with bells.listening("outbox", ear):
        await until(lambda: ear.heard == [""])

    await bells.close()


async def test_one_listener_that_fails_silences_no_other(cache: Cache) -> None:
    bells, ear = Bells(cache), Ear()

    async def broken(payload: str) -> None:
        raise RuntimeError("+8613800138000")

    with capture_logs() as logged:
        async with bells.listening("x", broken), bells.listening("x", ear):
            await bells.ring("x", "1")

    assert "1" in ear.heard
    assert logged[0]["event"] == "bell_listener_failed" and "138" not in str(logged)
    await bells.close()


async def test_who_rings_does_not_wait_for_a_silent_server(shared_valkey: ValkeyServer, until: Until) -> None:
    async with to_server(shared_valkey.url) as line:
        slow, quick = await open_cache(line.url), await open_cache(shared_valkey.url)
        here, there = Bells(slow), Bells(quick)
        async with _listening(there, "outbox", until) as ear:
            line.flows.clear()
            clock = asyncio.get_running_loop().time
            began = clock()

            for _ in range(100):
                await here.ring("outbox")

            assert clock() - began < PATIENCE_S / 2
            await until(lambda: ear.heard != [])  # what the server was told arrived, though its answer did not
        line.flows.set()
        await here.close()
        await there.close()
        await slow.close()
        await quick.close()


async def test_a_bell_rung_again_while_it_is_told_is_told_again() -> None:
    told: list[str] = []
    may_answer = asyncio.Event()

    class Slow(Cache):
        async def command(self, *words: object) -> None:
            told.append(str(words[2]).rsplit("\0", 2)[1])
            await may_answer.wait()

    bells = Bells(Slow(lambda: None))
    await bells.ring("outbox")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert told == ["outbox"]

    for _ in range(5):
        await bells.ring("outbox")
    may_answer.set()
    await bells.close()

    assert told == ["outbox", "outbox"]


async def test_bells_outlive_a_killed_cache(mortal_valkey: ValkeyServer, until: Until) -> None:
    caches = [await open_cache(mortal_valkey.url) for _ in range(2)]
    here, there = (Bells(cache) for cache in caches)
    async with _listening(there, "outbox", until) as ear:
        await here.ring("outbox", "before")
        await until(lambda: ear.heard == ["before"])

        mortal_valkey.kill()
        await until(lambda: not there.connected)
        await here.ring("outbox", "lost")

        mortal_valkey.start()
        await until(lambda: ear.heard[-1] == "")  # something may have been missed: look
        await until(lambda: there.connected)
        assert await caches[0].available()
        await here.ring("outbox", "after")
        await until(lambda: ear.heard[-1] == "after")
    await here.close()
    await there.close()
    for cache in caches:
        await cache.close()


async def test_a_line_gone_silent_is_noticed_and_taken_up_again(shared_valkey: ValkeyServer, until: Until) -> None:
    async with to_server(shared_valkey.url) as line:
        cache = await open_cache(line.url)
        bells = Bells(cache)
        async with _listening(bells, "x", until) as ear:
            line.flows.clear()
            await until(lambda: not bells.connected)
            line.flows.set()
            await until(lambda: bells.connected)
            assert ear.heard == [""]
        await bells.close()
        await cache.close()


class _Away(Cache):
    """A cache that is away at once, which is when a careless loop would spin."""

    def __init__(self, problem: Exception) -> None:
        super().__init__(lambda: None)
        self.asked = 0
        self._problem = problem

    async def messages(self, channel: str) -> AsyncGenerator[bytes | None, None]:
        self.asked += 1
        raise self._problem
        yield None


@pytest.mark.parametrize("problem", [CacheLost(), AttributeError("a fault inside the client")])
async def test_a_lost_line_is_asked_for_with_growing_pauses(
    problem: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        pauses.append(seconds)
        await (sleep(0) if len(pauses) < 7 else asyncio.Event().wait())

    monkeypatch.setattr("mutualaid.kit.bells.asyncio.sleep", noted)
    cache = _Away(problem)
    bells = Bells(cache, random_unit=lambda: 0.5)
    async with bells.listening("x", Ear()):
        while len(pauses) < 7:
            await sleep(0)

    assert pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]) and cache.asked == 7
    await bells.close()


async def test_what_still_waits_is_told_before_the_end_and_no_task_is_left(cache: Cache, until: Until) -> None:
    others = asyncio.all_tasks()  # a telephone exchange that lasts for many tests has bells of its own
    here, there = Bells(cache), Bells(cache)
    async with _listening(there, "x", until) as ear:
        await here.ring("x", "last words")
        await here.close()
        await until(lambda: ear.heard == ["last words"])

    await there.close()
    await there.ring("x", "too late")

    assert not there.connected
    assert not [task for task in asyncio.all_tasks() - others if task.get_name().startswith("bells")]


async def test_a_cache_that_is_away_does_not_hold_up_the_end(mortal_valkey: ValkeyServer) -> None:
    cache = await open_cache(mortal_valkey.url)
    bells = Bells(cache)
    mortal_valkey.kill()
    async with bells.listening("x", Ear()):
        for n in range(2000):
            await bells.ring("x", str(n))
        clock = asyncio.get_running_loop().time
        began = clock()

        await bells.close()

    assert clock() - began < 2 * PATIENCE_S
    await cache.close()


async def test_foreign_words_on_the_line_are_not_bells(cache: Cache, until: Until) -> None:
    bells = Bells(cache)
    async with _listening(bells, "x", until) as ear:
        for words in (b"x", b"\xff\xfe", b"\0", b"a\0x"):
            await cache.command("PUBLISH", "mutualaid:bells", words)
        await cache.command("PUBLISH", "mutualaid:bells", "elsewhere\0x\0real")
        await until(lambda: ear.heard == ["real"])
    await bells.close()


async def test_a_bell_that_could_be_read_two_ways_is_refused(cache: Cache) -> None:
    with pytest.raises(ValueError, match="NUL"):
        await Bells(cache).ring("a\0b")
