"""What Huawei pushes: a question before a call (mode X), what became of calls, and news on the way."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from mutualaid.providers.numbers import (
    CallRecord,
    Cause,
    Once,
    Pushed,
    PushOfAnother,
    PushRefused,
    RouteQuery,
)
from mutualaid.providers.numbers import pushes as push
from mutualaid.providers.numbers.signing import Account, Aksk

FRESH: Final = timedelta(minutes=5)  # how far the time of a proof may be from ours

# What hung up (ulFailReason), where Q.850 says too little.
INTERCEPTED: Final = 8018  # a caller who is not reported (实名报备): their number for it is not documented
_HUNG_UP: Final[dict[int, Cause]] = {
    INTERCEPTED: "not_allowed",
    7504: "rejected",
    8013: "not_allowed",
    8014: "not_allowed",
    8016: "not_allowed",
    8019: "not_allowed",
    8035: "no_answer",
    8100: "no_such_number",
    8101: "no_answer",
}


class _Status(push.Push):
    """`statusInfo`: where a call is on its way."""

    sessionId: push.Text
    caller: push.Somebody
    called: push.Somebody
    timestamp: push.MaybeUniversal = None
    digitInfo: push.Text | None = None


class _Event(push.Push):
    eventType: push.Text
    statusInfo: _Status | None = None
    feeLst: list["_Fee"] | None = None


class _Fee(push.Push):
    """One finished call. `bindNum` is X; without `fwdAnswerTime` nobody answered."""

    sessionId: push.Text
    appKey: push.Text | None = None
    bindNum: push.Somebody
    callerNum: push.Somebody
    callInTime: push.MaybeUniversal = None
    fwdStartTime: push.MaybeUniversal = None
    fwdAlertingTime: push.MaybeUniversal = None
    fwdAnswerTime: push.MaybeUniversal = None
    callEndTime: push.Universal
    fwdUnaswRsn: int | None = None
    ulFailReason: int | None = None
    extendNum: push.Text | None = None


def read_event(account: Account, headers: Mapping[str, str], raw: bytes, *, asks: bool) -> Pushed:
    """`asks`: whether `callin` is a question (mode X). The proof is good for one time, until it is too old.

    Raises what the promise raises.
    """
    once = _proof(account, headers)
    event = push.read(_Event, push.decoded(raw))
    if event.eventType == "fee":
        fees = event.feeLst
        if fees is None:
            raise push.missing("feeLst")
        if any(fee.appKey not in (None, account.key) for fee in fees):
            raise PushOfAnother
        return Pushed(tuple(_record(fee) for fee in fees), once=once)
    if event.eventType == "callin" and asks:
        if event.statusInfo is None:
            raise push.missing("statusInfo")
        told = event.statusInfo
        question = RouteQuery(told.sessionId, told.caller, told.called.e164, told.digitInfo, told.timestamp)
        return Pushed(asks=question, once=once)
    return Pushed(once=once)


def _proof(account: Account, headers: Mapping[str, str]) -> Once:
    shown = Aksk.read(headers.get("x-aksk", ""))
    if shown is None or not shown.proves(account.secret):
        raise PushRefused
    if shown.username != account.key:
        raise PushOfAnother
    return Once(shown.nonce, shown.created - FRESH, shown.created + FRESH)


def _record(fee: _Fee) -> CallRecord:
    talked = push.talked(fee.fwdAnswerTime, fee.callEndTime)
    cause: Cause = "normal" if talked > 0 else _HUNG_UP.get(fee.ulFailReason or 0) or push.unanswered(fee.fwdUnaswRsn)
    return CallRecord(
        call_id=fee.sessionId,
        caller=fee.callerNum,
        x=fee.bindNum.e164,
        outcome=push.outcome_of(cause),
        seconds=talked,
        ended_at=fee.callEndTime,
        extension=fee.extendNum,
        started_at=fee.callInTime or fee.fwdStartTime,
        rang_at=fee.fwdAlertingTime,
        answered_at=fee.fwdAnswerTime if talked > 0 else None,
        cause=cause,
    )
