"""The street: members and posts without a door."""

import pytest

from mutualaid.kit.database import Database
from tests.matching.street import Street


@pytest.fixture
async def street(database: Database) -> Street:
    return await Street.open(database)
