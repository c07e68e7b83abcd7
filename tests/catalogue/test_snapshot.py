import asyncio
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.catalogue import actions, importing, sheet, snapshot, store
from mutualaid.kit.database import Database
from tests.catalogue.sheets import cells, file_of, packaged_items
from tests.moments import START


class Stopwatch:
    """Monotonic seconds that stand until they are moved."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def stopwatch(monkeypatch: pytest.MonkeyPatch) -> Stopwatch:
    found = Stopwatch()
    monkeypatch.setattr(snapshot, "time", found)
    return found


async def test_the_catalogue_in_memory_is_the_stored_one(database: Database, stopwatch: Stopwatch) -> None:
    catalogue = await snapshot.current(database)

    assert catalogue.items == tuple(packaged_items())
    assert catalogue.get("ibuprofen") == packaged_items()[2]
    assert catalogue.get("no-such-thing") is None
    assert catalogue.groups()[0] == "发热"


async def test_a_change_by_another_process_is_seen_within_a_second(database: Database, stopwatch: Stopwatch) -> None:
    before = await snapshot.current(database)
    async with database.transaction() as session:
        await actions.import_catalogue(session, sheet.read(file_of(cells(need_max="5"))), actor=None, now=START)

    stopwatch.seconds += 0.9
    assert await snapshot.current(database) is before
    stopwatch.seconds += 0.2
    after = await snapshot.current(database)

    assert after.version == 2
    item, gone = after.get("paracetamol-tablet"), after.get("ibuprofen")
    assert item is not None and item.need_max == 5
    assert gone is not None and not gone.listable


async def test_a_catalogue_that_did_not_change_is_not_read_again(database: Database, stopwatch: Stopwatch) -> None:
    before = await snapshot.current(database)
    stopwatch.seconds += 60

    assert await snapshot.current(database) is before


async def test_of_a_crowd_that_asks_at_once_one_looks(
    database: Database, stopwatch: Stopwatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, looks = await snapshot.current(database), 0
    stopwatch.seconds += 60
    version = store.version

    async def counted(session: AsyncSession) -> int:
        nonlocal looks
        looks += 1
        return await version(session)

    monkeypatch.setattr(store, "version", counted)
    answers = await asyncio.gather(*(snapshot.current(database) for _ in range(300)))

    assert looks == 1 and all(answer is before for answer in answers)


async def test_an_import_of_this_process_is_seen_at_once(
    database: Database, stopwatch: Stopwatch, tmp_path: Path
) -> None:
    await snapshot.current(database)
    (tmp_path / "own.csv").write_bytes(file_of(cells()))
    await importing.run(database, tmp_path / "own.csv", actor="operator", now=START)

    assert (await snapshot.current(database)).version == 2
