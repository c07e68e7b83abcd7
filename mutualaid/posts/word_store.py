"""The words of posts: written with a note, deleted when the post ends.

A post's words are one row at first, unsorted; `sort` puts them into `post_words`, which is read by its keys only. A question
reads both, so that a post is found at once, and the unsorted whole: `keep_few` sees to it that they are few.

An item is one row, not one for each word of its names: who asks for a word of a name asks for the items that bear it.
"""

import asyncio
import json
from collections.abc import Iterable, Sequence
from typing import Any, Final
from weakref import WeakSet

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    String,
    TableValuedAlias,
    and_,
    bindparam,
    case,
    cast,
    delete,
    func,
    or_,
    select,
    true,
    union,
    union_all,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import JSON

from mutualaid.kit.clock import sql_now
from mutualaid.kit.database import Database
from mutualaid.kit.errors import Overloaded
from mutualaid.kit.plain import plain_of
from mutualaid.kit.prepared import Prepared, Put, rows_of
from mutualaid.posts.plaza_records import PlazaEntry
from mutualaid.posts.records import Post, PostLine, PostWord, UnsortedWords
from mutualaid.posts.streams import Found, found
from mutualaid.posts.words import Term, item_word, words_of

_MANY: Final = 64  # unsorted posts: worth a transaction
_SORTED_AT_ONCE: Final = 100  # posts in one transaction, which takes a few milliseconds
_FEW: Final = 1_000  # unsorted posts, which a search reads whole
_TURNS: Final = 40  # of sorting, by who searches: about half a second
_SHOWN: Final = (PlazaEntry.post_id, PlazaEntry.cell, PlazaEntry.rank, PlazaEntry.created_at)


async def write(session: AsyncSession, post: Post) -> None:
    """By which words a post is found; see `put`."""
    plain = await plain_of(session)
    await plain.put(put(post.id, post.note, [line.item for line in post.lines]))


def put(post_id: str, note: str, items: Iterable[str]) -> Put:
    """By which words a post is found: those of its note, and one for each of its items."""
    return rows_of(UnsortedWords, [{"post_id": post_id, "words": _rows(note, items)}])


def _rows(note: str, items: Iterable[str]) -> list[str]:
    """The words of a post's rows. They follow from the post, so that it takes no index to find them again."""
    return sorted({*words_of(note), *map(item_word, items)})


async def sort(session: AsyncSession, *, most: int) -> int:
    """Put the words of so many posts where they are found by their keys; how many posts there were. Two who sort at once
    sort different posts."""
    oldest = select(UnsortedWords.post_id).order_by(UnsortedWords.post_id).limit(most)
    posts = list(await session.scalars(oldest.with_for_update(skip_locked=True)))
    if posts:
        its, word = UnsortedWords.post_id.in_(posts), _words(session)
        rows = (
            select(word.c.value, UnsortedWords.post_id)
            .join_from(UnsortedWords, word, true())
            .where(its, word.c.value.is_not(None))
            .order_by(word.c.value, UnsortedWords.post_id)
        )
        insert = (postgresql if session.get_bind().dialect.name == "postgresql" else sqlite).insert
        await session.execute(insert(PostWord).from_select(["word", "post_id"], rows).on_conflict_do_nothing())
        await session.execute(delete(UnsortedWords).where(its).execution_options(synchronize_session=False))
    return len(posts)


async def sort_many(database: Database) -> None:
    """The same as long as it is worth a transaction, and until others are at all that is left; of a process one at a time."""
    if database in _SORTING:
        return
    _SORTING.add(database)
    try:
        while await _unsorted(database, most=_MANY) == _MANY:
            async with database.transaction() as session:
                found = await sort(session, most=_SORTED_AT_ONCE)
            if not found:
                return
            await asyncio.sleep(0)
    finally:
        _SORTING.discard(database)


_SORTING: Final[WeakSet[Database]] = WeakSet()


async def keep_few(database: Database) -> None:
    """Before a search: where too many posts are unsorted, since no worker has had the time, sort some; 503 where they are still
    too many then."""
    turns = 0
    while await _unsorted(database, most=_FEW + 1) > _FEW:
        if (turns := turns + 1) > _TURNS:
            raise Overloaded(retry_after=2)
        async with database.transaction() as session:
            await sort(session, most=_SORTED_AT_ONCE)


async def _unsorted(database: Database, *, most: int) -> int:
    """How many there are, counted no further than this."""
    ((count,),) = await database.glance(_COUNTED, most=most)
    return int(count)


def _counted(_dialect: str, prefix: str) -> Any:
    first = select(UnsortedWords.post_id).limit(bindparam(f"{prefix}most", type_=Integer(), required=True))
    return select(func.count()).select_from(first.subquery())


_COUNTED: Final = Prepared(_counted)


async def forget(session: AsyncSession, post_id: str, note: str, items: Iterable[str]) -> None:
    """Nobody finds this post by words any more: `note` and `items` as they were written."""
    # first where it stood first: who sorts it just now is waited for, and what they sorted is seen by the second
    unsorted = delete(UnsortedWords).where(UnsortedWords.post_id == post_id)
    await session.execute(unsorted.execution_options(synchronize_session=False))
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
    word = _words(session)  # what is unsorted is read once, and not once for each term
    each = select(UnsortedWords.post_id, word.c.value).join_from(UnsortedWords, word, true())
    unsorted = each.where(word.c.value.in_(sorted({one for term in terms for one in term}))).cte("unsorted")
    its = (select(unsorted.c.post_id).where(unsorted.c.value.in_(term)) for term in terms)
    some = (union_all(*_some(term, most), one).limit(most).subquery() for term, one in zip(terms, its, strict=True))
    counts = [select(func.count()).select_from(one).scalar_subquery() for one in some]
    return min(zip((await session.execute(select(*counts))).one(), terms, strict=True))


def _some(term: Term, most: int, *, after: str = "") -> list[Select[tuple[str]]]:
    """The first posts with each of the term's words, so many of each. In order, so that PostgreSQL stops at the limit: it
    would gather all of a common word for its bitmap."""
    each = (
        select(PostWord.post_id).where(PostWord.word == word, PostWord.post_id > after).order_by(PostWord.post_id)
        for word in term
    )
    return [one.limit(most).subquery().select() for one in each]


async def next_posts(session: AsyncSession, term: Term, *, after: str, limit: int) -> Sequence[str]:
    """Posts that have this term, by their ids."""
    word = _words(session)
    has_any = select(word.c.value).where(word.c.value.in_(term)).correlate(UnsortedWords).exists()
    unsorted = select(UnsortedWords.post_id).where(UnsortedWords.post_id > after, has_any)
    first = unsorted.order_by(UnsortedWords.post_id).limit(limit).subquery().select()
    each = union(*_some(term, limit, after=after), first).subquery()
    return (await session.scalars(select(each.c.post_id).order_by(each.c.post_id).limit(limit))).all()


async def having_all(session: AsyncSession, terms: Sequence[Term], post_ids: Iterable[str]) -> set[str]:
    """Those of these posts that have every one of the terms."""
    post, word = _listed(session, list(post_ids)), _words(session)
    sorted_ = (select(PostWord.word).where(PostWord.post_id == post.c.value, PostWord.word.in_(term)) for term in terms)
    its = (
        select(UnsortedWords.post_id)
        .join_from(UnsortedWords, word, true())
        .where(UnsortedWords.post_id == post.c.value)
    )
    held = (
        or_(one.correlate(post).exists(), its.where(word.c.value.in_(term)).correlate(post).exists())
        for one, term in zip(sorted_, terms, strict=True)
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


def _words(session: AsyncSession) -> TableValuedAlias:
    """The words of a post that is unsorted, one a row; none where they were spoilt past every door, so that nobody's search
    breaks."""
    dialect, words = session.get_bind().dialect.name, UnsortedWords.words
    is_list = func.json_typeof(words) == "array" if dialect == "postgresql" else func.json_valid(words) == 1
    return _each(dialect, case((is_list, words)))


def _each(dialect: str, listed: Any) -> TableValuedAlias:
    if dialect == "postgresql":
        return func.json_array_elements_text(cast(listed, JSON)).table_valued("value")
    return func.json_each(listed).table_valued("value")
