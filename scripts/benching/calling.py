"""Masked calls through our own telephony: what asking the service adds to a call's set-up, and how many a second are clean.

A static route and the service's decision take turns, call by call, in one run of one exchange: the same Kamailio, switchboard,
relay and phone, so that what differs is the asking. The caller is the trunk; the callee is SIPp, which answers at once.
"""

import asyncio
import itertools
import os
import secrets
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final, cast

from benching.half_static import STATIC
from mutualaid import migrate
from mutualaid.contacts import rules
from mutualaid.kit.settings import Settings
from mutualaid.wiring import open_services
from tests.contacts.town import Town
from tests.servers import free_port
from tests.telephony import programs
from tests.telephony.programs import Telephony
from tests.telephony.service import serving

_TRUNK: Final = "127.0.0.64/28"
_CALLER: Final = "127.0.0.65"
_CALLEE: Final = "127.0.0.66"
_SOUND: Final = "".join(
    f"{line}\r\n"
    for line in (
        *("v=0", "o=- 1 1 IN IP4 {host}", "s=-", "c=IN IP4 {host}", "t=0 0"),
        *("m=audio 9000 RTP/AVP 8", "a=rtpmap:8 PCMA/8000"),
    )
)
_PATIENCE_S: Final = 5.0
_TOLD_OF_LOG: Final = 2_000  # characters, where a call fails
_ANY: Final = 1_000_000
Told = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Effort:
    """`calls`: of each kind in a round. `rates`: calls a second, tried in turn for `seconds`."""

    rounds: int = 5
    calls: int = 250
    pairs: int = 200
    rates: tuple[int, ...] = (25, 50, 75, 100, 125, 150, 200, 250, 300, 400)
    seconds: float = 4.0


QUICK: Final = Effort(rounds=1, calls=3, pairs=2, rates=(5,), seconds=1.0)


class _Switched(Telephony):
    callee = "+8613900000000"

    def _command(self, name: str) -> list[str]:
        if name != "switchboard":
            return super()._command(name)
        return [sys.executable, str(Path(__file__).with_name("half_static.py")), self.callee]

    def environment(self) -> dict[str, str]:
        paths = os.pathsep.join(str(Path(__file__).parents[up]) for up in (1, 2))
        return super().environment() | {"PYTHONPATH": paths}


@dataclass
class Exchange:
    """`pairs`: (who calls, the number that is dialled)."""

    telephony: Telephony
    pairs: list[tuple[str, str]]
    callee_port: int
    folder: Path


@asynccontextmanager
async def an_exchange(folder: Path, effort: Effort, told: Told) -> AsyncIterator[Exchange]:
    port, callee_port = free_port(), programs.free_udp_port(_CALLEE)
    numbers = folder / "numbers"
    numbers.write_text("".join(f"+8617000000{n:03d}\n" for n in range(1, 41)), encoding="utf-8")
    settings = programs.chosen(
        Settings(data=folder),
        service=f"http://127.0.0.1:{port}",
        numbers=numbers,
        trusted=_TRUNK,
        trunk=f"{_CALLEE}:{callee_port}",
    )
    everyday = rules.A_PAIR_CALLS, rules.A_CALLER_CALLS
    async with open_services(settings) as services:
        await migrate.upgrade(services.database)
        pairs = await _pairs(Town(services), effort.pairs, told)
        async with serving(services, port):
            telephony = _Switched(settings, settings.telephony_dir)
            try:
                _allow(_ANY, _ANY)  # a bench calls more often than people may
                telephony.start()
                yield Exchange(telephony, pairs, callee_port, folder)
            except AssertionError as broken:
                broken.add_note(telephony.log.read_text(encoding="utf-8", errors="replace")[-_TOLD_OF_LOG:])
                raise
            finally:
                _allow(*everyday)
                telephony.stop()


def _allow(by_pair: int, by_caller: int) -> None:
    vars(rules).update(A_PAIR_CALLS=by_pair, A_CALLER_CALLS=by_caller)


async def _pairs(town: Town, count: int, told: Told) -> list[tuple[str, str]]:
    found = []
    for n in range(count):
        asker, owner = await town.member(), await town.member()
        lease = await town.call(asker, await town.post(owner))
        assert lease.x is not None, lease.state
        found.append((town.phones[asker.id].e164, lease.x))
        told("contacts: pairs", n + 1, count)
    return found


# ---- a phone that looks at its watch ---------------------------------------------------------------------------------


@dataclass
class Watch(asyncio.DatagramProtocol):
    """Calls, one after the other, and takes the time from INVITE to 200."""

    listen: tuple[str, int]
    _waiting: dict[str, asyncio.Future[tuple[float, str]]] = field(default_factory=dict)
    _transport: asyncio.DatagramTransport | None = None

    @classmethod
    async def open(cls, listen: tuple[str, int]) -> "Watch":
        loop = asyncio.get_running_loop()
        _, phone = await loop.create_datagram_endpoint(lambda: cls(listen), local_addr=(_CALLER, 0))
        return phone

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    async def call(self, caller: str, x: str) -> float:
        """Seconds of set-up; the call is ended again. Raises AssertionError where it was not answered by 200."""
        call_id, tag = secrets.token_hex(8), secrets.token_hex(4)
        begun = time.perf_counter()
        at, answer = await self._ask(self._invite(call_id, tag, caller, x), call_id, "INVITE")
        assert answer.startswith("SIP/2.0 200"), answer.split("\r\n")[0]
        to = next(line for line in answer.split("\r\n") if line.lower().startswith("to:"))
        contact = answer.partition("Contact: <")[2].partition(">")[0]
        routes = [f"Route:{line[13:]}" for line in answer.split("\r\n") if line.startswith("Record-Route:")]
        ours = self._headers(call_id, tag, caller, to, routes)
        self._send("\r\n".join((f"ACK {contact} SIP/2.0", *ours, "CSeq: 1 ACK", "Content-Length: 0", "", "")))
        bye = "\r\n".join((f"BYE {contact} SIP/2.0", *ours, "CSeq: 2 BYE", "Content-Length: 0", "", ""))
        await self._ask(bye, call_id, "BYE")
        return at - begun

    def _headers(self, call_id: str, tag: str, caller: str, to: str, more: list[str]) -> list[str]:
        assert self._transport is not None
        host, port = self._transport.get_extra_info("sockname")
        return [
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{secrets.token_hex(8)}",
            *more,
            f"From: <sip:{caller}@{host}>;tag={tag}",
            to,
            f"Call-ID: {call_id}",
            "Max-Forwards: 70",
            f"Contact: <sip:{caller}@{host}:{port}>",
            f"P-Asserted-Identity: <sip:{caller}@{host}>",
        ]

    def _invite(self, call_id: str, tag: str, caller: str, x: str) -> str:
        uri, sound = f"sip:{x}@{self.listen[0]}", _SOUND.format(host=_CALLER)
        headers = self._headers(call_id, tag, caller, f"To: <{uri}>", [])
        about = ["CSeq: 1 INVITE", "Content-Type: application/sdp", f"Content-Length: {len(sound)}"]
        return "\r\n".join((f"INVITE {uri} SIP/2.0", *headers, *about, "", sound))

    async def _ask(self, message: str, call_id: str, method: str) -> tuple[float, str]:
        """When its final answer came, and what it said."""
        answered: asyncio.Future[tuple[float, str]] = asyncio.get_running_loop().create_future()
        self._waiting[f"{call_id} {method}"] = answered
        self._send(message)
        try:
            return await asyncio.wait_for(answered, _PATIENCE_S)
        finally:
            del self._waiting[f"{call_id} {method}"]

    def _send(self, message: str) -> None:
        assert self._transport is not None
        self._transport.sendto(message.encode(), self.listen)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        at, text = time.perf_counter(), data.decode()
        if text.startswith("SIP/2.0 1"):
            return
        call_id = text.partition("\r\nCall-ID: ")[2].partition("\r\n")[0]
        method = text.partition("\r\nCSeq: ")[2].partition("\r\n")[0].partition(" ")[2]
        waiting = self._waiting.get(f"{call_id} {method}")
        if waiting is not None and not waiting.done():
            waiting.set_result((at, text))


# ---- what is measured --------------------------------------------------------------------------------------------------


async def set_up(exchange: Exchange, effort: Effort, told: Told) -> dict[str, Any]:
    """p50 and p99 in ms, medians over the rounds: a static route, the service asked, and what that adds within a round."""
    phone = await Watch.open(exchange.telephony.listen)
    pairs = itertools.cycle(exchange.pairs)
    rounds: list[tuple[list[float], list[float]]] = []
    try:
        for n in range(effort.rounds):
            static: list[float] = []
            asked: list[float] = []
            for at in range(effort.calls):
                caller, x = next(pairs)
                static.append(await phone.call(caller, f"{STATIC}{at % 10}"))
                asked.append(await phone.call(caller, x))
            rounds.append((sorted(static), sorted(asked)))
            told("contacts: set-up of calls", n + 1, effort.rounds)
    finally:
        phone.close()
    ms = {"static": [s for s, _ in rounds], "asked": [a for _, a in rounds]}
    found = {f"{who}_{name}_ms": _of(ms[who], share) for who in ms for name, share in (("p50", 0.5), ("p99", 0.99))}
    added = median(_at(a, 0.5) - _at(s, 0.5) for s, a in rounds)
    return {"n": effort.rounds * effort.calls, **found, "added_p50_ms": round(1000 * added, 3)}


def _of(rounds: list[list[float]], share: float) -> float:
    return round(1000 * median(_at(one, share) for one in rounds), 3)


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def clean_rate(exchange: Exchange, effort: Effort, told: Told) -> dict[str, Any]:
    """The highest rate tried at which every call was set up by the service's word, answered and ended, none sent again."""
    csv = exchange.folder / "pairs.csv"
    csv.write_text("SEQUENTIAL\n" + "".join(f"{caller};{x};\n" for caller, x in exchange.pairs), encoding="utf-8")
    (exchange.folder / "caller.xml").write_text(
        _CALLER_XML.replace("EXCHANGE", exchange.telephony.listen[0]), encoding="utf-8"
    )
    best, calls = 0, 0
    for n, rate in enumerate(effort.rates):
        count = int(rate * effort.seconds)
        clean = await _sipp_calls(exchange, csv, rate, count)
        told("contacts: calls a second", n + 1, len(effort.rates))
        if not clean:
            told("contacts: calls a second", len(effort.rates), len(effort.rates))
            break
        best, calls = rate, calls + count
    return {"a_second": best, "n": calls, "highest_tried": rate}


async def _sipp_calls(exchange: Exchange, csv: Path, rate: int, count: int) -> bool:
    host, port = exchange.telephony.listen
    statistics = exchange.folder / f"caller-{rate}.csv"
    words: list[str | Path] = [
        "-sf",
        exchange.folder / "caller.xml",
        "-i",
        _CALLER,
        "-p",
        str(programs.free_udp_port(_CALLER)),
        "-inf",
        csv,
    ]
    words += [
        "-r",
        str(rate),
        "-m",
        str(count),
        "-l",
        "2000",
        "-nostdin",
        "-trace_stat",
        "-stf",
        statistics,
        "-timeout",
        "30",
    ]
    process = await _sipp(f"{host}:{port}", *words, folder=exchange.folder)
    if await process.wait():
        return False
    names, *_, last = (line.split(";") for line in statistics.read_text().splitlines())
    final = dict(zip(names, last, strict=True))
    return int(final["FailedCall(C)"]) == 0 and int(final["Retransmissions(C)"]) == 0


async def _sipp(*words: str | Path, folder: Path) -> asyncio.subprocess.Process:
    quiet = {name: asyncio.subprocess.DEVNULL for name in ("stdin", "stdout", "stderr")}
    return await asyncio.create_subprocess_exec(programs.program("sipp"), *words, cwd=folder, **quiet)  # type: ignore[arg-type]


_CALLER_XML: Final = """<?xml version="1.0" encoding="UTF-8"?>
<scenario name="caller">
<send retrans="1000"><![CDATA[
INVITE sip:[field1]@EXCHANGE SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: <sip:[field0]@[local_ip]>;tag=[call_number]
To: <sip:[field1]@EXCHANGE>
Call-ID: [call_id]
CSeq: 1 INVITE
Max-Forwards: 70
Contact: <sip:[field0]@[local_ip]:[local_port]>
P-Asserted-Identity: <sip:[field0]@[local_ip]>
Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio 9000 RTP/AVP 8
a=rtpmap:8 PCMA/8000
]]></send>
<recv response="100" optional="true"/><recv response="180" optional="true"/><recv response="200" rrs="true"/>
<send><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
[routes]
From: <sip:[field0]@[local_ip]>;tag=[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
<send retrans="1000"><![CDATA[
BYE [next_url] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
[routes]
From: <sip:[field0]@[local_ip]>;tag=[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 2 BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv response="200"/>
</scenario>
"""


async def measure(folder: Path, effort: Effort, told: Told) -> dict[str, dict[str, Any]]:
    """`set_up` and `calls`."""
    async with an_exchange(folder, effort, told) as exchange:
        callee = await _sipp("-sn", "uas", "-i", _CALLEE, "-p", str(exchange.callee_port), "-nostdin", folder=folder)
        try:
            while not programs.udp_is_open(_CALLEE, exchange.callee_port):  # noqa: ASYNC110 — SIPp tells nobody
                await asyncio.sleep(0.01)
            found = {"set_up": await set_up(exchange, effort, told)}
            found["calls"] = await clean_rate(exchange, effort, told)
        finally:
            callee.kill()
            await callee.wait()
    return found
