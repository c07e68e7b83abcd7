"""The inbox: told once, newest first, read by its owner only; text messages to those who want them."""

from datetime import timedelta

from sqlalchemy import select

from mutualaid.kit.audit import AuditRow
from mutualaid.kit.ids import new_id
from mutualaid.members.records import Member
from mutualaid.notices import actions
from mutualaid.notices.records import Notice
from mutualaid.notices.rules import Kind, Subject
from tests.harness import House, Person, a_need


async def tell(house: House, person: Person, kind: Kind = "agreed", subject: str = "", occasion: str = "") -> bool:
    async with house.services.database.transaction() as session:
        about = Subject("match", subject or new_id())
        return await actions.tell(session, person.id, kind, subject=about, occasion=occasion, now=house.clock.now)


async def test_what_is_told_stands_in_the_inbox_in_the_readers_language(house: House) -> None:
    member = await house.newcomer()

    await tell(house, member)
    zh = (await member.get("/me/notices")).json()
    en = (await member.get("/me/notices", headers={"accept-language": "en"})).json()

    assert zh["unread"] == 1 and zh["next_cursor"] is None
    notice = zh["items"][0]
    assert (notice["kind"], notice["read"], notice["subject"]["type"]) == ("agreed", False, "match")
    assert "邻居" in notice["text"] and "neighbour" in en["items"][0]["text"]


async def test_the_same_is_told_once_and_another_occasion_again(house: House) -> None:
    member, about = await house.newcomer(), new_id()

    told = [await tell(house, member, "hidden", about, occasion) for occasion in ("one", "one", "two")]

    assert told == [True, False, True]
    assert (await member.get("/me/notices")).json()["unread"] == 2


async def test_words_are_told_again_only_after_the_last_were_read(house: House) -> None:
    member, about = await house.newcomer(), new_id()

    assert await tell(house, member, "words", about, "first")
    assert not await tell(house, member, "words", about, "second")
    notice = (await member.get("/me/notices")).json()["items"][0]["id"]
    await member.ask("PUT", f"/me/notices/{notice}/read")

    assert await tell(house, member, "words", about, "third")


async def test_a_read_notice_stays_and_counts_no_longer(house: House) -> None:
    member = await house.newcomer()
    await tell(house, member)
    notice = (await member.get("/me/notices")).json()["items"][0]["id"]

    first = await member.ask("PUT", f"/me/notices/{notice}/read")
    again = await member.ask("PUT", f"/me/notices/{notice}/read")

    assert first.status_code == again.status_code == 200 and first.json() == again.json()
    assert first.json()["read"] is True
    assert (await member.get("/me/notices")).json()["unread"] == 0
    async with house.services.database.reading() as session:
        deeds = list(
            await session.scalars(select(AuditRow.deed).where(AuditRow.subject == notice).order_by(AuditRow.deed))
        )
    assert deeds == ["notice.read", "notice.told"]


async def test_a_foreign_notice_is_not_found_and_stays_unread(house: House) -> None:
    member, other = await house.newcomer(), await house.newcomer()
    await tell(house, member)
    notice = (await member.get("/me/notices")).json()["items"][0]["id"]

    assert (await other.ask("PUT", f"/me/notices/{notice}/read")).status_code == 404
    assert (await other.get("/me/notices")).json()["items"] == []
    assert (await house.stranger().get("/me/notices")).status_code == 401
    assert (await member.get("/me/notices")).json()["unread"] == 1


async def test_pages_are_newest_first_without_repeats_or_gaps(house: House) -> None:
    member = await house.newcomer()
    for _ in range(5):
        await tell(house, member, "match_ended")
        await tell(house, member, "disputed")
        house.clock.advance(minutes=1)

    seen: list[str] = []
    times: list[str] = []
    cursor = ""
    while True:
        page = (await member.get(f"/me/notices?limit=3{cursor}")).json()
        seen += [item["id"] for item in page["items"]]
        times += [item["created_at"] for item in page["items"]]
        await tell(house, member, "vouched")  # what comes meanwhile moves nothing
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"

    assert len(seen) == len(set(seen)) == 10
    assert times == sorted(times, reverse=True)


async def test_a_text_message_goes_out_once_and_says_nothing_of_what(house: House) -> None:
    member = await (await house.newcomer()).consent("notices")
    before = len(house.messages("sms", member.phone))

    await tell(house, member, "agreed")
    await tell(house, member, "number_ready")
    await tell(house, member, "match_ended")
    await house.work()

    sent = house.messages("sms", member.phone)[before:]
    assert sorted(message["template"] for message in sent) == ["agreed", "number_ready"]
    assert all(message["params"] == {} and not any(c.isdigit() for c in message["text"]) for message in sent)


async def test_without_consent_only_the_inbox_is_told(house: House) -> None:
    member = await (await house.newcomer()).consent("notices")
    before = len(house.messages("sms", member.phone))

    await tell(house, member, "agreed")
    await member.ask("DELETE", "/me/consents/notices")
    await house.work()

    assert len(house.messages("sms", member.phone)) == before
    assert (await member.get("/me/notices")).json()["unread"] == 1


async def test_nobody_is_told_who_is_not_there(house: House) -> None:
    member = await house.newcomer()
    async with house.services.database.transaction() as session:
        row = await session.get(Member, member.id)
        assert row is not None
        row.status = "erased"

    assert not await tell(house, member)
    async with house.services.database.reading() as session:
        assert await session.scalar(select(Notice.id).where(Notice.member_id == member.id)) is None


async def test_an_inbox_can_be_forgotten(house: House) -> None:
    member, other = await house.newcomer(), await house.newcomer()
    await tell(house, member)
    await tell(house, other)

    async with house.services.database.transaction() as session:
        await actions.forget(session, member.id)

    assert (await member.get("/me/notices")).json()["items"] == []
    assert (await other.get("/me/notices")).json()["unread"] == 1


async def test_a_post_that_ends_soon_warns_its_author_once(house: House) -> None:
    member = await house.member()
    post = await member.publish(a_need())

    house.clock.advance(hours=65)
    await house.work()
    assert await kinds(member) == []
    house.clock.advance(hours=2)
    await house.work()
    assert await kinds(member) == ["expiring"]

    later = (house.clock.now + timedelta(hours=24)).isoformat().replace("+00:00", "Z")
    assert (await member.ask("PATCH", f"/posts/{post['id']}", {"until": later})).status_code == 200
    house.clock.advance(hours=10)
    await house.work()
    assert await kinds(member) == ["expiring"]
    house.clock.advance(hours=9)
    await house.work()
    assert await kinds(member) == ["expiring", "expiring"]
    house.clock.advance(hours=6)
    await house.work()
    assert await kinds(member) == ["ended", "expiring", "expiring"]


async def kinds(person: Person) -> list[str]:
    return sorted(item["kind"] for item in (await person.get("/me/notices")).json()["items"])
