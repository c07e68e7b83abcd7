"""One exchange for the tests of calls: a service with its database, Kamailio, the switchboard, the relay, and two phones."""

import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mutualaid.contacts.records import Lease
from mutualaid.kit import clock
from mutualaid.kit.settings import Settings
from mutualaid.members.records import Principal
from mutualaid.services import Services
from mutualaid.wiring import open_services
from tests import servers
from tests.contacts.town import Town
from tests.servers import ValkeyServer, free_port
from tests.telephony import programs
from tests.telephony.phones import Owner, Phone
from tests.telephony.programs import Telephony
from tests.telephony.registering import register
from tests.telephony.service import Service, serving
from tests.telephony.waiting import until

NUMBERS = "".join(f"+8617000000{n:03d}\n" for n in range(1, 61))
ALICE, BOB = "127.0.0.11", "127.0.0.12"
TRUNK = "127.0.0.64/28"
CARRIER_IN, CARRIER_OUT = "127.0.0.65", "127.0.0.66"


@dataclass
class Exchange:
    """What a test of calls is written with."""

    town: Town
    service: Service
    telephony: Telephony
    cache: ValkeyServer
    folder: Path

    async def pair(self) -> "Pair":
        """Two members with soft phones that are signed in, and a number between them."""
        asker, owner = await self.town.member(), await self.town.member()
        post = await self.town.post(owner)
        lease = await self.town.call(asker, post)
        assert lease.state == "granted" and lease.x is not None, lease.state
        a = self.phone(Owner(self.town.phones[asker.id].e164, "Alice", ALICE))
        b = self.phone(Owner(self.town.phones[owner.id].e164, "Bobby", BOB))
        pair = Pair(self, lease, lease.x, post, asker, owner, a, b)
        for phone in (a, b):
            assert await pair.register(phone) == 200
        return pair

    def phone(self, owner: Owner) -> Phone:
        password = self.telephony.password(owner.number)
        return Phone(owner, self.folder, self.telephony.listen, password)


@dataclass
class Pair:
    """`a` asked for the number `x` by which it reaches `b`, about the post of `b`."""

    exchange: Exchange
    lease: Lease
    x: str
    post: str
    asker: Principal
    owner: Principal
    a: Phone
    b: Phone

    async def register(self, phone: Phone) -> int:
        return await register(phone.owner, self.exchange.telephony.listen, phone.password, port=phone.port)


@pytest.fixture(scope="session")
def cache() -> Iterator[ValkeyServer]:
    programs.skip_where_missing()
    with servers.valkey() as valkey:
        yield valkey


@pytest.fixture(scope="session")
async def telephone_services(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path, template_data: Path, cache: ValkeyServer
) -> AsyncIterator[tuple[Services, int]]:
    """On SQLite, in real time; with the port that the service will have."""
    clock.follow(None)
    data, port = tmp_path_factory.mktemp("exchange"), free_port()
    shutil.copy(sqlite_template, data / "mutualaid.db")
    shutil.copytree(template_data / "keys", data / "keys", copy_function=shutil.copy2)
    (data / "numbers").write_text(NUMBERS, encoding="utf-8")
    given = Settings(data=data, redis_url=cache.url)
    trunk = f"{CARRIER_OUT}:{programs.free_udp_port(CARRIER_OUT)}"
    settings = programs.chosen(
        given,
        service=f"http://127.0.0.1:{port}",
        numbers=data / "numbers",
        trusted=TRUNK,
        trunk=trunk,
    )
    async with open_services(settings) as services:
        yield services, port


@pytest.fixture(scope="session")
async def lasting_exchange(
    telephone_services: tuple[Services, int], cache: ValkeyServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Exchange]:
    services, port = telephone_services
    folder = tmp_path_factory.mktemp("phones")
    async with serving(services, port) as service:
        with programs.running(services.settings, services.settings.telephony_dir) as telephony:
            yield Exchange(Town(services), service, telephony, cache, folder)


@pytest.fixture
async def exchange(lasting_exchange: Exchange, tmp_path: Path) -> AsyncIterator[Exchange]:
    """With nobody on the line, before and after."""
    clock.follow(None)
    yield replace(lasting_exchange, folder=tmp_path)

    async def nobody() -> bool | None:
        return lasting_exchange.telephony.calls() == 0 or None

    assert await until(nobody)
