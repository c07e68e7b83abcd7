"""The rows of `post_words`: written with a note, deleted when the post ends, read by their keys only.

An item is one row, not one for each word of its names: who asks for a word of a name asks for the items that bear it.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

import orjson
from sqlalchemy import (
    ColumnElement,
    String,
    Subquery,
    TableValuedAlias,
    and_,
    bindparam,
    cast,
    delete,
    func,
    insert,
    select,
    union,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import JSON

from mutualaid.kit.clock import sql_now
from mutualaid.kit.plain import plain_of
from mutualaid.kit.prepared import Prepared, Put
from mutualaid.posts.plaza_records import PlazaEntry
from mutualaid.posts.records import Post, PostLine, PostWord
from mutualaid.posts.streams import Found, found
from mutualaid.posts.words import Term, item_word, words_of

_SHOWN: Final = (PlazaEntry.post_id, PlazaEntry.cell, PlazaEntry.rank, PlazaEntry.created_at)


async def write(session: AsyncSession, post: Post) -> None:
    """By which words a post is found; see `put`."""
    plain = await plain_of(session)
    await plain.put(put(post.id, post.note, [line.item for line in post.lines]))


def put(post_id: str, note: str, items: Iterable[str]) -> Put:
    """By which words a post is found: those of its note, and one for each of its items."""
    return Put(_WRITE, {"words": orjson.dumps(_rows(note, items)).decode(), "post": post_id})


def _rows(note: str, items: Iterable[str]) -> list[str]:
    """The words of a post's rows. They follow from the post, so that it takes no index to find them again."""
    return sorted({*words_of(note), *map(item_word, items)})


def _write(dialect: str, prefix: str) -> Any:
    each = _each(dialect, bindparam(f"{prefix}words", type_=String(), required=True))
    rows = select(each.c.value, bindparam(f"{prefix}post", type_=String(), required=True))
    return insert(PostWord).from_select(["word", "post_id"], rows)


_WRITE: Final = Prepared(_write)


async def forget(session: AsyncSession, post_id: str, note: str, items: Iterable[str]) -> None:
    """Nobody finds this post by words any more: `note` and `items` as they were written."""
    its = PostWord.post_id == post_id, PostWord.word.in_(_rows(note, items))
    await session.execute(delete(PostWord).where(*its).execution_options(synchronize_session=False))


async def forget_all(session: AsyncSession, author_id: str) -> None:
    """The same of every post of an author."""
    posts: dict[str, tuple[str, list[str]]] = {}
    query = select(Post.id, Post.note, PostLine.item).join(PostLine, PostLine.post_id == Post.id)
    for post_id, note, item in await session.execute(query.where(Post.author_id == author_id)):
        posts.setdefault(post_id, (note, []))[1].append(item)
    for post_id, (note, items) in posts.items():
        await forget(session, post_id, note, items)


async def rarest(session: AsyncSession, terms: Sequence[Term], *, most: int) -> tuple[int, Term]:
    """Of these terms the one that the fewest posts have, and how many have it; none is counted further than `most`."""
    counts = [select(func.count()).select_from(_some(term, most)).scalar_subquery() for term in terms]
    return min(zip((await session.execute(select(*counts))).one(), terms, strict=True))


def _some(term: Term, most: int, *, after: str = "") -> Subquery:
    """The first posts with each of the term's words, so many rows in all at the most. In order, so that PostgreSQL stops at
    the limit: it would gather all of a common word for its bitmap."""
    each = [
        select(PostWord.post_id)
        .where(PostWord.word == word, PostWord.post_id > after)
        .order_by(PostWord.post_id)
        .limit(most)
        .subquery()
        .select()
        for word in term
    ]
    return union_all(*each).limit(most).subquery() if len(each) > 1 else each[0].subquery()


async def next_posts(session: AsyncSession, term: Term, *, after: str, limit: int) -> Sequence[str]:
    """Posts that have this term, by their ids."""
    rows = [_some((word,), limit, after=after).select() for word in term]
    each = union(*rows).subquery()
    return (await session.scalars(select(each.c.post_id).order_by(each.c.post_id).limit(limit))).all()


async def having_all(session: AsyncSession, terms: Sequence[Term], post_ids: Iterable[str]) -> set[str]:
    """Those of these posts that have every one of the terms."""
    post = _listed(session, list(post_ids))
    held = (
        select(PostWord.word).where(PostWord.post_id == post.c.value, PostWord.word.in_(term)).correlate(post).exists()
        for term in terms
    )
    return set(await session.scalars(select(post.c.value).where(*held)))


async def standing(
    session: AsyncSession, post_ids: Sequence[str], conditions: Iterable[ColumnElement[bool]]
) -> list[Found]:
    """The entries of these posts on the plaza under these conditions; a post of several topics several times."""
    post = _listed(session, post_ids)
    stands = and_(PlazaEntry.post_id == post.c.value, PlazaEntry.until > sql_now(), *conditions)
    # an outer join, so that SQLite goes from the posts to the entries and not the other way round
    rows = await session.execute(select(*_SHOWN).select_from(post.outerjoin(PlazaEntry, stands)))
    return [found(*row) for row in rows if row.post_id is not None]


def _listed(session: AsyncSession, values: Sequence[str]) -> TableValuedAlias:
    """These texts as the rows of a statement that is the same for any number of them."""
    return _each(session.get_bind().dialect.name, bindparam(None, json.dumps(values), String()))


def _each(dialect: str, listed: Any) -> TableValuedAlias:
    if dialect == "postgresql":
        return func.json_array_elements_text(cast(listed, JSON)).table_valued("value")
    return func.json_each(listed).table_valued("value")
