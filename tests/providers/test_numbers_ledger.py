"""The ledger's statements, on both databases."""

import asyncio
from datetime import timedelta

import pytest

from mutualaid.kit.database import Database
from mutualaid.providers.numbers import BindRequest, Caps, ExpiryTooSoon, PairConflict
from mutualaid.providers.numbers.ledger import Ledger
from tests.moments import Clock
from tests.providers.promise_numbers import DAY, NOW, A, B

CAPS = Caps(modes=frozenset({"axb"}), max_pairs_per_x=200, min_ttl=timedelta(seconds=60))
X = "+8617000000001"


def _asked(key: str = "k1", x: str = X) -> BindRequest:
    return BindRequest(key, "axb", x, A, B, NOW + DAY)


async def test_a_row_is_written_before_and_filled_after_and_struck_at_the_end(
    database_url: str, database: Database, clock: Clock
) -> None:
    ledger = Ledger(database, "aliyun")

    first = await ledger.open(_asked(), CAPS)
    again = await ledger.open(_asked(), CAPS)
    assert (first.fresh, again.fresh, again.ref, again.now) == (True, False, None, NOW)
    await ledger.answered(first, "r1")
    held = await ledger.get("k1")
    assert held is not None and (held.ref, held.expires_at) == ("r1", NOW + DAY)
    assert await ledger.claimed(X) == {"r1": {"k1"}}
    await ledger.strike(again)  # who read the row before the answer came strikes nothing
    assert await ledger.get("k1") is not None
    assert await Ledger(database, "tencent").get("k1") is None
    await ledger.extended(held, NOW + 2 * DAY)
    clock.set(NOW + DAY)
    later = await ledger.get("k1")
    assert later is not None and later.expires_at == NOW + 2 * DAY
    await ledger.strike(later)
    assert await ledger.get("k1") is None


async def test_a_key_names_one_line_and_its_time_is_the_databases(database: Database, clock: Clock) -> None:
    ledger = Ledger(database, "aliyun")
    await ledger.open(_asked(), CAPS)

    with pytest.raises(PairConflict):
        await ledger.open(_asked(x="+8617000000002"), CAPS)
    clock.set(NOW + DAY)
    assert await ledger.get("k1") is None
    with pytest.raises(ExpiryTooSoon):
        await ledger.open(_asked(), CAPS)


async def test_of_many_who_open_a_key_at_once_one_writes_it(database: Database) -> None:
    ledger = Ledger(database, "aliyun")

    held = await asyncio.gather(*(ledger.open(_asked(), CAPS) for _ in range(8)))

    assert sum(one.fresh for one in held) == 1
