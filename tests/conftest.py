"""Real databases, a real application, a clock that tests set. Every store, action and journey runs on both databases."""

import functools
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from unittest import mock

import hypothesis
import pytest

from mutualaid import migrate
from mutualaid.kit import clock as kit_clock
from mutualaid.kit.database import Database
from mutualaid.kit.ring import KeyRing
from mutualaid.kit.settings import Settings
from mutualaid.posts import api_live
from mutualaid.regions import source
from mutualaid.regions.source import Row
from mutualaid.seed import seed
from mutualaid.services import Services
from mutualaid.wiring import open_services
from tests import servers, sockets, statements
from tests.harness import House, open_house
from tests.moments import Clock
from tests.spares import Spares

BOTH = ("sqlite", "postgresql")
_read_regions = source.rows

hypothesis.settings.register_profile("seeded", derandomize=True, deadline=None, max_examples=50)
hypothesis.settings.load_profile("seeded")
statements.keep_compiled()


@pytest.fixture(scope="session", autouse=True)
def loopback_only() -> Iterator[None]:
    with sockets.loopback_only():
        yield


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    with servers.postgres() as url:
        yield url


@pytest.fixture(scope="session")
def template_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where both templates are made; its keys have signed what they hold, so each test gets a copy of them."""
    return tmp_path_factory.mktemp("template")


@pytest.fixture(scope="session")
async def sqlite_template(template_data: Path) -> Path:
    """A migrated and seeded database file, copied for each test."""
    file = template_data / "mutualaid.db"
    await _prepare(f"sqlite+aiosqlite:///{file}", template_data)
    return file


@pytest.fixture(scope="session")
async def spares(postgres_url: str, template_data: Path) -> AsyncIterator[Spares]:
    """Migrated and seeded databases on the server, one for each test."""
    async with Spares.of(postgres_url) as found:
        await _prepare(await found.template(), template_data)
        yield found


@functools.cache
def _regions(folder: Path) -> list[Row]:
    """Both templates hold the same rows, whose polygons take seconds to read."""
    return list(_read_regions(folder))


async def _prepare(url: str, data: Path) -> None:
    database = Database(url, KeyRing.open(data / "keys"))
    await migrate.upgrade(database)
    with mock.patch.object(source, "rows", lambda folder: iter(_regions(folder))):
        await seed(database, now=kit_clock.now())
    await database.close()  # the last connection to go empties SQLite's write-ahead log into the file


@pytest.fixture(params=BOTH)
def dialect(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
async def database_url(dialect: str, tmp_path: Path, sqlite_template: Path, spares: Spares) -> AsyncIterator[str]:
    """A fresh, migrated, seeded database of this dialect."""
    if dialect == "sqlite":
        shutil.copy(sqlite_template, tmp_path / "mutualaid.db")
        yield f"sqlite+aiosqlite:///{tmp_path / 'mutualaid.db'}"
        return
    async with spares.one() as url:
        yield url


@pytest.fixture
def clock(tmp_path: Path) -> Iterator[Clock]:
    """The clock file: everything's time, the database's included. It stands at 2023-01-07 12:00 UTC until moved."""
    found = Clock(tmp_path / "now")
    kit_clock.follow(found.file)
    yield found
    kit_clock.follow(None)


@pytest.fixture
def settings(tmp_path: Path, database_url: str, clock: Clock, template_data: Path) -> Settings:
    shutil.copytree(template_data / "keys", tmp_path / "keys", copy_function=shutil.copy2)
    return Settings(data=tmp_path, database_url=database_url, now_file=clock.file)


@pytest.fixture
async def services(settings: Settings) -> AsyncIterator[Services]:
    async with open_services(settings) as opened:
        yield opened


@pytest.fixture
def database(services: Services) -> Database:
    return services.database


@pytest.fixture
async def house(services: Services, clock: Clock) -> AsyncIterator[House]:
    """The whole application over HTTP, without a socket; `await house.work()` lets the worker finish what is due."""
    async with open_house(services, clock) as opened:
        yield opened


@pytest.fixture
def brief_streams() -> Iterator[None]:
    """What would be told for ever ends at once, for whoever asks at every door."""
    with mock.patch.object(api_live, "LASTS_S", 0.0):
        yield


_LONG = (
    "house/test_start",
    "journeys/test_stateful",
    "journeys/browser/",
    "house/test_demo",
    "house/test_bench",
    "faults/",
    "test_wheel",
    "test_openapi",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long files begin first: processes share them out by the file, and none shall wait for another's."""
    items.sort(key=lambda item: next((n for n, part in enumerate(_LONG) if part in str(item.path)), len(_LONG)))
