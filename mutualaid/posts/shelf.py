"""Cards as they are sent, kept by each process for as long as the feed of changes says nothing of their post.

A page is put together from these octets; only what differs from reader to reader, the distance, is written anew. An
author's own card says more than others may read, so it is never kept.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import orjson

from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.kit import geo
from mutualaid.kit.coordinates import Crs
from mutualaid.kit.texts import Language
from mutualaid.posts import wire
from mutualaid.posts.cards import Card
from mutualaid.posts.orders import Hit

_MOST: Final = 20_000  # posts; about a kilobyte each
_NO_DISTANCE: Final = b'"distance_m":null,"distance_km":null}'

Variant = tuple[Language, Crs, bool]


class Shelf:
    """Cards by post and variant: (language, datum, signed in)."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._kept: dict[str, dict[Variant, tuple[str, bytes]]] = {}
        self._version = 0
        self._readings: dict[int, set[str]] = {}

    def heard(self, told: Mapping[str, Any]) -> None:
        """These posts have changed: also for whoever is reading them just now."""
        for post_id in told:
            self._kept.pop(post_id, None)
        for reading in self._readings.values():
            reading.update(told)

    def forget(self) -> None:
        """Anything may have changed."""
        self._kept.clear()

    def find(self, post_ids: Sequence[str], variant: Variant, *, version: int, reader: str | None) -> dict[str, bytes]:
        """What is kept of these, for this version of the catalogue; never the reader's own."""
        if version != self._version:
            self._kept.clear()
            self._version = version
        found = {}
        for post_id in post_ids:
            kept = self._kept.get(post_id, {}).get(variant)
            if kept is not None and kept[0] != reader:
                found[post_id] = kept[1]
        return found

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
        while len(self._kept) >= self._most:
            del self._kept[next(iter(self._kept))]
        self._kept.setdefault(card.id, {})[variant] = (card.author_id, octets)


def encoded(card: Card, catalogue: Catalogue, *, language: Language, crs: Crs, reader: str | None) -> bytes:
    """A card as JSON, up to its distance."""
    fields = wire.post_fields(card, catalogue, language=language, crs=crs, reader=reader)
    return orjson.dumps(fields, option=orjson.OPT_UTC_Z).removesuffix(_NO_DISTANCE)


def page(hits: Sequence[Hit], by_id: Mapping[str, bytes], next_cursor: str | None) -> bytes:
    """What `wire.PostList` says, from encoded cards."""
    cards = b",".join(with_distance(by_id[one.post_id], metres) for metres, one in hits if one.post_id in by_id)
    return b'{"items":[' + cards + b'],"next_cursor":' + orjson.dumps(next_cursor) + b"}"


def with_distance(card: bytes, metres: int | None) -> bytes:
    """The whole card, so many metres away."""
    if metres is None:
        return card + _NO_DISTANCE
    return card + b'"distance_m":%d,"distance_km":%s}' % (metres, repr(geo.distance_km(metres)).encode())
