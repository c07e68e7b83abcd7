"""The catalogue in memory, frozen, for doors and rules: read again within a second of its version row changing."""

import asyncio
import time
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from mutualaid.catalogue import store
from mutualaid.catalogue.readings import readings_of
from mutualaid.catalogue.rules import Item, search_key
from mutualaid.kit.database import Database

_FRESH_S = 1.0


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every item of one version, in the order of the operator's file, the withdrawn ones included."""

    version: int
    items: tuple[Item, ...]
    _by_code: dict[str, Item] = field(init=False, repr=False, compare=False)
    _characters: frozenset[str] = field(init=False, repr=False, compare=False)  # of the Chinese names

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_code", {item.code: item for item in self.items})
        named = (search_key(text) for item in self.items for text in (item.name, *item.aliases))
        object.__setattr__(self, "_characters", frozenset(c for text in named for c in text if not c.isascii()))

    def get(self, code: str) -> Item | None:
        """The item of this code; a withdrawn one too, which is refused."""
        return self._by_code.get(code)

    def groups(self) -> list[str]:
        """The groups that a reader may choose, in the order of the file."""
        return list(dict.fromkeys(item.group for item in self.items if not item.withdrawn))

    def find(self, q: str | None = None, group: str | None = None, *, after: str | None = None) -> list[Item]:
        """What is not withdrawn and answers to `q` in this group, in order, from behind the item of code `after`."""
        wanted = search_key(q or "")
        readings = readings_of(self._characters) if wanted.isascii() and wanted else {}
        start = 0 if after is None else self.items.index(self._by_code[after]) + 1
        return [
            item
            for item in self.items[start:]
            if not item.withdrawn and group in (None, item.group) and item.answers_to(wanted, readings)
        ]


@dataclass(slots=True)
class _Held:
    catalogue: Catalogue
    looked_at: float  # monotonic seconds


_held: WeakKeyDictionary[Database, _Held] = WeakKeyDictionary()
_looking: WeakKeyDictionary[Database, asyncio.Lock] = WeakKeyDictionary()


async def current(database: Database) -> Catalogue:
    """The catalogue that stands, at most a second old. Ask at the door, before a transaction is opened.

    One looks for all who ask meanwhile: a crowd at the door must not take every connection for the same question.
    """
    if (held := _fresh(database)) is not None:
        return held
    async with _looking.setdefault(database, asyncio.Lock()):
        return _fresh(database) or await _looked(database)


def _fresh(database: Database) -> Catalogue | None:
    held = _held.get(database)
    return held.catalogue if held is not None and time.monotonic() - held.looked_at < _FRESH_S else None


async def _looked(database: Database) -> Catalogue:
    held, asked_at = _held.get(database), time.monotonic()
    async with database.reading() as session:
        version = await store.version(session)
        if held is None or held.catalogue.version != version:
            items = tuple(row.item() for row in await store.rows(session))
            held = _Held(Catalogue(version, items), asked_at)
    _held[database] = _Held(held.catalogue, asked_at)
    return held.catalogue


def forget(database: Database) -> None:
    """Look again at the next call: this process has just changed the catalogue."""
    _held.pop(database, None)
