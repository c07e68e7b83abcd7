"""The media relay, rtpengine, told by its control protocol: a cookie and a bencoded dictionary over UDP.

Sound goes from each phone to the relay and never from phone to phone. What phones report of themselves beside their sound
(RTCP carries names) is not passed on: the relay makes its own.
"""

import asyncio
import secrets
from typing import Any, Final, cast

_PATIENCE_S: Final = 0.4
_TRIES: Final = 3
_FLAGS: Final = {
    "ICE": "remove",
    "DTLS": "off",
    "SDES": ["off"],
    "flags": ["generate RTCP", "trust address"],
    "replace": ["origin", "session connection"],
    "rtcp-mux": ["demux"],
    "transport protocol": "RTP/AVP",
}


class RelayDown(Exception):
    """The relay does not answer, or will not: there is no call without it."""


class Relay(asyncio.DatagramProtocol):
    """Open it with `open`. `call` is an id of ours; the sides are named `caller` and `callee`."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, asyncio.Future[dict[str, Any]]] = {}
        self._transport: asyncio.DatagramTransport | None = None

    @classmethod
    async def open(cls, address: tuple[str, int]) -> "Relay":
        loop = asyncio.get_running_loop()
        _, relay = await loop.create_datagram_endpoint(cls, remote_addr=address)
        return relay

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    async def offer(self, call: str, sound: str, *, of: str, to: str, known: bool = False) -> str:
        """What `of` offers, as `to` shall see it. `known`: both sides have spoken before."""
        asked = {"command": "offer", "call-id": call, "from-tag": of, "sdp": sound, **_FLAGS}
        if known:
            asked["to-tag"] = to
        return _sound(await self._ask(asked))

    async def answer(self, call: str, sound: str, *, of: str, to: str) -> str:
        """What `of` answers to an offer of `to`, as `to` shall see it."""
        asked = {"command": "answer", "call-id": call, "from-tag": to, "to-tag": of, "sdp": sound, **_FLAGS}
        return _sound(await self._ask(asked))

    async def end(self, call: str) -> None:
        """No more sound. A call that the relay does not know has none."""
        await self._ask({"command": "delete", "call-id": call, "from-tag": "caller", "delete delay": 0})

    async def end_all(self) -> int:
        """No more sound for whatever was left over by a switchboard that died. How many calls there were."""
        known = (await self._ask({"command": "list", "limit": 10_000})).get("calls", [])
        for call in known:
            await self._ask({"command": "delete", "call-id": call, "delete delay": 0})
        return len(known)

    async def _ask(self, asked: dict[str, Any]) -> dict[str, Any]:
        cookie = secrets.token_hex(8).encode()
        raw = cookie + b" " + encode(asked)
        answered: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[cookie] = answered
        try:
            for _ in range(_TRIES):
                assert self._transport is not None
                self._transport.sendto(raw)
                done, _waiting = await asyncio.wait({answered}, timeout=_PATIENCE_S)
                if done:
                    return answered.result()
            raise RelayDown
        finally:
            del self._waiting[cookie]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)  # uvloop's is no subclass of it

    def error_received(self, exc: Exception) -> None:
        """Nobody listens there; the asker's patience will end."""

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        cookie, _, rest = data.partition(b" ")
        waiting = self._waiting.get(cookie)
        if waiting is None or waiting.done():
            return
        try:
            told = decode(rest)
        except (ValueError, IndexError):
            return
        if isinstance(told, dict):
            waiting.set_result(told)


def _sound(told: dict[str, Any]) -> str:
    if told.get("result") != "ok" or not isinstance(told.get("sdp"), str):
        raise RelayDown
    return str(told["sdp"])


def encode(value: Any) -> bytes:
    """Bencoding: integers, strings, lists, dictionaries with sorted keys."""
    match value:
        case int():
            return b"i%de" % value
        case str():
            raw = value.encode()
            return b"%d:%b" % (len(raw), raw)
        case list():
            return b"l" + b"".join(map(encode, value)) + b"e"
        case dict():
            return b"d" + b"".join(encode(key) + encode(value[key]) for key in sorted(value)) + b"e"
    raise TypeError("not to be bencoded")


def decode(raw: bytes) -> Any:
    """Raises ValueError or IndexError for what is not bencoded."""
    value, _ = _decode(raw, 0)
    return value


def _decode(raw: bytes, at: int) -> tuple[Any, int]:
    kind = raw[at : at + 1]
    if kind == b"i":
        end = raw.index(b"e", at)
        return int(raw[at + 1 : end]), end + 1
    if kind in (b"l", b"d"):
        found: list[Any] = []
        at += 1
        while raw[at] != ord("e"):
            value, at = _decode(raw, at)
            found.append(value)
        return (found if kind == b"l" else dict(zip(found[::2], found[1::2], strict=True))), at + 1
    middle = raw.index(b":", at)
    end = middle + 1 + int(raw[at:middle])
    if not middle < end <= len(raw):
        raise ValueError("cut short")
    return raw[middle + 1 : end].decode(errors="replace"), end
