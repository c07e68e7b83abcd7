import asyncio
import random
import subprocess
import sys
import time

import pytest

from mutualaid.kit.cache import PATIENCE_S, REST_S, Cache, CacheLost, Script, open_cache
from tests.kit.line import to_server
from tests.servers import ValkeyServer

ADD = Script("return redis.call('INCRBY', KEYS[1], ARGV[1])")


async def test_what_was_put_in_comes_out_undecoded(cache: Cache) -> None:
    await cache.command("SET", "a", "药")

    assert await cache.command("GET", "a") == "药".encode()


async def test_a_script_runs_also_on_a_server_that_has_never_seen_it(cache: Cache) -> None:
    assert await cache.run(ADD, ["n"], [2]) == 2
    await cache.command("SCRIPT FLUSH")

    assert await cache.run(ADD, ["n"], [3]) == 5


async def test_the_cache_in_the_process_remembers_and_is_its_own() -> None:
    one, other = await open_cache("memory://"), await open_cache("memory://")

    await one.command("SET", "a", "1")

    assert one.embedded and await one.available()
    assert await one.command("GET", "a") == b"1" and await other.command("GET", "a") is None
    await one.close()
    await other.close()


async def test_the_cache_in_the_process_is_slow_on_a_busy_machine_but_never_lost() -> None:
    cache = await open_cache("memory://")
    asked = [asyncio.create_task(cache.command("ECHO", f"{n}")) for n in range(50)]
    await asyncio.sleep(0)
    time.sleep(PATIENCE_S + 0.1)  # noqa: ASYNC251 -- the whole process is kept waiting

    assert await asyncio.gather(*asked) == [f"{n}".encode() for n in range(50)]
    await cache.close()


def test_a_small_installation_does_not_pay_for_redis() -> None:
    code = (
        "import asyncio, sys\n"
        "from mutualaid.kit import bells, cache, limits\n"
        "asyncio.run(cache.open_cache('memory://'))\n"
        "print({'redis', 'fakeredis', 'lupa'} & sys.modules.keys() or 'none')"
    )

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "none\n"


@pytest.mark.parametrize("url", ["http://127.0.0.1", "memcached://127.0.0.1", ""])
async def test_an_address_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="memory://"):
        await open_cache(url)


async def test_a_cancelled_commands_answer_reaches_nobody_else(shared_valkey: ValkeyServer) -> None:
    async with to_server(shared_valkey.url) as line:
        cache = await open_cache(line.url, patience_s=30)
        line.flows.clear()
        asked = asyncio.create_task(cache.command("ECHO", "the other one's data"))
        await asyncio.sleep(0.05)

        asked.cancel()
        await asyncio.wait([asked])
        line.flows.set()

        assert asked.cancelled()
        assert await cache.command("ECHO", "mine") == b"mine"
        assert line.opened == 2  # the connection of the cancelled command was dropped
        await cache.close()


async def test_everybody_gets_their_own_answer_while_others_hang_up(cache: Cache) -> None:
    chance = random.Random(16)

    async def ask(name: str) -> None:
        assert await cache.command("ECHO", name) == name.encode()

    for round_ in range(20):
        asked = [asyncio.create_task(ask(f"{round_}:{n}")) for n in range(50)]
        for task in chance.sample(asked, 20):
            asyncio.get_running_loop().call_later(chance.random() * 0.004, task.cancel)
        done = await asyncio.gather(*asked, return_exceptions=True)
        assert [problem for problem in done if problem and not isinstance(problem, asyncio.CancelledError)] == []

    assert await cache.command("ECHO", "last") == b"last"


async def test_a_silent_server_is_waited_for_once_and_then_left_in_peace(shared_valkey: ValkeyServer) -> None:
    async with to_server(shared_valkey.url) as line:
        now = 0.0
        cache = await open_cache(line.url)
        cache._monotonic = lambda: now
        line.flows.clear()
        clock = asyncio.get_running_loop().time
        began = clock()

        with pytest.raises(CacheLost):
            await cache.command("GET", "a")
        assert clock() - began < 2 * PATIENCE_S
        opened = line.opened
        for _ in range(100):
            with pytest.raises(CacheLost):
                await cache.command("GET", "a")
        assert line.opened == opened  # nobody knocked again

        line.flows.set()
        now = REST_S
        assert await cache.command("ECHO", "back") == b"back"
        await cache.close()


async def test_of_many_callers_one_asks_whether_a_lost_cache_is_back(shared_valkey: ValkeyServer) -> None:
    async with to_server(shared_valkey.url) as line:
        now = 0.0
        cache = await open_cache(line.url)
        cache._monotonic = lambda: now
        line.flows.clear()
        with pytest.raises(CacheLost):
            await cache.command("PING")
        opened, now = line.opened, REST_S

        answers = await asyncio.gather(*(cache.command("PING") for _ in range(50)), return_exceptions=True)

        assert all(isinstance(answer, CacheLost) for answer in answers) and line.opened == opened + 1
        await cache.close()


async def test_one_who_asks_and_goes_away_leaves_the_asking_to_the_next(shared_valkey: ValkeyServer) -> None:
    async with to_server(shared_valkey.url) as line:
        now = 0.0
        cache = await open_cache(line.url)
        cache._monotonic = lambda: now
        line.flows.clear()
        with pytest.raises(CacheLost):
            await cache.command("PING")
        now = REST_S
        asking = asyncio.create_task(cache.command("PING"))
        await asyncio.sleep(0.02)

        asking.cancel()
        await asyncio.wait([asking])
        line.flows.set()

        assert await cache.command("ECHO", "back") == b"back"
        await cache.close()


async def test_a_cache_that_is_killed_is_lost_and_comes_back(mortal_valkey: ValkeyServer) -> None:
    cache = await open_cache(mortal_valkey.url, patience_s=30)
    assert await cache.available()

    mortal_valkey.kill()
    assert not await cache.available()
    with pytest.raises(CacheLost):
        await cache.command("GET", "a")
    mortal_valkey.start()

    assert await cache.available()
    assert await cache.command("ECHO", "back") == b"back"
    await cache.close()


async def test_a_cache_that_is_away_at_the_start_may_come_later(mortal_valkey: ValkeyServer) -> None:
    mortal_valkey.kill()
    cache = await open_cache(mortal_valkey.url, patience_s=30)
    assert not await cache.available()

    mortal_valkey.start()

    assert await cache.available()
    await cache.close()


async def test_a_refusal_by_the_server_is_a_loss_that_repeats_nothing_personal(cache: Cache) -> None:
    await cache.command("SET", "a", "x")

    with pytest.raises(CacheLost) as loss:
        await cache.command("LPUSH", "a", "+8613800138000")

    assert str(loss.value) == "the cache is lost"


async def test_what_the_server_says_after_a_full_pool_is_still_each_ones_own(cache: Cache) -> None:
    answers = await asyncio.gather(*(cache.command("ECHO", str(n)) for n in range(300)))

    assert answers == [str(n).encode() for n in range(300)]
