"""What was typed into the long form is kept by the tab, through a detour, and forgotten once it is published."""

from tests.journeys.browser.conftest import PHONE, Newcomer

NOTE = "孩子两岁，夜里烧到三十九度"


async def test_a_half_filled_form_survives_a_detour_and_is_forgotten_once_published(newcomer: Newcomer) -> None:
    mother = await newcomer(PHONE)
    await mother.arrive("王小梅")
    await mother.open("/posts/new?kind=need")
    await mother.type("note", NOTE)
    await mother.tick("urgency", "urgent")

    # she looks at the plaza, and comes back
    await mother.open("/posts")
    await mother.open("/posts/new?kind=need")
    await mother.sees("替您填回来了")
    note = mother.page.locator("textarea")
    assert await note.input_value() == NOTE
    assert await mother.page.locator("[name=urgency][value=urgent]").is_checked()

    # what she could spare is another form
    await mother.open("/posts/new?kind=offer")
    assert await mother.page.locator("textarea").input_value() == ""

    await mother.publish("need", note=NOTE)
    await mother.open("/posts/new?kind=need")
    assert await mother.page.locator("textarea").input_value() == ""


async def test_signing_out_forgets_what_was_typed(newcomer: Newcomer) -> None:
    somebody = await newcomer(PHONE)
    await somebody.arrive("李大山")
    await somebody.open("/posts/new?kind=need")
    await somebody.type("note", NOTE)

    await somebody.open("/me/account")
    await somebody.press("退出登录")

    assert await somebody.page.evaluate("Object.keys(sessionStorage).length") == 0
