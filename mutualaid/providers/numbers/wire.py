"""One question to a vendor over HTTP, and its answer as a JSON object. Asked once: whoever asks again brings the key along."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
import orjson
import structlog

from mutualaid.kit.outside import ProviderDown, Throttled

PROMISE: Final = "numbers"
PATIENCE_S: Final = 5.0
LONGEST: Final = 1_000_000  # bytes of an answer: a page of a hundred bindings has a twentieth of it
_LONGEST_TEXT: Final = 1_000
_LONGEST_PAUSE_S: Final = 600
_SECONDS: Final = re.compile(r"[0-9]{1,9}")

log = structlog.get_logger()


class Wire:
    """`base`: where the vendor listens. `patience_s`: for each step of an answer (connect, send, next bytes)."""

    def __init__(
        self,
        maker: str,
        base: str,
        *,
        patience_s: float = PATIENCE_S,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self.host = urlsplit(base).netloc
        self._maker = maker
        self._client = httpx2.AsyncClient(
            base_url=base, timeout=patience_s, follow_redirects=False, trust_env=False, transport=transport
        )

    async def ask(
        self, method: str, address: str, *, headers: Mapping[str, str], body: bytes = b""
    ) -> tuple[int, dict[str, Any]]:
        """Status and object. `address`: path and query, encoded as they were signed.

        Raises Throttled for 429; ProviderDown where there is no answer in time, or one that is no JSON object.
        """
        try:
            async with self._client.stream(method, address, headers=dict(headers), content=body) as answer:
                raw = await self._read(answer)
        except (httpx2.HTTPError, httpx2.StreamError) as problem:
            raise self.down(type(problem).__name__) from None  # its own text may repeat the address
        if answer.status_code == 429:
            raise Throttled(PROMISE, _pause(answer.headers.get("retry-after", "")))
        try:
            told = orjson.loads(raw)
        except orjson.JSONDecodeError:
            raise self.down("no_json") from None
        if not isinstance(told, dict):
            raise self.down("no_object")
        return answer.status_code, told

    async def _read(self, answer: httpx2.Response) -> bytes:
        raw = bytearray()
        async for part in answer.aiter_bytes():
            raw += part
            if len(raw) > LONGEST:
                raise self.down("too_long")
        return bytes(raw)

    def down(self, code: str, *, retryable: bool = True) -> ProviderDown:
        """To be raised. `code`: what the vendor calls it, or we: for the log, never anything that was sent."""
        log.warning("numbers_down", maker=self._maker, code=code)
        return ProviderDown(PROMISE, retryable=retryable)

    async def close(self) -> None:
        await self._client.aclose()


def _pause(given: str) -> int:
    return min(int(given), _LONGEST_PAUSE_S) if _SECONDS.fullmatch(given) else 1


def text(told: Mapping[str, Any], name: str) -> str | None:
    """A field that must be a short printable text or a number; None where it is missing or of another kind."""
    found = told.get(name)
    if isinstance(found, bool) or not isinstance(found, str | int):
        return None
    said = str(found)
    return said if 0 < len(said) <= _LONGEST_TEXT and said.isprintable() else None
