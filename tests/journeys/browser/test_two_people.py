"""Two people in two browsers, from the landing to 已解决."""

import re
from typing import Any

import pytest

from tests.journeys.browser.conftest import DESK, PHONE, Newcomer

WITHOUT_SCRIPT = {**PHONE, "java_script_enabled": False}


@pytest.mark.parametrize(
    ("hers", "his", "item", "name"),
    [
        pytest.param(DESK, PHONE, "ibuprofen", "布洛芬", id="desk-and-phone"),
        pytest.param(PHONE, WITHOUT_SCRIPT, "smectite", "蒙脱石散", id="phone-and-phone-without-script"),
        pytest.param(WITHOUT_SCRIPT, DESK, "paracetamol-tablet", "对乙酰氨基酚", id="phone-without-script-and-desk"),
    ],
)
async def test_two_people_come_from_the_landing_to_solved(
    newcomer: Newcomer, hers: dict[str, Any], his: dict[str, Any], item: str, name: str
) -> None:
    mother, neighbour = await newcomer(hers), await newcomer(his)

    # she comes to the landing, and is led through what is needed once to the form
    await mother.open("/")
    solved = int(await mother.page.locator(".counter strong").inner_text())
    await mother.follow("我需要药")
    await mother.sign_in()
    await mother.prove("王小梅")
    assert mother.path == "/posts/new?kind=need"

    # what is wrong is told, what is right stays
    await mother.type("note", "孩子三岁，发烧三天了")
    await mother.press("发布")
    await mother.sees("孩子三岁，发烧三天了")
    assert mother.status == 422
    await mother.fill_need(item=item, note="孩子三岁，发烧三天了")
    await mother.tick("urgency", "urgent")
    await mother.press("发布")
    await mother.agree()
    await mother.sees("求药", name, "紧急", "青秀区")
    need = mother.path

    # he has some to spare
    await neighbour.open("/")
    await neighbour.follow("我有多的药")
    await neighbour.sign_in()
    await neighbour.prove("李大山")
    await neighbour.fill_offer(item=item, note="多买了一盒")
    await neighbour.press("发布")
    await neighbour.agree()
    await neighbour.open("/posts?kind=need")
    await neighbour.sees(name, "王**")

    # the service brings them together; both say yes
    await mother.first_match()
    await mother.sees("为您推荐", "李**", "多买了一盒")
    await mother.press("好，就这么定")
    await mother.sees("等邻居确认")
    await neighbour.open(mother.path)
    await neighbour.sees("邻居已同意", "王**")
    await neighbour.press("好，就这么定")
    await neighbour.sees("已约定")
    match = neighbour.path

    # each has a number that is neither's own
    await mother.first_contact()
    number = await mother.number()
    assert re.fullmatch(r"\+8617\d{9}", number)
    await mother.press("模拟来电")
    await mother.sees("模拟来电已接通", "我打的")
    contact = mother.path
    await mother.type("text", "谢谢，我在小区门口等您")
    await mother.press("发送")
    await neighbour.first_contact()
    await neighbour.sees("谢谢，我在小区门口等您")
    assert await neighbour.number() == number
    for someone, other in ((mother, neighbour), (neighbour, mother)):
        assert other.phone not in re.sub(r"\D", "", await someone.page.inner_text("body"))

    # half of it is handed over, and she is helped
    await neighbour.open(match)
    await neighbour.type("lines.0", "2")
    await neighbour.press("已交接")
    await neighbour.press("确认，已交接")
    await neighbour.sees("已交接")
    await mother.open("/me/notices")
    await mother.waits_for(mother.page.locator("main li").filter(has_text="交接").first)
    await mother.open(need)
    await mother.follow("已解决")
    await mother.tick("outcome", "through_platform")
    await mother.press("是的，已解决")
    await mother.sees("已解决")

    # the number is dead, the counter has counted
    await mother.open(contact)
    await mother.sees("已结束")
    assert number[3:] not in re.sub(r"\D", "", await mother.page.inner_text("main"))
    await mother.open("/me")
    await mother.sees("已解决")
    await mother.open("/")
    assert int(await mother.page.locator(".counter strong").inner_text()) == solved + 1
