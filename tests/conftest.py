"""Real databases, a real application, a clock that tests set. Every store, action and journey runs on both databases."""

import secrets
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hypothesis
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from mutualaid import migrate
from mutualaid.kit import clock as kit_clock
from mutualaid.kit.database import Database
from mutualaid.kit.ring import KeyRing
from mutualaid.kit.settings import Settings
from mutualaid.seed import seed
from mutualaid.services import Services
from mutualaid.wiring import open_services
from tests import servers, sockets
from tests.harness import House, open_house
from tests.moments import Clock

BOTH = ("sqlite", "postgresql")

hypothesis.settings.register_profile("seeded", derandomize=True, deadline=None, max_examples=50)
hypothesis.settings.load_profile("seeded")


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
async def postgres_template(postgres_url: str, template_data: Path) -> str:
    """A migrated and seeded database, the template of each test's own."""
    name = f"template_{secrets.token_hex(8)}"
    await _administer(postgres_url, f'CREATE DATABASE "{name}"')
    url = make_url(postgres_url).set(database=name)
    await _prepare(url.render_as_string(hide_password=False), template_data)
    return name


async def _prepare(url: str, data: Path) -> None:
    database = Database(url, KeyRing.open(data / "keys"))
    await migrate.upgrade(database)
    await seed(database, now=kit_clock.now())
    await database.close()  # the last connection to go empties SQLite's write-ahead log into the file


async def _administer(url: str, *statements: str) -> None:
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        for statement in statements:
            await connection.execute(text(statement))
    await engine.dispose()


@pytest.fixture(params=BOTH)
def dialect(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
async def database_url(
    dialect: str, tmp_path: Path, postgres_url: str, sqlite_template: Path, postgres_template: str
) -> AsyncIterator[str]:
    """A fresh, migrated, seeded database of this dialect."""
    if dialect == "sqlite":
        shutil.copy(sqlite_template, tmp_path / "mutualaid.db")
        yield f"sqlite+aiosqlite:///{tmp_path / 'mutualaid.db'}"
        return
    name = f"t_{secrets.token_hex(8)}"
    await _administer(postgres_url, f'CREATE DATABASE "{name}" TEMPLATE "{postgres_template}"')
    yield make_url(postgres_url).set(database=name).render_as_string(hide_password=False)
    await _administer(postgres_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


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
