"""The house over HTTP, and the people who use it: what journeys and API tests are written with."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from httpx2 import ASGITransport, AsyncClient, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mutualaid.app import build_app
from mutualaid.kit import clock as kit_clock
from mutualaid.posts.index.follower import Follower
from mutualaid.services import Services
from mutualaid.worker import Worker
from tests.moments import Clock
from tests.settling import settle

API = "/api/v1"
CONSENTS = ("health_need", "precise_location", "real_name_check", "phone_masking", "publish_nearby", "notices")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
HOME = (22.8170, 108.3665)


def id_number(serial: int, born: str = "19900307") -> str:
    """A well-formed synthetic identity number (GB 11643), its check digit computed."""
    digits = f"450103{born}{serial:03d}"
    return digits + "10X98765432"[sum(w * int(d) for w, d in zip(_WEIGHTS, digits, strict=True)) % 11]


@dataclass
class Person:
    """Somebody with a phone; signs in and asks by HTTP."""

    house: "House"
    phone: str
    token: str = ""
    id: str = ""

    async def ask(self, method: str, path: str, body: Any = None, **options: Any) -> Response:
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        headers.update(options.pop("headers", {}))
        full = path if path.startswith(("/api", "/hooks")) else API + path
        return await self.house.client.request(method, full, json=body, headers=headers, **options)

    async def get(self, path: str, **options: Any) -> Response:
        return await self.ask("GET", path, **options)

    async def post(self, path: str, body: Any = None, **options: Any) -> Response:
        return await self.ask("POST", path, body, **options)

    async def code(self) -> tuple[str, str]:
        """Ask for a one-time code and read it from the fake maker's outbox: (challenge, code)."""
        challenge = (await self.post("/sessions/otp", {"phone": self.phone})).json()["challenge"]
        await self.house.work()
        return challenge, self.house.messages("sms", self.phone)[-1]["params"]["code"]

    async def sign_in(self) -> "Person":
        challenge, code = await self.code()
        answer = await self.post("/sessions", {"challenge": challenge, "code": code})
        assert answer.status_code == 201, answer.text
        self.token, self.id = answer.json()["token"], answer.json()["member"]["id"]
        return self

    async def consent(self, *purposes: str) -> "Person":
        for purpose in purposes or CONSENTS:
            answer = await self.ask("PUT", f"/me/consents/{purpose}")
            assert answer.status_code in (200, 201), answer.text
        return self

    async def verify(self, name: str = "王小明", serial: int | None = None) -> "Person":
        number = id_number(serial if serial is not None else self.house.next_serial())
        answer = await self.post("/me/real-name", {"name": name, "id_number": number})
        assert answer.status_code == 200, answer.text
        return self

    async def publish(self, draft: dict[str, Any]) -> dict[str, Any]:
        answer = await self.post("/posts", draft)
        assert answer.status_code == 201, answer.text
        post: dict[str, Any] = answer.json()
        return post


@dataclass
class House:
    """The application, its services, its clock."""

    client: AsyncClient
    services: Services
    clock: Clock
    worker: Worker
    plaza: Follower
    app: ASGIApp
    leave: Callable[[], None]
    _phones: int = 0
    _serials: int = 0

    def next_serial(self) -> int:
        self._serials += 1
        return self._serials

    async def work(self) -> None:
        """Let the worker do what is due now, and what follows from it."""
        while await self.worker.work_once():
            continue

    def messages(self, maker: str, to: str) -> list[dict[str, Any]]:
        """What the fake maker would have sent to this person, oldest first."""
        file = self.services.settings.outbox_dir / f"{maker}.jsonl"
        found = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        return [message for message in found if message["to"].endswith(to.removeprefix("+86"))]

    def stranger(self) -> Person:
        """Somebody who has not signed in, with a phone of their own."""
        self._phones += 1
        return Person(self, f"+86138{self._phones:08d}")

    async def newcomer(self) -> Person:
        """Signed in; no consent given, nothing verified."""
        return await self._settled(None)

    async def member(self, name: str = "王小明") -> Person:
        """Signed in, verified, every consent given."""
        return await self._settled(name)

    async def _settled(self, legal_name: str | None) -> Person:
        person, number, now = self.stranger(), id_number(self.next_serial()), self.clock.now
        found = await settle(self.services, person.phone, legal_name=legal_name, number=number, now=now)
        person.token, person.id = found
        return person


def a_need(item: str = "ibuprofen", quantity: int = 4, at: tuple[float, float] = HOME, **more: Any) -> dict[str, Any]:
    """A need's draft; defaults are enough to publish."""
    return {
        "kind": "need",
        "lines": [{"item": item, "quantity": quantity}],
        "place": {"lat": at[0], "lng": at[1], "crs": "wgs84"},
        **more,
    }


def an_offer(
    item: str = "ibuprofen", quantity: int = 12, at: tuple[float, float] = HOME, **more: Any
) -> dict[str, Any]:
    """An offer's draft; sealed, good until the end of 2023."""
    return {
        "kind": "offer",
        "lines": [{"item": item, "quantity": quantity, "expires_on": "2023-12-31", "sealed": True}],
        "place": {"lat": at[0], "lng": at[1], "crs": "wgs84"},
        "keeps_enough": True,
        **more,
    }


def by_hand(services: Services) -> Worker:
    """A worker for tests to drive. The hour in which it begins was planned by another, whose work is done: what the hour
    and the day ask for is done when the clock goes on, and not by every test."""
    worker = Worker(services)
    worker._planned = kit_clock.now().replace(minute=0, second=0, microsecond=0)
    return worker


@asynccontextmanager
async def open_house(services: Services, clock: Clock) -> AsyncIterator[House]:
    """The application over an in-process transport, its lifespan run, its worker driven by `House.work`."""
    app = build_app(services.settings, services=services)
    async with app.router.lifespan_context(app) as state:

        async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
            scope["state"] = dict(state or {})
            await app(scope, receive, send)

        transport = ASGITransport(with_state)
        async with AsyncClient(transport=transport, base_url="http://testserver") as client:
            assert state is not None
            yield House(client, services, clock, by_hand(services), state["plaza"], with_state, app.state.leave)
