"""A match, or a page of them, with both cards: what the doors and the pages both read."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.kit import cursors
from mutualaid.kit.errors import NotFound
from mutualaid.kit.ring import KeyRing
from mutualaid.kit.texts import Language
from mutualaid.matching import store
from mutualaid.matching.records import Match
from mutualaid.matching.wire import MatchList, MatchView, match_view
from mutualaid.posts import cards
from mutualaid.posts.wire import PageQuery

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


async def one(
    session: AsyncSession, match: Match, *, reader: str, catalogue: Catalogue, language: Language
) -> MatchView:
    """This match as the reader, who is one of its two sides, sees it; 404 where one of its posts cannot be read."""
    views = await _views(session, [match], reader=reader, catalogue=catalogue, language=language)
    if not views:
        raise NotFound
    return views[0]


async def _views(
    session: AsyncSession, matches: Sequence[Match], *, reader: str, catalogue: Catalogue, language: Language
) -> list[MatchView]:
    by_id = await cards.cards_of(session, list({post_id for match in matches for post_id in match.post_ids}))
    shown = (match for match in matches if by_id.keys() >= set(match.post_ids))
    return [match_view(match, by_id, catalogue, language=language, reader=reader) for match in shown]


async def of_member(
    session: AsyncSession,
    ring: KeyRing,
    query: PageQuery,
    *,
    reader: str,
    catalogue: Catalogue,
    language: Language,
) -> MatchList:
    """One's own matches in every state, newest first."""
    return await _page(session, ring, query, store.of_member(reader), "me", reader, catalogue, language)


async def of_post(
    session: AsyncSession,
    ring: KeyRing,
    query: PageQuery,
    post_id: str,
    *,
    reader: str,
    catalogue: Catalogue,
    language: Language,
) -> MatchList:
    """The matches of one's own post, newest first; 404 for another's."""
    if not await store.owns_post(session, post_id, reader):
        raise NotFound
    return await _page(session, ring, query, store.of_post(post_id), post_id, reader, catalogue, language)


async def _page(
    session: AsyncSession,
    ring: KeyRing,
    query: PageQuery,
    which: ColumnElement[bool],
    name: str,
    reader: str,
    catalogue: Catalogue,
    language: Language,
) -> MatchList:
    bound, after = f"matches|{reader}|{name}", None
    if query.cursor is not None:
        micros, last = cursors.decode(ring, bound, query.cursor, kinds=(int, str))
        after = _EPOCH + timedelta(microseconds=micros), last
    found = await store.newest(session, which, after=after, limit=query.limit + 1)
    shown, cursor = found[: query.limit], None
    if len(found) > query.limit:
        cursor = cursors.encode(ring, bound, [(shown[-1].proposed_at - _EPOCH) // _MICROSECOND, shown[-1].id])
    views = await _views(session, shown, reader=reader, catalogue=catalogue, language=language)
    return MatchList(items=views, next_cursor=cursor)
