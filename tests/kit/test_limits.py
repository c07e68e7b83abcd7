import asyncio
import math
from contextlib import AsyncExitStack
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from mutualaid.kit import limits
from mutualaid.kit.cache import Cache, Script, open_cache
from mutualaid.kit.limits import Ask, Limiter, LimiterUnavailable, LocalLimiter, Rate
from mutualaid.kit.ring import KeyRing
from tests.servers import ValkeyServer

FIVE = Rate(5, 3600)
SECOND = 1_000_000

rates = some.builds(
    Rate, some.integers(1, 50), some.floats(0.001, 100_000), some.one_of(some.none(), some.integers(1, 60))
)


async def test_a_burst_is_let_through_and_no_more(cache: Cache, ring: KeyRing) -> None:
    limiter = Limiter(cache, ring)

    verdicts = [await limiter.take("codes", "+8613800138000", rate=FIVE) for _ in range(6)]

    assert [v.allowed for v in verdicts] == [True] * 5 + [False]
    assert [v.remaining for v in verdicts] == [4, 3, 2, 1, 0, 0]
    assert verdicts[0].retry_after_s == 0 and verdicts[5].retry_after_s == 720


async def test_what_is_given_back_may_be_taken_again_and_no_more(cache: Cache, ring: KeyRing) -> None:
    limiter = Limiter(cache, ring)
    await limiter.give_back("codes", "a", rate=FIVE)  # nothing was owed
    for _ in range(3):
        assert (await limiter.take("codes", "a", rate=FIVE)).allowed
        await limiter.give_back("codes", "a", rate=FIVE)

    verdicts = [await limiter.take("codes", "a", rate=FIVE) for _ in range(6)]

    assert [v.allowed for v in verdicts] == [True] * 5 + [False]


async def test_one_who_waits_as_told_is_let_through(cache: Cache, ring: KeyRing) -> None:
    limiter, rate = Limiter(cache, ring), Rate(1, 0.2)
    await limiter.take("codes", "a", rate=rate)
    assert not (await limiter.take("codes", "a", rate=rate)).allowed

    await asyncio.sleep(0.25)

    assert (await limiter.take("codes", "a", rate=rate)).allowed


async def test_subjects_and_names_are_counted_apart(cache: Cache, ring: KeyRing) -> None:
    limiter, once = Limiter(cache, ring), Rate(1, 3600)
    await limiter.take("codes", "a", rate=once)

    assert (await limiter.take("codes", "b", rate=once)).allowed
    assert (await limiter.take("sign_in", "a", rate=once)).allowed
    assert not (await limiter.take("codes", "a", rate=once)).allowed


async def test_where_one_of_several_limits_refuses_none_is_paid(cache: Cache, ring: KeyRing) -> None:
    limiter, once = Limiter(cache, ring), Rate(1, 3600)
    await limiter.take("number", "a", rate=once)

    refused = await limiter.take_all([Ask("address", "x", once), Ask("number", "a", once)])
    assert not refused.allowed and refused.limit == "number" and refused.retry_after_s == 3600

    allowed = await limiter.take_all([Ask("address", "x", once), Ask("number", "b", Rate(9, 3600))])
    assert allowed.allowed and allowed.remaining == 0 and allowed.limit == "address"


async def test_one_subject_asked_twice_in_a_question_pays_twice(cache: Cache, ring: KeyRing) -> None:
    limiter, twice = Limiter(cache, ring), Rate(2, 3600)

    assert (await limiter.take_all([Ask("seat", "a", twice), Ask("seat", "a", twice)])).remaining == 0
    assert not (await limiter.take("seat", "a", rate=twice)).allowed


async def test_more_than_the_burst_at_once_is_never_let_through(cache: Cache, ring: KeyRing) -> None:
    assert not (await Limiter(cache, ring).take("codes", "a", rate=FIVE, cost=6)).allowed


async def test_no_phone_and_no_address_stands_in_the_cache(cache: Cache, ring: KeyRing) -> None:
    await Limiter(cache, ring).take("codes", "+8613800138000", rate=FIVE)

    [key] = await cache.command("KEYS", "*")

    assert b"codes" in key and b"138" not in key.rsplit(b":", 1)[0] and len(key.rsplit(b":", 1)[1]) == 32
    assert 0 < await cache.command("PTTL", key) <= 720_002
    assert repr(Ask("codes", "+8613800138000", FIVE)) == "Ask(codes, …)"


async def test_all_processes_count_together(shared_valkey: ValkeyServer, ring: KeyRing) -> None:
    async with AsyncExitStack() as stack:
        caches = [await open_cache(shared_valkey.url, patience_s=30) for _ in range(3)]  # none is to count by itself
        for cache in caches:
            stack.push_async_callback(cache.close)
        await caches[0].command("FLUSHALL")
        limiters = [Limiter(cache, ring) for cache in caches]

        verdicts = await asyncio.gather(*(limiters[n % 3].take("x", "a", rate=Rate(20, 86400)) for n in range(90)))

    assert sum(verdict.allowed for verdict in verdicts) == 20


async def test_without_a_server_the_process_counts(ring: KeyRing) -> None:
    now = 0.0
    limiter = Limiter(await open_cache("memory://"), ring, monotonic=lambda: now)
    verdicts = [await limiter.take("x", "a", rate=FIVE, on_loss="closed") for _ in range(6)]
    assert [v.allowed for v in verdicts] == [True] * 5 + [False]

    now = 720.0

    assert (await limiter.take("x", "a", rate=FIVE)).allowed
    assert not (await limiter.take("x", "a", rate=FIVE)).allowed


async def test_when_the_cache_is_lost_reads_are_counted_here_and_the_rest_is_refused(
    mortal_valkey: ValkeyServer, ring: KeyRing
) -> None:
    cache = await open_cache(mortal_valkey.url)
    limiter, strict = Limiter(cache, ring), Limiter(cache, ring, fallback=False)
    assert (await limiter.take("read", "a", rate=FIVE)).remaining == 4

    mortal_valkey.kill()

    here = [await limiter.take("read", "a", rate=FIVE) for _ in range(6)]
    assert [v.allowed for v in here] == [True] * 5 + [False]
    with pytest.raises(LimiterUnavailable) as refusal:
        await limiter.take("codes", "a", rate=FIVE, on_loss="closed")
    assert refusal.value.kind == "unavailable" and refusal.value.retry_after
    with pytest.raises(LimiterUnavailable):
        await strict.take("codes", "a", rate=FIVE)

    mortal_valkey.start()
    assert await cache.available()
    assert (await strict.take("codes", "a", rate=FIVE)).remaining == 4  # it came back empty
    await cache.close()


async def test_a_clock_set_back_locks_nobody_out_for_longer_than_a_burst(cache: Cache, ring: KeyRing) -> None:
    limiter = Limiter(cache, ring)
    await limiter.take("x", "a", rate=FIVE)
    [key] = await cache.command("KEYS", "*")
    tomorrow = int(await cache.command("GET", key)) + 86400 * SECOND
    await cache.command("SET", key, tomorrow)

    assert (await limiter.take("x", "a", rate=FIVE)).retry_after_s == 720


@pytest.mark.parametrize("wrong", [{"count": 0}, {"per_seconds": 0}, {"burst": 0}])
def test_a_rate_that_lets_nobody_through_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        Rate(**{"count": 1, "per_seconds": 1, **wrong})


@given(rates, some.lists(some.tuples(some.integers(0, 3600 * SECOND), some.integers(1, 5)), min_size=1, max_size=60))
def test_in_no_stretch_of_time_is_more_let_through_than_burst_and_rate(
    rate: Rate, events: list[tuple[int, int]]
) -> None:
    limiter = LocalLimiter()
    passed: list[tuple[int, int]] = []
    for now, cost in zip(accumulate(pause for pause, _ in events), (cost for _, cost in events), strict=True):
        if limiter.take_all(["k"], [Ask("x", "a", rate, cost)], now_us=now).allowed:
            passed.append((now, cost))

    burst = rate.burst or rate.count
    for first in range(len(passed)):
        total = 0
        for now, cost in passed[first:]:
            total += cost
            stretch_s = (now - passed[first][0]) / SECOND
            assert total <= burst + stretch_s * rate.count / rate.per_seconds + 1e-6


@given(rates, some.lists(some.integers(0, 3600 * SECOND), max_size=40))
def test_one_who_keeps_the_rate_is_never_refused(rate: Rate, extra: list[int]) -> None:
    limiter, now = LocalLimiter(), 0

    for pause in extra:
        assert limiter.take_all(["k"], [Ask("x", "a", rate)], now_us=now).allowed
        now += rate.step_us + pause


@given(rates, some.integers(1, 70))
def test_waiting_as_told_is_enough_and_no_longer_than_needed(rate: Rate, times: int) -> None:
    limiter = LocalLimiter()
    ask = [Ask("x", "a", rate)]
    verdict = [limiter.take_all(["k"], ask, now_us=0) for _ in range(times)][-1]

    if not verdict.allowed:
        assert verdict.retry_after_s == math.ceil(rate.step_us / SECOND)
        assert limiter.take_all(["k"], ask, now_us=verdict.retry_after_s * SECOND).allowed


steps = some.lists(
    some.tuples(
        some.integers(0, 2000 * SECOND),
        some.lists(
            some.tuples(some.sampled_from("abc"), some.integers(1, 3)), min_size=1, max_size=3, unique_by=lambda a: a[0]
        ),
    ),
    min_size=1,
    max_size=12,
)


@given(steps)
@settings(max_examples=40, deadline=None)
def test_the_script_and_the_process_decide_alike(history: list[tuple[int, list[tuple[str, int]]]]) -> None:
    """The script with its clock replaced, on the in-process Redis, beside the arithmetic in Python."""
    per_subject = {"a": Rate(3, 3600), "b": Rate(7, 5000, burst=2), "c": Rate(1, 900, burst=4)}

    async def compare() -> None:
        cache, local, now = await open_cache("memory://"), LocalLimiter(), 1_700_000_000 * SECOND
        for pause, subjects in history:
            now += pause
            clock = f"{{{now // SECOND}, {now % SECOND}}}"
            script = Script(limits._SCRIPT.text.replace("redis.call('TIME')", clock))
            asks = [Ask(s, s, per_subject[s], cost) for s, cost in subjects]
            words = [word for ask in asks for word in (ask.rate.step_us, ask.rate.room_us, ask.cost)]

            allowed, wait_us, left, named = await cache.run(script, [ask.name for ask in asks], words)

            here = local.take_all([ask.name for ask in asks], asks, now_us=now)
            said = (bool(allowed), math.ceil(wait_us / SECOND), left, asks[named - 1].name)
            assert said == (here.allowed, here.retry_after_s, here.remaining, here.limit)
        await cache.close()

    asyncio.run(compare())


def test_the_process_remembers_no_more_than_it_may() -> None:
    limiter = LocalLimiter(most=100)
    for n in range(1000):
        limiter.take_all([str(n)], [Ask("x", str(n), FIVE)], now_us=n)
        assert len(limiter._full_at) <= 101

    later = 10_000 * SECOND
    limiter.take_all(["last"], [Ask("x", "last", FIVE)], now_us=later)
    for n in range(50):
        limiter.take_all([f"new {n}"], [Ask("x", str(n), FIVE)], now_us=later)
    assert "last" in limiter._full_at  # who owed nothing any more was forgotten first


async def test_a_rotation_of_the_key_only_starts_the_counting_anew(cache: Cache, tmp_path: Path) -> None:
    ring = KeyRing.open(tmp_path / "keys")
    limiter, once = Limiter(cache, ring), Rate(1, 3600)
    await limiter.take("x", "a", rate=once)

    ring.rotate("limits")

    assert (await limiter.take("x", "a", rate=once)).allowed
