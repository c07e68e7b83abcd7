"""The rows of `post_words`: written with a note, deleted when the post ends, read by their keys only."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    ScalarSelect,
    String,
    TableValuedAlias,
    and_,
    bindparam,
    cast,
    delete,
    func,
    insert,
    select,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import JSON

from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.kit.clock import sql_now
from mutualaid.posts.plaza_records import PlazaEntry
from mutualaid.posts.records import Post, PostWord
from mutualaid.posts.streams import Found
from mutualaid.posts.words import words_of

_SHOWN: Final = (PlazaEntry.post_id, PlazaEntry.cell, PlazaEntry.rank, PlazaEntry.created_at)


async def write(session: AsyncSession, post: Post, catalogue: Catalogue, *, anew: bool = False) -> None:
    """By which words a post is found: those of its note, and of its items' names as they are now."""
    if anew:
        await forget(session, PostWord.post_id == post.id)
    items = [item for line in post.lines if (item := catalogue.get(line.item)) is not None]
    words = words_of(post.note, *(name for item in items for name in (item.name, item.name_en)))
    each = _listed(session, sorted(words))
    rows = select(each.c.value, bindparam(None, post.id, String()))
    await session.execute(insert(PostWord).from_select(["word", "post_id"], rows))


async def forget(session: AsyncSession, which: ColumnElement[bool]) -> None:
    """Nobody finds these posts by words any more."""
    await session.execute(delete(PostWord).where(which).execution_options(synchronize_session=False))


async def rarest(session: AsyncSession, words: Sequence[str], *, most: int) -> tuple[int, str]:
    """Of these words the one that the fewest posts have, and how many have it; none is counted further than `most`."""
    counts = [_counted(word, most) for word in words]
    return min(zip((await session.execute(select(*counts))).one(), words, strict=True))


def _counted(word: str, most: int) -> ScalarSelect[int]:
    # in order, so that PostgreSQL stops at the limit: it would gather all of a common word for its bitmap
    few = select(PostWord.post_id).where(PostWord.word == word).order_by(PostWord.post_id).limit(most).subquery()
    return select(func.count()).select_from(few).scalar_subquery()


async def next_posts(session: AsyncSession, word: str, *, after: str, limit: int) -> Sequence[str]:
    """Posts that have this word, by their ids."""
    query = select(PostWord.post_id).where(PostWord.word == word, PostWord.post_id > after)
    return (await session.scalars(query.order_by(PostWord.post_id).limit(limit))).all()


async def having_all(session: AsyncSession, words: Sequence[str], post_ids: Iterable[str]) -> set[str]:
    """Those of these posts that have every one of the words."""
    post = _listed(session, list(post_ids))
    held = select(func.count()).where(PostWord.post_id == post.c.value, PostWord.word.in_(words)).correlate(post)
    return set(await session.scalars(select(post.c.value).where(held.scalar_subquery() == len(words))))


async def standing(
    session: AsyncSession, post_ids: Sequence[str], conditions: Iterable[ColumnElement[bool]]
) -> list[Found]:
    """The entries of these posts on the plaza under these conditions; a post of several topics several times."""
    post = _listed(session, post_ids)
    stands = and_(PlazaEntry.post_id == post.c.value, PlazaEntry.until > sql_now(), *conditions)
    # an outer join, so that SQLite goes from the posts to the entries and not the other way round
    rows = await session.execute(select(*_SHOWN).select_from(post.outerjoin(PlazaEntry, stands)))
    return [Found(*row) for row in rows if row.post_id is not None]


def _listed(session: AsyncSession, values: Sequence[str]) -> TableValuedAlias:
    """These texts as the rows of a statement that is the same for any number of them."""
    told: Any = bindparam(None, json.dumps(values), String())
    if session.get_bind().dialect.name == "postgresql":
        return func.json_array_elements_text(cast(told, JSON)).table_valued("value")
    return func.json_each(told).table_valued("value")
