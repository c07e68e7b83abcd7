"""Two people find each other by browser: matched or by pledge, a number, words, handed over; and what is refused."""

import re
from typing import Any

from tests.harness import House
from tests.pages.visitor import Page, Visitor


async def two(house: House) -> tuple[Visitor, Visitor]:
    """Somebody who needs and somebody who gives, both verified."""
    needer = await (await Visitor(house).sign_in()).verify("王小明")
    giver = await (await Visitor(house).sign_in()).verify("李大力")
    return needer, giver


def post_of(page: Page) -> str:
    assert page.status == 200 and re.fullmatch(r"/posts/[0-9a-f]{32}", page.path), page.text
    return page.path


async def first_match(visitor: Visitor) -> Page:
    page = await visitor.open("/me/matches")
    return await visitor.open(next(link for link in page.links() if link.startswith("/matches/")))


async def test_a_suggested_match_is_agreed_called_and_handed_over(house: House) -> None:
    needer, giver = await two(house)
    await needer.send((await needer.open("/me/consents")).form("/me/consents/notices"))
    need = post_of(await needer.publish())
    post_of(await giver.publish("offer"))
    await house.work()

    # both say yes; the number is there for both
    page = await first_match(needer)
    match = page.path
    assert "为您推荐" in page.text and "李**" in page.text
    page = await needer.send(page.form(f"{match}/accept"))
    assert "等邻居确认" in page.text
    page = await giver.open(match)
    page = await giver.send(page.form(f"{match}/accept"))
    assert "已约定" in page.text
    await house.work()

    # one's own post says what is next, and ending it now says what that would undo
    page = await needer.open(need)
    assert "您已和邻居约定" in page.text and "正在找" not in page.text and "/me/contacts" in page.links()
    page = await needer.open(f"{need}/resolve")
    assert "约定就取消了" in page.text and f"{need}/matches" in page.links()

    page = await needer.open("/me/contacts")
    assert "李**" in page.text and "+861700000" in page.text.replace(" ", "")
    contact = next(link for link in page.links() if link.startswith("/contacts/"))
    page = await needer.open(contact)
    assert "138****" in page.text and "模拟来电" in page.text
    page = await needer.send(page.form(f"{contact}/call"))
    assert "模拟来电已接通" in page.text and "我打的" in page.text

    # words are scrubbed, and shown to both
    page = await needer.send(page.form(f"{contact}/messages"), text="您好,我的微信 abc_12345\n在门口等您")
    assert "在门口等您" in page.text and "abc_12345" not in page.text and "已被隐去" in page.text
    assert "在门口等您" in (await giver.open(contact)).text

    # handed over in part, then solved
    page = await giver.open(match)
    page = await giver.send(page.form(f"{match}/complete"), lines__0="2")
    assert "已交接：2" in page.text
    page = await needer.open("/me/notices")
    assert "24 小时内" in page.text and "这些短信本应发给您" in page.text
    page = await needer.open(f"{need}/resolve")
    assert "约定就取消了" not in page.text
    page = await needer.send(page.form(f"{need}/resolve"), outcome="through_platform")
    assert "已解决" in page.text


async def test_a_notice_leads_to_what_it_is_about_and_is_read_then(house: House) -> None:
    needer, giver = await two(house)
    await needer.publish()
    await giver.publish("offer")
    await house.work()

    page = await needer.open("/me/notices")
    assert " 新 " in page.text
    action = next(form.action for form in page.reader.forms if form.action.endswith("/open"))
    page = await needer.send(page.form(action))

    assert page.path.startswith("/matches/")
    assert " 新 " not in (await needer.open("/me/notices")).text


async def test_a_pledge_first_posts_what_one_has_and_comes_back(house: House) -> None:
    needer, giver = await two(house)
    need = post_of(await needer.publish(contact="words"))

    page = await giver.open(f"{need}/pledge")
    make = next(link for link in page.links() if link.startswith("/posts/new?kind=offer"))
    page = await giver.open(make)
    assert ("lines.0.item", "ibuprofen") in page.form("/posts/new").fields
    page = await giver.send(
        page.form("/posts/new"), lines__0__quantity="12", lines__0__expires_on="2023-12-31", lines__0__sealed="yes",
        region="450103", address="甲路", reach_km="1",
    )  # fmt: skip
    boxes: dict[str, Any] = {
        n.replace(".", "__"): "1" for n in page.form("/posts/new").names if n.startswith("consent.")
    }
    page = await giver.send(page.form("/posts/new"), **boxes)
    assert page.path == f"{need}/pledge", page.text

    refused = await giver.send(page.form(f"{need}/pledge"), lines__0="9999999")
    assert refused.status in (409, 422) and ("lines.0", "9999999") in refused.form(f"{need}/pledge").fields
    page = await giver.send(page.form(f"{need}/pledge"), lines__0="3")

    assert page.path.startswith("/matches/") and "等邻居确认" in page.text
    page = await needer.open(page.path)
    assert "邻居已同意" in page.text
    page = await needer.send(page.form(f"{page.path}/accept"))
    assert "已约定" in page.text


async def test_a_number_is_asked_for_from_the_plaza_and_consent_in_between(house: House) -> None:
    needer, caller = await two(house)
    need = post_of(await needer.publish())

    page = await caller.open(need)
    page = await caller.send(page.form(f"{need}/contact"), button=("channel", "call"))
    assert page.status == 428 and page.form(f"{need}/contact").names >= {"channel", "consent.phone_masking"}
    page = await caller.send(page.form(f"{need}/contact"), consent__phone_masking="1")
    assert page.path.startswith("/contacts/") and "+861700000" in page.text.replace(" ", "")

    again = await caller.open(need)
    again = await caller.send(again.form(f"{need}/contact"), button=("channel", "call"))
    assert again.path == page.path

    ended = await caller.send(page.form(f"{page.path}/end"))
    assert "已结束" in ended.text and "+861700000" not in ended.text.replace(" ", "")


async def test_when_no_number_is_free_the_way_back_offers_words(house: House) -> None:
    needer, caller = await two(house)
    need = post_of(await needer.publish())
    await needer.open("/me/account")
    await caller.send((await caller.open("/me/consents")).form("/me/consents/phone_masking"))
    for n in range(3):
        other = await (await Visitor(house).sign_in()).verify(f"赵{'甲乙丙'[n]}")
        await other.send((await other.open("/me/consents")).form("/me/consents/phone_masking"))
        page = await other.open(need)
        await other.send(page.form(f"{need}/contact"), button=("channel", "call"))

    page = await caller.open(need)
    page = await caller.send(page.form(f"{need}/contact"), button=("channel", "call"))

    assert page.path == need and "足够多的人" in page.text


async def test_a_stranger_sees_no_match_and_no_contact_of_others(house: House) -> None:
    needer, giver = await two(house)
    await needer.publish()
    await giver.publish("offer")
    await house.work()
    match = (await first_match(needer)).path
    stranger = await (await Visitor(house).sign_in()).verify("赵某")

    assert (await stranger.open(match)).status == 404
    form = (await needer.open(match)).form(f"{match}/decline")
    token = dict((await stranger.open("/me/account")).form("/sign-out").fields)["form_token"]
    assert (await stranger.post(form.action, [("form_token", token)])).status_code == 404


async def test_a_consent_is_taken_back_with_effect(house: House) -> None:
    visitor = await (await Visitor(house).sign_in()).verify()
    post = post_of(await visitor.publish())

    page = await visitor.open("/me/consents")
    assert "/me/consents/publish_nearby/withdraw" in page.links()
    page = await visitor.open("/me/consents/publish_nearby/withdraw")
    page = await visitor.send(page.form("/me/consents/publish_nearby/withdraw"))

    assert page.path == "/me/consents" and "已撤回" in page.text
    assert "已撤下" in (await visitor.open(post)).text


async def test_leaving_for_good_signs_out_and_keeps_nothing_readable(house: House) -> None:
    visitor = await (await Visitor(house).sign_in()).verify()
    post = post_of(await visitor.publish())
    export = await visitor.client.get("/me/export")
    assert export.status_code == 200 and "王小明" in export.text

    page = await visitor.open("/me/erase")
    page = await visitor.send(page.form("/me/erase"))

    assert page.path == "/" and "已删除" in page.text
    assert (await visitor.open("/me")).path.startswith("/sign-in")
    assert (await visitor.open(post)).status == 404
