"""What the vendors push: proved, read, normalised; refused with its reason, without what it said."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import httpx2
import pytest

from mutualaid.kit.database import Database
from mutualaid.kit.errors import AidError, Invalid, Malformed
from mutualaid.providers.numbers import CallRecord, Cause, NotAuthorised, Outcome, Pushed, PushOfAnother, PushRefused
from mutualaid.providers.numbers.pushes import address_token
from mutualaid.providers.numbers.signing import Account, aksk_headers
from mutualaid.providers.numbers.simulators.controls import Play
from mutualaid.providers.numbers.simulators.switchboard import CallMade, Ending
from tests.moments import Clock
from tests.providers.promise_numbers import NOW, A, B, C
from tests.providers.vendors import ACCOUNT, GROUP, NUMBERS, TOKEN, VendorName, VendorStage, staged

ALL: tuple[VendorName, ...] = ("aliyun", "tencent", "huawei", "huawei_x")
X = NUMBERS[0]


@pytest.fixture(params=ALL)
def stage(request: pytest.FixtureRequest, ledger_database: Database, clock: Clock) -> VendorStage:
    return staged(request.param, ledger_database, clock)


def a_call(ending: Ending = "answered", *, by_a: bool = True, seconds: int = 61) -> CallMade:
    caller, callee = (A, B) if by_a else (B, A)
    return CallMade("call-1", caller.e164, callee.e164, X, ending, NOW, seconds, ref="1", by_a=by_a)


def read(stage: VendorStage, push: httpx2.Request, **changed: Any) -> Pushed:
    headers = changed.get("headers", dict(push.headers))
    body = changed.get("body", push.content)
    return stage.maker.parse_event(headers, body, query=changed.get("query", dict(push.url.params)))


def rewritten(push: httpx2.Request, change: Callable[[dict[str, Any]], None]) -> bytes:
    """The push with its one report changed."""
    told = json.loads(push.content)
    inner = told[0] if isinstance(told, list) else told["feeLst"][0] if "feeLst" in told else told
    change(inner)
    return json.dumps(told).encode()


@pytest.mark.parametrize(
    ("ending", "outcome", "causes"),
    [
        ("answered", "answered", {"normal"}),
        ("busy", "busy", {"busy"}),
        ("no_answer", "no_answer", {"no_answer"}),
        ("rejected", "busy", {"rejected"}),
        ("intercepted", "no_answer", {"not_allowed"}),
        ("no_binding", "no_answer", {"not_allowed", "no_such_number", "network"}),
    ],
)
def test_every_ending_has_its_outcome_and_cause(
    stage: VendorStage, ending: Ending, outcome: Outcome, causes: set[Cause]
) -> None:
    made = a_call(ending)
    made = replace(made, callee=None) if ending == "no_binding" else made

    (record,) = read(stage, stage.vendor.record(made)).records

    assert (record.call_id, record.caller, record.x) == ("call-1", A, X)
    assert record.outcome == outcome and record.cause in causes
    answered = ending == "answered"
    assert record.seconds == (61 if answered else 0)
    assert record.answered_at == (NOW + timedelta(seconds=5) if answered else None)
    assert record.ended_at == NOW + timedelta(seconds=66 if answered else 20)
    assert record.started_at == NOW


def test_the_caller_is_whoever_called(stage: VendorStage) -> None:
    (record,) = read(stage, stage.vendor.record(a_call(by_a=False))).records

    assert record.caller == B


def test_fields_that_nobody_knows_are_ignored(stage: VendorStage) -> None:
    push = stage.vendor.record(a_call())

    (record,) = read(stage, push, body=rewritten(push, lambda told: told.update(colour="red"))).records

    assert record.call_id == "call-1"


def _without(name: str, told: dict[str, Any]) -> None:
    del told[name]


def _with(name: str, value: str, told: dict[str, Any]) -> None:
    told[name] = value


_MISSING = {
    "aliyun": ("call_id", "secret_no", "release_time", "release_cause", "pool_key"),
    "tencent": ("callId", "dstVirtualNum", "endCallTime", "callEndStatus", "src"),
    "huawei": ("sessionId", "bindNum", "callEndTime", "callerNum"),
}


def test_a_field_that_must_be_there_is_missed_by_its_name(stage: VendorStage) -> None:
    push = stage.vendor.record(a_call())
    for name in _MISSING[stage.maker.name]:
        with pytest.raises(Invalid) as caught:
            read(stage, push, body=rewritten(push, partial(_without, name)))

        assert [field.field.rpartition(".")[2] for field in caught.value.fields] == [name]


@pytest.mark.parametrize("number", ["12", "三百", "+", "13800138000x", ""])
def test_a_number_in_a_wrong_form_is_refused_without_saying_it(stage: VendorStage, number: str) -> None:
    push = stage.vendor.record(a_call())
    x = {"aliyun": "secret_no", "tencent": "dstVirtualNum", "huawei": "bindNum"}[stage.maker.name]

    with pytest.raises(Invalid) as caught:
        read(stage, push, body=rewritten(push, lambda told: told.update({x: number})))

    assert "138" not in f"{caught.value!r} {caught.value} {caught.value.fields}"


def test_a_text_that_no_database_keeps_is_refused(stage: VendorStage) -> None:
    name = {"aliyun": "call_id", "tencent": "callId", "huawei": "sessionId"}[stage.maker.name]
    push = stage.vendor.record(a_call())

    with pytest.raises(Invalid):
        read(stage, push, body=rewritten(push, lambda told: told.update({name: "a\x00b"})))


def test_a_talk_of_thousands_of_years_counts_as_a_day_and_one_that_ends_before_it_began_as_none(
    stage: VendorStage,
) -> None:
    ends = {"aliyun": "release_time", "tencent": "endCallTime", "huawei": "callEndTime"}[stage.maker.name]
    push = stage.vendor.record(a_call())
    for at, seconds in (("9999-12-31 00:00:00", 86_400), ("1999-12-31 00:00:00", 0)):
        (record,) = read(stage, push, body=rewritten(push, partial(_with, ends, at))).records

        assert (record.seconds, record.answered_at is not None) == (seconds, seconds > 0)


@pytest.mark.parametrize("raw", [b"<html>", b"", b'{"eventType":', b"\xff\xfe"])
def test_what_is_no_json_is_malformed(stage: VendorStage, raw: bytes) -> None:
    with pytest.raises(Malformed):
        read(stage, stage.vendor.record(a_call()), body=raw)


@pytest.mark.parametrize("raw", [b"null", b"7", b'"x"', b"[[]]"])
def test_what_is_no_report_is_invalid(stage: VendorStage, raw: bytes) -> None:
    with pytest.raises(Invalid):
        read(stage, stage.vendor.record(a_call()), body=raw)


def test_news_of_a_call_that_is_not_over_tells_nothing(stage: VendorStage) -> None:
    body = {
        "aliyun": [{"call_id": "c", "sub_id": 1, "call_type": 0}],
        "tencent": {"callId": "c", "status": "1"},
        "huawei": {"eventType": "alerting", "statusInfo": {"sessionId": "c", "caller": A.e164, "called": X}},
    }[stage.maker.name]

    pushed = read(stage, stage.vendor.record(a_call()), body=json.dumps(body).encode())

    assert (pushed.records, pushed.asks) == ((), None)


def test_a_push_for_another_account_is_refused_as_such(stage: VendorStage) -> None:
    field = {"aliyun": "pool_key", "tencent": "appId", "huawei": "appKey"}[stage.maker.name]
    push = stage.vendor.record(a_call())

    with pytest.raises(PushOfAnother):
        read(stage, push, body=rewritten(push, lambda told: told.update({field: "FC2"})))


def test_a_push_with_a_wrong_proof_is_refused(stage: VendorStage) -> None:
    push = stage.vendor.record(a_call())
    if stage.maker.name != "huawei":
        for query in ({}, {"token": ""}, {"token": TOKEN[:-1]}, {"token": "三"}):
            with pytest.raises(PushRefused):
                read(stage, push, query=query)
        return
    forged = [
        {},
        aksk_headers(Account(ACCOUNT.key, "another"), now=NOW, nonce="n"),
        {**dict(push.headers), "x-aksk": push.headers["x-aksk"].replace("Nonce=", "Once=")},
        {**dict(push.headers), "x-aksk": push.headers["x-aksk"].replace('PasswordDigest="', 'PasswordDigest="三')},
    ]
    for headers in forged:
        with pytest.raises(PushRefused):
            read(stage, push, headers=headers)
    with pytest.raises(PushOfAnother):
        read(stage, push, headers=aksk_headers(Account("another", ACCOUNT.secret), now=NOW, nonce="n"))


def test_a_proof_is_good_for_one_time_where_it_can_be_overheard(stage: VendorStage) -> None:
    once = read(stage, stage.vendor.record(a_call())).once

    if stage.maker.name != "huawei":
        assert once is None
        return
    again = read(stage, stage.vendor.record(a_call())).once
    assert once is not None and again is not None and once.mark != again.mark
    assert (once.since, once.until) == (NOW - timedelta(minutes=5), NOW + timedelta(minutes=5))


def test_many_reports_come_at_once(stage: VendorStage) -> None:
    push = stage.vendor.record(a_call())
    told = json.loads(push.content)
    if stage.maker.name == "huawei":
        told["feeLst"] = [{**told["feeLst"][0], "sessionId": f"c{n}"} for n in range(50)]
    else:
        told = told[0] if isinstance(told, list) else told
        name = "call_id" if stage.maker.name == "aliyun" else "callId"
        told = [{**told, name: f"c{n}"} for n in range(50)]

    records: tuple[CallRecord, ...] = read(stage, push, body=json.dumps(told).encode()).records

    assert [record.call_id for record in records] == [f"c{n}" for n in range(50)]


def test_text_messages_are_no_calls(ledger_database: Database, clock: Clock) -> None:
    stage = staged("aliyun", ledger_database, clock)
    push = stage.vendor.record(a_call())

    assert read(stage, push, body=rewritten(push, lambda told: told.update(call_type=2))).records == ()


async def test_a_question_before_a_call_is_one_in_mode_x_only(ledger_database: Database, clock: Clock) -> None:
    names: tuple[VendorName, ...] = ("huawei", "huawei_x")
    for name in names:
        stage = staged(name, ledger_database, clock)
        asked: list[Pushed] = []

        async def send(request: httpx2.Request, stage: VendorStage = stage, asked: list[Pushed] = asked) -> Any:
            asked.append(read(stage, request))
            return httpx2.Response(200, json={})

        stage.vendor.board.send = send
        await stage.vendor.call(Play(caller=C.e164, dialled=X, pushes=0))

        if name == "huawei":
            assert asked == []
            body = json.dumps({"eventType": "callin", "statusInfo": None}).encode()
            assert read(stage, stage.vendor.record(a_call()), body=body).asks is None
        else:
            question = asked[0].asks
            assert question is not None
            assert (question.caller, question.x, question.at) == (C, X, NOW)
            assert "138" not in repr(asked[0]) and "137" not in repr(asked[0])


@pytest.mark.parametrize("event", ["callin", "fee"])
def test_an_event_without_its_inside_is_refused(ledger_database: Database, clock: Clock, event: str) -> None:
    stage = staged("huawei_x", ledger_database, clock)

    with pytest.raises(Invalid):
        read(stage, stage.vendor.record(a_call()), body=json.dumps({"eventType": event}).encode())


def test_each_vendor_is_thanked_in_its_own_words(stage: VendorStage) -> None:
    thanks = {"aliyun": {"code": 0, "msg": "接收成功"}, "tencent": {"errorCode": 0, "msg": "ok"}}

    told = stage.maker.answer_event(1)

    assert told == thanks.get(stage.maker.name, {"resultcode": "0", "resultdesc": "Success"})
    if not stage.maker.caps.call_time_decision:
        with pytest.raises(NotAuthorised):
            stage.maker.answer_route(None)  # type: ignore[arg-type] # whatever was decided


def test_the_address_of_one_vendor_opens_no_other_door() -> None:
    made = {address_token("hook", name) for name in ("aliyun", "tencent")}

    assert len(made) == 2 and "hook" not in made and all(len(token) == 43 for token in made)


def test_refusals_are_errors_that_can_be_answered() -> None:
    assert all(issubclass(kind, AidError) for kind in (PushRefused, PushOfAnother))
    assert GROUP
