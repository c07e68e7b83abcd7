"""Tencent Cloud NPP, simulated: counted bindings, signed requests only, their codes."""

import hmac
import re
from datetime import timedelta
from typing import Any, Final

import httpx2
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from mutualaid.kit import phones
from mutualaid.providers.numbers.pushes import beijing
from mutualaid.providers.numbers.refusals import BadNumber, BindingGone, PairConflict, PoolExhausted
from mutualaid.providers.numbers.signing import Account, tc3_signature
from mutualaid.providers.numbers.simulators.controls import Vendor, answer
from mutualaid.providers.numbers.simulators.switchboard import (
    CallMade,
    Conflict,
    Ending,
    Exhausted,
    Fault,
    Switchboard,
)
from mutualaid.providers.numbers.tencent import CODES, LONGEST, SERVICE, VERSION

_AUTHORIZATION: Final = re.compile(
    r"TC3-HMAC-SHA256 Credential=([^/]*)/(\d{4}-\d\d-\d\d)/([a-z]+)/tc3_request, "
    r"SignedHeaders=content-type;host, Signature=([0-9a-f]{64})"
)
_CODE: Final = {refusal: code for code, refusal in CODES.items()}
_FAULTS: Final[dict[Fault, str]] = {
    "pool_exhausted": _CODE[PoolExhausted],
    "pair_conflict": _CODE[PairConflict],
}
_ERRORS: Final[dict[Fault, str]] = {
    "bad_number": "InvalidParameterValue",
    "not_authorised": "UnauthorizedOperation",
    "key_refused": "AuthFailure.SignatureFailure",
    "throttled": "RequestLimitExceeded",
}
_ENDS: Final[dict[Ending, str]] = {
    "answered": "1",
    "busy": "8",
    "no_answer": "4",
    "rejected": "5",
    "intercepted": "9",
    "no_binding": "2",
}


class Tencent(Vendor):
    """`app_id`: the one application that it has."""

    name = "tencent"

    def __init__(self, board: Switchboard, account: Account, *, app_id: str) -> None:
        super().__init__(board, account)
        self.app_id = app_id

    def routes(self) -> list[BaseRoute]:
        return [Route("/", self._asked, methods=["POST"])]

    async def _asked(self, request: Request) -> Response:
        if spoiled := await self.spoiled():
            return spoiled
        body = await request.body()
        if refused := self._unsigned(request, body):
            return _error(refused)
        if fault := self.board.fault(*_ERRORS):
            return _error(_ERRORS[fault])
        if fault := self.board.fault(*_FAULTS):
            return answer({"Response": _said(_FAULTS[fault])})
        asked = orjson.loads(body)
        if any(not isinstance(value, str) for value in asked.values()):
            return _error("InvalidParameter")  # all fields are strings
        if asked.get("BizAppId") != self.app_id:
            return _error("UnauthorizedOperation")
        act = {"GetVirtualNum": self._bind, "DelVirtualNum": self._unbind}.get(request.headers.get("x-tc-action", ""))
        if act is None:
            return _error("InvalidAction")
        told = act(asked)
        missing, more = {"Response": {"ErrorCode": "0", "Msg": "ok"}}, {"Response": {**told, "Colour": "red"}, "New": 1}
        return self.twisted({"Response": told}, missing=missing, extra=more)

    def _unsigned(self, request: Request, body: bytes) -> str | None:
        shown = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
        stamp = request.headers.get("x-tc-timestamp", "")
        if shown is None or not stamp.isdecimal():
            return "AuthFailure.InvalidAuthorization"
        key, _day, service, signature = shown.groups()
        if key != self.account.key:
            return "AuthFailure.SecretIdNotFound"
        if abs(int(stamp) - self.board.now().timestamp()) > 300:
            return "AuthFailure.SignatureExpire"
        made = tc3_signature(
            self.account.secret,
            host=request.headers["host"],
            service=SERVICE,
            kind=request.headers.get("content-type", ""),
            body=body,
            stamp=int(stamp),
        )
        if service != SERVICE or not hmac.compare_digest(signature, made):
            return "AuthFailure.SignatureFailure"
        return None if request.headers.get("x-tc-version") == VERSION else "NoSuchVersion"

    def _bind(self, asked: dict[str, str]) -> dict[str, Any]:
        a, b, x = (_e164(asked.get(name, "")) for name in ("Src", "Dst", "AssignVirtualNum"))
        lasts = asked.get("MaxAssignTime", "86400")
        if not (a and b and x) or len(asked.get("BizId", "").encode()) > 16:
            return _said(_CODE[BadNumber])
        if not lasts.isdecimal() or not 0 < int(lasts) <= LONGEST.total_seconds():
            return _said("111")
        if x not in self.board.numbers:
            return _said(_CODE[BadNumber])
        again = next((one for one in self.board.live(x) if (one.a, one.b) == (a, b)), None)
        if again is not None:
            made = self.board.change(again, count=again.count + 1)
        else:
            try:
                until = self.board.now() + timedelta(seconds=int(lasts))
                made = self.board.bind(asked.get("BizId", ""), x, a, b, until)
            except Conflict:
                return _said(_CODE[PairConflict])
            except Exhausted:
                return _said(_CODE[PoolExhausted])
        bound = {"BindId": made.ref, "RefNum": str(made.count), "VirtualNum": asked["AssignVirtualNum"]}
        return {**_said("0"), **bound}

    def _unbind(self, asked: dict[str, str]) -> dict[str, Any]:
        one = self.board.find(asked.get("BindId", ""))
        if one is None:
            return _said(_CODE[BindingGone])
        left = self.board.change(one, count=one.count - 1).count
        if left == 0:
            self.board.unbind(one.ref)
        return {**_said("0"), "BindId": one.ref, "RefLeftNum": str(left)}

    def record(self, call: CallMade) -> httpx2.Request:
        return httpx2.Request("POST", self.board.hook, content=orjson.dumps(self.report(call)))

    def report(self, call: CallMade) -> dict[str, Any]:
        answered = call.answered_at
        return {
            "appId": self.app_id,
            "callId": call.id,
            "bindId": call.ref,
            "src": _written(call.caller),
            "dst": _written(call.callee) if call.callee else "",
            "dstVirtualNum": _written(call.x),
            "callCenterAcceptTime": beijing(call.started_at),
            "startDstRingTime": beijing(call.started_at),
            "dstAcceptTime": beijing(answered) if answered else "",
            "endCallTime": beijing(call.ended_at),
            "callEndStatus": _ENDS[call.ending],
            "dstDuration": str(call.seconds),
        }


def _said(code: str) -> dict[str, Any]:
    return {"ErrorCode": code, "Msg": "ok" if code == "0" else "failed", "RequestId": "a1"}


def _error(code: str) -> Response:
    return answer({"Response": {"Error": {"Code": code, "Message": code}, "RequestId": "a1"}})


def _e164(written: str) -> str:
    return f"+{written[2:]}" if re.fullmatch(r"00861[0-9]{10}", written) else ""


def _written(e164: str) -> str:
    return "0086" + phones.national(e164)
