"""The plaza in a browser says when something new has come, and stays as it is until it is asked."""

from playwright.async_api import expect

from tests.journeys.browser.conftest import DESK, PHONE, Newcomer


async def test_an_open_plaza_says_when_something_new_has_come(newcomer: Newcomer) -> None:
    reader, neighbour = await newcomer(PHONE), await newcomer(DESK)
    await neighbour.arrive("李大山")
    await reader.open("/posts?kind=offer&item=thermometer")
    news = reader.link("有新的信息")
    await expect(news).to_be_hidden()

    await neighbour.publish("offer", item="thermometer", quantity="1", note="多一支体温计")

    await expect(news).to_be_visible()
    await reader.sees_not("李**")
    await reader.follow("有新的信息")
    assert reader.path == "/posts?kind=offer&item=thermometer"
    await reader.sees("体温计")
    await expect(reader.page.locator("main .card")).to_have_count(1)
