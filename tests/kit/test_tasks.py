"""Ending tasks: a cancellation that somebody on the way swallowed is said again."""

import asyncio

from mutualaid.kit import tasks


async def test_a_task_that_took_the_first_cancellation_for_something_else_is_ended_all_the_same() -> None:
    swallowed = 0

    async def closes_a_connection() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                if swallowed:
                    raise
                swallowed += 1

    stubborn = asyncio.create_task(closes_a_connection())
    await asyncio.sleep(0)

    async with asyncio.timeout(5):
        await tasks.end(stubborn)

    assert stubborn.cancelled() and swallowed == 1


async def test_none_and_what_is_over_need_no_ending() -> None:
    over = asyncio.create_task(asyncio.sleep(0))
    await over

    await tasks.end(None, over)

    assert not over.cancelled()
