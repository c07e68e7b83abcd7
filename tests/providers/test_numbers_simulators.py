"""The simulators are strict where the vendors are; one is started as a process and asked over a real socket."""

import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import instance
import orjson
import pytest
from httpx2 import ASGITransport
from hypothesis import given
from hypothesis import strategies as st

from mutualaid.kit import clock as kit_clock
from mutualaid.kit.database import Database
from mutualaid.kit.errors import Invalid, Malformed
from mutualaid.providers.numbers import BindRequest, ProviderDown, PushOfAnother, Throttled
from mutualaid.providers.numbers.aliyun import Aliyun
from mutualaid.providers.numbers.huawei import AXB
from mutualaid.providers.numbers.ledger import Ledger
from mutualaid.providers.numbers.making import read_numbers
from mutualaid.providers.numbers.pushes import address_token
from mutualaid.providers.numbers.signing import (
    Account,
    acs3_headers,
    acs3_query,
    aksk_headers,
    tc3_headers,
)
from mutualaid.providers.numbers.simulators.running import Plan
from mutualaid.providers.numbers.wire import Wire
from tests.moments import Clock
from tests.providers.promise_numbers import DAY, A, B, C
from tests.providers.vendors import ACCOUNT, GROUP, TOKEN, VendorName, live, simulated
from tests.servers import end_with_parent

Change = Callable[[dict[str, str]], None]


async def _ask(name: VendorName, method: str, address: str, headers: dict[str, str], body: bytes = b"") -> Any:
    async with httpx2.AsyncClient(transport=ASGITransport(simulated(name).app()), base_url="http://vendor") as client:
        return orjson.loads((await client.request(method, address, headers=headers, content=body)).content)


async def _aliyun(change: Change, *, now: datetime, secret: str = ACCOUNT.secret, query: str | None = None) -> str:
    signed = acs3_query({"PoolKey": GROUP, "PhoneNoX": "17000000001"})
    headers = acs3_headers(
        Account(ACCOUNT.key, secret),
        host="vendor",
        action="QuerySubsId",
        version="2017-05-25",
        query=signed,
        body=b"",
        now=now,
        nonce="n1",
    )
    change(headers)
    return str((await _ask("aliyun", "POST", f"/?{query or signed}", headers))["Code"])


def _nothing(_headers: dict[str, str]) -> None:
    """The request as it was signed."""


def _other(name: str, value: str) -> Change:
    return lambda headers: headers.update({name: value})


async def test_alibabas_gate(clock: Clock) -> None:
    now = clock.now
    assert await _aliyun(_nothing, now=now) == "OK"
    assert await _aliyun(_nothing, now=now, secret="another") == "SignatureDoesNotMatch"
    assert await _aliyun(_other("x-acs-action", "BindAxb"), now=now) == "SignatureDoesNotMatch"
    assert await _aliyun(_nothing, now=now, query=acs3_query({"PoolKey": "FC2"})) == "SignatureDoesNotMatch"
    assert await _aliyun(_nothing, now=now - timedelta(minutes=16)) == "InvalidTimeStamp.Expired"
    assert await _aliyun(_other("authorization", ""), now=now) == "MissingAuthorization"


async def test_tencents_gate(clock: Clock) -> None:
    async def ask(change: Change, *, now: datetime = clock.now, body: bytes = b'{"BizAppId":"FC1"}') -> str:
        signed = b'{"BizAppId":"FC1"}'
        headers = tc3_headers(
            ACCOUNT, host="vendor", service="npp", action="DelVirtualNum", version="2019-08-23", body=signed, now=now
        )
        change(headers)
        told = (await _ask("tencent", "POST", "/", headers, body))["Response"]
        return str(told["Error"]["Code"])

    assert await ask(_nothing) == "UnauthorizedOperation"  # past the gate: another application
    assert await ask(_nothing, body=b'{"BizAppId":"FC2"}') == "AuthFailure.SignatureFailure"
    assert await ask(_nothing, now=clock.now - timedelta(minutes=6)) == "AuthFailure.SignatureExpire"
    assert await ask(_other("content-type", "application/json")) == "AuthFailure.SignatureFailure"
    assert await ask(_other("authorization", "Bearer x")) == "AuthFailure.InvalidAuthorization"


async def test_huaweis_gate(clock: Clock) -> None:
    async def ask(change: Change, *, account: Account = ACCOUNT, now: datetime = clock.now) -> str:
        headers = aksk_headers(account, now=now, nonce="n1")
        change(headers)
        return str((await _ask("huawei", "GET", f"{AXB}?subscriptionId=1", headers))["resultcode"])

    assert await ask(_nothing) == "1016001"  # past the gate: no such binding
    assert await ask(_nothing, account=Account(ACCOUNT.key, "another")) == "1020176"
    assert await ask(_nothing, account=Account("another", ACCOUNT.secret)) == "1010003"
    assert await ask(_nothing, now=clock.now - timedelta(minutes=6)) == "1020176"
    assert await ask(_other("authorization", "Basic x")) == "1023006"
    assert await ask(_other("x-aksk", "")) == "1023006"


@pytest.mark.parametrize(("name", "replayed"), [("aliyun", "SignatureNonceUsed"), ("huawei", "1020176")])
async def test_a_request_that_was_overheard_is_not_taken_twice(clock: Clock, name: VendorName, replayed: str) -> None:
    vendor = simulated(name)
    async with httpx2.AsyncClient(transport=ASGITransport(vendor.app()), base_url="http://vendor") as client:
        if name == "huawei":
            headers, address = aksk_headers(ACCOUNT, now=clock.now, nonce="n1"), f"{AXB}?subscriptionId=1"
        else:
            query = acs3_query({"PoolKey": GROUP})
            headers = acs3_headers(
                ACCOUNT,
                host="vendor",
                action="QuerySubsId",
                version="2017-05-25",
                query=query,
                body=b"",
                now=clock.now,
                nonce="n1",
            )
            address = f"/?{query}"
        way = "GET" if name == "huawei" else "POST"
        answers = [orjson.loads((await client.request(way, address, headers=headers)).content) for _ in range(2)]

    told = [answer.get("resultcode") or answer.get("Code") for answer in answers]
    assert told[0] != replayed and told[1] == replayed


# ---- whatever is pushed ---------------------------------------------------------------------------------------------

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
_FIELDS = st.sampled_from(
    (
        *("call_id", "pool_key", "call_type", "phone_no", "secret_no", "call_time", "release_time", "release_cause"),
        *("callId", "src", "dstVirtualNum", "endCallTime", "callEndStatus", "dstAcceptTime", "appId"),
        *("eventType", "feeLst", "statusInfo", "sessionId", "bindNum", "callerNum", "callEndTime", "fwdAnswerTime"),
    )
)
_LIKELY = st.dictionaries(
    _FIELDS, _JSON | st.sampled_from(("fee", "callin", A.e164, "2023-01-07 12:00:00")), max_size=9
)


@given(told=_JSON | _LIKELY | st.lists(_LIKELY, max_size=3), name=st.sampled_from(("aliyun", "tencent", "huawei_x")))
def test_whatever_is_pushed_is_read_or_refused(told: Any, name: VendorName) -> None:
    maker = _MAKERS[name]
    headers = aksk_headers(ACCOUNT, now=kit_clock.now(), nonce="n1")
    try:
        pushed = maker.parse_event(headers, orjson.dumps(told), query={"token": TOKEN})
    except (Malformed, Invalid, PushOfAnother):
        return
    assert all(record.seconds >= 0 for record in pushed.records)


_MAKERS = {
    name: live(name, simulated(name), None)  # type: ignore[arg-type] # reading a push asks no database
    for name in ("aliyun", "tencent", "huawei_x")
}


# ---- a process ------------------------------------------------------------------------------------------------------


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _simulator(data: Path, *arguments: str) -> Iterator[dict[str, str]]:
    """`mutualaid simulate numbers …` until the block ends; the settings that it says."""
    command = (sys.executable, "-m", "mutualaid.cli", "simulate", "numbers", *arguments)
    environment = instance.environment(data)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment, preexec_fn=end_with_parent()
    ) as process:
        assert process.stdout is not None
        told: dict[str, str] = {}
        try:
            while not {"MUTUALAID_NUMBERS_HOOK", "MUTUALAID_NUMBERS_ACCOUNT"} <= told.keys():
                name, _, value = process.stdout.readline().strip().partition("=")
                assert name, "it ended"
                told[name] = value
            yield told
        finally:
            process.terminate()


async def test_a_simulator_that_was_started_is_asked_over_a_socket(
    tmp_path: Path, ledger_database: Database, clock: Clock
) -> None:
    kit_clock.follow(None)
    port = _free_port()
    arguments = ("--vendor", "aliyun", "--port", str(port), "--platform", f"http://127.0.0.1:{_free_port()}")
    with _simulator(tmp_path, *arguments, "--numbers", "2") as told:
        base, account = told["MUTUALAID_NUMBERS_URL"], Account(told["MUTUALAID_NUMBERS_KEY"], "simulated-secret")
        pool = read_numbers(Path(told["MUTUALAID_NUMBERS_FILE"]))
        wire = Wire("aliyun", base, patience_s=0.5)
        maker = Aliyun(
            wire,
            Ledger(ledger_database, "aliyun"),
            account,
            pool_key=told["MUTUALAID_NUMBERS_ACCOUNT"],
            pool=pool,
            push_token="t",
            now=kit_clock.now,
        )
        async with httpx2.AsyncClient(base_url=base, trust_env=False) as client:
            await _until_it_listens(client)
            await maker.bind(BindRequest("k1", "axb", pool[0], A, B, kit_clock.now() + DAY))
            bindings = (await client.get("/_simulate/bindings")).json()["bindings"]
            assert [one["x"] for one in bindings] == [pool[0]]

            await client.post("/_simulate/faults", json={"fault": "slow"})
            began = time.monotonic()
            with pytest.raises(ProviderDown):
                await maker.bind(BindRequest("k2", "axb", pool[1], A, C, kit_clock.now() + DAY))
            assert time.monotonic() - began < 5

            refused = await client.post("/_simulate/calls", json={"caller": "138", "dialled": pool[0]})
            assert refused.status_code == 422 and "138" not in refused.text
        await wire.close()
    wire = Wire("aliyun", base, patience_s=0.5)
    with pytest.raises(ProviderDown):  # nobody listens any more
        await wire.ask("POST", "/", headers={})
    await wire.close()


async def _until_it_listens(client: httpx2.AsyncClient) -> None:
    began = time.monotonic()
    while time.monotonic() - began < 30:
        try:
            await client.get("/_simulate/bindings")
        except httpx2.ConnectError:
            time.sleep(0.05)  # noqa: ASYNC251 — what is waited for is another process
        else:
            return
    raise AssertionError("it does not listen")


@pytest.mark.parametrize(
    ("status", "headers", "body", "error", "pause"),
    [
        (429, {"retry-after": "7"}, b"", Throttled, 7),
        (429, {"retry-after": "soon"}, b"{}", Throttled, 1),
        (302, {"location": "http://elsewhere/"}, b"", ProviderDown, None),
        (200, {}, b"[]", ProviderDown, None),
        (200, {}, b"\xff", ProviderDown, None),
        (500, {}, b"", ProviderDown, None),
    ],
)
async def test_one_question_has_one_usable_answer_or_none(
    status: int, headers: dict[str, str], body: bytes, error: type[Exception], pause: int | None
) -> None:
    asked: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(status, headers=headers, content=body)

    wire = Wire("aliyun", "http://vendor", transport=httpx2.MockTransport(answer))
    with pytest.raises(error) as caught:
        await wire.ask("POST", "/", headers={})

    assert len(asked) == 1  # never asked twice, and never elsewhere
    assert getattr(caught.value, "pause", None) == pause
    await wire.close()


def test_a_plan_names_the_door_and_proves_what_it_must() -> None:
    hook = secrets.token_urlsafe(8)

    assert Plan("huawei", "http://a/", hook).hook == "http://a/hooks/numbers/huawei/events"
    assert Plan("aliyun", "http://a", hook).hook.endswith(f"?token={address_token(hook, 'aliyun')}")
    assert hook not in repr(Plan("aliyun", "http://a", hook))


async def test_a_platform_that_is_not_up_is_told_so_and_nothing_breaks() -> None:
    vendor = simulated("aliyun")

    async def nobody(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused", request=request)

    vendor.board.send = nobody
    async with httpx2.AsyncClient(transport=ASGITransport(vendor.app()), base_url="http://vendor") as client:
        asked = {"caller": A.e164, "dialled": "+8617000000001"}
        answers = [await client.post("/_simulate/calls", json=asked)]
        await client.post("/_simulate/calls", json={**asked, "hold": True})
        answers.append(await client.post("/_simulate/deliver"))

    assert [answer.status_code for answer in answers] == [502, 502]
    assert all("--platform" in answer.json()["error"] for answer in answers)
