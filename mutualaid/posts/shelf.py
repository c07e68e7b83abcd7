"""Cards as they are sent, kept by each process for as long as the feed of changes says nothing of their post.

A page is put together from these octets; only what differs from reader to reader, the distance, is written anew. An
author's own card says more than others may read, so it is never kept.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final

import orjson

from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.kit import geo
from mutualaid.kit.coordinates import Crs
from mutualaid.kit.texts import Language
from mutualaid.posts import wire
from mutualaid.posts.cards import Card
from mutualaid.posts.orders import Hit

_MOST: Final = 64 << 20  # octets of cards; a card is about a kilobyte
_NO_DISTANCE: Final = b'"distance_m":null,"distance_km":null}'

Variant = tuple[Language, Crs, bool]
Kept = OrderedDict[str, tuple[str, bytes]]
"""Each post's author and card; what was asked for last stands last."""

_EMPTY: Final = Kept()


class Shelf:
    """Cards by variant (language, datum, signed in) and post, each with its author; at most so many octets of them."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._octets = 0
        self._kept: dict[Variant, Kept] = {}
        self._version = 0
        self._readings: dict[int, set[str]] = {}

    def heard(self, told: Mapping[str, Any]) -> None:
        """These posts have changed: also for whoever is reading them just now."""
        for kept in self._kept.values():
            for post_id in told:
                self._drop(kept, post_id)
        for reading in self._readings.values():
            reading.update(told)

    def forget(self) -> None:
        """Anything may have changed."""
        self._kept.clear()
        self._octets = 0

    def find(self, post_ids: Sequence[str], variant: Variant, *, version: int, reader: str | None) -> dict[str, bytes]:
        """What is kept of these, for this version of the catalogue; never the reader's own."""
        if version != self._version:
            self.forget()
            self._version = version
        kept = self._kept.get(variant, _EMPTY)
        found = [(post_id, card) for post_id in post_ids if (card := kept.get(post_id)) is not None]
        for post_id, _ in found:
            kept.move_to_end(post_id)
        return {post_id: octets for post_id, (author, octets) in found if author != reader}

    @contextmanager
    def reading(self) -> Iterator[set[str]]:
        """Within the block the set gathers what changes: what was read of it may be of yesterday."""
        changed: set[str] = set()
        self._readings[id(changed)] = changed
        try:
            yield changed
        finally:
            del self._readings[id(changed)]

    def put(self, card: Card, variant: Variant, octets: bytes) -> None:
        """Keep it; what was asked for longest ago goes where there is no room."""
        kept = self._kept.setdefault(variant, OrderedDict())
        self._drop(kept, card.id)
        self._octets += len(octets)
        kept[card.id] = (card.author_id, octets)
        while self._octets > self._most:
            fullest = max(self._kept.values(), key=len)
            self._drop(fullest, next(iter(fullest)))

    def _drop(self, kept: Kept, post_id: str) -> None:
        if (card := kept.pop(post_id, None)) is not None:
            self._octets -= len(card[1])


def encoded(card: Card, catalogue: Catalogue, *, language: Language, crs: Crs, reader: str | None) -> bytes:
    """A card as JSON, up to its distance."""
    fields = wire.post_fields(card, catalogue, language=language, crs=crs, reader=reader)
    return orjson.dumps(fields, option=orjson.OPT_UTC_Z).removesuffix(_NO_DISTANCE)


def page(hits: Sequence[Hit], by_id: Mapping[str, bytes], next_cursor: str | None) -> bytes:
    """What `wire.PostList` says, from encoded cards."""
    cards = b",".join([by_id[one.post_id] + _ending(metres) for metres, one in hits if one.post_id in by_id])
    return b'{"items":[' + cards + b'],"next_cursor":' + orjson.dumps(next_cursor) + b"}"


def with_distance(card: bytes, metres: int | None) -> bytes:
    """The whole card, so many metres away."""
    return card + _ending(metres)


@lru_cache(maxsize=65_536)
def _ending(metres: int | None) -> bytes:
    if metres is None:
        return _NO_DISTANCE
    return b'"distance_m":%d,"distance_km":%s}' % (metres, repr(geo.distance_km(metres)).encode())
