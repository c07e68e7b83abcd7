"""Posts that have all of some words, in any of the plaza's orders, exactly; no search reads a whole table.

A rare word's posts are read and put in order here. Where every word is common, the order itself is walked, and what lacks a
word is passed over; where that finds too little (words that are common, but not together), the posts of the rarest word are
read after all, part by part.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import nsmallest
from typing import Final

from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.kit.instants import micros
from mutualaid.posts import word_store
from mutualaid.posts.streams import Found
from mutualaid.posts.words import Term

Place = tuple[int, datetime, str]  # in an order: rank or metres or 0; then the newest first; then the lower id

_RARE: Final = 2_000  # so many posts are put in order sooner than an order is walked
_WALKED: Final = 8  # pages: what walking costs at most is about what it costs to put twice as many posts in order
_AT_ONCE: Final = 500  # entries of a page; on SQLite nobody else has a turn meanwhile


@dataclass(frozen=True, slots=True)
class Order:
    """An order of the plaza without the words. `place`: where an entry stands in it, None for one that is not asked for.

    `conditions`: the rest of what is asked, of a `PlazaEntry`. `page`: the first so many entries behind a place.
    """

    place: Callable[[Found], Place | None]
    conditions: Sequence[ColumnElement[bool]]
    page: Callable[[Place | None, int], Awaitable[list[Found]]]


async def first(
    session: AsyncSession, words: Sequence[Term], order: Order, *, after: Place | None, limit: int
) -> list[Found]:
    """The first `limit` entries behind the place `after` that have every one of the words (one at least)."""
    count, word = await word_store.rarest(session, words, most=_RARE + 1)
    if count > _RARE:
        found = await _walked(session, words, order, after, limit)
        if found is not None:
            return found
    return await _gathered(session, word, [other for other in words if other != word], order, after, limit)


async def _walked(
    session: AsyncSession, words: Sequence[Term], order: Order, after: Place | None, limit: int
) -> list[Found] | None:
    """None where the first pages of the order hold too few."""
    found: list[Found] = []
    for _ in range(_WALKED):
        page = await order.page(after, _AT_ONCE)
        having = await word_store.having_all(session, words, [one.post_id for one in page])
        found += (one for one in page if one.post_id in having)
        if len(found) >= limit or len(page) < _AT_ONCE:
            return found[:limit]
        after = order.place(page[-1])
    return None


async def _gathered(
    session: AsyncSession, word: Term, others: Sequence[Term], order: Order, after: Place | None, limit: int
) -> list[Found]:
    best: dict[tuple[int, int, str], Found] = {}
    bound, last = _key(after) if after else None, ""
    while True:
        posts = await word_store.next_posts(session, word, after=last, limit=_AT_ONCE)
        having = list(await word_store.having_all(session, others, posts)) if others else posts
        for one in await word_store.standing(session, having, order.conditions) if having else ():
            place = order.place(one)
            if place is not None and (bound is None or _key(place) > bound):
                best[_key(place)] = one
        best = {key: best[key] for key in nsmallest(limit, best)}
        if len(posts) < _AT_ONCE:
            return list(best.values())
        last = posts[-1]
        await asyncio.sleep(0)


def _key(place: Place) -> tuple[int, int, str]:
    number, created_at, post_id = place
    return number, -micros(created_at), post_id
