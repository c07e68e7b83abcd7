"""Asked by many at once: one lot after the other, each told its own, and nobody forgotten."""

import asyncio
from collections.abc import Sequence

import pytest

from mutualaid.kit.errors import Overloaded
from mutualaid.kit.gathering import Gathering


async def test_what_comes_while_a_lot_is_under_way_goes_with_the_next() -> None:
    lots: list[list[int]] = []

    async def send(lot: Sequence[int]) -> Sequence[int]:
        lots.append(list(lot))
        await asyncio.sleep(0.01)
        return [-n for n in lot]

    gathering = Gathering(send)
    first = asyncio.gather(*(gathering.ask(n) for n in (1, 2)))
    await asyncio.sleep(0.005)
    later = asyncio.gather(*(gathering.ask(n) for n in range(3, 43)))

    assert await first == [-1, -2]
    assert await later == [-n for n in range(3, 43)]
    assert lots == [[1, 2], list(range(3, 35)), list(range(35, 43))]


async def test_a_fault_is_told_to_its_lot_alone() -> None:
    async def send(lot: Sequence[int]) -> Sequence[int]:
        await asyncio.sleep(0)
        if 1 in lot:
            raise ValueError
        return lot

    gathering = Gathering(send)
    found = await asyncio.gather(*(gathering.ask(n) for n in (1, 2)), return_exceptions=True)

    assert [type(each) for each in found] == [ValueError, ValueError]
    assert await gathering.ask(3) == 3


async def test_who_has_gone_is_not_asked_for() -> None:
    lots: list[list[int]] = []

    async def send(lot: Sequence[int]) -> Sequence[int]:
        lots.append(list(lot))
        return lot

    gathering = Gathering(send)
    gone, stays = (asyncio.create_task(gathering.ask(n)) for n in (1, 2))
    await asyncio.sleep(0)
    gone.cancel()

    assert await stays == 2
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert await gathering.ask(3) == 3
    assert lots[-2:] == [[2], [3]]


async def test_who_waits_is_told_where_the_asking_ends() -> None:
    begun = asyncio.Event()

    async def send(lot: Sequence[int]) -> Sequence[int]:
        begun.set()
        await asyncio.sleep(60)
        return lot

    gathering = Gathering(send)
    waits = asyncio.create_task(gathering.ask(1))
    await begun.wait()
    assert gathering._task is not None
    gathering._task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waits


async def test_a_lot_without_an_answer_holds_up_nobody_for_ever() -> None:
    async def send(lot: Sequence[int]) -> Sequence[int]:
        await asyncio.sleep(60 if 1 in lot else 0)
        return lot

    gathering = Gathering(send, patience_s=0.02)
    found = await asyncio.gather(*(gathering.ask(n) for n in (1, 2)), return_exceptions=True)

    assert [type(each) for each in found] == [Overloaded, Overloaded]
    assert await gathering.ask(3) == 3
