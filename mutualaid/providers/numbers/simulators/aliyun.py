"""Alibaba Cloud Dyplsapi, simulated: the actions that the maker uses, signed requests only, their codes."""

import hmac
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl

import httpx2
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from mutualaid.kit import phones
from mutualaid.kit.clock import SHANGHAI
from mutualaid.providers.numbers.aliyun import VERSION
from mutualaid.providers.numbers.pushes import beijing
from mutualaid.providers.numbers.signing import Account, acs3_query, acs3_signature
from mutualaid.providers.numbers.simulators.controls import Vendor, answer
from mutualaid.providers.numbers.simulators.switchboard import (
    Bound,
    CallMade,
    Conflict,
    Ending,
    Exhausted,
    Fault,
    Switchboard,
)

_AUTHORIZATION: Final = re.compile(
    r"ACS3-HMAC-SHA256 Credential=([^,]*),SignedHeaders=([^,]*),Signature=([0-9a-f]{64})"
)
_MUST_BE_SIGNED: Final = {
    *("host", "x-acs-action", "x-acs-content-sha256", "x-acs-date", "x-acs-signature-nonce", "x-acs-version"),
}
_FAULTS: Final[dict[Fault, str]] = {
    "pool_exhausted": "isv.NO_AVAILABLE_NUMBER",
    "pair_conflict": "isv.BIND_CONFLICT",
    "bad_number": "isv.MOBILE_NUMBER_ILLEGAL",
    "not_authorised": "isp.RAM_PERMISSION_DENY",
    "key_refused": "isv.OUT_OF_SERVICE",
    "throttled": "isv.FLOW_LIMIT",
}
_CAUSES: Final[dict[Ending, int]] = {
    "answered": 16,
    "busy": 17,
    "no_answer": 19,
    "rejected": 21,
    "intercepted": 21,
    "no_binding": 1,
}


class Aliyun(Vendor):
    """`pool_key`: the one pool that it has."""

    name = "aliyun"

    def __init__(self, board: Switchboard, account: Account, *, pool_key: str) -> None:
        super().__init__(board, account)
        self.pool_key = pool_key

    def routes(self) -> list[BaseRoute]:
        return [Route("/", self._asked, methods=["GET", "POST"])]

    async def _asked(self, request: Request) -> Response:
        if spoiled := await self.spoiled():
            return spoiled
        params = dict(parse_qsl(request.url.query, keep_blank_values=True))
        if refused := self._unsigned(request, params):
            return answer({"RequestId": "R", "HostId": "H", "Code": refused, "Message": refused}, 400)
        if fault := self.board.fault(*_FAULTS):
            return _said(_FAULTS[fault])
        if params.get("PoolKey") != self.pool_key:
            return _said("isv.POOLKEY_NOT_EXISTS")
        act = {
            "BindAxb": self._bind,
            "UnbindSubscription": self._unbind,
            "UpdateSubscription": self._update,
            "QuerySubsId": self._ids,
            "QuerySubscriptionDetail": self._detail,
        }.get(request.headers["x-acs-action"])
        if act is None:
            return answer({"RequestId": "R", "HostId": "H", "Code": "InvalidAction.NotFound", "Message": ""}, 404)
        told = act(params)
        more = {**told, "Colour": "red", "SecretBindDTO": {**told.get("SecretBindDTO", {}), "New": 1}}
        return self.twisted(told, missing={"Code": "OK", "Message": "OK"}, extra=more)

    def _unsigned(self, request: Request, params: dict[str, str]) -> str | None:
        shown = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
        if shown is None:
            return "MissingAuthorization"
        key, names, signature = shown.groups()
        if key != self.account.key:
            return "InvalidAccessKeyId.NotFound"
        signed = {name: request.headers.get(name, "") for name in names.split(";")}
        if signed.keys() < _MUST_BE_SIGNED or not hmac.compare_digest(
            signature, acs3_signature(self.account.secret, signed, acs3_query(params))
        ):
            return "SignatureDoesNotMatch"
        made = datetime.strptime(signed["x-acs-date"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        if abs(made - self.board.now()) > timedelta(minutes=15):
            return "InvalidTimeStamp.Expired"
        if signed["x-acs-signature-nonce"] in self.board.nonces:
            return "SignatureNonceUsed"
        self.board.nonces.add(signed["x-acs-signature-nonce"])
        return None if signed["x-acs-version"] == VERSION else "InvalidVersion"

    def _bind(self, params: dict[str, str]) -> dict[str, Any]:
        numbers = {name: _e164(params.get(name, "")) for name in ("PhoneNoA", "PhoneNoB", "PhoneNoX")}
        if "" in numbers.values():
            return _body("isv.MOBILE_NUMBER_ILLEGAL")
        until = _moment(params.get("Expiration", ""))
        if until is None or until <= self.board.now() + timedelta(seconds=60):
            return _body("isv.EXPIRE_DATE_ILLEGAL")
        a, b, x = numbers.values()
        if x not in self.board.numbers:
            return _body("isv.NO_NOT_EXIST")
        try:
            made = self.board.bind(params.get("OutId", ""), x, a, b, until)
        except Conflict:
            return _body("isv.BIND_CONFLICT")
        except Exhausted:
            return _body("isv.NO_AVAILABLE_NUMBER")
        bound = {"SubsId": made.ref, "SecretNo": params["PhoneNoX"], "Extension": ""}
        return {**_body("OK"), "SecretBindDTO": bound}

    def _of(self, params: dict[str, str], x: str) -> Bound | None:
        one = self.board.find(params.get("SubsId", ""))
        return one if one is not None and one.x == _e164(params.get(x, "")) else None

    def _unbind(self, params: dict[str, str]) -> dict[str, Any]:
        one = self._of(params, "SecretNo")
        if one is None:
            return _body("isv.SUBS_NOT_EXIST")
        self.board.unbind(one.ref)
        return _body("OK")

    def _update(self, params: dict[str, str]) -> dict[str, Any]:
        one = self._of(params, "PhoneNoX")
        if params.get("OperateType") != "updateExpire":
            return _body("isv.INVALID_PARAMETERS")
        if one is None:
            return _body("isv.FORBIDDEN_ACTION")  # 绑定已过期
        until = _moment(params.get("Expiration", ""))
        if until is None or until <= self.board.now() + timedelta(seconds=60):
            return _body("isv.EXPIRE_DATE_ILLEGAL")
        self.board.change(one, expires_at=until)
        return _body("OK")

    def _ids(self, params: dict[str, str]) -> dict[str, Any]:
        on_x = self.board.live(_e164(params.get("PhoneNoX", "")))
        return {**_body("OK"), "SubsId": ",".join(one.ref for one in on_x)}

    def _detail(self, params: dict[str, str]) -> dict[str, Any]:
        one = self._of(params, "PhoneNoX")
        if one is None:
            return _body("isv.SUBS_NOT_EXIST")
        told = {
            "Status": 1,
            "SubsId": one.ref,
            "PhoneNoA": phones.national(one.a),
            "PhoneNoB": phones.national(one.b),
            "PhoneNoX": phones.national(one.x),
            "ExpireDate": beijing(one.expires_at),
        }
        return {**_body("OK"), "SecretBindDetailDTO": told}

    def record(self, call: CallMade) -> httpx2.Request:
        return httpx2.Request("POST", self.board.hook, content=orjson.dumps([self.report(call)]))

    def report(self, call: CallMade) -> dict[str, Any]:
        """One SecretReport."""
        intercepted = call.ending == "intercepted"
        a, b = (call.caller, call.callee) if call.by_a or intercepted else (call.callee, call.caller)
        answered = call.answered_at
        return {
            "id": 1014568510000,
            "partner_key": self.account.key,
            "pool_key": self.pool_key,
            "sub_id": call.ref,
            "out_id": "",
            "call_id": call.id,
            "call_type": 4 if intercepted else int(not call.by_a),
            "phone_no": phones.national(a) if a else "",
            "peer_no": phones.national(b) if b else "",
            "secret_no": phones.national(call.x),
            "called_display_no": phones.national(call.x),
            "call_time": beijing(call.started_at),
            "ring_time": beijing(call.started_at),
            "start_time": beijing(answered) if answered else "",
            "release_time": beijing(call.ended_at),
            "release_dir": 1,
            "release_cause": _CAUSES[call.ending],
            "unconnected_cause": 0,
            "control_type": "CONTINUE",
            "control_msg": "OK",
        }


def _said(code: str) -> Response:
    return answer(_body(code))


def _body(code: str) -> dict[str, Any]:
    return {"Code": code, "Message": code, "RequestId": "9297B722-A016-43FB-B51A-E54050D9369D"}


def _e164(digits: str) -> str:
    """E.164 of an 11-digit mobile; empty for anything else, as for numbers with a country code or spaces."""
    return f"+86{digits}" if re.fullmatch(r"1[0-9]{10}", digits) else ""


def _moment(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=SHANGHAI)
    except ValueError:
        return None
