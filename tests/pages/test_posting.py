"""From the landing to a post and its end, by forms, without scripts."""

from urllib.parse import quote

import pytest

from tests.harness import House
from tests.pages.visitor import Visitor

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'{{7*7}}{% raw %}"


async def test_a_newcomer_comes_from_the_landing_to_a_post_without_losing_the_way(visitor: Visitor) -> None:
    page = await visitor.open("/")
    assert "我需要药" in page.text and "我有多的药" in page.text and "0 个求药已解决" in page.text
    assert "/posts/new?kind=need" in page.links()

    # to sign in, and back
    page = await visitor.open("/posts/new?kind=need")
    page = await visitor.send(page.form("/sign-in"), phone="13800138111")
    code = visitor.house.messages("sms", "13800138111")[-1]["params"]["code"]
    page = await visitor.send(page.form("/sign-in/code"), code=code)

    # to the real-name check, whose consent has a box of its own, and back
    assert page.path.startswith("/real-name?next=") and "实名" in page.text
    sample = page.text.split("可用的样例身份：")[1].split("。")[0].split("，")
    page = await visitor.send(page.form("/real-name"), name=sample[0], id_number=sample[1])
    assert page.status == 422 and ("name", "王小明") in page.form("/real-name").fields
    page = await visitor.send(page.form("/real-name"), consent__real_name_check="1")
    assert page.path == "/posts/new?kind=need", page.text

    # the form; then exactly the three consents that are missing, each by itself and unticked
    page = await visitor.send(
        page.form("/posts/new"), lines__0__item="ibuprofen", lines__0__quantity="4", region="450103",
        address="民族大道1号", note="三天没退烧了\n孩子六岁",
    )  # fmt: skip
    assert page.status == 428
    form = page.form("/posts/new")
    boxes = {name for name in form.names if name.startswith("consent.")}
    assert boxes == {"consent.publish_nearby", "consent.health_need", "consent.phone_masking"}
    assert not boxes & {name for name, _ in form.fields}

    page = await visitor.send(form, consent__publish_nearby="1", consent__health_need="1")
    form = page.form("/posts/new")
    assert page.status == 428 and {n for n in form.names if n.startswith("consent.")} == {"consent.phone_masking"}
    page = await visitor.send(form, consent__phone_masking="1")

    assert page.status == 200 and "已发布" in page.text
    assert "求药：布洛芬片/缓释胶囊" in page.text and "三天没退烧了 孩子六岁" in page.text
    assert "青秀区" in page.text and "民族大道" not in page.text


async def test_going_back_from_the_consents_loses_nothing(visitor: Visitor) -> None:
    await visitor.settled()
    page = await visitor.open("/posts/new?kind=need")
    page = await visitor.send(
        page.form("/posts/new"), lines__0__item="ors", lines__0__quantity="3", region="450103", address="某小区",
        note="腹泻", urgency="urgent",
    )  # fmt: skip
    assert page.status == 428

    page = await visitor.send(page.form("/posts/new"), button=("do", "edit"))

    kept = page.form("/posts/new").fields
    for field in (("lines.0.item", "ors"), ("lines.0.quantity", "3"), ("note", "腹泻"), ("urgency", "urgent")):
        assert field in kept
    assert ("address", "某小区") in kept and ("region", "450103") in kept


async def test_every_bad_field_is_told_at_once_beside_what_was_typed(visitor: Visitor) -> None:
    await visitor.settled()
    page = await visitor.open("/posts/new?kind=offer")

    page = await visitor.send(
        page.form("/posts/new"), lines__0__item="ibuprofen", lines__0__quantity="九十九", reach_km="900",
        note="x" * 501, handover=[], address="民族大道",
    )  # fmt: skip

    assert page.status == 422
    wrong = {a["id"].removeprefix("f-") for _, a in page.reader.tags if a.get("aria-invalid")}
    assert wrong >= {
        "lines.0.quantity",
        "lines.0.expires_on",
        "lines.0.sealed",
        "reach_km",
        "note",
        "handover",
        "region",
    }
    assert ("lines.0.quantity", "九十九") in page.form("/posts/new").fields
    assert ("note", "x" * 501) in page.form("/posts/new").fields
    ids = {a["id"] for _, a in page.reader.tags if "id" in a}
    assert {a["href"] for tag, a in page.reader.tags if tag == "a" and a["href"].startswith("#f-")} <= {
        f"#{i}" for i in ids
    }
    described = [a["aria-describedby"].split() for _, a in page.reader.tags if a.get("aria-describedby")]
    assert {one for many in described for one in many} <= ids


async def test_region_lists_follow_the_choice_and_keep_the_form(visitor: Visitor) -> None:
    await visitor.settled()
    page = await visitor.open("/posts/new?kind=need")
    assert "青秀区" in page.text

    typed = {"lines__0__item": "ors", "note": "先写好"}
    page = await visitor.send(page.form("/posts/new"), button=("do", "regions"), province="310000", **typed)
    assert page.status == 200 and "黄浦区" in page.text and "青秀区" not in page.text
    assert ("note", "先写好") in page.form("/posts/new").fields
    page = await visitor.send(page.form("/posts/new"), button=("do", "line"), city="310101")

    fields = page.form("/posts/new").fields
    assert ("city", "310101") in fields and ("lines.0.item", "ors") in fields
    assert "lines.1.item" in page.form("/posts/new").names


async def test_a_form_sent_twice_makes_one_post(visitor: Visitor) -> None:
    await visitor.settled()
    page = await visitor.publish(note="一次")
    first = page.path
    page = await visitor.open("/posts/new?kind=need")
    form = page.form("/posts/new")
    fields = {**dict(form.fields), "lines.0.item": "ors", "lines.0.quantity": "2", "region": "450103", "address": "甲"}

    once = await visitor.post("/posts/new", list(fields.items()))
    twice = await visitor.post("/posts/new", list(fields.items()))

    assert once.status_code == twice.status_code == 303
    assert once.headers["location"] == twice.headers["location"] != first
    assert (await visitor.open("/me")).markup.count('<li class="card">') == 2


async def test_hostile_texts_are_shown_as_they_were_written_and_do_nothing(house: House, visitor: Visitor) -> None:
    await visitor.settled()
    page = await visitor.publish(note=HOSTILE, address=HOSTILE[:60])
    reader = await Visitor(house).sign_in()

    for seen in (page, await reader.open(page.path), await reader.open("/posts"), await visitor.open("/me")):
        assert {tag for tag, _ in seen.reader.tags}.isdisjoint({"img", "iframe", "object"})
        assert all(a.get("src") for tag, a in seen.reader.tags if tag == "script")
        assert not any(name.startswith("on") for _, a in seen.reader.tags for name in a)
    assert "<script>alert(1)</script>" in (await reader.open(page.path)).text


async def test_hostile_texts_come_back_into_the_form_as_text(visitor: Visitor) -> None:
    await visitor.settled()
    page = await visitor.open("/posts/new?kind=need")

    page = await visitor.send(
        page.form("/posts/new"),
        note=f"</textarea>{HOSTILE}",
        address='"><script>x</script>',
        lines__0__quantity='"><b>',
    )

    assert page.status == 422 and "<script>" not in page.markup and "<b>" not in page.markup
    assert ("note", f"</textarea>{HOSTILE}") in page.form("/posts/new").fields
    assert ("address", '"><script>x</script>') in page.form("/posts/new").fields


async def test_the_empty_plaza_says_how_to_begin(visitor: Visitor) -> None:
    page = await visitor.open("/posts?utm_source=wechat")

    assert page.status == 200 and "这里还没有内容" in page.text and "scripts/demo" in page.text
    assert "/posts/new?kind=need" in page.links()


async def test_the_plaza_shows_the_nearest_first_and_says_how_far(house: House, visitor: Visitor) -> None:
    giver = await Visitor(house).settled("李大力")
    await giver.publish("offer", region="450103", address="甲路")
    await giver.publish("offer", region="450123", address="乙路", lines__0__item="ors", lines__0__quantity="6")
    await visitor.settled()
    await visitor.publish(region="450103", address="甲路")

    page = await visitor.open("/posts?kind=offer")

    assert page.text.index("布洛芬") < page.text.rindex("口服补液盐")
    assert "约 1 公里内" in page.text or "公里" in page.text
    assert "李**" in page.text and "已实名" in page.text
    stranger = await Visitor(house).open("/posts?kind=offer&sort=newest")
    assert "李**" not in stranger.text and "口服补液盐" in stranger.text


async def test_a_wrong_filter_is_told_and_the_form_stays(visitor: Visitor) -> None:
    page = await visitor.open("/posts?item=unobtainium&sort=distance&cursor=x")

    assert page.status == 422
    assert "目录里没有这种物品" in page.text or "物品" in page.text


async def test_the_plaza_goes_on_page_by_page_with_its_filters(house: House, visitor: Visitor) -> None:
    person = await house.member()
    for n in range(23):
        await person.publish({"kind": "need", "lines": [{"item": "ors", "quantity": 1}], "note": f"第{n}条",
                              "place": {"lat": 22.817, "lng": 108.3665}})  # fmt: skip

    first = await visitor.open("/posts?kind=need&item=ors")
    more = next(link for link in first.links() if "cursor=" in link)
    second = await visitor.open(more)

    assert "kind=need" in more and "item=ors" in more
    links = [[link for link in page.links() if len(link) > 30 and "?" not in link] for page in (first, second)]
    assert [len(found) for found in links] == [20, 3] and not set(links[0]) & set(links[1])


async def test_the_plaza_is_searched_by_a_field_that_keeps_its_words(house: House, visitor: Visitor) -> None:
    person = await house.member()
    for n in range(22):
        await person.publish({"kind": "need", "lines": [{"item": "ors", "quantity": 1}], "note": f"第{n}次拉肚子",
                              "place": {"lat": 22.817, "lng": 108.3665}})  # fmt: skip
    await visitor.sign_in()

    page = await visitor.open("/posts?kind=need")
    page = await visitor.send(page.form("/posts"), q="拉肚子")
    more = next(link for link in page.links() if "cursor=" in link)
    rest = await visitor.open(more)
    offers = next(link for link in rest.links() if "kind=offer" in link)
    none = await visitor.open(offers)
    wrong = await visitor.open("/posts?q=%25%25&kind=need")
    stranger = await Visitor(house).open("/posts?q=拉肚子")

    shown = [len([link for link in found.links() if len(link) > 30 and "?" not in link]) for found in (page, rest)]
    assert shown == [20, 2] and "kind=need" in more and ("q", "拉肚子") in rest.form("/posts").fields
    assert none.status == 200 and ("q", "拉肚子") in none.form("/posts").fields and "这里还没有" in none.text
    assert wrong.status == 422 and "请输入汉字、字母或数字" in wrong.text
    assert ("q", "%%") in wrong.form("/posts").fields
    assert stranger.status == 200 and "这里还没有" in stranger.text
    assert ("搜索物品和备注" in page.text, "搜索物品和备注" in stranger.text, "搜索物品" in stranger.text) == (
        True,
        False,
        True,
    )


async def test_solved_asks_how_and_ends_the_post(visitor: Visitor) -> None:
    await visitor.settled()
    post = (await visitor.publish()).path
    page = await visitor.open(f"{post}/resolve")
    assert "不能撤销" in page.text

    page = await visitor.send(page.form(f"{post}/resolve"))
    assert page.status == 422 and "请填写" in page.text
    page = await visitor.send(page.form(f"{post}/resolve"), outcome="elsewhere")

    assert page.path == post and "已解决" in page.text
    page = await visitor.open(f"{post}/resolve")
    assert page.path == post and "已经结束" in page.text
    assert "1 个求药已解决" in (await visitor.open("/")).text
    again = next(link for link in page.links() if link.startswith("/posts/new?kind=need&"))
    form = (await visitor.open(again)).form("/posts/new")
    assert {("lines.0.item", "ibuprofen"), ("lines.0.quantity", "4"), ("region", "450103")} <= set(form.fields)


@pytest.mark.parametrize("region", ["450103", "310101", "110000", "999999", "\x00", "四五零"])
async def test_a_form_begins_in_the_region_of_its_address_or_in_none(visitor: Visitor, region: str) -> None:
    await visitor.settled()
    page = await visitor.open(f"/posts/new?kind=need&region={quote(region)}")

    assert page.status in (200, 400, 422)
    if page.status == 200 and region in ("450103", "310101", "110000"):
        chosen = [value for name, value in page.form("/posts/new").fields if name in ("province", "city", "region")]
        assert [code for code in chosen if code][-1] == region


async def test_a_post_is_confirmed_and_taken_down_by_its_author_only(house: House, visitor: Visitor) -> None:
    await visitor.settled()
    post = (await visitor.publish()).path
    other = await Visitor(house).settled()

    for path in ("resolve", "withdraw"):
        assert (await other.open(f"{post}/{path}")).status == 404
    page = await visitor.open(post)
    page = await visitor.send(page.form(f"{post}/confirm"))
    assert page.status == 200 and page.path == post
    page = await visitor.send((await visitor.open(f"{post}/withdraw")).form(f"{post}/withdraw"))
    assert "已撤下" in page.text

    gone = await other.open(post)
    assert gone.status == 404 and "/posts" in gone.links() and "/" in gone.links()


async def test_a_report_needs_a_reason_and_is_taken_once(house: House, visitor: Visitor) -> None:
    author = await Visitor(house).settled()
    post = (await author.publish()).path
    await visitor.settled()
    form = (await visitor.open(f"{post}/report")).form(f"{post}/report")

    page = await visitor.send(form, note="他要我先付钱")
    assert page.status == 422 and ("note", "他要我先付钱") in page.form(f"{post}/report").fields
    page = await visitor.send(page.form(f"{post}/report"), reason="scam")
    assert page.path == "/posts" and "管理员会查看" in page.text

    page = await visitor.open(f"{post}/report")
    page = await visitor.send(page.form(f"{post}/report"), reason="other")
    assert page.status == 409


async def test_a_wrong_address_is_a_page_with_a_way_on(visitor: Visitor) -> None:
    page = await visitor.open("/nowhere")

    assert page.status == 404 and "/posts" in page.links() and "/" in page.links()
    assert (await visitor.client.get("/api/v1/nowhere")).headers["content-type"] == "application/problem+json"
    assert (await visitor.client.put("/posts")).status_code == 405


async def test_the_page_says_what_is_pretended_and_nothing_else(house: House, visitor: Visitor) -> None:
    assert "短信、实名核验和电话号码都是模拟的" in (await visitor.open("/posts")).text
    object.__setattr__(house.services.settings, "numbers", "huawei")

    page = await visitor.open("/posts")

    assert (
        "这些是模拟的：短信、" in page.text
        and "电话号码" not in page.text.partition("模拟的：")[2].partition("信息广场")[0]
    )
