"""The key store: one wrapped data key for each owner, apart from the database and from its backups.

Destroying a key is how erasure reaches backups: what the key sealed stays bytes for ever, wherever copies lie. So
nothing here is cached: each read asks the store, and a key that another process destroyed is gone for all of them with
the next read. On SQLite that read costs some microseconds (`shelves`), on PostgreSQL one round trip.

An owner whose key was destroyed stays as a tombstone: no second key is ever made under that name.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from itertools import chain

from sqlalchemy.engine import make_url

from mutualaid.kit import sealing
from mutualaid.kit.gathering import Gathering
from mutualaid.kit.ring import KeyRing
from mutualaid.kit.sealing import DataKey
from mutualaid.kit.shelves import BLANK, PostgresShelf, Shelf, SqliteShelf


class KeyMissing(LookupError):
    """This owner never had a key."""

    def __init__(self) -> None:
        super().__init__("no such data key")


class KeyDestroyed(LookupError):
    """This owner's key was destroyed, and with it everything it sealed."""

    def __init__(self) -> None:
        super().__init__("data key destroyed")


class KeyStore:
    """Data keys by owner. Every method raises `Overloaded` (503) where the store does not answer."""

    def __init__(self, shelf: Shelf, ring: KeyRing) -> None:
        self._shelf = shelf
        self._ring = ring
        self._asked: Gathering[tuple[str, str], dict[str, bytes]] = Gathering(self._fetch_all)
        self._shared: tuple[str, bytes, DataKey | None] = ("", b"", None)

    @classmethod
    async def open(cls, url: str, ring: KeyRing) -> "KeyStore":
        """`sqlite+aiosqlite:///path` (the file is made, for its owner only) or `postgresql+asyncpg://…`.

        The store makes its own tables: it is no part of the database's migrations. Raises `ShelfRefused` for a store
        that a later release wrote.
        """
        parsed = make_url(url)
        shelf: Shelf
        if parsed.get_backend_name() == "sqlite":
            if not parsed.database or parsed.database == ":memory:":
                raise ValueError("the key store needs a file: keys in memory would not outlive a restart")
            shelf = await SqliteShelf.open(parsed.database)
        else:
            shelf = await PostgresShelf.open(url)
        return cls(shelf, ring)

    async def create(self, owner: str) -> DataKey:
        """The owner's key, made if there is none; however many ask at once, they get the same one."""
        held = (await self._shelf.fetch([owner])).get(owner)
        if held is None:
            await self._shelf.add(owner, sealing.wrap(self._ring, DataKey.make(), owner=owner))
            held = (await self._shelf.fetch([owner])).get(owner)
        return self._opened(owner, held)

    async def get(self, owner: str) -> DataKey:
        """The owner's key; `KeyMissing` or `KeyDestroyed` if there is none."""
        return self._opened(owner, (await self._shelf.fetch([owner])).get(owner))

    async def get_many(self, owners: Iterable[str]) -> dict[str, DataKey]:
        """The keys of those owners that have one; the missing and the destroyed are absent."""
        held = await self._shelf.fetch(list(dict.fromkeys(owners)))
        return {owner: self._opened(owner, wrapped) for owner, wrapped in held.items() if wrapped != BLANK}

    async def get_both(self, owner: str, shared: str) -> tuple[DataKey | None, DataKey | None]:
        """The keys of two owners; None for one that is missing or destroyed. The second is one that many ask for: the
        store is asked for it each time, but what it held is opened once only."""
        held = await self._asked.ask((owner, shared))
        own, other = held.get(owner, BLANK), held.get(shared, BLANK)
        if self._shared[:2] != (shared, other):
            self._shared = shared, other, None if other == BLANK else self._opened(shared, other)
        return None if own == BLANK else self._opened(owner, own), self._shared[2]

    async def destroy(self, owner: str) -> None:
        """Destroy the owner's key for ever; may be repeated, and is safe for an owner who never had one.

        On SQLite the wrapped bytes are gone from the file and from its log when this returns. PostgreSQL keeps dead row
        versions and its own log for a while: they hold the key wrapped only, and a rotation of the envelope key
        (`rewrap`, then `KeyRing.retire`) ends them.
        """
        await self._shelf.wipe(owner)

    async def rewrap(self, *, batch: int = 500) -> AsyncIterator[tuple[int, int]]:
        """After a rotation of the envelope key: wrap every key anew. Yields (rows seen, keys rewrapped) of each batch.

        A key destroyed meanwhile stays destroyed. A process that wrapped a new key the moment before the rotation may
        store it behind this one's back: retire the old version only after a later run that rewrapped none.
        """
        after = 0
        current = self._ring.current("envelope")[0]
        while page := await self._shelf.page(after, batch):
            swaps = [
                (wrapped, sealing.wrap(self._ring, sealing.unwrap(self._ring, wrapped, owner=owner), owner=owner), row)
                for row, owner, wrapped in page
                if wrapped != BLANK and sealing.wrapped_under(wrapped) != current
            ]
            await self._shelf.swap(swaps)
            after = page[-1][0]
            yield len(page), len(swaps)

    async def close(self) -> None:
        await self._asked.close()
        await self._shelf.close()

    async def _fetch_all(self, lot: Sequence[tuple[str, str]]) -> Sequence[dict[str, bytes]]:
        """What the store holds for those who ask at once: each is told all of it."""
        return [await self._shelf.fetch(list(dict.fromkeys(chain.from_iterable(lot))))] * len(lot)

    def _opened(self, owner: str, wrapped: bytes | None) -> DataKey:
        if wrapped is None:
            raise KeyMissing
        if wrapped == BLANK:
            raise KeyDestroyed
        return sealing.unwrap(self._ring, wrapped, owner=owner)
