"""What may come one time only."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from mutualaid.kit import once
from mutualaid.kit.database import Database
from tests.moments import START, Clock

LATER = START + timedelta(minutes=5)


async def _take(database: Database, mark: str, scope: str = "push.huawei") -> bool:
    async with database.transaction() as session:
        return await once.take(session, scope, mark, until=LATER)


async def test_a_mark_is_taken_one_time_in_its_scope(database: Database, clock: Clock) -> None:
    assert await _take(database, "n1")

    assert not await _take(database, "n1")
    assert await _take(database, "n2") and await _take(database, "n1", scope="push.another")


async def test_of_many_at_once_one_takes_it(database: Database, clock: Clock) -> None:
    taken = await asyncio.gather(*(_take(database, "n1") for _ in range(8)))

    assert sum(taken) == 1


async def test_a_mark_goes_with_the_effect_that_was_rolled_back(database: Database, clock: Clock) -> None:
    with pytest.raises(RuntimeError):
        async with database.transaction() as session:
            assert await once.take(session, "push.huawei", "n1", until=LATER)
            raise RuntimeError

    assert await _take(database, "n1")


async def test_marks_that_are_too_old_are_forgotten(database: Database, clock: Clock) -> None:
    await _take(database, "n1")
    for moment, left in ((LATER - timedelta(seconds=1), 1), (LATER, 0)):
        clock.set(moment)
        async with database.transaction() as session:
            await once.sweep(session)
            assert await session.scalar(select(func.count()).select_from(once.Mark)) == left
