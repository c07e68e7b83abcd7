"""Two people find each other by browser: matched or by pledge, a number, words, handed over; and what is refused."""

import re
from typing import Any

from tests.harness import House
from tests.pages.meeting import agreed, first_match, post_of, two
from tests.pages.test_moderating import moderator
from tests.pages.visitor import Page, Visitor


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
    page = await giver.send(page.form(f"{match}/complete"))
    assert "已交接：2" in page.text
    page = await needer.open("/me/notices")
    assert "24 小时内" in page.text and "这些短信本应发给您" in page.text
    page = await needer.open(f"{need}/resolve")
    assert "约定就取消了" not in page.text
    page = await needer.send(page.form(f"{need}/resolve"), outcome="through_platform")
    assert "已解决" in page.text


async def test_a_disputed_handover_is_told_as_it_is_and_both_hear_of_the_ruling(house: House) -> None:
    needer, giver, _need, match, _ = await agreed(house)
    page = await giver.open(match)
    page = await giver.send(page.form(f"{match}/complete"), lines__0="4")
    await giver.send(page.form(f"{match}/complete"))

    page = await needer.open(match)
    page = await needer.send(page.form(f"{match}/fail"), reason="no_show")

    assert "重新开放" not in page.text and "状态和数量都不变" in page.text
    assert "不算进您七天内的上限" in page.text and "/posts/new?kind=need&item=ibuprofen" in page.links()
    await house.work()
    visitor = await moderator(house)
    page = await visitor.open("/moderation")
    case = next(link for link in page.links() if link.startswith("/moderation/cases/"))
    page = await visitor.open(case)
    assert "给药的一方说： 布洛芬片/缓释胶囊交接了 4 粒" in page.text
    assert "求药的一方说： 没有成功 (对方没有来)" in page.text
    form = page.form(f"{case}/post")
    values = [a.get("value") for tag, a in page.reader.tags if tag == "input" and a.get("name") == "deed"]
    assert values == ["approve"]  # the need has ended: nothing of it could be hidden or closed
    await visitor.send(form, deed="approve")
    for side in (needer, giver):
        assert "管理员已经处理" in (await side.open("/me/notices")).text
        assert "管理员已经处理" in (await side.open(match)).text


async def test_each_says_that_the_other_did_not_come_and_a_moderator_looks(house: House) -> None:
    needer, giver, _need, match, _ = await agreed(house)
    page = await giver.open(match)
    await giver.send(page.form(f"{match}/fail"), reason="no_show")

    page = await needer.open(match)
    page = await needer.send(page.form(f"{match}/fail"), reason="no_show")

    assert "给药的一方说： 没有成功 (对方没有来)" in page.text and "求药的一方说： 没有成功 (对方没有来)" in page.text
    await house.work()
    visitor = await moderator(house)
    page = await visitor.open("/moderation")
    case = next(link for link in page.links() if link.startswith("/moderation/cases/"))
    assert "求药的一方说： 没有成功 (对方没有来)" in (await visitor.open(case)).text


async def test_whoever_posts_again_finds_every_item_of_the_match_in_the_form(house: House) -> None:
    needer, giver = await two(house)
    await needer.publish("need", "paracetamol-tablet")
    await giver.publish("offer", "paracetamol-tablet")
    await house.work()
    match = (await first_match(needer)).path
    for visitor in (needer, giver):
        page = await visitor.open(match)
        await visitor.send(page.form(f"{match}/accept"))
    page = await giver.open(match)
    page = await giver.send(page.form(f"{match}/complete"), lines__0="4", lines__1="4")
    await giver.send(page.form(f"{match}/complete"))
    page = await needer.open(match)
    page = await needer.send(page.form(f"{match}/fail"), reason="no_show")

    again = next(link for link in page.links() if link.startswith("/posts/new?kind=need&"))
    page = await needer.open(again)

    items = re.findall(r'<option value="([\w-]+)" selected', page.markup)
    assert {"ibuprofen", "paracetamol-tablet"} <= {*items}


async def test_a_contact_that_nobody_answered_leads_on_and_one_that_was_answered_asks(house: House) -> None:
    needer, giver, _need, match, contact = await agreed(house)
    page = await needer.open(contact)
    assert match in page.links() and "解决了吗" not in page.text
    number = re.search(r"tel:([+0-9]+)", page.markup)
    assert number is not None
    for _ in range(2):
        played = {"caller": needer.phone, "dialled": number[1], "outcome": "no_answer"}
        answer = await house.stranger().post("/dev/calls", played)
        assert answer.json()["decision"] == "connect", answer.text
        await house.work()

    for visitor in (needer, giver):
        page = await visitor.open(contact)
        assert "两次都没人接听" in page.text and "重新获取号码" in page.text and match in page.links()
    page = await needer.open(match)
    page = await needer.send(page.form(f"/posts/{_offer(page)}/contact"), button=("channel", "call"))
    page = await needer.send(page.form(f"{page.path}/call"))
    page = await giver.open(page.path)
    assert "解决了吗" in page.text and match in page.links()


def _offer(page: Page) -> str:
    found = re.search(r'action="/posts/([0-9a-f]{40})/contact"', page.markup)
    assert found is not None
    return found[1]


async def test_blocking_says_what_it_does_first_and_is_offered_once(house: House) -> None:
    needer, giver, _need, match, contact = await agreed(house)

    page = await needer.open(contact)
    assert "此操作不能撤销" in page.text and "是的，拉黑对方" in page.text
    page = await needer.send(page.form(f"{contact}/block"))

    for path in (contact, match):
        page = await needer.open(path)
        assert "您已拉黑对方" in page.text and not any(form.action.endswith("/block") for form in page.reader.forms)
    page = await giver.open(contact)
    assert "拉黑对方" in page.text and "您已拉黑" not in page.text  # nobody is told that they were blocked


async def test_a_post_is_given_more_time_on_its_page(house: House) -> None:
    visitor = await Visitor(house).settled()
    post = post_of(await visitor.publish())
    before = re.search(r"保留到 (.+?) ", (await visitor.open(post)).text)
    house.clock.advance(hours=70)

    page = await visitor.open(post)
    page = await visitor.send(page.form(f"{post}/prolong"), button=("days", "3"))

    assert "已延长" in page.text
    after = re.search(r"保留到 (.+?) ", page.text)
    assert before is not None and after is not None and before[1] != after[1]
    token = dict(page.form(f"{post}/prolong").fields)["form_token"]
    refused = await visitor.post(f"{post}/prolong", [("form_token", token), ("days", "99")])
    assert refused.status_code == 303 and "请选择" in (await visitor.open(post)).text


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


async def test_the_inbox_is_marked_as_read_up_to_what_was_shown(house: House) -> None:
    needer, giver = await two(house)
    await needer.publish()
    await giver.publish("offer")
    await house.work()
    shown = await needer.open("/me/notices")
    assert " 新 " in shown.text
    await giver.send((await first_match(giver)).form(f"{(await first_match(giver)).path}/accept"))
    house.clock.advance(seconds=1)
    await house.work()

    wrong = [await needer.send(shown.form("/me/notices/read"), newest=newest) for newest in ("", "\x00", "0" * 32)]
    page = await needer.send(shown.form("/me/notices/read"))

    assert all(each.status in (400, 404, 422) for each in wrong)
    assert page.path == "/me/notices" and "都已标为已读" in page.text
    later = await needer.open("/me/notices")
    assert later.text.count(" 新 ") == later.markup.count("/open") - shown.markup.count("/open")
    page = await needer.send(later.form("/me/notices/read")) if " 新 " in later.text else later
    assert " 新 " not in page.text and "全部标为已读" not in page.text


async def test_a_pledge_says_how_far_it_is_and_what_is_farther_than_one_of_the_two_goes(house: House) -> None:
    needer, giver = await two(house)
    need = post_of(await needer.publish(reach_km="5"))
    await giver.publish("offer")
    near = await giver.open(f"{need}/pledge")
    await giver.publish("offer", city="450200", region="450202")
    both = await giver.open(f"{need}/pledge")

    assert "同一片区" in near.text and "超出了" not in near.text
    assert "同一片区" in both.text and both.text.count("超出了你们中一方 5 公里的范围") == 1


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

    for typed, told in (("9999999", "最多 4"), ("5", "最多 4"), ("0", "至少 1"), ("", "至少 1")):
        refused = await giver.send(page.form(f"{need}/pledge"), lines__0=typed)
        assert refused.status == 422 and ("lines.0", typed) in refused.form(f"{need}/pledge").fields
        assert told in refused.text and "剩下的没有那么多" not in refused.text and "#f-lines.0" in refused.links()
        assert {a["id"] for _, a in refused.reader.tags if a.get("aria-invalid")} == {"f-lines.0"}
    page = await giver.send(page.form(f"{need}/pledge"), lines__0="3")

    assert page.path.startswith("/matches/") and "等邻居确认" in page.text
    page = await needer.open(page.path)
    assert "邻居已同意" in page.text
    page = await needer.send(page.form(f"{page.path}/accept"))
    assert "已约定" in page.text
