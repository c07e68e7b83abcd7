"""Real databases, a real application, a clock that tests set. Every store, action and journey runs on both databases."""

import fcntl
import os
import pickle
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from unittest import mock

import hypothesis
import pytest
import structlog
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.processors import add_log_level

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
from tests import patience, servers, sockets, statements
from tests.harness import House, open_house
from tests.moments import Clock
from tests.spares import Spares

BOTH = ("sqlite", "postgresql")

hypothesis.settings.register_profile("seeded", derandomize=True, deadline=None, max_examples=50)
hypothesis.settings.load_profile("seeded")
statements.keep_compiled()
patience.widen()
# Coloured tracebacks with everybody's locals, structlog's default, cost 0.3 s of CPU for each job that fails on purpose.
structlog.configure(processors=[add_log_level, ConsoleRenderer(colors=False, exception_formatter=plain_traceback)])


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
async def sqlite_template(template_data: Path, regions: list[Row]) -> Path:
    """A migrated and seeded database file, copied for each test."""
    file = template_data / "mutualaid.db"
    await _prepare(f"sqlite+aiosqlite:///{file}", template_data, regions)
    return file


@pytest.fixture(scope="session")
async def spares(postgres_url: str, template_data: Path, regions: list[Row]) -> AsyncIterator[Spares]:
    """Migrated and seeded databases on the server, one for each test."""
    async with Spares.of(postgres_url) as found:
        await _prepare(await found.template(), template_data, regions)
        yield found


@pytest.fixture(scope="session")
def regions(tmp_path_factory: pytest.TempPathFactory, testrun_uid: str) -> list[Row]:
    """What all templates of the run hold, whose polygons take seconds to read: the first process keeps them for the rest."""
    folder = tmp_path_factory.getbasetemp()
    kept = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / f"regions-{testrun_uid}"
    with kept.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            kept.write_bytes(pickle.dumps(list(source.rows(source.folder()))))
    return list(pickle.loads(kept.read_bytes()))  # noqa: S301  of our own making, in a folder of our own


async def _prepare(url: str, data: Path, regions: list[Row]) -> None:
    database = Database(url, KeyRing.open(data / "keys"))
    await migrate.upgrade(database)
    with mock.patch.object(source, "rows", lambda _folder: iter(regions)):
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
    "telephony/test_faults",
    "house/test_demo",
    "house/test_bench",
    "faults/",
    "test_wheel",
    "test_openapi",
    "posts/test_plaza",
    "test_migrations",
    "test_sweeping",
    "test_spine",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long files begin first: processes share them out by the file, and none shall wait for another's."""
    items.sort(key=lambda item: next((n for n, part in enumerate(_LONG) if part in str(item.path)), len(_LONG)))
