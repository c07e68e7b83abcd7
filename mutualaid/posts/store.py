"""Posts by id: one's own, locked where they are about to change."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, Final

from sqlalchemy import and_, bindparam, case, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.kit.clock import sql_now
from mutualaid.kit.errors import NotFound
from mutualaid.kit.plain import Plain
from mutualaid.kit.prepared import Prepared
from mutualaid.members.records import Member, Status
from mutualaid.posts import word_store
from mutualaid.posts.records import Post, Report
from mutualaid.posts.rules import URGENT_PAUSE


async def get_own(session: AsyncSession, post_id: str, author_id: str) -> Post:
    """One's own post, locked until the transaction ends; 404 for a foreign or unknown one."""
    found = await session.scalar(select(Post).where(Post.id == post_id, Post.author_id == author_id).with_for_update())
    if found is None:
        raise NotFound
    return found


async def lock(session: AsyncSession, post_ids: Iterable[str]) -> dict[str, Post]:
    """These posts, locked in the order of their ids, so that two deeds never wait for each other in a circle."""
    query = select(Post).where(Post.id.in_(sorted(post_ids))).order_by(Post.id).with_for_update()
    rows = await session.scalars(query.execution_options(populate_existing=True))
    return {post.id: post for post in rows}


async def get(session: AsyncSession, post_id: str) -> Post | None:
    """A post of any state, locked until the transaction ends."""
    return (await lock(session, [post_id])).get(post_id)


async def open_of_others(session: AsyncSession, post_id: str, reader_id: str) -> Post:
    """An open post of an active member, locked; 404 otherwise. One's own is found too: what that means is the caller's."""
    query = (
        select(Post)
        .join(Member, Member.id == Post.author_id)
        .where(Post.id == post_id, (Post.author_id == reader_id) | ((Post.state == "open") & (Post.until > sql_now())))
        .where(Member.status == "active")
        .with_for_update(of=Post)
    )
    found = await session.scalar(query)
    if found is None:
        raise NotFound
    return found


async def unfinished_of(session: AsyncSession, author_id: str, *states: str) -> list[Post]:
    """All posts of a member in these states (open and hidden by default), locked in the order of their ids."""
    return await unfinished_of_all(session, [author_id], *states)


async def unfinished_of_all(session: AsyncSession, author_ids: Collection[str], *states: str) -> list[Post]:
    """The same of several members, in one order."""
    wanted = states or ("open", "hidden")
    which = (Post.author_id.in_(author_ids), Post.state.in_(wanted))
    return list(await session.scalars(select(Post).where(*which).order_by(Post.id).with_for_update()))


async def urgent_since(plain: Plain, author_id: str, now: datetime) -> int:
    """How many posts this member called urgent within the last seven days, new ones and others."""
    (found,) = await plain.fetch(_URGENT, author=author_id, since=now - URGENT_PAUSE)
    return int(found[0])


def _urgent(_dialect: str, prefix: str) -> Any:
    author: Any = bindparam(f"{prefix}author", required=True)
    since: Any = bindparam(f"{prefix}since", required=True)
    recent = (Post.author_id == author, Post.urgent_at > since)
    return select(func.count()).select_from(Post).where(*recent)


_URGENT: Final = Prepared(_urgent)


async def reporters(session: AsyncSession, post_id: str) -> int:
    """How many verified people who are here have reported this post since the last ruling: the accounts of one person are
    one, and whoever left, or is verified no longer, counts no longer."""
    here = Member.status == Status.ACTIVE.value
    counted = (Report.post_id == post_id, Report.counts, Report.ruled_at.is_(None), here)
    people = func.count(Member.identity_lookup.distinct())
    by_paper = and_(Member.identity_lookup.is_(None), Member.real_name == "vouched")  # no ID number was read
    unnumbered = func.count(case((by_paper, 1)))
    query = select(people + unnumbered).select_from(Report).join(Member, Member.id == Report.reporter_id)
    return await session.scalar(query.where(*counted)) or 0


async def forget_words(session: AsyncSession, author_id: str) -> None:
    """The author has left for good: the words of their posts, readable by design, go too."""
    await word_store.forget_all(session, author_id)
    await session.execute(update(Post).where(Post.author_id == author_id).values(note=""))


async def count_contact(session: AsyncSession, post_id: str) -> None:
    """One more member has asked to be in touch about this post."""
    noticed = update(Post).where(Post.id == post_id).values(contacted=Post.contacted + 1)
    await session.execute(noticed.execution_options(synchronize_session=False))
