"""An index made: from the tables at first, from the one that stands later. Off the loop, or a little at a time."""

import asyncio
from collections.abc import Callable
from typing import Final

from mutualaid.posts.index.base import Columns, Topics, build
from mutualaid.posts.index.feed import Feed
from mutualaid.posts.index.places import Places
from mutualaid.posts.index.runs import place_keys
from mutualaid.posts.index.standing import Standing

_SPARE: Final = 256 << 20  # octets that are left to others
_MAKING: Final = 3  # times its own size, while an index is being made
_A_POST: Final = 90  # octets of an index, about

Free = Callable[[], int | None]


class NoRoom(Exception):
    """Memory is tight: the plaza is read from the tables."""


async def loaded(feed: Feed, free: Free) -> Standing:
    """Everything that stands, read from the tables. Raises `NoRoom`."""
    places, topics = Places(), Topics()
    parts, posts = [Columns.of([], topics, places)], 0
    async for rows in feed.every():
        parts.append(Columns.of(rows, topics, places))
        posts += len(rows)
        _refuse_tightness(posts * _A_POST, free)
    return await _built(parts, places, topics)


async def renewed(standing: Standing, free: Free) -> Standing:
    """The same, its tail sorted in. Raises `NoRoom`."""
    _refuse_tightness(standing.octets, free)
    tail = standing.tail.columns()  # it goes on growing meanwhile
    base = await asyncio.to_thread(standing.base.columns)
    return await _built([base, tail], standing.places, standing.topics)


async def _built(parts: list[Columns], places: Places, topics: Topics) -> Standing:
    keys = place_keys(places.lat[: len(places)], places.lng[: len(places)])
    base = await asyncio.to_thread(lambda: build(Columns.joined(parts), keys))
    return Standing(base, places, topics)


def _refuse_tightness(octets: int, free: Free) -> None:
    left = free()
    if left is not None and left < _SPARE + _MAKING * octets:
        raise NoRoom
