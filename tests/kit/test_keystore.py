import asyncio
import os
import random
import sqlite3
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from mutualaid.kit import shelves
from mutualaid.kit.errors import Overloaded
from mutualaid.kit.keystore import KeyDestroyed, KeyMissing, KeyStore
from mutualaid.kit.ring import KeyRing
from mutualaid.kit.sealing import Unreadable, wrapped_under
from mutualaid.kit.shelves import BLANK, ShelfRefused


async def _administer(url: str, statement: str) -> None:
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(statement))
    await engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """Where a fresh key store may be."""
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path / 'store' / 'keys.db'}"
        return
    server: str = request.getfixturevalue("postgres_url")
    name = f"keys_{random.Random(request.node.nodeid).getrandbits(64):x}"
    await _administer(server, f'DROP DATABASE IF EXISTS "{name}"')
    await _administer(server, f'CREATE DATABASE "{name}"')
    yield make_url(server).set(database=name).render_as_string(hide_password=False)
    await _administer(server, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
async def keys(url: str, ring: KeyRing) -> AsyncIterator[KeyStore]:
    store = await KeyStore.open(url, ring)
    yield store
    await store.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.db"


@pytest.fixture
async def filed(file: Path, ring: KeyRing) -> AsyncIterator[KeyStore]:
    """A key store in a SQLite file whose bytes the test reads."""
    store = await KeyStore.open(f"sqlite+aiosqlite:///{file}", ring)
    yield store
    await store.close()


def _bytes(file: Path) -> bytes:
    """Everything on disk: the file, its log, its index."""
    return b"".join(path.read_bytes() for path in sorted(file.parent.glob(f"{file.name}*")))


async def _wrapped(store: KeyStore, *owners: str) -> list[bytes]:
    return list((await store._shelf.fetch(owners)).values())


async def test_an_owner_has_one_key_however_often_it_is_made(keys: KeyStore) -> None:
    first = await keys.create("a1")

    assert await keys.create("a1") == first == await keys.get("a1")
    assert await keys.create("a2") != first


async def test_all_who_make_a_key_at_once_get_the_same_one(url: str, ring: KeyRing, keys: KeyStore) -> None:
    other = await KeyStore.open(url, ring)

    made = await asyncio.gather(*(store.create("a1") for store in (keys, other) for _ in range(10)))

    assert all(key == made[0] for key in made)
    await other.close()


async def test_an_owner_without_a_key_is_missing(keys: KeyStore) -> None:
    with pytest.raises(KeyMissing):
        await keys.get("nobody")


async def test_a_destroyed_key_is_gone_for_ever(keys: KeyStore) -> None:
    await keys.create("a1")

    await keys.destroy("a1")
    await keys.destroy("a1")

    with pytest.raises(KeyDestroyed):
        await keys.get("a1")
    with pytest.raises(KeyDestroyed):
        await keys.create("a1")


async def test_an_owner_erased_before_having_a_key_never_gets_one(keys: KeyStore) -> None:
    await keys.destroy("a1")

    with pytest.raises(KeyDestroyed):
        await keys.create("a1")


async def test_what_one_process_destroys_no_other_reads_again(url: str, ring: KeyRing, keys: KeyStore) -> None:
    other = await KeyStore.open(url, ring)
    await keys.create("a1")
    await other.get("a1")

    await keys.destroy("a1")

    with pytest.raises(KeyDestroyed):
        await other.get("a1")
    await other.close()


async def test_many_keys_are_read_at_once_and_the_absent_left_out(keys: KeyStore) -> None:
    made = {owner: await keys.create(owner) for owner in ("a1", "a2", "a3")}
    await keys.destroy("a2")

    found = await keys.get_many(["a1", "a2", "a3", "nobody", "a1"])

    assert found == {"a1": made["a1"], "a3": made["a3"]}
    assert await keys.get_many([]) == {}


async def test_more_owners_than_a_statement_takes_are_read_in_parts(
    keys: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelves, "_CHUNK", 3)
    owners = [f"a{n}" for n in range(10)]
    for owner in owners:
        await keys.create(owner)

    assert list(await keys.get_many(owners)) == owners


async def test_after_a_rotation_every_key_is_wrapped_anew_and_the_old_envelope_can_go(
    keys: KeyStore, ring: KeyRing
) -> None:
    made = {owner: await keys.create(owner) for owner in ("a1", "a2", "a3", "a4", "a5")}
    await keys.destroy("a3")
    ring.rotate("envelope")

    done = [batch async for batch in keys.rewrap(batch=2)]
    again = [batch async for batch in keys.rewrap()]
    ring.retire("envelope", 1)

    assert sum(seen for seen, _ in done) == 5 and sum(swapped for _, swapped in done) == 4
    assert again == [(5, 0)]
    assert {wrapped_under(w) for w in await _wrapped(keys, *made) if w != BLANK} == {2}
    assert await keys.get_many(made) == {owner: key for owner, key in made.items() if owner != "a3"}


async def test_a_key_destroyed_while_all_are_wrapped_anew_stays_destroyed(keys: KeyStore, ring: KeyRing) -> None:
    await keys.create("a1")
    [was] = await _wrapped(keys, "a1")
    await keys.destroy("a1")

    await keys._shelf.swap([(was, was, 1)])

    with pytest.raises(KeyDestroyed):
        await keys.get("a1")


async def test_a_store_is_of_no_use_with_another_ring(url: str, keys: KeyStore, tmp_path: Path) -> None:
    await keys.create("a1")
    stranger = await KeyStore.open(url, KeyRing.open(tmp_path / "other"))

    with pytest.raises(Unreadable):
        await stranger.get("a1")
    await stranger.close()


async def test_stores_that_are_opened_together_make_one_table(url: str, ring: KeyRing) -> None:
    opened = await asyncio.gather(*(KeyStore.open(url, ring) for _ in range(5)))

    made = [await store.create("a1") for store in opened]

    assert all(key == made[0] for key in made)
    for store in opened:
        await store.close()


async def test_destroyed_bytes_are_in_no_file_any_more(filed: KeyStore, file: Path, ring: KeyRing) -> None:
    random_order = random.Random(7)
    owners = [f"{random_order.getrandbits(128):032x}" for _ in range(300)]
    for owner in owners:
        await filed.create(owner)
    old = await filed._shelf.fetch(owners)
    assert all(wrapped in _bytes(file) for wrapped in old.values())  # the control: they are found while they live

    first, second = random_order.sample(owners, 100), random_order.sample(owners, 100)
    for owner in first:
        await filed.destroy(owner)
        assert old[owner] not in _bytes(file)
    ring.rotate("envelope")
    async for _ in filed.rewrap(batch=50):
        pass
    new = await filed._shelf.fetch(owners)
    for owner in second:
        await filed.destroy(owner)

    left = _bytes(file)
    for owner in {*first, *second}:
        for wrapped in {old[owner], new[owner]} - {BLANK}:
            assert not any(wrapped[at : at + 16] in left for at in (2, 14, 30, 46))
    assert os.stat(f"{file}-wal").st_size == 0
    assert len(await filed.get_many(owners)) == len(set(owners) - {*first, *second})


async def test_a_destruction_cut_short_is_finished_when_it_is_repeated(filed: KeyStore, file: Path) -> None:
    await filed.create("a1")
    [wrapped] = await _wrapped(filed, "a1")
    died = sqlite3.connect(file)
    died.execute("UPDATE data_keys SET wrapped = ?", (BLANK,))
    died.commit()
    died.close()
    assert wrapped in _bytes(file)  # blank in the table, still in the log

    await filed.destroy("a1")

    assert wrapped not in _bytes(file)


async def test_only_its_owner_can_read_the_store(filed: KeyStore, file: Path) -> None:
    await filed.create("a1")

    for path in file.parent.glob(f"{file.name}*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_store_that_stays_locked_is_an_overload_and_not_a_fault(
    file: Path, ring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelves, "_BUSY_S", 0.05)
    store = await KeyStore.open(f"sqlite+aiosqlite:///{file}", ring)
    held = await store.create("a1")
    blocker = sqlite3.connect(file, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")

    with pytest.raises(Overloaded):
        await store.create("a2")
    assert await store.get("a1") == held  # readers do not wait for writers

    blocker.execute("ROLLBACK")
    blocker.close()
    await store.create("a2")
    await store.close()


async def test_a_destruction_that_a_reader_holds_up_is_told_and_can_be_repeated(
    file: Path, ring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelves, "_BUSY_S", 0.02)
    store = await KeyStore.open(f"sqlite+aiosqlite:///{file}", ring)
    await store.create("a1")
    [wrapped] = await _wrapped(store, "a1")
    reader = sqlite3.connect(file, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM data_keys").fetchall()

    with pytest.raises(Overloaded):
        await store.destroy("a1")
    with pytest.raises(KeyDestroyed):
        await store.get("a1")

    reader.execute("ROLLBACK")
    reader.close()
    await store.destroy("a1")
    assert wrapped not in _bytes(file)
    await store.close()


async def test_a_store_of_a_later_release_is_refused(filed: KeyStore, file: Path, ring: KeyRing) -> None:
    later = sqlite3.connect(file, isolation_level=None)
    later.execute("PRAGMA user_version=99")
    later.close()

    with pytest.raises(ShelfRefused):
        await KeyStore.open(f"sqlite+aiosqlite:///{file}", ring)


async def test_keys_are_never_kept_in_memory_only(ring: KeyRing) -> None:
    with pytest.raises(ValueError, match="file"):
        await KeyStore.open("sqlite+aiosqlite://", ring)


async def test_a_server_that_is_away_is_an_overload_and_not_a_fault(ring: KeyRing) -> None:
    with pytest.raises(Overloaded):
        await KeyStore.open("postgresql+asyncpg://postgres@127.0.0.1:1/postgres", ring)
