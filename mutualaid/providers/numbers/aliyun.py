"""Alibaba Cloud 号码隐私保护 (Dyplsapi 2017-05-25): AXB, with X named by us and `OutId` our key.

Its pushes carry no signature: they come to an address that holds a secret. It knows a binding by its number and X only, so
one whose answer was lost is looked for among those on X that no key of ours names.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

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
    ExpiryTooSoon,
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
from mutualaid.providers.numbers.signing import Account, acs3_headers, acs3_query
from mutualaid.providers.numbers.wire import PROMISE, Wire, text

ENDPOINT: Final = "https://dyplsapi.aliyuncs.com"
VERSION: Final = "2017-05-25"
PAIRS_PER_X: Final = 200
_LIVE: Final = "1"

_REFUSALS: Final[dict[str, type[NumbersRefused]]] = {
    "isp.RAM_PERMISSION_DENY": NotAuthorised,
    "isv.BIND_CONFLICT": PairConflict,
    "isv.EXPIRE_DATE_ILLEGAL": ExpiryTooSoon,
    "isv.FORBIDDEN_ACTION": NotAuthorised,
    "isv.ILLEGAL_ARGUMENT": NumbersRefused,
    "isv.INVALID_PARAMETERS": NumbersRefused,
    "isv.MOBILE_NUMBER_ILLEGAL": BadNumber,
    "isv.NO_AVAILABLE_NUMBER": PoolExhausted,  # or this pair has this X: they say the same of both
    "isv.NO_NOT_EXIST": BadNumber,
    "isv.NO_USED_BY_OTHERS": BadNumber,
    "isv.SUBS_NOT_EXIST": BindingGone,
    "isv.UPDATE_CONFLICT": PairConflict,
}
_FOR_THE_OPERATOR: Final = frozenset(
    (
        *("isv.OUT_OF_SERVICE", "isv.PRODUCT_UN_SUBSCRIPT", "isv.PRODUCT_UNSUBSCRIBE", "isv.ACCOUNT_NOT_EXISTS"),
        *("isv.ACCOUNT_ABNORMAL", "isv.PARTNER_NOT_EXIST", "isv.PARTNER_IS_CLOSED", "isv.BUY_NUM_OVER_LIMIT"),
        *("isv.POOLKEY_NOT_EXISTS", "POOLKEY_NOT_EXIST"),
    )
)


class Aliyun(Keyed):
    """`pool_key` names the pool that our numbers are in; `push_token` stands in the address of its pushes."""

    name = "aliyun"

    def __init__(
        self,
        wire: Wire,
        ledger: Ledger,
        account: Account,
        *,
        pool_key: str,
        pool: Sequence[str],
        push_token: str,
        now: Callable[[], datetime],
        pairs_per_x: int = PAIRS_PER_X,
    ) -> None:
        super().__init__(pool, ledger)
        self.caps = Caps(
            modes=frozenset({"axb"}),
            max_pairs_per_x=pairs_per_x,
            sms=True,
            min_ttl=timedelta(seconds=60),
            renewable=True,
        )
        self._wire = wire
        self._account = account
        self._pool_key = pool_key
        self._push_token = push_token
        self._now = now

    async def _tell(self, request: BindRequest, held: Held) -> str:
        told = await self._call(
            "BindAxb",
            PhoneNoA=push.home(request.a),
            PhoneNoB=push.home(request.b),
            PhoneNoX=push.home(Phone(request.x)),
            Expiration=push.beijing(held.expires_at),
            CallDisplayType="1",
            IsRecordingEnabled="false",
            OutId=request.key,
        )
        bound = told.get("SecretBindDTO")
        bound = bound if isinstance(bound, dict) else {}
        ref = text(bound, "SubsId")
        if ref is None or text(bound, "SecretNo") != push.home(Phone(request.x)):
            raise self._wire.down("fields_missing")
        return ref

    async def _find(self, held: Held, people: People | None) -> str | None:
        if people is None:
            raise unknowable()
        a, b = (push.home(phone) for phone in people)
        told = await self._call("QuerySubsId", PhoneNoX=push.home(Phone(held.x)))
        known = await self._ledger.claimed(held.x)
        for ref in (told.get("SubsId") or "").split(","):
            if not ref or ref in known:
                continue
            detail = await self._detail(held, ref)
            if detail and (text(detail, "PhoneNoA"), text(detail, "PhoneNoB")) == (a, b):
                return str(ref)
        return None

    async def _holds(self, held: Held, ref: str) -> bool:
        return await self._detail(held, ref) is not None

    async def _detail(self, held: Held, ref: str) -> dict[str, Any] | None:
        try:
            told = await self._call("QuerySubscriptionDetail", SubsId=ref, PhoneNoX=push.home(Phone(held.x)))
        except BindingGone:
            return None
        detail = told.get("SecretBindDetailDTO")
        if not isinstance(detail, dict) or text(detail, "Status") is None:
            raise self._wire.down("fields_missing")
        return detail if text(detail, "Status") == _LIVE else None

    async def _move(self, held: Held, ref: str, expires_at: datetime) -> None:
        await self._call(
            "UpdateSubscription",
            gone="isv.FORBIDDEN_ACTION",  # 绑定已过期
            SubsId=ref,
            PhoneNoX=push.home(Phone(held.x)),
            OperateType="updateExpire",
            Expiration=push.beijing(expires_at),
        )

    async def _let_go(self, held: Held, ref: str) -> None:
        await self._call("UnbindSubscription", SubsId=ref, SecretNo=push.home(Phone(held.x)))

    async def _call(self, action: str, *, gone: str | None = None, **params: str) -> dict[str, Any]:
        """`gone`: a code that says of this action that there is no such binding any more."""
        query = acs3_query({"PoolKey": self._pool_key, **params})
        headers = acs3_headers(
            self._account,
            host=self._wire.host,
            action=action,
            version=VERSION,
            query=query,
            body=b"",
            now=self._now(),
            nonce=secrets.token_hex(16),
        )
        status, told = await self._wire.ask("POST", f"/?{query}", headers=headers)
        code = text(told, "Code")
        if code == "OK" and status == 200:
            return told
        raise BindingGone if code == gone and code is not None else self._problem(code, status)

    def _problem(self, code: str | None, status: int) -> Exception:
        if code is None:
            return self._wire.down("fields_missing")
        if code == "isv.FLOW_LIMIT" or code.startswith("Throttling"):
            return Throttled(PROMISE, 1)
        if refusal := _REFUSALS.get(code):
            return refusal()
        own_fault = code in _FOR_THE_OPERATOR or (400 <= status < 500)  # a gateway's 4xx: key, signature, clock
        return self._wire.down(code if code in _FOR_THE_OPERATOR else str(status), retryable=not own_fault)

    def parse_event(self, headers: Mapping[str, str], raw: bytes, *, query: Mapping[str, str]) -> Pushed:
        push.check_address(query, self._push_token)
        reports = push.over(raw, _Report, {"release_time", "release_cause"})
        if any(report.pool_key != self._pool_key for report in reports):
            raise PushOfAnother
        return Pushed(tuple(_record(report) for report in reports if report.call_type in _CALLS))

    def answer_route(self, decision: Connect | Close) -> dict[str, Any]:
        raise NotAuthorised

    def answer_event(self, taken: int) -> dict[str, Any]:
        return {"code": 0, "msg": "接收成功"}  # as their SMS push documents it; of this product nothing is documented


_BY_A, _BY_B, _INTERCEPTED = 0, 1, 4
_CALLS: Final = frozenset({_BY_A, _BY_B, _INTERCEPTED})  # the others are text messages
_BY_CALLER: Final = 1


class _Report(push.Push):
    """SecretReport: what became of a call. `phone_no` is A, `peer_no` B, `secret_no` X."""

    call_id: push.Text
    pool_key: push.Text
    call_type: int
    phone_no: push.Somebody
    peer_no: push.MaybeSomebody = None
    secret_no: push.Somebody
    call_time: push.Beijing
    ring_time: push.MaybeBeijing = None
    start_time: push.MaybeBeijing = None
    release_time: push.Beijing
    release_cause: int
    control_type: str = "CONTINUE"


def _record(report: _Report) -> CallRecord:
    caller = report.peer_no if report.call_type == _BY_B else report.phone_no
    if caller is None:
        raise push.missing("peer_no")
    talked = push.talked(report.start_time, report.release_time)
    cause: Cause
    if report.call_type == _INTERCEPTED or report.control_type.startswith("REJECT"):
        cause, talked = "not_allowed", 0
    elif talked > 0:
        cause = "normal"
    else:
        cause = push.unanswered(report.release_cause)
    return CallRecord(
        call_id=report.call_id,
        caller=caller,
        x=report.secret_no.e164,
        outcome=push.outcome_of(cause),
        seconds=talked,
        ended_at=report.release_time,
        started_at=report.call_time,
        rang_at=report.ring_time,
        answered_at=report.start_time if talked > 0 else None,
        cause=cause,
    )
