"""Deeds on posts beneath the doors: what each leaves behind, and what happens when two come at once."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.catalogue import snapshot
from mutualaid.kit.audit import AuditRow
from mutualaid.kit.ids import new_id
from mutualaid.kit.outbox import Job
from mutualaid.kit.plain import plain_of
from mutualaid.members.records import Member, Principal
from mutualaid.posts import actions, store
from mutualaid.posts.drafts import PostAmendment, PostDraft, ReportDraft
from mutualaid.posts.errors import PostNotOpen, QuantityGone, QuantityHeld
from mutualaid.posts.publishing import Shown
from mutualaid.posts.records import Post, Report
from mutualaid.services import Services
from tests.consents import all_given
from tests.harness import a_need, an_offer
from tests.moments import START

WHERE = Shown("8841523681fffff", "450103")
Deed = Callable[[AsyncSession], Awaitable[Any]]


class Street:
    """Members and their posts, without doors."""

    def __init__(self, services: Services) -> None:
        self.services = services

    async def member(self) -> Principal:
        member_id = new_id()
        await self.services.keys.create(member_id)
        async with self.services.database.transaction() as session:
            session.add(Member(id=member_id, language="en", display_name="邻居", real_name="vouched", created_at=START))
            await session.flush()
            session.add_all(all_given(member_id, START))
        return Principal(
            id=member_id,
            session_id="",
            role="member",
            real_name="vouched",
            age_band="adult",
            suspended=False,
            has_phone=True,
            may_post=True,
            signed_in_at=START,
            stepped_up_until=None,
            stepped_up=False,
            language="en",
        )

    async def do(self, deed: Deed) -> Any:
        async with self.services.database.transaction() as session:
            return await deed(session)

    async def at_once(self, *deeds: Deed) -> list[Any]:
        """The deeds' results, or what they raised."""
        return await asyncio.gather(*(self.do(deed) for deed in deeds), return_exceptions=True)

    async def publish(self, author: Principal, draft: dict[str, Any], *, doubtful: bool = False) -> Post:
        post: Post = await self.do(await self.publishing(author, draft, doubtful=doubtful))
        return post

    async def publishing(self, author: Principal, draft: dict[str, Any], *, doubtful: bool = False) -> Deed:
        catalogue = await snapshot.current(self.services.database)
        checked = PostDraft.model_validate(draft)
        return lambda session: actions.publish(
            session, checked, author=author, where=WHERE, doubtful=doubtful, catalogue=catalogue, now=START
        )

    async def amending(self, post: Post, author: Principal, **change: Any) -> Deed:
        catalogue = await snapshot.current(self.services.database)
        checked = PostAmendment.model_validate(change)
        return lambda session: actions.amend(
            session, post.id, checked, by=author, doubtful=False, catalogue=catalogue, now=START
        )

    async def reporting(self, post: Post, by: Principal) -> Deed:
        key = await self.services.keys.get(by.id)
        draft = ReportDraft(reason="scam")
        return lambda session: actions.report(session, post.id, draft, by=by, data_key=key, now=START)

    async def left_behind(self, post: Post) -> tuple[list[str], list[str]]:
        """(deeds in the audit, names of the jobs) about this post, in no particular order."""
        async with self.services.database.reading() as session:
            deeds = await session.scalars(select(AuditRow.deed).where(AuditRow.subject == post.id))
            jobs = [job.name for job in await session.scalars(select(Job)) if job.payload.get("post") == post.id]
        return sorted(deeds), sorted(jobs)


@pytest.fixture
def street(services: Services) -> Street:
    return Street(services)


async def test_every_deed_leaves_its_audit_row_and_its_job(street: Street) -> None:
    author, reader = await street.member(), await street.member()
    post = await street.publish(author, a_need())
    assert await street.left_behind(post) == (["post.published"], ["post.changed", "post.due", "post.expiring"])

    await street.do(await street.amending(post, author, reach_km=3))
    await street.do(lambda session: actions.confirm(session, post.id, by=author, now=START))
    await street.do(await street.reporting(post, reader))
    await street.do(lambda session: actions.resolve(session, post.id, "elsewhere", by=author, now=START))

    deeds, jobs = await street.left_behind(post)
    assert deeds == ["post.amended", "post.confirmed", "post.published", "post.reported", "post.resolved"]
    assert {"post.changed", "post.reported", "post.ended"} <= set(jobs)


async def test_a_hidden_post_is_announced_when_it_is_restored_and_not_before(street: Street) -> None:
    author = await street.member()
    post = await street.publish(author, a_need(), doubtful=True)
    assert (post.state, post.hidden_by) == ("hidden", "note_review")
    assert "post.changed" not in (await street.left_behind(post))[1]

    async def restore(session: AsyncSession) -> None:
        await actions.restore(session, (await store.lock(session, [post.id]))[post.id], actor=None, now=START)

    await street.do(restore)

    deeds, jobs = await street.left_behind(post)
    assert deeds == ["post.hidden", "post.published", "post.restored"]
    assert jobs.count("post.changed") == 1


async def test_what_is_refused_leaves_nothing_behind(street: Street) -> None:
    author = await street.member()
    post = await street.publish(author, an_offer())
    before = await street.left_behind(post)

    async def hold(session: AsyncSession) -> None:
        (await store.get_own(session, post.id, author.id)).lines[0].hold(5)

    await street.do(hold)
    with pytest.raises(QuantityHeld):
        await street.do(
            await street.amending(post, author, lines=[{"id": post.lines[0].id, "quantity": 4}], reach_km=1)
        )

    assert await street.left_behind(post) == before
    async with street.services.database.reading() as session:
        assert (await session.get_one(Post, post.id)).reach_km == 10


async def test_of_two_urgent_posts_at_once_one_waits_for_a_moderator(street: Street) -> None:
    author = await street.member()
    deeds = [await street.publishing(author, a_need(urgency="urgent")) for _ in range(4)]

    posts = await street.at_once(*deeds)

    assert sorted(post.state for post in posts) == ["hidden", "hidden", "hidden", "open"]


async def test_a_change_to_urgent_and_a_new_urgent_post_do_not_overlook_each_other(street: Street) -> None:
    author = await street.member()
    post = await street.publish(author, a_need())

    both = await street.at_once(
        await street.amending(post, author, urgency="urgent"),
        await street.publishing(author, a_need(urgency="urgent")),
    )

    assert sorted(one.state for one in both) == ["hidden", "open"]


async def test_six_reporters_at_once_hide_a_post_once(street: Street) -> None:
    author = await street.member()
    post = await street.publish(author, a_need())
    deeds = [await street.reporting(post, await street.member()) for _ in range(6)]

    results = await street.at_once(*deeds)

    async with street.services.database.reading() as session:
        state = (await session.get_one(Post, post.id)).state
        reports = len((await session.scalars(select(Report).where(Report.post_id == post.id))).all())
    assert state == "hidden"
    assert reports == sum(not isinstance(result, BaseException) for result in results) == 3
    assert (await street.left_behind(post))[0].count("post.hidden") == 1


async def test_one_reporter_twice_at_once_is_one_report(street: Street) -> None:
    author, reader = await street.member(), await street.member()
    post = await street.publish(author, a_need())

    results = await street.at_once(*[await street.reporting(post, reader) for _ in range(3)])

    assert sorted(type(result).__name__ for result in results) == ["AlreadyReported", "AlreadyReported", "tuple"]


async def test_an_end_and_a_hold_at_once_never_leave_more_held_than_there_is(street: Street) -> None:
    author = await street.member()
    post = await street.publish(author, an_offer(quantity=6))

    async def hold(session: AsyncSession) -> None:
        locked = (await store.lock(session, [post.id]))[post.id]
        locked.still_going()
        locked.lines[0].hold(4)

    lower = await street.amending(post, author, lines=[{"id": post.lines[0].id, "quantity": 3}])
    results = await street.at_once(hold, lower, hold)

    async with street.services.database.reading() as session:
        line = (await session.get_one(Post, post.id)).lines[0]
    assert 0 <= line.held <= line.remaining <= line.quantity
    assert {type(result) for result in results} <= {type(None), Post, QuantityGone, QuantityHeld}
    assert (line.quantity, line.held) in {(3, 0), (6, 4)}


async def test_resolving_and_withdrawing_at_once_is_one_end(street: Street) -> None:
    author = await street.member()
    post = await street.publish(author, a_need())

    results = await street.at_once(
        lambda session: actions.resolve(session, post.id, "no_longer", by=author, now=START),
        lambda session: actions.withdraw(session, post.id, by=author, now=START),
    )

    assert sum(isinstance(result, PostNotOpen) for result in results) == 1
    assert (await street.left_behind(post))[1].count("post.ended") == 1


# ---- the store's own words -------------------------------------------------------------------------------------


async def test_older_posts_that_become_urgent_count_too_and_also_when_they_are_not_any_more(street: Street) -> None:
    author = await street.member()
    first, second = [await street.publish(author, a_need()) for _ in range(2)]
    async with street.services.database.transaction() as session:
        for post in (first, second):
            (await session.get_one(Post, post.id)).created_at = START - timedelta(days=8)

    deeds = [(first, "urgent"), (first, "normal"), (second, "urgent")]
    changed = [await street.do(await street.amending(post, author, urgency=urgency)) for post, urgency in deeds]

    assert [(post.state, post.hidden_by) for post in changed[1:]] == [("open", None), ("hidden", "urgent_review")]


async def test_urgent_posts_count_for_seven_days_to_the_microsecond(street: Street) -> None:
    author = await street.member()
    await street.publish(author, a_need(urgency="urgent"))
    week = timedelta(days=7)

    async with street.services.database.reading() as session:
        plain = await plain_of(session)
        counted = [await store.urgent_since(plain, author.id, START + week + after) for after in
                   (timedelta(microseconds=-1), timedelta(0))]  # fmt: skip

    assert counted == [1, 0]


async def test_reports_that_were_ruled_on_count_no_longer(street: Street) -> None:
    author = await street.member()
    post = await street.publish(author, a_need())
    for _ in range(2):
        await street.do(await street.reporting(post, await street.member()))

    async with street.services.database.transaction() as session:
        assert await store.reporters(session, post.id) == 2
        for report in await session.scalars(select(Report).where(Report.post_id == post.id)):
            report.ruled_at = START
        await session.flush()
        assert await store.reporters(session, post.id) == 0


async def test_unfinished_posts_are_those_that_may_still_end(street: Street) -> None:
    author, other = await street.member(), await street.member()
    open_, hidden, ended = [await street.publish(author, a_need(), doubtful=n == 1) for n in range(3)]
    await street.publish(other, a_need())
    await street.do(lambda session: actions.withdraw(session, ended.id, by=author, now=START))

    async with street.services.database.transaction() as session:
        assert [post.id for post in await store.unfinished_of(session, author.id)] == sorted([open_.id, hidden.id])
        assert [post.id for post in await store.unfinished_of(session, author.id, "open")] == [open_.id]
