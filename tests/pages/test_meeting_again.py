"""By browser: what a match page says of rests, urgency, silence, what seven days allow, substitutes and units."""

from dataclasses import replace

from mutualaid.catalogue import snapshot
from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.posts import pages_new
from tests.harness import House
from tests.pages.meeting import first_match, post_of, two
from tests.pages.visitor import Visitor


async def agreed_two(house: House) -> tuple[Visitor, Visitor, str, str]:
    """Two who have agreed by browser: (needer, giver, the need's page, the match's)."""
    needer, giver = await two(house)
    post = post_of(await needer.publish())
    post_of(await giver.publish("offer"))
    await house.work()
    page = await first_match(needer)
    match = page.path
    await needer.send(page.form(f"{match}/accept"))
    await giver.send((await giver.open(match)).form(f"{match}/accept"))
    await house.work()
    return needer, giver, post, match


async def test_what_was_handed_over_is_asked_once_more_and_its_rest_is_proposed_again(house: House) -> None:
    needer, giver, need, match = await agreed_two(house)

    page = await giver.open(match)
    assert "公共场所" in page.text
    for typed in ("0", "", "99"):
        page = await giver.send((await giver.open(match)).form(f"{match}/complete"), lines__0=typed)
        assert page.status == 422 and 'id="e-lines.0-1"' in page.markup, typed
    page = await giver.send((await giver.open(match)).form(f"{match}/complete"), lines__0="2")
    assert "请确认" in page.text and "布洛芬" in page.text and "约好 4" in page.text
    assert "已约定" in (await giver.open(match)).text  # nothing is done yet
    page = await giver.send(page.form(f"{match}/complete"))
    assert "已交接：2" in page.text
    await house.work()

    page = await needer.open(need)
    assert "等您答复" in page.text and "正在找" not in page.text
    again = next(link for link in page.links() if link.startswith("/matches/"))
    assert again != match and "2 粒" in (await needer.open(again)).text


async def test_an_urgent_match_says_so_to_the_giver_with_day_ways_and_hours(house: House) -> None:
    needer, giver = await two(house)
    need = post_of(await needer.publish(urgency="urgent"))
    offer = post_of(await giver.publish("offer"))
    await house.work()

    assert "紧急：" in (await giver.open("/me/notices")).text
    page = await giver.open("/me/matches")
    assert "紧急" in page.text
    page = await first_match(giver)
    assert "邻居急需" in page.text and "2023年12月31日" in page.text
    assert "当面" in page.text and "双方商量" in page.text and "谢绝后不能恢复" in page.text
    for visitor, post in ((needer, need), (giver, offer)):
        for where in (post, "/me"):
            assert page.path in (await visitor.open(where)).links(), where
    for visitor, post in ((needer, offer), (giver, need)):
        other = await visitor.open(post)
        assert "正等您答复" in other.text and page.path in other.links() and f"{post}/pledge" not in other.links()

    await giver.send(page.form(f"{page.path}/decline"))
    await house.work()
    told = await giver.open(page.path)
    assert "谢绝后不能恢复" in told.text and "您已谢绝" in told.text and "您的信息继续开放" in told.text
    told = await needer.open(page.path)
    assert "邻居已谢绝" in told.text and "您已谢绝" not in told.text and "您的信息继续开放" in told.text
    assert "已被谢绝" in (await giver.open(f"{need}/pledge")).text
    assert " 新 " not in (await giver.open("/me/notices")).text  # nothing is left to answer there


async def test_a_match_that_failed_says_who_said_why_and_what_stays_open(house: House) -> None:
    needer, giver, _, match = await agreed_two(house)
    await giver.send((await giver.open(match)).form(f"{match}/fail"), reason="changed_mind")

    page = await giver.open(match)
    assert "您登记的原因 改变主意了" in page.text and "您的信息继续开放" in page.text
    page = await needer.open(match)
    assert "邻居登记的原因 改变主意了" in page.text and "不会再匹配" in page.text


async def test_a_withdrawn_match_says_whose_post_has_ended(house: House) -> None:
    needer, giver, need, match = await agreed_two(house)
    await needer.send((await needer.open(f"{need}/withdraw")).form(f"{need}/withdraw"))
    await house.work()

    page = await giver.open(match)
    assert "因为邻居的信息已结束" in page.text and "您的信息继续开放" in page.text
    page = await needer.open(match)
    assert "因为您的信息已结束" in page.text and "您的信息继续开放" not in page.text


async def test_a_lapsed_match_says_who_did_not_answer_and_its_notice_is_read(house: House) -> None:
    needer, giver = await two(house)
    await needer.publish()
    await giver.publish("offer")
    await house.work()
    page = await first_match(needer)
    await needer.send(page.form(f"{page.path}/accept"))
    house.clock.advance(hours=12)
    await house.work()

    assert "超时：您没有答复" in (await giver.open("/me/matches")).text
    assert "邻居没有在期限内答复" in (await needer.open(page.path)).text
    assert "您没有在期限内答复" in (await giver.open(page.path)).text
    first = (await giver.open("/me/notices")).text
    assert first.count(" 新 ") == 1  # the second round's; the first one's asks for nothing any more


async def test_who_has_had_all_that_seven_days_allow_is_told_before_it_is_published(house: House) -> None:
    needer, giver, _, match = await agreed_two(house)
    page = await giver.send((await giver.open(match)).form(f"{match}/complete"))
    await giver.send(page.form(f"{match}/complete"))
    await house.work()

    page = await needer.publish()
    assert page.status == 200 and "七天内最多得到 4 粒" in page.text and "还可以得到 0 粒" in page.text
    assert "1月14日 20:00" in page.text
    page = await needer.send(page.form("/posts/new"))
    assert "正在找" in (await needer.open(post_of(page))).text


async def test_a_substitute_is_offered_only_where_the_catalogue_knows_one(house: House) -> None:
    visitor = await Visitor(house).settled()

    page = await visitor.open("/posts/new?kind=need")

    assert "lines.0.substitutes" not in page.form("/posts/new").names
    catalogue = await snapshot.current(house.services.database)
    fever = ("ibuprofen", "paracetamol-tablet")
    grouped = [replace(item, substitute_group="fever") if item.code in fever else item for item in catalogue.items]
    assert pages_new.substitutable(Catalogue(catalogue.version, tuple(grouped)), "zh-Hans") == [
        item.name for item in grouped if item.code in fever
    ]


async def test_units_are_english_on_english_pages(house: House) -> None:
    visitor = await (await Visitor(house, "en").sign_in()).verify()

    page = await visitor.publish()

    assert "4 pill(s)" in page.text and "粒" not in page.text
