"""Huawei PrivateNumber, simulated: AXB, AXE and X, signed requests and signed pushes, their codes."""

import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import httpx2
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from mutualaid.providers.numbers.huawei import AXB, AXE, DIGITS
from mutualaid.providers.numbers.huawei_events import INTERCEPTED
from mutualaid.providers.numbers.signing import AKSK_AUTHORIZATION, Account, Aksk, aksk_headers
from mutualaid.providers.numbers.simulators.controls import Play, Vendor, answer
from mutualaid.providers.numbers.simulators.switchboard import (
    Bound,
    CallMade,
    Conflict,
    Ending,
    Exhausted,
    Fault,
    Switchboard,
)

_PAGE: Final = 100
_FAULTS: Final[dict[Fault, str]] = {
    "throttled": "1010010",
    "pool_exhausted": "1012008",
    "pair_conflict": "1012010",
    "bad_number": "1010002",
    "not_authorised": "1010040",
    "key_refused": "1010029",
}
_HUNG_UP: Final[dict[Ending, int]] = {
    "answered": 0,
    "busy": 0,
    "no_answer": 8101,
    "rejected": 7504,
    "intercepted": INTERCEPTED,
    "no_binding": 8014,
}


class Huawei(Vendor):
    """`mode`: of its one application; `callin`: where it asks before a call in mode X."""

    name = "huawei"

    def __init__(self, board: Switchboard, account: Account, *, mode: Literal["axb", "axe", "x"]) -> None:
        super().__init__(board, account)
        self.mode = mode

    def routes(self) -> list[BaseRoute]:
        ways = ["POST", "GET", "PUT", "DELETE"]
        return [Route(AXB, self._axb, methods=ways), Route(AXE, self._axe, methods=ways)]

    async def _axb(self, request: Request) -> Response:
        return await self._asked(request, "axb")

    async def _axe(self, request: Request) -> Response:
        return await self._asked(request, "axe")

    async def _asked(self, request: Request, mode: str) -> Response:
        if spoiled := await self.spoiled():
            return spoiled
        if refused := self._unsigned(request):
            return answer(_body(refused), 401)
        if fault := self.board.fault(*_FAULTS):
            return answer(_body(_FAULTS[fault]))
        if mode != self.mode:
            return answer(_body("1010040"))
        if request.method == "POST":
            asked = orjson.loads(await request.body())
            told = self._bind_axb(asked) if mode == "axb" else self._bind_axe(asked)
        elif request.method == "PUT" and mode == "axb":
            told = self._change(orjson.loads(await request.body()))
        elif request.method == "GET":
            told = self._look(dict(request.query_params))
        elif request.method == "DELETE":
            gone = self.board.unbind(request.query_params.get("subscriptionId", ""))
            told = _body("0" if gone else "1012001")
        else:
            told = _body("1010002")
        missing = {"resultcode": "0", "resultdesc": "Success"}
        return self.twisted(told, missing=missing, extra={**told, "colour": "red"})

    def _unsigned(self, request: Request) -> str | None:
        shown = Aksk.read(request.headers.get("x-aksk", ""))
        if shown is None or request.headers.get("authorization") != AKSK_AUTHORIZATION:
            return "1023006"
        if shown.username != self.account.key:
            return "1010003"
        if not shown.proves(self.account.secret) or abs(shown.created - self.board.now()) > timedelta(minutes=5):
            return "1020176"
        if shown.nonce in self.board.nonces:
            return "1020176"
        self.board.nonces.add(shown.nonce)
        return None

    def _bind_axb(self, asked: dict[str, Any]) -> dict[str, Any]:
        a, b, x = (asked.get(name) for name in ("callerNum", "calleeNum", "relationNum"))
        duration = asked.get("duration")
        if not (_number(a) and _number(b) and _number(x)) or not isinstance(duration, int) or duration < 0:
            return _body("1010002")
        lasts = timedelta(seconds=duration) if duration else timedelta(days=3650)
        told = self._bound(asked, str(x), str(a), str(b), self.board.now() + lasts)
        return told if isinstance(told, dict) else {**_body("0"), **_axb_fields(told)}

    def _bind_axe(self, asked: dict[str, Any]) -> dict[str, Any]:
        b, a, x, digits = (asked.get(name) for name in ("bindNum", "callbackNum", "virtualNum", "extendNum"))
        lasts = asked.get("bindExpiredTime")
        if not (_number(a) and _number(b) and _number(x)) or not isinstance(lasts, int) or lasts <= 0:
            return _body("1010002")
        if not isinstance(digits, str) or not re.fullmatch(rf"[0-9]{{1,{DIGITS}}}", digits):
            return _body("1010002")
        unit = timedelta(minutes=1) if asked.get("timeUnit") == "1" else timedelta(hours=1)
        told = self._bound(asked, str(x), str(a), str(b), self.board.now() + lasts * unit, digits)
        return told if isinstance(told, dict) else {**_body("0"), **_axe_fields(told)}

    def _bound(
        self, asked: dict[str, Any], x: str, a: str, b: str, until: datetime, digits: str | None = None
    ) -> Bound | dict[str, Any]:
        if x not in self.board.numbers:
            return _body("1011004")
        key = asked.get("userData", "")
        if len(key) > 256 or {"{", "}"} & set(key):
            return _body("1010002")
        try:
            return self.board.bind(key, x, a, b, until, digits)
        except Conflict:
            return _body("1012010" if digits is None else "1016002")
        except Exhausted:
            return _body("1012008")

    def _change(self, asked: dict[str, Any]) -> dict[str, Any]:
        one = self.board.find(str(asked.get("subscriptionId", "")))
        duration = asked.get("duration")
        if one is None:
            return _body("1012001")
        if not isinstance(duration, int) or duration < 1:
            return _body("1010002")
        self.board.change(one, expires_at=self.board.now() + timedelta(seconds=duration))
        return _body("0")

    def _look(self, params: dict[str, str]) -> dict[str, Any]:
        if "subscriptionId" in params:
            found = [one for one in self.board.live() if one.ref == params["subscriptionId"]]
        elif self.mode == "axe":
            line = (params.get("virtualNum"), params.get("extendNum"))
            found = [one for one in self.board.live() if (one.x, one.extension) == line]
        else:
            found = self.board.live(params.get("relationNum", ""))
            if "callerNum" in params:
                found = [one for one in found if (one.a, one.b) == (params["callerNum"], params.get("calleeNum"))]
        if not found:
            return _body("1016001")
        if self.mode == "axe":
            return {**_body("0"), **_axe_fields(found[0])}
        size, page = int(params.get("pageSize", _PAGE)), int(params.get("pageIndex", 1))
        shown = [_axb_fields(one) for one in found[(page - 1) * size : page * size]]
        return {**_body("0"), "relationNumList": shown, "totalCount": len(found)}

    async def connect(self, asked: Play) -> CallMade:
        """In mode X they ask us, and put through what the answer says; whatever else comes back connects nobody."""
        if self.mode != "x":
            return await super().connect(asked)
        made = CallMade(
            self.next_id(),
            asked.caller,
            None,
            asked.dialled,
            "no_binding",
            self.board.now(),
            0,
            extension=asked.extension,
        )
        told = await self.board.ask(self._signed(self.callin(made)))
        info = told.get("connectInfo") if told.get("operation") == "connect" else None
        if not isinstance(info, dict) or info.get("displayCalleeNum") != made.x:
            return made
        intercepted = made.caller in self.board.unreported
        return made.put(str(info.get("calleeNum")), "intercepted" if intercepted else asked.ending, asked.seconds)

    def callin(self, call: CallMade) -> dict[str, Any]:
        status = {
            "sessionId": call.id,
            "timestamp": _utc(call.started_at),
            "caller": call.caller,
            "called": call.x,
            "subscriptionId": "",
        }
        return {"eventType": "callin", "statusInfo": status}

    def record(self, call: CallMade) -> httpx2.Request:
        return self._signed(self.report(call))

    def report(self, call: CallMade) -> dict[str, Any]:
        answered = {"fwdAnswerTime": _utc(call.answered_at)} if call.answered_at else {}
        fee = {
            "direction": 1,
            "spId": "CaaS_Test_01",
            "appKey": self.account.key,
            "icid": call.id,
            "bindNum": call.x,
            "sessionId": call.id,
            "subscriptionId": call.ref,
            "callerNum": call.caller,
            "calleeNum": call.x,
            "fwdDisplayNum": call.x,
            "fwdDstNum": call.callee or "",
            "callInTime": _utc(call.started_at),
            "fwdStartTime": _utc(call.started_at),
            "fwdAlertingTime": _utc(call.started_at),
            **answered,
            "callEndTime": _utc(call.ended_at),
            "fwdUnaswRsn": 17 if call.ending == "busy" else 0,
            "ulFailReason": _HUNG_UP[call.ending],
            "recordFlag": 0,
        }
        return {"eventType": "fee", "feeLst": [fee]}

    def _signed(self, told: dict[str, Any]) -> httpx2.Request:
        headers = aksk_headers(self.account, now=self.board.now(), nonce=secrets.token_hex(16))
        return httpx2.Request("POST", self.board.hook, headers=headers, content=orjson.dumps(told))


def _axb_fields(one: Bound) -> dict[str, Any]:
    named = {"relationNum": one.x, "callerNum": one.a, "calleeNum": one.b}
    return {"subscriptionId": one.ref, **named, "callDirection": 0, "userData": one.key}


def _axe_fields(one: Bound) -> dict[str, Any]:
    named = {"virtualNum": one.x, "extendNum": one.extension, "bindNum": one.b, "callbackNum": one.a}
    return {"subscriptionId": one.ref, **named, "userData": one.key}


def _body(code: str) -> dict[str, Any]:
    return {"resultcode": code, "resultdesc": "Success" if code == "0" else "failed"}


def _number(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"\+861[0-9]{10}", value) is not None


def _utc(moment: datetime | None) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if moment else ""
