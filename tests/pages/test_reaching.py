"""By browser: a number from the plaza, words where none is free, and what is closed, taken back or left for good."""

import re

import pytest

from mutualaid.contacts import pages
from tests.harness import House
from tests.pages.meeting import agreed, first_match, post_of, two
from tests.pages.visitor import Visitor


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


async def test_a_contact_asks_for_nothing_that_can_no_longer_be_done(house: House) -> None:
    needer, caller = await two(house)
    need = post_of(await needer.publish())
    page = await caller.open(need)
    contact = (await caller.send(page.form(f"{need}/contact"), button=("channel", "words"))).path
    await caller.send((await caller.open(contact)).form(f"{contact}/messages"), text="我有两盒")
    assert f"{need}/pledge" in (await caller.open(contact)).links()
    assert f"{need}/resolve" in (await needer.open(contact)).links()

    await needer.send((await needer.open(f"{need}/withdraw")).form(f"{need}/withdraw"))
    await house.work()

    page = await caller.open(contact)
    assert "解决了吗" not in page.text and need not in page.links() and f"{need}/pledge" not in page.links()
    page = await needer.open(contact)
    assert "解决了吗" not in page.text and f"{need}/resolve" not in page.links()
    assert (await needer.open(need)).status == 200 and need in page.links()  # one's own post is there for good


async def test_taking_down_what_is_agreed_on_says_what_it_undoes(house: House) -> None:
    needer, giver, need, match, _contact = await agreed(house)
    offer = next(link for link in (await giver.open(match)).links() if link.startswith("/posts/") and link != need)

    for visitor, post in ((needer, need), (giver, offer)):
        for deed in ("resolve", "withdraw"):
            page = await visitor.open(f"{post}/{deed}")
            assert "约定就取消了" in page.text and f"{post}/matches" in page.links()
    await giver.send(page.form(f"{offer}/withdraw"))
    await house.work()

    assert "约定就取消了" not in (await needer.open(f"{need}/withdraw")).text


async def test_what_has_ended_is_not_ended_once_more(house: House) -> None:
    visitor = await Visitor(house).settled()
    post = post_of(await visitor.publish())
    solve = (await visitor.open(f"{post}/resolve")).form(f"{post}/resolve")
    take_down = (await visitor.open(f"{post}/withdraw")).form(f"{post}/withdraw")
    await visitor.send(take_down)

    for deed in ("resolve", "withdraw"):
        page = await visitor.open(f"{post}/{deed}")
        assert page.status == 200 and page.path == post and "已经结束" in page.text
    for page in (await visitor.send(solve, outcome="elsewhere"), await visitor.send(take_down)):
        assert page.status == 200 and page.path == post


async def test_the_newest_words_are_on_the_page_and_a_link_leads_to_earlier_ones(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "_MOST_WORDS", 3)
    needer, caller = await two(house)
    need = post_of(await needer.publish())
    page = await caller.open(need)
    page = await caller.send(page.form(f"{need}/contact"), button=("channel", "words"))
    contact = page.path
    for word in "甲乙丙丁戊己庚":
        page = await caller.send(page.form(f"{contact}/messages"), text=f"第{word}句")

    shown = []
    for _ in range(3):
        shown.append(re.findall("第(.)句", page.text))
        if older := [link for link in page.links() if "cursor=" in link]:
            page = await caller.open(older[0])

    assert shown == [["戊", "己", "庚"], ["乙", "丙", "丁"], ["甲"]]
    assert not any("cursor=" in link for link in page.links())
    page = await caller.open(next(link for link in page.links() if link == f"{contact}#words"))
    assert "第庚句" in page.text


async def test_a_contact_of_a_match_asks_how_it_went_only_while_it_is_agreed(house: House) -> None:
    needer, giver, _need, match, contact = await agreed(house)
    await needer.send((await needer.open(contact)).form(f"{contact}/messages"), text="在门口")
    for visitor in (needer, giver):
        assert "解决了吗" in (await visitor.open(contact)).text
    house.clock.advance(hours=25)
    assert "约定还在的时候" in (await needer.open(contact)).text

    await giver.send((await giver.open(match)).form(f"{match}/fail"), reason="unreachable")
    await house.work()

    for visitor in (needer, giver):
        page = await visitor.open(contact)
        assert "解决了吗" not in page.text and "约定还在的时候" not in page.text and match in page.links()


async def test_when_no_number_is_free_the_way_back_offers_words(house: House) -> None:
    needer, caller = await two(house)
    need = post_of(await needer.publish())
    await needer.open("/me/account")
    await caller.send((await caller.open("/me/consents")).form("/me/consents/phone_masking"))
    for n in range(3):
        other = await Visitor(house).settled(f"赵{'甲乙丙'[n]}")
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
    stranger = await Visitor(house).settled("赵某")

    assert (await stranger.open(match)).status == 404
    form = (await needer.open(match)).form(f"{match}/decline")
    token = dict((await stranger.open("/me/account")).form("/sign-out").fields)["form_token"]
    assert (await stranger.post(form.action, [("form_token", token)])).status_code == 404


async def test_a_consent_is_taken_back_with_effect(house: House) -> None:
    visitor = await Visitor(house).settled()
    post = post_of(await visitor.publish())

    page = await visitor.open("/me/consents")
    assert "/me/consents/publish_nearby/withdraw" in page.links()
    page = await visitor.open("/me/consents/publish_nearby/withdraw")
    page = await visitor.send(page.form("/me/consents/publish_nearby/withdraw"))

    assert page.path == "/me/consents" and "已撤回" in page.text
    assert "已撤下" in (await visitor.open(post)).text


async def test_leaving_for_good_signs_out_and_keeps_nothing_readable(house: House) -> None:
    visitor = await Visitor(house).settled()
    post = post_of(await visitor.publish())
    export = await visitor.client.get("/me/export")
    assert export.status_code == 200 and "王小明" in export.text

    page = await visitor.open("/me/erase")
    page = await visitor.send(page.form("/me/erase"))

    assert page.path == "/" and "已删除" in page.text
    assert (await visitor.open("/me")).path.startswith("/sign-in")
    assert (await visitor.open(post)).status == 404
