"""At the door: one JSON object or one query string in, every bad field told at once; one answer out."""

import json
from collections.abc import Sequence
from typing import Annotated, Any

import pytest
from pydantic import Field
from starlette.requests import Request

from mutualaid.kit import doors
from mutualaid.kit.errors import FieldError, Invalid, Malformed, UnsupportedType
from mutualaid.kit.fields import Draft, Int, Limit, Query, QueryBool, Text, View

JSON = "application/json"


class Line(Draft):
    item: Text
    quantity: Annotated[Int, Field(ge=1)]


class Order(Draft):
    lines: Annotated[list[Line], Field(min_length=1, max_length=3)]
    note: Annotated[Text, Field(max_length=5)] = ""
    urgent: bool | None = None


class Page(Query):
    limit: Limit = 20
    mine: QueryBool = False


def request(
    body: bytes = b"", *, kind: str | None = JSON, query: str = "", headers: dict[str, str] | None = None
) -> Request:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    sent = ({"content-type": kind} if kind is not None else {}) | (headers or {})
    raw = [(name.encode(), value.encode("latin-1")) for name, value in sent.items()]
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": query.encode(), "headers": raw, "state": {}}
    return Request(scope, receive)


def of(value: object) -> bytes:
    return json.dumps(value).encode()


async def told(body: object, **options: Any) -> dict[str, str]:
    with pytest.raises(Invalid) as refusal:
        await doors.read(request(of(body), **options), Order)
    return {error.field: error.code for error in refusal.value.fields}


# ---- bodies -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [JSON, "Application/JSON", f"{JSON}; charset=utf-8", f'{JSON};charset="UTF-8"'])
async def test_a_right_body_is_read(kind: str) -> None:
    asked = request(of({"lines": [{"item": "ibuprofen", "quantity": 1.0}]}), kind=kind)

    order = await doors.read(asked, Order)

    assert order == Order(lines=[Line(item="ibuprofen", quantity=1)])
    assert asked.state.body == of({"lines": [{"item": "ibuprofen", "quantity": 1.0}]})


@pytest.mark.parametrize("kind", [None, "", "text/plain", f"{JSON}; charset=gbk", "application/x-www-form-urlencoded"])
async def test_another_type_is_not_read(kind: str | None) -> None:
    with pytest.raises(UnsupportedType):
        await doors.read(request(b"{}", kind=kind), Order)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b'{"a":NaN}', b'{"a":"\\ud800"}', b"{}{}", b"[" * 40 + b"]" * 40, b"[" * 5000]
)
async def test_what_is_no_json_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        await doors.read(request(body), Order)


@pytest.mark.parametrize("body", [[], 1, "x", None])
async def test_json_that_is_no_object_is_told_so(body: object) -> None:
    assert await told(body) == {"": "not_an_object"}


async def test_nesting_is_bounded() -> None:
    def nested(depth: int) -> bytes:
        return b'{"note":' * depth + b"1" + b"}" * depth

    with pytest.raises(Invalid):
        await doors.read(request(nested(doors.DEEPEST - 1)), Order)
    with pytest.raises(Malformed):
        await doors.read(request(nested(doors.DEEPEST)), Order)


async def test_every_bad_field_is_told_at_once_and_nothing_sent_is_repeated() -> None:
    body = {
        "lines": [{"item": "ibuprofen", "quantity": 0}, {"quantity": "13800138000", "phone": "13800138000"}],
        "note": "13800138000",
        "urgent": "yes",
    }
    with pytest.raises(Invalid) as refusal:
        await doors.read(request(of(body), query="debug=13800138000"), Order)

    assert {error.field: error.code for error in refusal.value.fields} == {
        "debug": "unknown_field",
        "lines.0.quantity": "too_small",
        "lines.1.item": "required",
        "lines.1.quantity": "not_an_integer",
        "lines.1.phone": "unknown_field",
        "note": "too_long",
        "urgent": "not_true_or_false",
    }
    assert "13800138000" not in "".join(map(repr, refusal.value.fields))


async def test_further_checks_speak_about_the_fields_that_are_right() -> None:
    async def unknown_items(order: Order) -> Sequence[FieldError]:
        return [
            FieldError(f"lines.{n}.item", "unknown_item", "No such item.")
            for n, line in enumerate(order.lines or [])
            if line is not None and line.item not in (None, "ibuprofen")
        ] + [FieldError("note", "checked_too", "Checked.")]

    lines = [{"item": "aspirin", "quantity": 0}, {"item": "ibuprofen", "quantity": 1}, 7, {"item": 5, "quantity": 1}]
    with pytest.raises(Invalid) as refusal:
        await doors.read(request(of({"lines": lines, "note": "too long"})), Order, check=unknown_items)

    found = {error.field: error.code for error in refusal.value.fields}
    assert found["lines.0.item"] == "unknown_item" and found["note"] == "too_long"
    assert "lines.1.item" not in found


async def test_a_deed_without_fields_takes_an_empty_body_or_an_empty_object() -> None:
    await doors.read_nothing(request(b"", kind=None))
    await doors.read_nothing(request(b" \n", kind=None))
    await doors.read_nothing(request(b"{}"))
    with pytest.raises(Invalid):
        await doors.read_nothing(request(of({"x": 1})))
    with pytest.raises(UnsupportedType):
        await doors.read_nothing(request(b"{}", kind="text/plain"))


# ---- query strings ----------------------------------------------------------------------------------------------


async def test_a_query_is_read_from_its_texts() -> None:
    assert await doors.query(request(query="limit=7&mine=true"), Page) == Page(limit=7, mine=True)
    assert await doors.query(request(), Page) == Page()


@pytest.mark.parametrize(
    ("text", "errors"),
    [
        ("limit=0", {"limit": "too_small"}),
        ("limit=51", {"limit": "too_large"}),
        ("limit=1.0", {"limit": "not_an_integer"}),
        ("limit=%EF%BC%95", {"limit": "not_an_integer"}),  # a full-width five
        ("limit=" + "9" * 5000, {"limit": "not_an_integer"}),
        ("limit=", {"limit": "not_an_integer"}),
        ("mine=1&limit=x&other=2", {"mine": "not_true_or_false", "limit": "not_an_integer", "other": "unknown_field"}),
        ("limit=1&limit=2&limit=3", {"limit": "repeated"}),
        ("%ff=%ff", {"\ufffd": "unknown_field"}),
    ],
)
async def test_a_bad_query_tells_every_bad_parameter(text: str, errors: dict[str, str]) -> None:
    with pytest.raises(Invalid) as refusal:
        await doors.query(request(query=text), Page)

    assert {error.field: error.code for error in refusal.value.fields} == errors


def test_a_door_that_takes_no_query_names_each_parameter() -> None:
    doors.refuse_query(request())
    with pytest.raises(Invalid) as refusal:
        doors.refuse_query(request(query="a=1&b=2&a=3"))

    assert [(error.field, error.code) for error in refusal.value.fields] == [
        ("a", "unknown_field"),
        ("b", "unknown_field"),
    ]


# ---- answers ----------------------------------------------------------------------------------------------------


def test_an_answer_is_json_in_utf8_and_none_is_empty() -> None:
    class Said(View):
        name: str

    answered = doors.answer(Said(name="布洛芬"), 201, headers={"x-more": "1"})
    assert (answered.status_code, answered.media_type, answered.headers["x-more"]) == (201, JSON, "1")
    assert bytes(answered.body).decode() == '{"name":"布洛芬"}'
    assert (doors.answer(None).status_code, bytes(doors.answer(None).body)) == (204, b"")


def test_the_reader_is_spoken_to_in_their_language() -> None:
    assert doors.language(request(headers={"accept-language": "en"})) == "en"
    assert doors.language(request()) == "zh-Hans"


def test_what_people_sent_is_not_shown_in_tracebacks() -> None:
    assert "ibuprofen" not in repr(Order(lines=[Line(item="ibuprofen", quantity=1)]))
