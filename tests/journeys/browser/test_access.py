"""Nothing in the way of anybody: axe-core finds no violation on any page, and every page fits a phone."""

from typing import Any

import pytest

from tests.journeys.browser.conftest import DESK, PHONE, Newcomer

OPEN = (
    "/",
    "/sign-in",
    "/posts",
    "/posts?kind=offer&item=mask-n95&region=450123&q=N95",
    "/posts?item=unobtainium",
    "/nowhere",
)
OWN = (
    "/me",
    "/me/matches",
    "/me/contacts",
    "/me/notices",
    "/me/account",
    "/me/consents",
    "/me/consents/health_need/withdraw",
    "/me/sessions",
    "/me/erase",
    "/me/step-up",
    "/real-name",
    "/posts/new?kind=need",
    "/posts/new?kind=offer",
    "/moderation",
)


async def test_axe_finds_what_is_wrong(newcomer: Newcomer) -> None:
    someone = await newcomer()
    await someone.page.goto(f"{someone.instance.url}/")
    planted = (
        "document.title = 'planted'; document.querySelector('main').innerHTML = '<img src=\"/static/icon.svg\"><input>'"
    )
    await someone.page.evaluate(planted)  # another title, so that it is a kind of page that nobody has looked at yet

    await someone.look()

    assert any("image-alt" in trouble or "alternate text" in trouble for trouble in someone.troubles)
    someone.troubles.clear()


@pytest.mark.parametrize("device", [DESK, PHONE], ids=["desk", "phone"])
async def test_pages_are_open_to_everybody(newcomer: Newcomer, device: dict[str, Any]) -> None:
    someone = await newcomer(device)
    for path in OPEN:
        await someone.open(path)

    await someone.open("/sign-in")
    await someone.type("phone", "07715551234")
    await someone.press("发送验证码")
    assert someone.status == 422
    await someone.arrive("王小明")
    post = await someone.publish("need", note="谢谢")
    for path in (*OWN, f"{post}/matches", f"{post}/resolve", f"{post}/withdraw"):
        await someone.open(path)

    neighbour = await newcomer(device)
    await neighbour.arrive("李大山")
    for path in (post, f"{post}/pledge", f"{post}/report", "/posts?kind=need"):
        await neighbour.open(path)
    assert len([kind for kind in someone.looked_at if kind.endswith(f"{device['viewport']['width']} px")]) >= 25
