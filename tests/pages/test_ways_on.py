"""Wrong turns, and the way on: whoever errs is told where, and loses neither what was typed nor the way."""

from tests.harness import House
from tests.pages.test_moderating import moderator, reported
from tests.pages.visitor import Visitor


async def test_what_was_left_out_is_called_by_its_name(visitor: Visitor) -> None:
    await visitor.settled()
    page = await visitor.open("/posts/new?kind=need")
    page = await visitor.send(page.form("/posts/new"), button=("do", "line"))

    page = await visitor.send(
        page.form("/posts/new"), lines__0__item="ibuprofen", lines__0__quantity="4", lines__1__item="ors"
    )

    assert page.status == 422 and "第 2 种 数量：请填写此项。" in page.text


async def test_the_address_of_the_form_names_its_kind(visitor: Visitor) -> None:
    await visitor.settled()
    page = await visitor.open("/posts/new?kind=offer")

    page = await visitor.send(page.form("/posts/new"))

    assert page.status == 422 and page.form("/posts/new").action == "/posts/new?kind=offer"


async def test_boxes_left_unticked_are_counted(visitor: Visitor) -> None:
    await visitor.settled()
    page = await visitor.open("/posts/new?kind=need")
    page = await visitor.send(
        page.form("/posts/new"), lines__0__item="ibuprofen", lines__0__quantity="4", region="450103", address="甲路"
    )
    assert page.status == 428 and "没有勾选" not in page.text  # nobody is scolded before they were asked

    page = await visitor.send(page.form("/posts/new"), consent__health_need="1")

    assert page.status == 428 and "还有 2 项没有勾选" in page.text and "请改正" in page.text


async def test_after_too_many_wrong_codes_a_new_one_comes_by_one_press(visitor: Visitor) -> None:
    phone = visitor.house.stranger().phone
    page = await visitor.open("/sign-in?next=/me/account")
    page = await visitor.send(page.form("/sign-in"), phone=phone)
    for _ in range(6):
        page = await visitor.send(page.form("/sign-in/code"), code="000000")
    assert "验证码已失效" in page.text

    page = await visitor.send(page.form("/sign-in/code"), button=("do", "again"))
    assert page.path == "/sign-in/code" and "新的验证码已发出" in page.text
    code = visitor.house.messages("sms", phone)[-1]["params"]["code"]
    page = await visitor.send(page.form("/sign-in/code"), code=code)

    assert page.path == "/me/account"


async def test_who_types_the_code_too_late_still_comes_where_they_wanted_to_go(visitor: Visitor) -> None:
    phone = visitor.house.stranger().phone
    page = await visitor.open("/sign-in?next=/posts/new?kind=offer")
    page = await visitor.send(page.form("/sign-in"), phone=phone)
    code = visitor.house.messages("sms", phone)[-1]["params"]["code"]
    visitor.house.clock.advance(minutes=11)

    page = await visitor.send(page.form("/sign-in/code"), code=code)
    assert "验证码已失效" in page.text
    page = await visitor.send(page.form("/sign-in/code"), button=("do", "again"))
    code = visitor.house.messages("sms", phone)[-1]["params"]["code"]
    page = await visitor.send(page.form("/sign-in/code"), code=code)

    assert page.path.startswith("/real-name?next=") and "kind%3Doffer" in page.path


async def test_the_address_of_a_form_opened_by_itself_leads_to_its_page(visitor: Visitor) -> None:
    await visitor.settled()
    post = (await visitor.publish()).path

    page = await visitor.open(f"{post}/confirm")

    assert page.status == 200 and page.path == post


async def test_a_page_that_is_not_there_does_not_lead_to_itself(visitor: Visitor) -> None:
    page = await visitor.open("/nowhere?from=chat")

    assert page.status == 404 and not any(link.startswith("/nowhere") for link in page.links())


async def test_saying_yes_in_two_tabs_is_saying_it_once(house: House, visitor: Visitor) -> None:
    giver = await Visitor(house).settled("李大力")
    await giver.publish("offer", address="甲路")
    await visitor.settled()
    await visitor.publish(address="甲路")
    await house.work()
    page = await visitor.open("/me/matches")
    match = next(link for link in page.links() if link.startswith("/matches/"))
    form = (await visitor.open(match)).form(f"{match}/accept")

    first = await visitor.send(form)
    second = await visitor.send(form)

    assert (first.status, second.status) == (200, 200) and second.path == match
    assert "您已经同意过了" in second.text and "请改正" not in second.text


async def test_ones_own_page_tells_of_unread_messages(house: House, visitor: Visitor) -> None:
    giver = await Visitor(house).settled("李大力")
    await giver.publish("offer", address="甲路")
    await visitor.settled()
    await visitor.publish(address="甲路")
    await house.work()

    page = await visitor.open("/me")

    assert "条新消息" in page.text and "/me/notices" in page.links()


async def test_a_moderator_shows_a_hidden_post_again_from_its_closed_case(house: House) -> None:
    author, post = await reported(house)
    visitor = await moderator(house)
    page = await visitor.open("/moderation")
    case = next(link for link in page.links() if link.startswith("/moderation/cases/"))
    page = await visitor.open(case)
    assert ("reason", "selling") in page.form(f"{case}/post").fields
    await visitor.send(page.form(f"{case}/post"), deed="hide", reason="selling")
    assert "管理员已将它隐藏" in (await author.open(post)).text

    page = await visitor.open(case)
    assert "改变对这条信息的处理" in page.text
    await visitor.send(page.form(f"{case}/post"), deed="restore", reason="other")

    assert "管理员已将它隐藏" not in (await author.open(post)).text
