"""Signing in by browser, and what a browser may not be made to do."""

from urllib.parse import urlsplit

import pytest

from tests.harness import House
from tests.pages.visitor import ORIGIN, Visitor


async def test_a_visitor_signs_in_by_form_and_goes_where_they_wanted(visitor: Visitor) -> None:
    page = await visitor.open("/me/account")
    assert urlsplit(page.path).path == "/sign-in" and "请先登录" in page.text

    page = await visitor.send(page.form("/sign-in"), phone="13800138000")
    assert "138****8000" in page.text and "测试模式" in page.text
    code = visitor.house.messages("sms", "13800138000")[-1]["params"]["code"]
    page = await visitor.send(page.form("/sign-in/code"), code=code)

    assert page.path == "/me/account"
    assert "您已登录" in page.text and "138****8000" in page.text


async def test_a_wrong_phone_is_told_in_chinese_beside_the_field_and_stays_in_it(visitor: Visitor) -> None:
    page = await visitor.open("/sign-in")

    page = await visitor.send(page.form("/sign-in"), phone="07715551234")

    assert page.status == 422
    assert page.text.count("这是固定电话，请填写手机号。") == 2  # in the summary, and beside the field
    assert ("phone", "07715551234") in page.form("/sign-in").fields
    field = next(a for tag, a in page.reader.tags if tag == "input" and a.get("name") == "phone")
    assert field["aria-invalid"] == "true" and field["aria-describedby"].split()[-1] == "e-phone-1"


async def test_a_wrong_code_keeps_the_page_and_the_fifth_ends_the_challenge(visitor: Visitor) -> None:
    page = await visitor.send((await visitor.open("/sign-in")).form("/sign-in"), phone="13800138001")
    code = visitor.house.messages("sms", "13800138001")[-1]["params"]["code"]
    wrong = "000000" if code != "000000" else "111111"

    for _ in range(5):
        page = await visitor.send(page.form("/sign-in/code"), code=wrong)
        assert page.status == 422 and "验证码" in page.text
    page = await visitor.send(page.form("/sign-in/code"), code=code)

    assert page.status == 422
    assert (await visitor.open("/me")).path.startswith("/sign-in")


async def test_the_session_cookie_is_kept_from_scripts_and_from_other_sites(visitor: Visitor) -> None:
    await visitor.sign_in()

    found = [c for c in visitor.client.cookies.jar if c.name == "mutualaid-session"]

    assert len(found) == 1 and not found[0].secure
    assert found[0].has_nonstandard_attr("HttpOnly") and found[0].get_nonstandard_attr("SameSite") == "lax"


async def test_the_api_reads_no_cookie_and_pages_read_no_bearer_token(house: House, visitor: Visitor) -> None:
    person = await house.member()
    await visitor.sign_in()

    by_cookie = await visitor.client.get("/api/v1/me")
    by_token = await house.client.get("/me", headers={"authorization": f"Bearer {person.token}"})

    assert by_cookie.status_code == 401
    assert by_token.status_code == 303 and by_token.headers["location"].startswith("/sign-in")


@pytest.mark.parametrize("token", [None, "", "1.0", "x", "1." + "0" * 64])
async def test_a_form_without_this_sessions_token_is_refused(visitor: Visitor, token: str | None) -> None:
    await visitor.sign_in()
    pairs = [] if token is None else [("form_token", token)]

    refused = await visitor.post("/sign-out", pairs)

    assert refused.status_code == 403 and "表单" in refused.text
    assert (await visitor.open("/me")).path == "/me"


async def test_the_token_of_another_session_is_refused(house: House, visitor: Visitor) -> None:
    other = await Visitor(house).sign_in()
    token = dict((await other.open("/me/account")).form("/sign-out").fields)["form_token"]
    await visitor.sign_in()

    assert (await visitor.post("/sign-out", [("form_token", token)])).status_code == 403


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://testserver:81", "null", "https://testserver", "http://[", "[", None]
)
async def test_a_form_from_elsewhere_is_refused_whatever_it_carries(visitor: Visitor, origin: str | None) -> None:
    await visitor.sign_in()
    fields = (await visitor.open("/me/account")).form("/sign-out").fields

    refused = await visitor.post("/sign-out", fields, origin=origin)

    assert refused.status_code == 403
    assert (await visitor.open("/me")).path == "/me"


@pytest.mark.parametrize("address", ["http://[", "http://[::1", "//["])
async def test_an_address_that_is_none_is_refused_and_no_fault_of_ours(house: House, address: str) -> None:
    asked = await house.client.get("/sign-in", params={"next": address})
    sent = await house.client.post("/sign-in", headers={"referer": address})

    assert (asked.status_code, sent.status_code) == (200, 403)


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"])
async def test_signing_in_never_leads_to_another_site(visitor: Visitor, to: str) -> None:
    page = await visitor.open("/sign-in")

    page = await visitor.send(page.form("/sign-in"), phone="13800138002", next=to)
    code = visitor.house.messages("sms", "13800138002")[-1]["params"]["code"]
    page = await visitor.send(page.form("/sign-in/code"), code=code)

    assert str(page.response.url) == f"{ORIGIN}/"


async def test_signing_out_everywhere_ends_every_browser(house: House, visitor: Visitor) -> None:
    phone = house.stranger().phone
    await visitor.sign_in(phone)
    other = await Visitor(house).sign_in(phone)

    page = await visitor.open("/me/sessions")
    assert "这个浏览器" in page.text and "另一台设备" in page.text
    await visitor.send(page.form("/me/sessions/end"))

    for browser in (visitor, other):
        assert (await browser.open("/me")).path.startswith("/sign-in")


async def test_english_is_spoken_to_who_prefers_it(house: House) -> None:
    page = await Visitor(house, "en-GB,en;q=0.9,zh;q=0.3").open("/sign-in")

    assert "We send a code to your phone" in page.text
    assert '<html lang="en">' in page.markup and page.response.headers["content-language"] == "en"


async def test_a_page_refuses_scripts_frames_and_foreign_forms(visitor: Visitor) -> None:
    first, second = await visitor.open("/"), await visitor.open("/")

    policy = first.response.headers["content-security-policy"]
    for rule in ("default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"):
        assert rule in policy
    assert "unsafe" not in policy and policy != second.response.headers["content-security-policy"]
    assert first.response.headers["cache-control"] == "no-store"
    inline = [a for tag, a in first.reader.tags if any(name.startswith("on") or name == "style" for name in a)]
    assert inline == []
    assert all(a.get("src") for tag, a in first.reader.tags if tag == "script")


async def test_static_files_may_be_kept_for_a_year_by_their_hash(visitor: Visitor) -> None:
    page = await visitor.open("/")
    address = next(a["href"] for tag, a in page.reader.tags if tag == "link" and a.get("rel") == "stylesheet")

    hashed = await visitor.client.get(address)
    plain = await visitor.client.get(address.split("?")[0])

    assert "immutable" in hashed.headers["cache-control"] and hashed.headers["content-type"].startswith("text/css")
    assert "no-cache" in plain.headers["cache-control"] and plain.content == hashed.content
    assert (await visitor.client.get("/static/../templates/base.html")).status_code == 404
    assert (await visitor.client.get("/static/%2e%2e/templates/base.html")).status_code == 404
