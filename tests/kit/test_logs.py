"""Logs carry listed fields only: what members wrote, said or are is in none of them, whatever goes wrong."""

import ast
import io
import json
import logging
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from starlette.requests import Request
from starlette.responses import Response

from mutualaid.kit import logs
from mutualaid.posts import api as posts_api
from tests.harness import House, a_need

ROOT = Path(__file__).resolve().parents[2]
PLANTED = {
    "phone": "13800138000",
    "name": "王小明",
    "id_number": "11010519491231002X",
    "address": "民族大道100号",
    "place": "22.8143",
    "note": "三天没退烧了",
    "item": "布洛芬",
    "token": "tok_5eCr3t",
    "id": "0123456789abcdef0123456789abcdef",
}


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What is written to standard error, with the process's own hooks put back afterwards."""
    for place, name in (
        (sys, "excepthook"),
        (sys, "unraisablehook"),
        (threading, "excepthook"),
        (warnings, "showwarning"),
    ):
        monkeypatch.setattr(place, name, getattr(place, name))
    monkeypatch.setattr(logging.root, "handlers", logging.root.handlers)
    monkeypatch.setattr(logging, "_warnings_showwarning", None)
    before = structlog.get_config()
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    logs.configure()
    yield written
    structlog.configure(**before)


def told(lines: io.StringIO) -> list[dict[str, Any]]:
    assert not [secret for secret in PLANTED.values() if secret in lines.getvalue()]
    return [json.loads(line) for line in lines.getvalue().splitlines()]


class Quoting(Exception):
    """As libraries do: the message repeats what it was given."""

    def __init__(self) -> None:
        super().__init__(*PLANTED.values())


def fail() -> None:
    phone, note = PLANTED["phone"], PLANTED["note"]
    try:
        raise ValueError(f"{phone} {note}")
    except ValueError as cause:
        raise Quoting from cause


def test_fields_that_are_not_listed_are_dropped_and_counted(lines: io.StringIO) -> None:
    structlog.get_logger().info("sent", job="notice.sms", **PLANTED)

    (line,) = told(lines)
    assert {name: line[name] for name in ("event", "level", "job", "dropped")} == {
        "event": "sent", "level": "info", "job": "notice.sms", "dropped": len(PLANTED),
    }  # fmt: skip


def test_an_exception_is_its_class_its_causes_and_its_places(lines: io.StringIO) -> None:
    try:
        fail()
    except Quoting as problem:
        structlog.get_logger().error("fault", exc_info=problem)
        structlog.get_logger().error("fault", exc_info=True)

    for line in told(lines):
        assert line["error"] == "Quoting from ValueError"
        assert line["at"][-1].startswith("kit/test_logs.py:") and line["at"][-1].endswith(" fail")


def test_what_other_libraries_say_is_told_without_their_words(lines: io.StringIO) -> None:
    try:
        fail()
    except Quoting:
        logging.getLogger("asyncio").exception("Task %s was never retrieved", PLANTED["note"])
    logging.getLogger("uvicorn.error").warning(PLANTED["token"])
    logging.getLogger("httpx").info(PLANTED["phone"])  # below a warning: nothing at all

    assert [(line["kind"], line["error"]) for line in told(lines)] == [
        ("asyncio", "Quoting from ValueError"),
        ("uvicorn.error", "uvicorn.error"),
    ]


def test_what_nobody_caught_is_told_without_its_words(lines: io.StringIO) -> None:
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    try:
        fail()
    except Quoting as problem:
        sys.excepthook(type(problem), problem, problem.__traceback__)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn(PLANTED["phone"], stacklevel=1)

    assert [line["event"] for line in told(lines)] == ["crashed", "crashed", "library"]


def test_stopping_by_hand_is_no_crash(lines: io.StringIO) -> None:
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)

    assert told(lines) == []


async def test_a_fault_behind_a_door_leaves_nothing_of_the_request_in_the_log(
    house: House, lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given: a fault deep in a request that carries everything
    async def quoting(request: Request, *_: Any) -> Response:
        await request.body()
        fail()
        raise AssertionError

    member = await house.member(PLANTED["name"])
    monkeypatch.setattr(posts_api, "at_once", quoting)

    answer = await member.post(
        f"/posts?{PLANTED['token']}={PLANTED['phone']}", a_need(), headers={"x-extra": PLANTED["token"]}
    )
    assert answer.status_code == 422
    answer = await member.post("/posts", a_need(note=PLANTED["note"], at=(22.8143, 108.3706)))

    assert answer.status_code == 500
    assert not [secret for secret in PLANTED.values() if secret in answer.text]
    (line,) = [line for line in told(lines) if line["event"] == "fault"]
    assert line["error"] == "Quoting from ValueError"


async def test_a_job_that_fails_leaves_nothing_of_its_member_in_the_log(house: House, lines: io.StringIO) -> None:
    house.services.sms.told.fail("broken")  # type: ignore[attr-defined]  # the fake maker's own
    stranger = house.stranger()

    await stranger.post("/sessions/otp", {"phone": stranger.phone})
    await house.work()

    assert stranger.phone not in lines.getvalue() and stranger.phone.removeprefix("+86") not in lines.getvalue()
    assert [(line["event"], line["job"], line["error"]) for line in told(lines) if line["event"] == "job_failed"] == [
        ("job_failed", "members.send_code", "ProviderDown")
    ]


def test_a_command_that_crashes_prints_no_message() -> None:
    program = (
        "import sys\nfrom mutualaid.kit import logs\nlogs.configure()\n"
        f"phone = {PLANTED['phone']!r}\nraise ValueError('bad phone: ' + phone)\n"
    )

    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)

    assert ended.returncode == 1
    assert PLANTED["phone"] not in ended.stderr and "ValueError" in ended.stderr


# ---- the source -------------------------------------------------------------------------------------------------


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Every `log.info(…)` and its kin in the package."""
    for path in sorted((ROOT / "mutualaid").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ("debug", "info", "warning", "error", "exception", "critical")
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id in ("log", "logger")
            ):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def test_every_log_line_has_a_fixed_name_and_listed_fields() -> None:
    found = list(calls())
    assert len(found) >= 4

    for where, call in found:
        (event,) = call.args
        assert isinstance(event, ast.Constant) or (
            isinstance(event, ast.Name) and event.id == "event"  # kit.bells hands a fixed name on
        ), f"{where}: the event's name is put together"
        unlisted = {keyword.arg for keyword in call.keywords} - logs.ALLOWED - {"exc_info"}
        assert not unlisted, f"{where}: {unlisted}"


def test_nobody_prints_from_the_rooms() -> None:
    """Printing is the command line's and the start's: what is printed passes no list."""
    allowed = {"serving.py", "cli.py", "cli_match.py", "cli_numbers.py"}

    printing = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "mutualaid").rglob("*.py"))
        if path.name not in allowed
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]

    assert printing == []
