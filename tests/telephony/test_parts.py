"""The parts of our own telephony by themselves: the maker, the service that is asked, the spool, the configurations."""

import asyncio
import json
import os
import stat
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from benching import calling
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from typer.testing import CliRunner

from mutualaid.cli import app as cli
from mutualaid.contacts import rules
from mutualaid.kit.errors import Invalid, Malformed
from mutualaid.kit.settings import Settings, SettingsRefused, load
from mutualaid.providers.numbers import BadNumber, Close, NotAuthorised, ProviderDown
from mutualaid.providers.numbers.kamailio import KamailioNumbers
from mutualaid.providers.numbers.kamailio.plan import Plan
from mutualaid.providers.numbers.kamailio.rendering import render
from mutualaid.providers.numbers.kamailio.switchboard.authority import Authority, Refused
from mutualaid.providers.numbers.kamailio.switchboard.control import door
from mutualaid.providers.numbers.kamailio.switchboard.exchange import Exchange
from mutualaid.providers.numbers.kamailio.switchboard.posting import Poster, Unreachable
from mutualaid.providers.numbers.kamailio.switchboard.spool import Record, Spool
from tests.providers.promise_numbers import A, B, NumbersPromise, NumbersStage
from tests.servers import free_port
from tests.telephony import programs

TOKEN, X = "the-hook-token", "+8617000000001"


# ---- the maker -----------------------------------------------------------------------------------------------------


class TestMaker(NumbersPromise):
    """It binds nothing outside, so of the promise it keeps what all makers keep; the rest is decided at each call."""

    @pytest.fixture
    async def stage(self) -> AsyncIterator[NumbersStage]:
        async def count() -> int:
            return 0

        async with _switchboard() as control:
            maker = KamailioNumbers([X, "+8617000000002"], control=control, token=TOKEN)
            yield NumbersStage(maker, lambda _: None, lambda _: None, count)

    async def test_nothing_is_kept_outside(self, stage: NumbersStage) -> None:
        bound = await stage.maker.bind(stage.request())

        assert (bound.key, bound.x) == ("k1", X) and not stage.maker.caps.keeps_bindings
        later = await stage.maker.renew(stage.ref(), bound.expires_at + timedelta(days=1))
        assert later.expires_at == bound.expires_at + timedelta(days=1)
        with pytest.raises(NotAuthorised):
            stage.maker.answer_route(Close("lease_ended"))

    async def test_a_foreign_number_and_a_call_to_oneself_are_not_bound(self, stage: NumbersStage) -> None:
        with pytest.raises(BadNumber):
            await stage.maker.bind(stage.request(a=A, b=A))
        with pytest.raises(BadNumber):
            await stage.maker.bind(replace(stage.request(), x="+8617000099999"))

    async def test_an_end_that_the_switchboard_does_not_hear_of_is_told_again(self, stage: NumbersStage) -> None:
        deaf = KamailioNumbers([X], control=f"http://127.0.0.1:{free_port()}", token=TOKEN)
        stranger = KamailioNumbers([X], control=stage.maker._control, token="guessed")  # type: ignore[attr-defined]

        for maker, again in ((deaf, True), (stranger, False)):
            with pytest.raises(ProviderDown) as caught:
                await maker.unbind(stage.ref())
            assert caught.value.retryable is again

    @pytest.mark.parametrize("raw", [b"<html>", b"", b"[1]", b'[{"call_id":"c"}]', b'[{"caller":"+8613800138000"}]'])
    async def test_a_push_that_cannot_be_read_is_told_so(self, stage: NumbersStage, raw: bytes) -> None:
        with pytest.raises((Malformed, Invalid)) as caught:
            stage.maker.parse_event({"authorization": f"Bearer {TOKEN}"}, raw, query={})
        assert "138" not in f"{caught.value!r} {caught.value}"


class _Quiet(uvicorn.Server):
    def capture_signals(self) -> Any:
        return nullcontext()


@asynccontextmanager
async def _switchboard() -> AsyncIterator[str]:
    """The switchboard's door without calls behind it, on a port."""
    port = free_port()
    async with _listening(door(Exchange(), TOKEN), port):
        yield f"http://127.0.0.1:{port}"


@asynccontextmanager
async def _listening(app: ASGIApp, port: int) -> AsyncIterator[None]:
    config = uvicorn.Config(
        app,
        port=port,
        interface="asgi3",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    server = _Quiet(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 — uvicorn tells nobody
        await asyncio.sleep(0.01)
    yield
    server.should_exit = True
    await serving


async def test_the_switchboards_door_takes_only_what_it_understands() -> None:
    transport = httpx2.ASGITransport(door(Exchange(), TOKEN))
    ours = {"authorization": f"Bearer {TOKEN}"}
    async with httpx2.AsyncClient(transport=transport, base_url="http://switchboard") as client:
        statuses = [
            (await client.post("/look-again", json={"x": X})).status_code,
            (await client.post("/look-again", content=b"<html>", headers=ours)).status_code,
            (await client.post("/look-again", json=[X], headers=ours)).status_code,
            (await client.post("/look-again", json={"x": "1" * 2000}, headers=ours)).status_code,
            (await client.post("/look-again", json={"x": X}, headers=ours)).status_code,
        ]
    assert statuses == [401, 400, 400, 413, 200]


# ---- who is asked --------------------------------------------------------------------------------------------------


class Answers:
    """A service on a port that answers as it is told; `asked` counts. `now` is the breaker's clock."""

    def __init__(self, port: int) -> None:
        self.answer: Response | None = None
        self.asked = 0
        self.now = 0.0
        hooks = f"http://127.0.0.1:{port}/hooks/numbers/kamailio"
        self.authority = Authority(hooks, TOKEN, monotonic=lambda: self.now)

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        await Request(scope, receive).body()
        if self.answer is None:
            raise RuntimeError("no answer in HTTP")
        await self.answer(scope, receive, send)

    async def refusal(self) -> tuple[int, str | None]:
        with pytest.raises(Refused) as caught:
            await self.authority.may("c1", A.e164, X)
        return caught.value.status, caught.value.code


@pytest.fixture
async def answers() -> AsyncIterator[Answers]:
    port = free_port()
    found = Answers(port)
    async with _listening(found.app, port):
        yield found
    found.authority.close()


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (403, {"code": "not_a_party"}, (403, "not_a_party")),
        (404, {"code": "number_unknown"}, (404, "number_unknown")),
        (410, {"code": "lease_ended"}, (410, "lease_ended")),
        (429, {"code": "calls_too_many"}, (480, "calls_too_many")),
        (404, {"detail": "Not Found"}, (503, None)),
        (404, [1], (503, None)),
        (401, {"code": "hook_token_wrong"}, (503, None)),
        (500, {"code": "lease_ended"}, (503, None)),
        (302, {"code": "lease_ended"}, (503, None)),
        (200, {"callee": B.e164, "display": X}, (503, None)),
        (200, {"callee": "sip:evil@example.org", "display": X, "max_seconds": 5}, (503, None)),
        (200, {"callee": B.e164, "display": X, "max_seconds": 0}, (503, None)),
        (200, "<html>", (503, None)),
    ],
)
async def test_only_the_services_own_word_counts(
    answers: Answers, status: int, body: object, told: tuple[int, str | None]
) -> None:
    answers.answer = JSONResponse(body, status)

    assert await answers.refusal() == told


async def test_a_service_that_does_not_answer_is_left_alone_for_a_while(answers: Answers) -> None:
    nobody = Authority(f"http://127.0.0.1:{free_port()}", TOKEN, monotonic=lambda: answers.now)
    answers.authority, here = nobody, answers.authority
    assert await answers.refusal() == (503, None)
    answers.authority._hooks = here._hooks  # somebody listens there again, and is not asked yet
    assert [await answers.refusal() for _ in range(3)] == [(503, None)] * 3 and answers.asked == 0

    answers.now, answers.answer = 2.5, JSONResponse({"callee": B.e164, "display": X, "max_seconds": 9, "more": 1})
    assert (await answers.authority.may("c1", A.e164, X)).max_seconds == 9


# ---- records -------------------------------------------------------------------------------------------------------


def _record(call_id: str) -> Record:
    at = datetime(2023, 1, 7, 12, tzinfo=UTC)
    return Record(call_id=call_id, outcome="busy", cause="busy", started_at=at, ended_at=at, ended_by="callee")


async def test_what_is_not_taken_waits_and_what_is_not_wanted_steps_aside(answers: Answers, tmp_path: Path) -> None:
    spool = Spool(tmp_path, answers.authority)
    spool.keep(_record("one"))

    assert not await spool.hand_over() and spool.waiting() == 1
    answers.answer = JSONResponse({}, 503)
    assert not await spool.hand_over() and spool.waiting() == 1
    spool.keep(_record("another"))
    answers.answer = JSONResponse({}, 422)
    assert await spool.hand_over() and sorted(os.listdir(tmp_path)) == ["another.refused", "one.refused"]
    spool.keep(_record("two"))
    answers.answer = JSONResponse({"taken": 1})
    assert await spool.hand_over() and spool.waiting() == 0


def test_a_record_is_what_the_maker_reads_and_names_no_phone() -> None:
    maker = KamailioNumbers([X], control="", token=TOKEN)
    raw = f"[{_record('c1').model_dump_json()}]".encode()

    (told,) = maker.parse_event({"authorization": f"Bearer {TOKEN}"}, raw, query={}).records

    assert (told.call_id, told.outcome, told.cause, told.caller, told.x) == ("c1", "busy", "busy", None, None)
    assert set(json.loads(raw)[0]).isdisjoint({"caller", "dialled", "callee", "x"})


# ---- configurations ------------------------------------------------------------------------------------------------


def _plan(**more: str) -> Plan:
    return Plan.of(Settings(**more), TOKEN)  # type: ignore[arg-type]


def test_the_configurations_are_the_owners_only_and_hold_no_place_unfilled(tmp_path: Path) -> None:
    for file in render(_plan(), tmp_path):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert "@NAME" not in file.read_text() and not any(f"@{w}@" in file.read_text() for w in ("LISTEN", "SECRET"))
    assert TOKEN not in (tmp_path / "kamailio.cfg").read_text()


@pytest.mark.parametrize(
    "more", [{}, {"telephony_trunk": "127.0.0.9:5060", "telephony_trusted": "10.0.0.0/8,192.0.2.1/32"}]
)
def test_kamailio_accepts_its_configuration(tmp_path: Path, more: dict[str, str]) -> None:
    programs.skip_where_missing()
    render(_plan(**more), tmp_path)

    command = [programs.program("kamailio"), "-c", "-L", programs.MODULES, "-f", str(tmp_path / "kamailio.cfg")]
    checked = subprocess.run(command, capture_output=True, check=False, text=True)

    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize(
    "given",
    [
        {"TELEPHONY_TRUSTED": "10.0.0.0"},
        {"TELEPHONY_TRUSTED": '10.0.0.0/8") || 1'},
        {"TELEPHONY_TRUSTED": "10.0.0.1/8"},
        {"TELEPHONY_TRUNK": "carrier.example"},
        {"TELEPHONY_LISTEN": "127.0.0.1:99999"},
        {"TELEPHONY_MEDIA": "127.0.0.1:40000-30000"},
        {"NUMBERS": "kamailio"},
    ],
)
def test_settings_that_no_telephony_can_have_are_refused(given: dict[str, str]) -> None:
    with pytest.raises(SettingsRefused):
        load({f"MUTUALAID_{name}": value for name, value in given.items()})


def test_a_phones_password_follows_from_its_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUTUALAID_DATA", str(tmp_path))
    runner = CliRunner()

    said = [
        runner.invoke(cli, ["telephony", "password", "--phone", phone])
        for phone in ("13800138000", A.e164, B.e164, "x")
    ]

    assert [one.exit_code for one in said] == [0, 0, 0, 2]
    assert said[0].stdout == said[1].stdout != said[2].stdout and len(said[0].stdout.strip()) == 24
    rendered = runner.invoke(cli, ["telephony", "render"])
    assert rendered.exit_code == 0 and "MUTUALAID_NUMBERS=fake" in rendered.stderr
    assert all(Path(line).exists() for line in rendered.stdout.splitlines())  # scripts/telephony reads them there
    numbers = tmp_path / "numbers.txt"
    numbers.write_text("+8617000000001\n")
    monkeypatch.setenv("MUTUALAID_NUMBERS", "kamailio")
    monkeypatch.setenv("MUTUALAID_NUMBERS_FILE", str(numbers))
    assert runner.invoke(cli, ["telephony", "render"]).stderr == ""
    assert (tmp_path / "telephony" / "kamailio.cfg").exists() and (tmp_path / "telephony" / "rtpengine.conf").exists()


async def test_the_bench_measures_calls(tmp_path: Path) -> None:
    """`scripts/bench contacts`, a few calls."""
    programs.skip_where_missing()

    found = await calling.measure(tmp_path, calling.QUICK, lambda *_: None)

    assert (found["set_up"]["n"], found["calls"]["a_second"]) == (3, 5)
    assert 0 < found["set_up"]["static_p50_ms"] < 5_000 and rules.A_PAIR_CALLS < 1_000


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"SIP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Le",
    ],
)
async def test_what_is_no_answer_is_none(said: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        poster = Poster(f"http://127.0.0.1:{port}/x", {}, patience_s=2)
        with pytest.raises(Unreachable):
            await poster.post("/route", b"{}")


@pytest.mark.parametrize(
    "said", ["Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "Content-Length: 2\r\n\r\nok"]
)
async def test_a_connection_is_kept_and_one_that_was_closed_meanwhile_is_opened_again(said: str) -> None:
    opened: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(writer)
        with suppress(asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n{}"):
                writer.write(f"HTTP/1.1 200 OK\r\n{said}".encode())

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        poster = Poster(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", {}, patience_s=2)
        assert [await poster.post("/route", b"{}") for _ in range(3)] == [(200, b"ok")] * 3 and len(opened) == 1
        opened[0].close()
        await opened[0].wait_closed()
        assert await poster.post("/route", b"{}") == (200, b"ok") and len(opened) == 2
        poster.close()
        opened[1].close()
