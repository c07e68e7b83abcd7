"""Tencent Cloud 号码保护 (NPP 2019-08-23): AXB, with the middle number named by us.

Its bindings are counted: the same three numbers bound again are the same binding once more, and it ends when it was let go
of as often. There is no renewing and no asking what is bound; one whose answer was lost is learnt by binding again.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from mutualaid.kit.outside import Throttled
from mutualaid.kit.phones import Phone
from mutualaid.providers.numbers import (
    BadNumber,
    BindingGone,
    BindRequest,
    CallRecord,
    Caps,
    Cause,
    Close,
    Connect,
    NotAuthorised,
    NumbersRefused,
    PairConflict,
    PoolExhausted,
    Pushed,
    PushOfAnother,
)
from mutualaid.providers.numbers import pushes as push
from mutualaid.providers.numbers.keyed import Keyed, People, unknowable
from mutualaid.providers.numbers.ledger import Held, Ledger
from mutualaid.providers.numbers.signing import Account, tc3_headers
from mutualaid.providers.numbers.wire import PROMISE, Wire, text

ENDPOINT: Final = "https://npp.tencentcloudapi.com"
SERVICE: Final = "npp"
VERSION: Final = "2019-08-23"
PAIRS_PER_X: Final = 200  # not documented: what the others allow
LONGEST: Final = timedelta(hours=168)
_MOST_REFS: Final = 64

# What `ErrorCode` says inside an answer. Only 0 and 107 are documented; the others are to be corrected here.
CODES: Final[dict[str, type[NumbersRefused]]] = {
    "107": PoolExhausted,
    "108": PairConflict,
    "109": BadNumber,
    "110": BindingGone,
}
# What `Error.Code` says instead of an answer, by its first part.
_REFUSALS: Final[dict[str, type[NumbersRefused]]] = {
    "InvalidParameter": NumbersRefused,
    "InvalidParameterValue": BadNumber,
    "MissingParameter": NumbersRefused,
    "UnauthorizedOperation": NotAuthorised,
}
_FOR_THE_OPERATOR: Final = (
    *("AuthFailure", "UnauthorizedOperation.Arrears", "UnauthorizedOperation.Nonactivated", "InvalidAction"),
    *("UnsupportedOperation", "NoSuchVersion", "NoSuchProduct"),
)


class Tencent(Keyed):
    """`app_id` is the BizAppId; `hook`: where it is to push what became of calls, with the token in it, None where the
    console says so."""

    name = "tencent"
    counts = True

    def __init__(
        self,
        wire: Wire,
        ledger: Ledger,
        account: Account,
        *,
        app_id: str,
        pool: Sequence[str],
        push_token: str,
        now: Callable[[], datetime],
        hook: str | None = None,
        pairs_per_x: int = PAIRS_PER_X,
    ) -> None:
        super().__init__(pool, ledger)
        self.caps = Caps(
            modes=frozenset({"axb"}),
            max_pairs_per_x=pairs_per_x,
            min_ttl=timedelta(seconds=60),
            max_ttl=LONGEST,
        )
        self._wire = wire
        self._account = account
        self._app_id = app_id
        self._push_token = push_token
        self._now = now
        self._hook = hook

    async def _tell(self, request: BindRequest, held: Held) -> str:
        return await self._bind(held, request.a, request.b)

    async def _bind(self, held: Held, a: Phone, b: Phone) -> str:
        asked = {
            "Src": _written(a),
            "Dst": _written(b),
            "AssignVirtualNum": _written(Phone(held.x)),
            "MaxAssignTime": str(max(1, int((held.expires_at - held.now).total_seconds()))),
            "Record": "0",
            "BizId": _biz_id(held.key),
        }
        told = await self._call("GetVirtualNum", asked | ({"HangupUrl": self._hook} if self._hook else {}))
        ref = text(told, "BindId")
        if ref is None or text(told, "VirtualNum") != _written(Phone(held.x)):
            raise self._wire.down("fields_missing")
        return ref

    async def _find(self, held: Held, people: People | None) -> str | None:
        if people is None:
            raise unknowable()
        try:
            return await self._bind(held, *people)
        except NumbersRefused:
            return None

    async def _holds(self, held: Held, ref: str) -> bool:
        return True  # nobody can be asked; what we were told holds until its end

    async def _move(self, held: Held, ref: str, expires_at: datetime) -> None:
        raise NotAuthorised

    async def _let_go(self, held: Held, ref: str) -> None:
        """As often as it takes: a lost answer may have counted it twice."""
        for _ in range(_MOST_REFS):
            told = await self._call("DelVirtualNum", {"BindId": ref, "BizId": _biz_id(held.key)})
            left = text(told, "RefLeftNum")
            if left is None or not left.isdecimal():
                raise self._wire.down("fields_missing")
            if left == "0":
                return
        raise self._wire.down("still_counted")

    async def _call(self, action: str, asked: Mapping[str, str]) -> dict[str, Any]:
        body = orjson.dumps({"BizAppId": self._app_id, **asked})
        headers = tc3_headers(
            self._account,
            host=self._wire.host,
            service=SERVICE,
            action=action,
            version=VERSION,
            body=body,
            now=self._now(),
        )
        status, told = await self._wire.ask("POST", "/", headers=headers, body=body)
        response = told.get("Response")
        if status != 200 or not isinstance(response, dict):
            raise self._wire.down(str(status))
        if isinstance(response.get("Error"), dict):
            raise self._problem(text(response["Error"], "Code") or "")
        code = text(response, "ErrorCode")
        if code is None:
            raise self._wire.down("fields_missing")
        if code != "0":
            raise CODES.get(code, NumbersRefused)()
        return response

    def _problem(self, code: str) -> Exception:
        if code.startswith(("RequestLimitExceeded", "LimitExceeded")):
            return Throttled(PROMISE, 1)
        if code.startswith(_FOR_THE_OPERATOR):
            return self._wire.down("not_usable", retryable=False)
        if refusal := _REFUSALS.get(code.partition(".")[0]):
            return refusal()
        return self._wire.down("their_fault")

    def parse_event(self, headers: Mapping[str, str], raw: bytes, *, query: Mapping[str, str]) -> Pushed:
        push.check_address(query, self._push_token)
        reports = push.over(raw, _Report, {"endCallTime", "callEndStatus"})
        if any(report.appId not in (None, self._app_id) for report in reports):
            raise PushOfAnother
        return Pushed(tuple(_record(report) for report in reports))

    def answer_route(self, decision: Connect | Close) -> dict[str, Any]:
        raise NotAuthorised

    def answer_event(self, taken: int) -> dict[str, Any]:
        return {"errorCode": 0, "msg": "ok"}


_ENDS: Final[dict[str, Cause]] = {
    "1": "normal",
    "2": "network",
    "3": "cancelled",
    "4": "no_answer",
    "5": "rejected",
    "6": "unreachable",
    "7": "no_such_number",
    "8": "busy",
    "9": "not_allowed",
    "10": "network",
}


class _Report(push.Push):
    """What became of a call. The bodies are documented nowhere: these are the fields of `Get400Cdr` in camel case."""

    callId: push.Text
    appId: push.Text | None = None
    src: push.Somebody
    dstVirtualNum: push.Somebody
    callCenterAcceptTime: push.MaybeBeijing = None
    startDstRingTime: push.MaybeBeijing = None
    dstAcceptTime: push.MaybeBeijing = None
    endCallTime: push.Beijing
    callEndStatus: push.Text


def _record(report: _Report) -> CallRecord:
    talked = push.talked(report.dstAcceptTime, report.endCallTime)
    cause: Cause = _ENDS.get(report.callEndStatus, "network")
    if cause == "normal" and talked == 0:
        cause = "cancelled"
    return CallRecord(
        call_id=report.callId,
        caller=report.src,
        x=report.dstVirtualNum.e164,
        outcome=push.outcome_of(cause),
        seconds=talked if cause == "normal" else 0,
        ended_at=report.endCallTime,
        started_at=report.callCenterAcceptTime,
        rang_at=report.startDstRingTime,
        answered_at=report.dstAcceptTime if cause == "normal" else None,
        cause=cause,
    )


def _written(phone: Phone) -> str:
    """`008613800138000`."""
    return "0086" + push.home(phone)


def _biz_id(key: str) -> str:
    """Our key in the 16 bytes that there are."""
    return base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest()[:12]).decode()
