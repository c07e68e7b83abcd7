"""The outermost ring: how much at once, how large a body, which headers, and what is counted of it."""

import asyncio
import re
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from mutualaid.kit import metrics
from mutualaid.kit.database import Database
from mutualaid.kit.settings import Settings
from mutualaid.shell import MOST_BODY, Shell
from tests import servers
from tests.harness import House

SECURE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


@pytest.fixture
def dialect() -> str:
    return "sqlite"  # no database is asked here


def scope(path: str = "/api/v1/x", method: str = "POST", **headers: str) -> Scope:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "method": method, "path": path, "headers": raw, "query_string": b"", "state": {}}


async def ask(shell: Shell, asked: Scope, *chunks: bytes) -> tuple[int, dict[str, str], bytes]:
    coming = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    coming.append({"type": "http.request", "body": b"", "more_body": False})
    sent: list[Message] = []

    async def receive() -> Message:
        return coming.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    await shell(asked, receive, send)
    told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], told, b"".join(message.get("body", b"") for message in sent[1:])


async def reads(scope: Scope, receive: Receive, send: Send) -> None:
    body = await Request(scope, receive).body()
    await Response(str(len(body)))(scope, receive, send)


def counted(method: str, route: str, status: str) -> float:
    return (
        metrics.REGISTRY.get_sample_value(
            "mutualaid_requests_total", {"method": method, "route": route, "status": status}
        )
        or 0.0
    )


async def test_a_body_may_be_so_large_and_no_larger(settings: Settings) -> None:
    shell = Shell(reads, settings)

    assert (await ask(shell, scope(), b"x" * MOST_BODY))[2] == str(MOST_BODY).encode()
    assert (await ask(shell, scope(content_length=str(MOST_BODY + 1)), b"x"))[0] == 413  # by what is announced
    assert (await ask(shell, scope(), *[b"x" * 1024] * 65))[0] == 413  # by what comes
    assert (await ask(shell, scope(content_length="5", transfer_encoding="chunked"), b"x" * 70_000))[0] == 413
    assert (await ask(shell, scope(content_length="-1"), b"x"))[0] == 413


async def test_every_answer_carries_the_headers_also_a_refusal_and_a_fault(settings: Settings) -> None:
    async def fails(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise RuntimeError

    for app in (reads, fails):
        _, told, _ = await ask(Shell(app, settings), scope())
        assert SECURE.items() <= told.items()
    _, told, _ = await ask(Shell(reads, settings.model_copy(update={"concurrency": 0})), scope())
    assert SECURE.items() <= told.items() and told["retry-after"] == "1"


async def test_more_than_fits_is_turned_away_and_health_never_is(settings: Settings) -> None:
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def waits(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/api/v1/slow":
            inside.set()
            await go_on.wait()
        await Response("done")(scope, receive, send)

    shell = Shell(waits, settings.model_copy(update={"concurrency": 1}))
    first = asyncio.create_task(ask(shell, scope("/api/v1/slow")))
    await inside.wait()

    before = counted("POST", "unknown", "503")
    status, told, body = await ask(shell, scope())
    assert (status, told["content-type"]) == (503, "application/problem+json") and b"overloaded" in body
    assert counted("POST", "unknown", "503") == before + 1
    assert (await ask(shell, scope("/healthz", "GET")))[0] == 200

    go_on.set()
    assert (await first)[0] == 200
    assert (await ask(shell, scope()))[0] == 200


async def test_a_client_that_hung_up_is_no_fault_of_ours(settings: Settings) -> None:
    async def gone(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ClientDisconnect

    async def nothing(_message: Any = None) -> Any:
        raise AssertionError("there is nobody to talk to")

    before = counted("POST", "unknown", "499")
    await Shell(gone, settings)(scope(), nothing, nothing)
    assert counted("POST", "unknown", "499") == before + 1


async def test_counters_are_named_by_our_own_tables_and_never_by_what_was_sent(house: House) -> None:
    secret = "13800138000"
    for path in (f"/api/v1/posts/{secret}", f"/{secret}", f"/api/v1/posts?{secret}={secret}"):
        await house.client.get(path)
        await house.client.request(f"X{secret}", path)
    await house.client.get("/api/v1/posts", headers={"user-agent": secret, "accept-language": secret})

    told = (await house.client.get("/metrics")).text

    assert secret not in told
    assert 'route="/api/v1/posts/{id}"' in told and 'method="other"' in told
    assert set(re.findall(r'method="(\w+)"', told)) <= {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "other"}


async def test_health_and_metrics_answer_while_the_database_is_away(house: House) -> None:
    # given: the same application on a server where nobody listens
    services = house.services
    gone = Database(f"postgresql+asyncpg://nobody@127.0.0.1:{servers.free_port()}/none", services.ring)
    there, services.database.reading = services.database.reading, gone.reading  # type: ignore[method-assign]  # as above
    try:
        alive, ready = await house.client.get("/healthz"), await house.client.get("/readyz")
        shown, plaza = await house.client.get("/metrics"), await house.client.get("/api/v1/posts")
    finally:
        services.database.reading = there  # type: ignore[method-assign]  # put back
        await gone.close()

    assert (alive.status_code, ready.status_code, shown.status_code, plaza.status_code) == (200, 503, 200, 503)
    assert "mutualaid_jobs_due NaN" in shown.text
    assert int(plaza.headers["retry-after"]) >= 1
    checks = {check["name"]: check["ok"] for check in ready.json()["checks"]}
    assert checks == {"database": False, "migrations": False, "worker": False, "cache": True}
