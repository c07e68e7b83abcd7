"""What pages are made with: cookies that only we can have written, paths that stay here, forms as they were typed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response

from mutualaid.kit.errors import FieldError, Invalid
from mutualaid.kit.faces import cookies, forms, wording
from mutualaid.kit.faces.errors import HttpsNeeded
from mutualaid.kit.faces.rows import is_page
from mutualaid.kit.ring import KeyRing

NOW = datetime(2023, 1, 7, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing.open(tmp_path / "keys")


@pytest.fixture(scope="module")
def lasting_ring(tmp_path_factory: pytest.TempPathFactory) -> KeyRing:
    return KeyRing.open(tmp_path_factory.mktemp("ring") / "keys")


def request(scheme: str, *, dev: bool = True, query: bytes = b"") -> Request:
    services: Any = SimpleNamespace(settings=SimpleNamespace(dev=dev))
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": query, "headers": [], "scheme": scheme}
    return Request({**scope, "server": ("testserver", 443), "state": {"services": services}})


# ---- cookies ----------------------------------------------------------------------------------------------------


def test_a_sealed_cookie_comes_back_as_it_was_written(ring: KeyRing) -> None:
    assert cookies.unseal(ring, "asked", cookies.seal(ring, "asked", ["值", 1], until=LATER), now=NOW) == ["值", 1]


def test_a_cookie_counts_for_its_label_and_its_time_only(ring: KeyRing) -> None:
    sealed = cookies.seal(ring, "asked", "value", until=LATER)

    assert cookies.unseal(ring, "said", sealed, now=NOW) is None
    assert cookies.unseal(ring, "asked", sealed, now=LATER) is None


@pytest.mark.parametrize("at", range(0, 90, 7))
def test_an_altered_cookie_is_nothing(ring: KeyRing, at: int) -> None:
    sealed = cookies.seal(ring, "asked", "value", until=LATER)
    other = "A" if sealed[at % len(sealed)] != "A" else "B"

    altered = sealed[: at % len(sealed)] + other + sealed[at % len(sealed) + 1 :]

    assert cookies.unseal(ring, "asked", altered, now=NOW) is None


@given(text=st.text(max_size=80))
def test_any_text_for_a_cookie_is_nothing_and_no_fault(lasting_ring: KeyRing, text: str) -> None:
    assert cookies.unseal(lasting_ring, "asked", text, now=NOW) is None
    assert not cookies.token_fits(lasting_ring, "session:1", text)


def test_a_forms_token_outlives_a_new_key_and_fits_one_session(ring: KeyRing) -> None:
    token = cookies.token_for(ring, "session:1")
    ring.rotate("session")

    assert cookies.token_fits(ring, "session:1", token)
    assert not cookies.token_fits(ring, "session:2", token)


def test_over_https_a_cookie_is_bound_to_this_host_and_kept_from_plain_http() -> None:
    secure, plain = Response(), Response()

    cookies.put(request("https"), secure, "session", "x")
    cookies.put(request("http"), plain, "session", "x")

    assert secure.headers["set-cookie"].startswith("__Host-session=x; ")
    for flag in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"):
        assert flag in secure.headers["set-cookie"]
    assert (
        plain.headers["set-cookie"].startswith("mutualaid-session=x; ") and "Secure" not in plain.headers["set-cookie"]
    )


def test_prod_serves_no_page_over_plain_http() -> None:
    cookies.require_https(request("http"))
    cookies.require_https(request("https", dev=False))

    with pytest.raises(HttpsNeeded):
        cookies.require_https(request("http", dev=False))


# ---- forms ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/posts?kind=need", "/posts/new?kind=need&next=/a", "/me#words"])
def test_a_path_of_our_own_is_gone_on_to(path: str) -> None:
    assert forms.safe_next(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "//x",
        "/\\x",
        "\\\\x",
        "https://x",
        "javascript:x",
        "x",
        "/\n/x",
        "/a\\b",
        "///x",
        "//[",
        "http://[",
        "/\tx",
        "/" + "a" * 2000,
        "/é",
    ],
)
def test_whatever_could_lead_elsewhere_is_not(path: str) -> None:
    assert forms.safe_next(path, "/home") == "/home"


@pytest.mark.parametrize(
    ("typed", "number"), [("12", 12), ("１２", 12), (" 7 ", 7), ("", None), ("-3", "-3"), ("九", "九")]
)
def test_numbers_are_read_as_they_are_typed(typed: str, number: object) -> None:
    assert forms.number(typed) == number


def test_errors_move_to_the_fields_that_were_filled_in() -> None:
    refusal = Invalid([FieldError("lines.1.quantity", "too_large", "…"), FieldError("post", "x", "…")])

    moved = forms.beside(refusal, "lines", ["lines.0", "lines.4"])

    assert [error.field for error in moved.fields] == ["lines.4", "post"]


def test_what_is_carried_along_leaves_out_the_forms_own_fields() -> None:
    form = forms.Form(
        {"form_token": ["x"], "form_once": ["y"], "note": ["a", "b"], "consent.notices": ["1"], "do": [""]}
    )

    assert list(form.carried("consent.", "do")) == [("note", "a"), ("note", "b")]
    assert repr(form) == "Form(…)"


# ---- words and addresses ----------------------------------------------------------------------------------------


def test_distances_are_never_finer_than_areas() -> None:
    said = [wording.distance(metres, "zh-Hans") for metres in (0, 400, 1400, 9700, None)]

    assert said == ["同一片区(约 1 公里内)", "约 1 公里", "约 1 公里", "约 10 公里", ""]


def test_moments_are_told_in_shanghai() -> None:
    assert wording.moment(NOW, "zh-Hans") == "1月7日 20:00" and wording.moment(NOW, "en") == "7 Jan 20:00"


@pytest.mark.parametrize(("path", "page"), [("/", True), ("/apiary", True), ("/api/v1/me", False), ("/metrics", False)])
def test_programs_and_people_are_told_apart_by_the_address(path: str, page: bool) -> None:
    assert is_page(path) is page
