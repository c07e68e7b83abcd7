"""The log: who did what, newest first, and whether its chain holds."""

from sqlalchemy import update

from mutualaid.kit.audit import AuditRow
from tests.harness import House, a_need
from tests.moderation.people import a_moderator


async def test_the_log_is_newest_first_and_its_pages_have_no_gaps(house: House) -> None:
    author, moderator = await house.member(), await a_moderator(house)
    post = await author.publish(a_need())
    house.clock.advance(minutes=1)
    await moderator.post(f"/moderation/posts/{post['id']}/close", {"reason": "scam", "note": "骗人"})

    rows, cursor = [], ""
    while True:
        page = (await moderator.get(f"/moderation/log?limit=7{cursor}")).json()
        rows += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"

    assert len({row["id"] for row in rows}) == len(rows) > 10
    assert [row["at"] for row in rows] == sorted((row["at"] for row in rows), reverse=True)
    newest = next(row for row in rows if row["deed"] == "ruling.made")
    assert (newest["actor"], newest["subject"], newest["facts"]["reason"]) == (moderator.id, post["id"], "scam")
    assert "骗人" not in str(rows)
    one = (await moderator.get(f"/moderation/log?subject={post['id']}")).json()["items"]
    assert {row["deed"] for row in one} == {"post.published", "post.closed", "ruling.made"}


async def test_the_chain_holds_until_somebody_alters_a_row(house: House) -> None:
    author, moderator = await house.member(), await a_moderator(house)
    post = await author.publish(a_need())
    await house.work()

    good = (await moderator.get("/moderation/log/verify")).json()
    assert good["ok"] is True and good["rows"] > 10 and good["broken_at"] is None

    async with house.services.database.transaction() as session:
        await session.execute(update(AuditRow).where(AuditRow.subject == post["id"]).values(actor=moderator.id))
    bad = (await moderator.get("/moderation/log/verify")).json()
    assert bad["ok"] is False and bad["why"] == "altered" and bad["broken_at"] >= 1
