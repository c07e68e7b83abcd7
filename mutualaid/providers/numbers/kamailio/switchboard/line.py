"""One UDP socket towards Kamailio: what was sent is repeated until it is answered, what comes twice is answered alike.

The transactions of RFC 3261 §17 over a transport that may lose messages. Kamailio is the only peer that is listened to.
"""

import asyncio
import secrets
from collections.abc import Callable
from typing import Final, cast

import structlog

from mutualaid.providers.numbers.kamailio.switchboard.messages import Request, Response, Unreadable, read, tag_of

T1_S: Final = 0.5
_T2_S: Final = 4.0
PATIENCE_S: Final = 64 * T1_S  # how long anything is repeated or remembered
_LONGEST: Final = 16_384  # bytes of a message

Address = tuple[str, int]
Told = Callable[[Response | None], None]
log = structlog.get_logger()


class Line(asyncio.DatagramProtocol):
    """`received` is handed each new request once. Open it with `open`."""

    def __init__(self, kamailio: Address, received: Callable[[Request], None]) -> None:
        self._kamailio = kamailio
        self._received = received
        self._asked: dict[tuple[str, str], _Asked] = {}
        self._answers: dict[tuple[str, str], bytes | None] = {}
        self._unacked: dict[tuple[str, str, int], _Repeated] = {}
        self._transport: asyncio.DatagramTransport | None = None
        self.address: Address = ("", 0)

    @classmethod
    async def open(cls, address: Address, kamailio: Address, received: Callable[[Request], None]) -> "Line":
        loop = asyncio.get_running_loop()
        _, line = await loop.create_datagram_endpoint(lambda: cls(kamailio, received), local_addr=address)
        return line

    def close(self) -> None:
        for asked in self._asked.values():
            asked.stop()
        for repeated in self._unacked.values():
            repeated.stop()
        if self._transport is not None:
            self._transport.close()

    # ---- out -------------------------------------------------------------------------------------------------------

    def ask(self, request: Request, told: Told) -> None:
        """Send a request; `told` hears each response that it has not heard, or None when nobody answers at all."""
        key = (request.branch, request.method)
        asked = _Asked(self, request, told, lambda: self._asked.pop(key, None))
        self._asked[key] = asked
        asked.begin()

    def acknowledge(self, ack: Request) -> None:
        self.send(ack.encode())

    def answer(self, request: Request, response: Response, unacked: Callable[[], None] | None = None) -> None:
        """Answer, also when it is asked again. A final answer to INVITE is repeated until its ACK; `unacked`: none came."""
        raw = response.encode()
        self._answers[request.branch, request.method] = raw
        self.send(raw)
        if request.method == "INVITE" and response.status >= 200:
            key = _exchange(request)
            self._unacked[key] = _Repeated(self, raw, lambda: self._give_up(key, unacked))

    def _give_up(self, key: tuple[str, str, int], unacked: Callable[[], None] | None) -> None:
        self._unacked.pop(key, None)
        if unacked is not None:
            unacked()

    def send(self, raw: bytes) -> None:
        if self._transport is not None:
            self._transport.sendto(raw, self._kamailio)

    def via(self) -> str:
        """A fresh transaction."""
        host, port = self.address
        return f"SIP/2.0/UDP {host}:{port};branch=z9hG4bK{secrets.token_hex(12)}"

    # ---- in --------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)  # uvloop's is no subclass of it
        self.address = transport.get_extra_info("sockname")[:2]

    def error_received(self, exc: Exception) -> None:
        """Kamailio is away; what waits for it is repeated."""

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if addr[:2] != self._kamailio or len(data) > _LONGEST:
            return
        try:
            message = read(data)
        except Unreadable:
            return
        try:
            self._take(message)
        except Exception:
            log.exception("switchboard.message_failed")

    def _take(self, message: Request | Response) -> None:
        if isinstance(message, Response):
            asked = self._asked.get((message.branch, message.cseq[1]))
            if asked is not None:
                asked.heard(message)
            return
        if message.method == "ACK":
            if repeated := self._unacked.pop(_exchange(message), None):
                repeated.stop()
            return
        key = (message.branch, message.method)
        if key in self._answers:
            if raw := self._answers[key]:
                self.send(raw)
            return
        self._answers[key] = None
        asyncio.get_running_loop().call_later(PATIENCE_S, self._answers.pop, key, None)
        self._received(message)


def _exchange(request: Request) -> tuple[str, str, int]:
    """What an INVITE and the ACK of its answer have in common, whichever the answer was."""
    return request.call_id, tag_of(request.first("from")), request.cseq[0]


class _Repeated:
    """Sends again, at first after T1, then ever more rarely, until it is stopped or the patience ends."""

    def __init__(self, line: Line, raw: bytes, over: Callable[[], None]) -> None:
        self._line, self._raw, self._over = line, raw, over
        self._loop = asyncio.get_running_loop()
        self._until = self._loop.time() + PATIENCE_S
        self._pause = T1_S
        self._timer = self._loop.call_later(self._pause, self._again)

    def _again(self) -> None:
        if self._loop.time() >= self._until:
            self._over()
            return
        self._line.send(self._raw)
        self._pause = min(2 * self._pause, _T2_S)
        self._timer = self._loop.call_later(self._pause, self._again)

    def stop(self) -> None:
        self._timer.cancel()


class _Asked:
    """A request of ours under way. Of an INVITE only, repeated answers are heard again: each wants its ACK."""

    def __init__(self, line: Line, request: Request, told: Told, forget: Callable[[], object]) -> None:
        self._line, self._request, self._told, self._forget = line, request, told, forget
        self._repeated: _Repeated | None = None
        self._forgetting: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        raw = self._request.encode()
        self._line.send(raw)
        self._repeated = _Repeated(self._line, raw, self._nobody)

    def _nobody(self) -> None:
        self._forget()
        self._told(None)

    def heard(self, response: Response) -> None:
        invited = self._request.method == "INVITE"
        if self._repeated is not None and (response.status >= 200 or invited):
            self._repeated.stop()
        if response.status >= 300 and invited:
            self._line.acknowledge(_refusal_taken(self._request, response))
        first = self._forgetting is None
        if response.status >= 200 and first:
            self._forgetting = asyncio.get_running_loop().call_later(PATIENCE_S, self._forget)
        if first or (invited and 200 <= response.status < 300):
            self._told(response)

    def stop(self) -> None:
        if self._repeated is not None:
            self._repeated.stop()
        if self._forgetting is not None:
            self._forgetting.cancel()


def _refusal_taken(invite: Request, response: Response) -> Request:
    """The ACK of a refusal belongs to the INVITE's own transaction (RFC 3261 §17.1.1.3)."""
    kept = [
        (name, value) for name, value in invite.headers if name in ("via", "from", "call-id", "route", "max-forwards")
    ]
    headers = [*kept, ("to", response.first("to")), ("cseq", f"{invite.cseq[0]} ACK")]
    return Request(headers, method="ACK", uri=invite.uri)
