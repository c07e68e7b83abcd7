import json
from pathlib import Path

import pytest
from sqlalchemy import func, select

from mutualaid.catalogue import actions, importing, sheet, store
from mutualaid.catalogue.records import CatalogueVersion, ItemRow
from mutualaid.catalogue.sheet import CatalogueRefused
from mutualaid.kit.audit import AuditRow
from mutualaid.kit.database import Database
from tests.catalogue.sheets import PACKAGED, cells, file_of, packaged_items
from tests.moments import START


async def _import(database: Database, folder: Path, *rows: dict[str, str]) -> actions.Report:
    file = folder / "own.csv"
    file.write_bytes(file_of(*rows))
    return await importing.run(database, file, actor="operator", now=START)


async def _audited(database: Database) -> list[tuple[str, str, dict[str, object]]]:
    async with database.reading() as session:
        rows = await session.scalars(
            select(AuditRow).where(AuditRow.actor == "operator").order_by(AuditRow.deed, AuditRow.subject)
        )
        return [(row.deed, row.subject, json.loads(row.facts)) for row in rows]


async def test_a_fresh_house_holds_the_packaged_catalogue(database: Database) -> None:
    async with database.reading() as session:
        assert [row.item() for row in await store.rows(session)] == packaged_items()
        assert await store.version(session) == 1
        added = await session.scalar(select(func.count()).select_from(AuditRow).where(AuditRow.deed == "item.added"))

    assert added == len(packaged_items())


async def test_seeding_again_changes_nothing(database: Database) -> None:
    report = await importing.seed(database, now=START)

    assert report is not None and (report.version, report.changes) == (1, None)


async def test_an_operators_own_catalogue_is_never_overwritten_by_a_seed(database: Database, tmp_path: Path) -> None:
    await _import(database, tmp_path, cells())

    assert await importing.seed(database, now=START) is None
    async with database.reading() as session:
        assert await store.version(session) == 2


async def test_an_import_adds_changes_and_withdraws_and_says_so_in_the_audit(
    database: Database, tmp_path: Path
) -> None:
    report = await _import(
        database, tmp_path, cells(need_max="5", leaflet_zh="见说明书"), cells(code="honey", kind="goods", aliases="")
    )

    assert report.version == 2 and report.changes is not None
    assert report.changes.added == ("honey",)
    assert set(report.changes.changed) == {"paracetamol-tablet"}
    assert len(report.changes.withdrawn) == len(packaged_items()) - 1

    deeds = await _audited(database)
    assert deeds[0] == ("catalogue.imported", "catalogue", {"version": 2, "items": 2, "changes": report.changes.count})
    assert ("item.added", "honey", {"version": 2}) in deeds
    changed = next(facts for deed, _, facts in deeds if deed == "item.changed")
    assert changed["need_max"] == "6 → 5"
    assert set(changed) == {"version", "need_max", "aliases", "leaflet_zh"}
    assert sum(deed == "item.withdrawn" for deed, _, _ in deeds) == len(packaged_items()) - 1


async def test_what_is_withdrawn_stays_refused_and_comes_back_when_it_is_named_again(
    database: Database, tmp_path: Path
) -> None:
    await _import(database, tmp_path, cells())
    async with database.reading() as session:
        row = await session.get_one(ItemRow, "ibuprofen")
        assert (row.policy, row.withdrawn, row.name) == ("refused", True, "布洛芬片/缓释胶囊")

    await importing.run(database, _packaged(tmp_path), actor="operator", now=START)
    async with database.reading() as session:
        assert [row.item() for row in await store.rows(session)] == packaged_items()
        assert await store.version(session) == 3


def _packaged(folder: Path) -> Path:
    file = folder / "packaged.csv"
    file.write_bytes(PACKAGED)
    return file


async def test_importing_the_same_file_again_makes_no_version(database: Database, tmp_path: Path) -> None:
    report = await importing.run(database, _packaged(tmp_path), actor="operator", now=START)

    assert (report.version, report.changes) == (1, None)
    assert await _audited(database) == []


async def test_a_file_with_faults_changes_nothing(database: Database, tmp_path: Path) -> None:
    with pytest.raises(CatalogueRefused) as refused:
        await _import(database, tmp_path, cells(need_max="8"), cells(code="honey", unit=""), cells(code="tea", kind=""))

    assert [(fault.line, fault.column) for fault in refused.value.faults] == [(3, "unit"), (4, "kind")]
    assert await _audited(database) == []
    async with database.reading() as session:
        assert [row.item() for row in await store.rows(session)] == packaged_items()


async def test_an_import_that_fails_midway_leaves_no_half_state(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the power went")

    monkeypatch.setattr(actions, "_note", fail)
    with pytest.raises(RuntimeError):
        async with database.transaction() as session:
            await actions.import_catalogue(session, sheet.read(file_of(cells())), actor="operator", now=START)

    async with database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(CatalogueVersion)) == 1
        assert [row.item() for row in await store.rows(session)] == packaged_items()
