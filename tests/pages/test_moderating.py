"""The queue by browser: claimed by one, ruled with a reason; nobody else gets in."""

from mutualaid.kit import clock
from mutualaid.kit.phones import Phone
from mutualaid.members import standing
from tests.harness import House
from tests.pages.visitor import Visitor


async def moderator(house: House) -> Visitor:
    phone = house.stranger().phone
    visitor = await Visitor(house).sign_in(phone)
    await promote(house, phone)
    return visitor


async def promote(house: House, phone: str) -> None:
    async with house.services.database.transaction() as session:
        await standing.promote(session, Phone(phone), "moderator", actor=None, now=clock.now())


async def reported(house: House) -> tuple[Visitor, str]:
    """A post that somebody has reported: its author and its address."""
    author = await Visitor(house).settled("李卖药")
    post = (await author.publish("offer", note="<b>便宜卖</b>")).path
    reporter = await Visitor(house).settled()
    page = await reporter.open(f"{post}/report")
    await reporter.send(page.form(f"{post}/report"), reason="selling", note="要我先转账<script>")
    await house.work()
    return author, post


async def test_a_moderator_claims_a_case_and_closes_the_post_with_a_reason(house: House) -> None:
    author, post = await reported(house)
    first, second = await moderator(house), await moderator(house)

    page = await first.open("/moderation")
    assert "在卖东西" in page.text and "<b>便宜卖</b>" in page.text
    case = next(link for link in page.links() if link.startswith("/moderation/cases/"))
    page = await first.open(case)
    assert "要我先转账<script>" in page.text and "<script>" not in page.markup.replace('<script src="', "")
    page = await first.send(page.form(f"{case}/claim"))
    assert "由您处理" in page.text
    assert "您正在处理 1 件" in (await first.open("/moderation")).text
    assert "您正在处理" not in (await second.open("/moderation")).text

    page = await second.open(case)
    assert "另一位管理员" in page.text
    page = await second.send(page.form(f"{case}/post"), deed="close", reason="selling")
    assert page.status == 409 and ("reason", "selling") in page.form(f"{case}/post").fields

    page = await first.open(case)
    page = await first.send(page.form(f"{case}/post"), note="看过了")
    assert page.status == 422 and ("note", "看过了") in page.form(f"{case}/post").fields
    page = await first.send(page.form(f"{case}/post"), deed="close", reason="selling")
    assert page.path == "/moderation" and "已处理" in page.text and "没有待处理" in page.text
    await house.work()

    assert "已被管理员关闭" in (await author.open(post)).text
    assert "管理员关闭了" in (await author.open("/me/notices")).text


async def test_a_moderator_does_not_read_what_was_reported_of_them(house: House) -> None:
    author, _ = await reported(house)
    other = await moderator(house)
    await promote(house, author.phone)
    page = await other.open("/moderation")
    case = next(link for link in page.links() if link.startswith("/moderation/cases/"))

    queue, own = await author.open("/moderation"), await author.open(case)

    assert "没有待处理" in queue.text and case not in queue.links()
    assert own.status == 403 and "要我先转账" not in own.text


async def test_a_member_is_suspended_from_the_case(house: House) -> None:
    author, post = await reported(house)
    visitor = await moderator(house)
    page = await visitor.open("/moderation")
    case = next(link for link in page.links() if link.startswith("/moderation/cases/"))
    page = await visitor.open(case)

    refused = await visitor.send(page.form(f"{case}/member"))
    assert refused.status == 422
    wrong = {a["id"] for _, a in refused.reader.tags if a.get("aria-invalid")}
    assert wrong == {"f-member.id", "f-member.deed", "f-member.reason"}
    whom = next(a["value"] for tag, a in page.reader.tags if tag == "input" and a.get("name") == "member.id")
    page = await visitor.send(
        page.form(f"{case}/member"), member__id=whom, member__deed="suspend", member__reason="scam"
    )

    assert page.path == case and "已处理，相关的人会收到通知" in page.text and "已作的裁决" in page.text
    assert any(form.action == f"{case}/post" for form in page.reader.forms), "the post is not ruled on yet"
    assert "账号已被暂停" in (await author.open(post)).text
    await house.work()
    for path in ("/me", "/me/account", "/posts/new?kind=need"):  # told before anything is filled in
        assert "管理员暂停了您的账号：疑似诈骗" in (await author.open(path)).text, path
        assert "暂停" not in (await visitor.open(path)).text


async def test_the_list_says_of_each_case_how_it_stands_and_of_an_empty_one_what_it_was_looked_through_for(
    house: House,
) -> None:
    await reported(house)
    visitor = await moderator(house)
    for query in ("?state=closed", "?state=claimed", "?state=open&reason=scam"):
        page = await visitor.open(f"/moderation{query}")
        assert "没有符合的案件" in page.text and "没有待处理" not in page.text and "/moderation" in page.links(), query

    page = await visitor.open("/moderation")
    case = next(link for link in page.links() if link.startswith("/moderation/cases/"))
    await visitor.send((await visitor.open(case)).form(f"{case}/claim"))
    assert "由我处理，到" in (await visitor.open("/moderation?state=claimed")).text
    await visitor.send((await visitor.open(case)).form(f"{case}/post"), deed="approve", reason="selling")

    page = await visitor.open("/moderation?state=closed")
    assert case in page.links() and "处理完毕于" in page.text and "由我处理" not in page.text
    assert "没有待处理" in (await visitor.open("/moderation")).text


async def test_a_suspension_is_lifted_from_the_closed_case(house: House) -> None:
    author, post = await reported(house)
    visitor = await moderator(house)
    page = await visitor.open("/moderation")
    case = next(link for link in page.links() if link.startswith("/moderation/cases/"))
    page = await visitor.open(case)
    whom = next(a["value"] for tag, a in page.reader.tags if tag == "input" and a.get("name") == "member.id")
    form = page.form(f"{case}/member")
    note = "屡次要先转账"
    await visitor.send(form, member__id=whom, member__deed="suspend", member__reason="scam", member__note=note)
    await visitor.send((await visitor.open(case)).form(f"{case}/post"), deed="close", reason="selling")

    told = (await (await moderator(house)).open(case)).text
    assert "已作的裁决" in told and note in told and "永久关闭" in told
    page = await visitor.open(case)
    assert "此事已处理完毕" in page.text
    offered = [a["value"] for tag, a in page.reader.tags if tag == "input" and a.get("name") == "member.deed"]
    assert offered == ["restore"] and whom in page.markup and page.markup.count('name="member.id"') == 1
    form = page.form(f"{case}/member")
    page = await visitor.send(form, member__id=whom, member__deed="restore", member__reason="other")

    assert page.path == case and page.status == 200
    assert not any(form.action == f"{case}/member" for form in page.reader.forms)
    assert "账号已被暂停" not in (await author.open("/me/account")).text
    assert post in (await author.open("/me")).links()


async def test_the_word_of_a_ruling_leads_its_reporter_to_no_page_that_is_gone(house: House) -> None:
    author = await Visitor(house).settled("李卖药")
    post = (await author.publish("offer")).path
    reporter = await Visitor(house).settled()
    await reporter.send((await reporter.open(f"{post}/report")).form(f"{post}/report"), reason="selling")
    await house.work()
    visitor = await moderator(house)
    page = await visitor.open("/moderation")
    case = next(link for link in page.links() if link.startswith("/moderation/cases/"))
    await visitor.send((await visitor.open(case)).form(f"{case}/post"), deed="hide", reason="selling")
    await house.work()

    page = await reporter.open("/me/notices")
    assert " 新 " in page.text
    page = await reporter.send(next(form for form in page.reader.forms if form.action.endswith("/open")))

    assert page.status == 200 and page.path == "/me/notices" and " 新 " not in page.text


async def test_an_old_session_confirms_before_it_rules(house: House) -> None:
    await reported(house)
    visitor = await moderator(house)
    house.clock.advance(minutes=11)
    page = await visitor.open("/moderation")
    case = next(link for link in page.links() if link.startswith("/moderation/cases/"))
    page = await visitor.open(case)
    assert not any(form.action == f"{case}/post" for form in page.reader.forms)

    page = await visitor.open(next(link for link in page.links() if link.startswith("/me/step-up")))
    page = await visitor.send(page.form("/me/step-up"))
    letters = house.messages("sms", "")
    page = await visitor.send(page.form("/me/step-up/code"), code=letters[-1]["params"]["code"])

    assert page.path == case and any(form.action == f"{case}/post" for form in page.reader.forms)


async def test_the_queue_is_for_moderators(house: House) -> None:
    visitor = await Visitor(house).sign_in()

    for path in ("/moderation", "/moderation/cases/0123"):
        assert (await visitor.open(path)).status == 403
    assert (await Visitor(house).open("/moderation")).path.startswith("/sign-in")


async def test_a_report_from_a_contact_never_closes_the_reporters_own_post(house: House) -> None:
    author = await Visitor(house).settled("李卖药")
    post = (await author.publish()).path
    asker = await Visitor(house).settled()
    page = await asker.open(post)
    page = await asker.send(page.form(f"{post}/contact"), button=("channel", "words"))
    page = await author.open(page.path)
    await author.send(page.form(f"{page.path}/report"), reason="abuse")
    await house.work()
    visitor = await moderator(house)
    page = await visitor.open("/moderation")
    case = next(link for link in page.links() if link.startswith("/moderation/cases/"))

    page = await visitor.open(case)
    assert "举报人自己的信息" in page.text and "永久关闭" not in page.text
    refused = await visitor.send(page.form(f"{case}/post"), deed="close")

    assert refused.status == 422 and "请处理被举报的成员" in refused.text
    page = await visitor.send(refused.form(f"{case}/post"), deed="approve")
    assert page.path == "/moderation"
    assert any(form.action == f"{post}/confirm" for form in (await author.open(post)).reader.forms)
