"""A database that holds a vendor's ledger and nothing else: its statements run on both databases in test_ledger."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import delete

from mutualaid.kit.database import Base, Database
from mutualaid.kit.ring import KeyRing
from mutualaid.providers.numbers.ledger import VendorBinding


@pytest.fixture(scope="module")
async def ledger_file(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Database]:
    folder = tmp_path_factory.mktemp("ledger")
    opened = Database(f"sqlite+aiosqlite:///{folder / 'ledger.db'}", KeyRing.open(folder / "keys"))
    async with opened.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all, tables=[Base.metadata.tables[VendorBinding.__tablename__]])
    yield opened
    await opened.close()


@pytest.fixture
async def ledger_database(ledger_file: Database) -> Database:
    """An empty ledger."""
    async with ledger_file.transaction() as session:
        await session.execute(delete(VendorBinding))
    return ledger_file
