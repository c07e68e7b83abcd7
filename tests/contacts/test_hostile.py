"""What nobody honest sends to the providers' doors: refused with its reason on both databases, and nothing is changed by it."""

from typing import Any, Final

from structlog.testing import capture_logs

from tests.harness import House, a_need

BIDI: Final = "\u202e"
RAW: Final = [
    (b"\xff\xfe", 400),
    (b"<html>down</html>", 400),
    (b"", 400),
    (b"[" * 5_000 + b"]" * 5_000, 400),
    (b'"\\ud800"', 400),
    (b"null", 422),
    (b"[[]]", 422),
    (b"x" * 70_000, 413),
]
# Times at either end of the calendar, a text that PostgreSQL cannot keep, what is too long, what is of another kind.
ODD: Final[dict[str, list[Any]]] = {
    "call_id": ["", "\x00", "a\x00b", "x" * 101, 5, None, []],
    "caller": ["", "13800138000", "+861380013800\x00", "+" + "9" * 5_000, 5, {}],
    "dialled": ["", "17000000001", "+8617000000001 ", "sip:x@y", None],
    "digits": ["\x00", "1" * 17, 5, []],
    "at": ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "yesterday", 5],
    "ended_at": ["9999-12-31T23:59:59-23:59", "2023-01-07T12:00:00", None],
    "seconds": [-1, 86_401, 1e300, "five"],
    "outcome": ["talked", None],
}


async def test_odd_questions_and_reports_are_refused_and_change_nothing(house: House) -> None:
    needer, helper = await house.member("王小明"), await house.member("李大力")
    post = await needer.publish(a_need())
    contact = (await helper.post(f"/posts/{post['id']}/contact", {})).json()
    call = {"call_id": "c1", "caller": helper.phone, "dialled": contact["number"]}
    told = {"outcome": "answered", "seconds": 5, "ended_at": "2023-01-07T12:01:00Z"}
    proof = (b"authorization", f"Bearer {house.services.hook_token}".encode())
    kind = (b"content-type", b"application/json")

    async def answered(door: str, body: Any, *headers: tuple[bytes, bytes]) -> tuple[int, str]:
        given: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": body}
        answer = await house.client.post(f"/hooks/numbers/fake/{door}", headers=[*headers, kind], **given)
        return answer.status_code, answer.json().get("code", "")

    with capture_logs() as said:
        for door, good, fields in (
            ("route", call, ("call_id", "caller", "dialled", "digits", "at")),
            ("events", call | told, ("call_id", "caller", "dialled", "digits", "ended_at", "seconds", "outcome")),
        ):
            for field in fields:
                for odd in ODD[field]:
                    assert await answered(door, good | {field: odd}, proof) == (422, "invalid"), (door, field, odd)
            for raw, status in RAW:
                assert (await answered(door, raw, proof))[0] == status, (door, raw[:20])
            for forged in (
                [],
                [proof, proof],
                [(b"authorization", b"Bearer \xff")],
                [(b"authorization", proof[1][7:])],
            ):
                assert (await answered(door, good, *forged))[0] == 401

    assert (await helper.get(f"/contacts/{contact['id']}/calls")).json()["items"] == []
    assert helper.phone[3:] not in str(said) and contact["number"] not in str(said)
    assert (await answered("route", call | {"call_id": BIDI}, proof))[0] == 200  # odd, and nobody is shown it
