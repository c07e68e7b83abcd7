from pathlib import Path

import pytest
from sqlalchemy import func, select

from mutualaid.kit.audit import AuditRow
from mutualaid.kit.database import Database
from mutualaid.regions import actions, source, store
from mutualaid.regions.records import RegionRow
from tests.moments import START
from tests.regions.shapes import country


async def test_a_second_seed_finds_nothing_to_do(database: Database) -> None:
    async with database.transaction() as session:
        assert await actions.seed(session, now=START) == 0


async def test_another_version_of_the_source_replaces_the_table(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [row for row in country() if str(row["code"]).startswith("4501") or row["code"] == "450000"]
    monkeypatch.setattr(source, "version", lambda: "another")
    monkeypatch.setattr(source, "rows", lambda _: iter(rows))

    async with database.transaction() as session:
        assert await actions.seed(session, now=START) == len(rows)
    async with database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(RegionRow)) == len(rows)
        assert await store.seeded_version(session) == "another"
        deeds = (await session.scalars(select(AuditRow.facts).where(AuditRow.deed == "regions.seeded"))).all()

    assert f'{{"rows":{len(rows)}}}' in deeds


async def test_a_broken_source_changes_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(source, "version", lambda: "another")
    monkeypatch.setattr(source, "folder", lambda: tmp_path)

    with pytest.raises(source.SourceBroken):
        async with database.transaction() as session:
            await actions.seed(session, now=START)

    async with database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(RegionRow)) == len(country())
