"""The database: whole transactions or none, one writer on SQLite, and a lost server told as such."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from mutualaid.kit import database as kit_database
from mutualaid.kit.database import Database, ring_after_commit
from mutualaid.kit.errors import Overloaded
from mutualaid.kit.ring import KeyRing
from tests import servers


@pytest.fixture
async def table(database: Database) -> str:
    async with database.transaction() as session:
        await session.execute(text("CREATE TABLE things (id TEXT PRIMARY KEY)"))
    return "things"


async def put(database: Database, name: str) -> None:
    async with database.transaction() as session:
        await session.execute(text("INSERT INTO things VALUES (:name)"), {"name": name})


async def names(database: Database) -> list[str]:
    async with database.reading() as session:
        return list(await session.scalars(text("SELECT id FROM things ORDER BY id")))


async def test_a_block_that_raises_leaves_nothing(database: Database, table: str) -> None:
    with pytest.raises(RuntimeError):
        async with database.transaction() as session:
            await session.execute(text("INSERT INTO things VALUES ('a')"))
            raise RuntimeError

    assert await names(database) == []


async def test_a_cancelled_block_leaves_nothing_and_gives_its_connection_back(database: Database, table: str) -> None:
    inside = asyncio.Event()

    async def forever() -> None:
        async with database.transaction() as session:
            await session.execute(text("INSERT INTO things VALUES ('a')"))
            inside.set()
            await asyncio.Event().wait()

    for _ in range(20):  # more often than there are connections
        inside.clear()
        task = asyncio.create_task(forever())
        await inside.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    await put(database, "b")
    assert await names(database) == ["b"]


async def test_many_writers_take_turns_and_none_is_lost(database: Database, table: str) -> None:
    async def count_up(n: int) -> None:
        async with database.transaction() as session:
            await session.execute(text("INSERT INTO things VALUES (:name)"), {"name": f"{n:03}"})

    await asyncio.gather(*(count_up(n) for n in range(60)))

    assert await names(database) == [f"{n:03}" for n in range(60)]


async def test_reading_does_not_wait_for_a_writer(database: Database, table: str) -> None:
    async with database.transaction() as session:
        await session.execute(text("INSERT INTO things VALUES ('a')"))
        async with asyncio.timeout(2):
            assert await names(database) == []

    assert await names(database) == ["a"]


async def test_bells_ring_after_the_commit_and_not_after_a_rollback(database: Database, table: str) -> None:
    rung: list[tuple[str, list[str]]] = []

    async def ring(bell: str) -> None:
        rung.append((bell, await names(database)))

    database.on_commit = ring
    async with database.transaction() as session:
        ring_after_commit(session, "b")
        ring_after_commit(session, "a")
        ring_after_commit(session, "b")
        await session.execute(text("INSERT INTO things VALUES ('x')"))
    with pytest.raises(RuntimeError):
        async with database.transaction() as session:
            ring_after_commit(session, "c")
            raise RuntimeError

    assert rung == [("a", ["x"]), ("b", ["x"])]


# ---- durability -------------------------------------------------------------------------------------------------


async def test_sqlite_is_opened_so_that_a_power_cut_loses_nothing(tmp_path: Path, ring: KeyRing) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'one.db'}", ring)

    async with database.reading() as session:
        told = [
            await session.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
        assert told == ["wal", 2, 1]
    assert await database.losing_settings() == []
    await database.close()


async def test_sqlites_files_are_their_owners_only_and_what_is_deleted_is_zeroed(tmp_path: Path, ring: KeyRing) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'd.db'}", ring)

    async with database.transaction() as session:
        await session.execute(text("CREATE TABLE t (x)"))
        assert await session.scalar(text("PRAGMA secure_delete")) == 1

    modes = {name: stat.S_IMODE(os.stat(tmp_path / name).st_mode) for name in ("d.db", "d.db-wal", "d.db-shm")}
    await database.close()
    assert modes == {"d.db": 0o600, "d.db-wal": 0o600, "d.db-shm": 0o600}


async def test_what_was_erased_is_in_neither_file_once_sqlites_log_is_cut(tmp_path: Path, ring: KeyRing) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'd.db'}", ring)

    def written() -> bool:
        return any(b"a word of theirs" in (tmp_path / name).read_bytes() for name in ("d.db", "d.db-wal"))

    async with database.transaction() as session:
        await session.execute(text("CREATE TABLE t (x)"))
        await session.execute(text("INSERT INTO t VALUES ('a word of theirs')"))
    async with database.transaction() as session:
        await session.execute(text("DELETE FROM t"))
    assert written()

    async with database.reading() as session:
        await session.execute(text("SELECT * FROM t"))
        async with database.transaction() as other:
            await other.execute(text("INSERT INTO t VALUES (1)"))
        assert not await database.cut_log(), "somebody reads it"
    assert await database.cut_log()

    assert not written()
    await database.close()


async def test_a_postgresql_that_can_lose_commits_is_known(postgres_url: str, ring: KeyRing) -> None:
    database = Database(postgres_url, ring)

    assert await database.losing_settings() == ["fsync", "full_page_writes", "synchronous_commit"]
    await database.close()


def test_a_durable_postgresql_has_nothing_to_be_told(ring: KeyRing) -> None:
    async def asked(url: str) -> list[str]:
        database = Database(url, ring)
        try:
            return await database.losing_settings()
        finally:
            await database.close()

    with servers.postgres(durable=True) as url:
        assert asyncio.run(asked(url)) == []


# ---- a server that is away --------------------------------------------------------------------------------------


@pytest.fixture
async def small(database_url: str, ring: KeyRing) -> AsyncIterator[Database]:
    """A database with two connections at most, on which nobody waits long."""
    found = Database(database_url, ring, pool_size=2, pool_timeout=0.1)
    yield found
    await found.close()


async def test_no_free_connection_is_a_503_with_a_time_to_come_back(small: Database) -> None:
    async def hold(taken: asyncio.Event, done: asyncio.Event) -> None:
        async with small.reading() as session:
            await session.execute(text("SELECT 1"))
            taken.set()
            await done.wait()

    done = asyncio.Event()
    held = []
    for _ in range(2 if small.dialect == "sqlite" else 7):  # PostgreSQL's pool may grow by five
        taken = asyncio.Event()
        held.append(asyncio.create_task(hold(taken, done)))
        await taken.wait()

    with pytest.raises(Overloaded) as refusal:
        async with small.reading() as session:
            await session.execute(text("SELECT 1"))
    done.set()
    await asyncio.gather(*held)

    assert refusal.value.retry_after == 1
    async with small.reading() as session:
        assert await session.scalar(text("SELECT 1")) == 1


async def test_a_server_that_nobody_answers_at_is_a_503(ring: KeyRing) -> None:
    database = Database(f"postgresql+asyncpg://nobody@127.0.0.1:{servers.free_port()}/none", ring)

    with pytest.raises(Overloaded):
        async with database.reading() as session:
            await session.execute(text("SELECT 1"))
    with pytest.raises(Overloaded):
        async with database.connected():
            raise AssertionError("connected")
    await database.close()


@pytest.mark.parametrize("moment", ["at a statement", "at the commit"])
async def test_a_connection_cut_by_the_server_is_a_503_and_the_next_one_is_good(
    postgres_url: str, ring: KeyRing, moment: str
) -> None:
    database = Database(postgres_url, ring)

    async def cut(session_pid: int) -> None:
        async with database.transaction() as session:
            await session.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": session_pid})

    with pytest.raises(Overloaded):
        async with database.transaction() as session:
            await cut(await session.scalar(text("SELECT pg_backend_pid()")) or 0)
            if moment == "at a statement":
                await session.execute(text("SELECT 1"))

    async with database.transaction() as session:
        assert await session.scalar(text("SELECT 1")) == 1
    await database.close()


async def test_a_file_that_cannot_be_opened_is_a_503(tmp_path: Path, ring: KeyRing) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/none/one.db", ring)

    with pytest.raises(Overloaded):
        async with database.reading() as session:
            await session.execute(text("SELECT 1"))
    await database.close()


@pytest.mark.parametrize("dialect", ["sqlite"])  # PostgreSQL has as many writers as connections
async def test_a_writer_that_never_ends_turns_the_others_away(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kit_database, "_WRITER_PATIENCE_S", 0.05)

    async with database.transaction():
        with pytest.raises(Overloaded):
            async with database.transaction():
                raise AssertionError("two writers")


async def test_a_mistake_of_ours_is_no_503(database: Database) -> None:
    with pytest.raises(DBAPIError):
        async with database.reading() as session:
            await session.execute(text("SELECT * FROM nowhere"))


async def test_an_error_does_not_repeat_what_was_written(database: Database, table: str) -> None:
    await put(database, "13800138000")

    with pytest.raises(DBAPIError) as refusal:
        await put(database, "13800138000")

    assert "13800138000" not in str(refusal.value).split("DETAIL")[0]
    async with database.reading() as session:
        assert await session.scalar(select(text("1"))) == 1
