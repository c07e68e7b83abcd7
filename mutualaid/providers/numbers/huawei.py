"""Huawei Cloud 隐私保护通话 (PrivateNumber): AXB or AXE, with X named by us and `userData` our key.

An application of theirs serves one mode, and so does a number. What the mode X is, where they ask before each call, stands
in `huawei_x`. Pushes carry the same proof as our requests; it covers nonce and time only, so each is good for one time.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from math import ceil
from typing import Any, Final, Literal
from urllib.parse import urlencode

import orjson

from mutualaid.kit.outside import Throttled
from mutualaid.providers.numbers import (
    BadNumber,
    BindingGone,
    BindRequest,
    Caps,
    Close,
    Connect,
    NotAuthorised,
    NumbersRefused,
    PairConflict,
    PoolExhausted,
    Pushed,
)
from mutualaid.providers.numbers.huawei_events import read_event
from mutualaid.providers.numbers.keyed import Keyed, People
from mutualaid.providers.numbers.ledger import Held, Ledger
from mutualaid.providers.numbers.signing import Account, aksk_headers
from mutualaid.providers.numbers.wire import PROMISE, Wire, text

ENDPOINT: Final = "https://rtcpns.cn-north-1.myhuaweicloud.com"
AXB: Final = "/rest/caas/relationnumber/partners/v1.0"
AXE: Final = "/rest/caas/extendnumber/v1.0"
PAIRS_PER_X: Final = 5000  # their page of 2026-01; 1000 in 2021
EXTENSIONS_PER_X: Final = 9000
DIGITS: Final = 4
_PAGE: Final = 100
_LONGEST_CALL_MINUTES: Final = 30

_REFUSALS: Final[dict[str, type[NumbersRefused]]] = {
    "1010002": BadNumber,  # a parameter is not of its form
    "1010040": NotAuthorised,
    "1011002": PoolExhausted,
    "1011003": PoolExhausted,
    "1011004": BindingGone,
    "1012001": BindingGone,
    "1012008": PoolExhausted,
    "1012010": PairConflict,
    "1012102": BadNumber,
    "1016001": BindingGone,
    "1016002": PairConflict,
    "1020167": PoolExhausted,
}
_FOR_THE_OPERATOR: Final = frozenset({"1010003", "1010029", "1012012", "1020166", "1020176"})
_FLOW_CONTROL: Final = "1010010"
_FLOW_CONTROL_PAUSE_S: Final = 60


class Huawei(Keyed):
    """`mode` is that of the application whose key the account holds."""

    name = "huawei"

    def __init__(
        self,
        wire: Wire,
        ledger: Ledger,
        account: Account,
        *,
        mode: Literal["axb", "axe"],
        pool: Sequence[str],
        now: Callable[[], datetime],
        pairs_per_x: int | None = None,
    ) -> None:
        super().__init__(pool, ledger)
        self.caps = Caps(
            modes=frozenset({mode}),
            max_pairs_per_x=pairs_per_x or (PAIRS_PER_X if mode == "axb" else EXTENSIONS_PER_X),
            extension_digits=DIGITS if mode == "axe" else 0,
            sms=mode == "axb",
            min_ttl=timedelta(seconds=60),
            renewable=mode == "axb",
        )
        self._wire = wire
        self._account = account
        self._path = AXB if mode == "axb" else AXE
        self._now = now

    async def _tell(self, request: BindRequest, held: Held) -> str:
        lasts = (held.expires_at - held.now).total_seconds()
        if request.mode == "axb":
            asked: dict[str, object] = {
                "relationNum": request.x,
                "callerNum": _chinese(request.a.e164),
                "calleeNum": _chinese(request.b.e164),
                "callDirection": 0,
                "duration": max(1, int(lasts)),
                "maxDuration": _LONGEST_CALL_MINUTES,
                "privateSms": "true",
            }
        else:
            asked = {
                "virtualNum": request.x,
                "extendNum": request.extension,
                "bindNum": _chinese(request.b.e164),
                "callbackNum": _chinese(request.a.e164),
                "displayNumMode": "0",
                "timeUnit": "1",
                "bindExpiredTime": ceil(lasts / 60),
            }
        told = await self._call("POST", body={**asked, "recordFlag": "false", "userData": held.key})
        ref = text(told, "subscriptionId")
        same = text(told, "extendNum") == held.extension if request.mode == "axe" else True
        if ref is None or not same:
            raise self._wire.down("fields_missing")
        return ref

    async def _find(self, held: Held, people: People | None) -> str | None:
        if held.extension is not None:
            found = await self._asked({"virtualNum": held.x, "extendNum": held.extension})
            return text(found[0], "subscriptionId") if found and text(found[0], "userData") == held.key else None
        narrowed = {"callerNum": people[0].e164, "calleeNum": people[1].e164} if people else {}
        page = 1
        while found := await self._asked({"relationNum": held.x, "pageIndex": str(page), **narrowed}):
            for one in found:
                if text(one, "userData") == held.key:
                    return text(one, "subscriptionId")
            if narrowed or len(found) < _PAGE:
                return None
            page += 1
        return None

    async def _asked(self, params: Mapping[str, str]) -> list[dict[str, Any]]:
        """The bindings that they tell of; none where they know of none."""
        sized = {**params, "pageSize": str(_PAGE)} if "pageIndex" in params else params
        try:
            told = await self._call("GET", query=sized)
        except BindingGone:
            return []
        listed = told.get("relationNumList", [told])
        if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
            raise self._wire.down("fields_missing")
        return [one for one in listed if text(one, "subscriptionId") is not None]

    async def _holds(self, held: Held, ref: str) -> bool:
        return any(text(one, "subscriptionId") == ref for one in await self._asked({"subscriptionId": ref}))

    async def _move(self, held: Held, ref: str, expires_at: datetime) -> None:
        """Their clock starts anew with the change."""
        duration = max(1, int((expires_at - held.now).total_seconds()))
        await self._call("PUT", body={"subscriptionId": ref, "duration": duration})

    async def _let_go(self, held: Held, ref: str) -> None:
        await self._call("DELETE", query={"subscriptionId": ref})

    async def _call(
        self, method: str, *, query: Mapping[str, str] | None = None, body: Mapping[str, object] | None = None
    ) -> dict[str, Any]:
        address = f"{self._path}?{urlencode(query)}" if query else self._path
        headers = aksk_headers(self._account, now=self._now(), nonce=secrets.token_hex(16))
        sent = orjson.dumps(body) if body is not None else b""
        status, told = await self._wire.ask(method, address, headers=headers, body=sent)
        code = text(told, "resultcode")
        if code == "0" and status == 200:
            return told
        raise self._problem(code, status)

    def _problem(self, code: str | None, status: int) -> Exception:
        if code is None:
            return self._wire.down("fields_missing")
        if code == _FLOW_CONTROL:
            return Throttled(PROMISE, _FLOW_CONTROL_PAUSE_S)
        if refusal := _REFUSALS.get(code):
            return refusal()
        if code in _FOR_THE_OPERATOR or status in (401, 403):
            return self._wire.down("not_usable", retryable=False)
        return self._wire.down("their_fault")

    def parse_event(self, headers: Mapping[str, str], raw: bytes, *, query: Mapping[str, str]) -> Pushed:
        return read_event(self._account, headers, raw, asks=False)

    def answer_route(self, decision: Connect | Close) -> dict[str, Any]:
        raise NotAuthorised

    def answer_event(self, taken: int) -> dict[str, Any]:
        return {"resultcode": "0", "resultdesc": "Success"}  # the status is all that they look at


def _chinese(e164: str) -> str:
    if not e164.startswith("+86"):
        raise BadNumber
    return e164
