"""The API's doors to matches: read, open, act, answer."""

from starlette.requests import Request
from starlette.responses import Response

from mutualaid.catalogue import snapshot
from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.kit import clock
from mutualaid.kit.doors import Deed, answer, deed, language, query, read
from mutualaid.kit.endpoints import Endpoint
from mutualaid.matching import agreeing, closing, ending, pledging, reading, store
from mutualaid.matching.drafts import CompleteDraft, FailDraft, PledgeDraft
from mutualaid.matching.errors import (
    AlreadyAccepted,
    AlreadyAgreed,
    MatchClosed,
    MatchNotAgreed,
    MatchNotOpen,
    NeedCapReached,
    PairEnded,
)
from mutualaid.matching.meeting import may_meet
from mutualaid.matching.records import Match
from mutualaid.matching.wire import MatchList, MatchView
from mutualaid.members.errors import ConsentNeeded, PhoneNeeded, RealNameNeeded, Suspended
from mutualaid.members.policies import REAL_NAME, SIGNED_IN
from mutualaid.posts.errors import OwnPost, PostNotOpen, QuantityGone
from mutualaid.posts.wire import PageQuery
from mutualaid.services import of


async def pledge(request: Request) -> Response:
    """Pledge one's own post to another's, from the plaza or after a call."""
    draft = await read(request, PledgeDraft)
    post_id = request.path_params["id"]
    database = of(request).database
    async with database.reading() as session:
        await may_meet(session, request.user, [post_id, draft.post])
    catalogue = await snapshot.current(database)
    async with deed(request) as d:
        match, new = await pledging.pledge(
            d.session, post_id, draft, by=request.user.id, catalogue=catalogue, now=clock.now()
        )
        return await _answer(request, d, match, catalogue, 201 if new else 200)


async def _answer(request: Request, d: Deed, match: Match, catalogue: Catalogue, status: int = 200) -> Response:
    """The match as it stands now, to be sent after the commit."""
    await d.session.flush()
    view = await reading.one(d.session, match, reader=request.user.id, catalogue=catalogue, language=language(request))
    return await d.answer(view, status)


async def accept(request: Request) -> Response:
    """Say yes to a match."""
    match_id = request.path_params["id"]
    database = of(request).database
    async with database.reading() as session:
        await may_meet(session, request.user, await store.posts_of_own(session, match_id, request.user.id))
    catalogue = await snapshot.current(database)
    async with deed(request) as d:
        match = await agreeing.accept(d.session, match_id, by=request.user.id, catalogue=catalogue, now=clock.now())
        return await _answer(request, d, match, catalogue)


async def decline(request: Request) -> Response:
    """Say no to a match."""
    catalogue = await snapshot.current(of(request).database)
    async with deed(request) as d:
        match = await ending.decline(d.session, request.path_params["id"], by=request.user.id, now=clock.now())
        return await _answer(request, d, match, catalogue)


async def block(request: Request) -> Response:
    """Nothing more with this person."""
    catalogue = await snapshot.current(of(request).database)
    async with deed(request) as d:
        match = await ending.block(d.session, request.path_params["id"], by=request.user.id, now=clock.now())
        return await _answer(request, d, match, catalogue)


async def complete(request: Request) -> Response:
    """It changed hands."""
    done = await read(request, CompleteDraft)
    catalogue = await snapshot.current(of(request).database)
    async with deed(request) as d:
        match = await closing.complete(
            d.session, request.path_params["id"], done.lines, by=request.user.id, now=clock.now()
        )
        return await _answer(request, d, match, catalogue)


async def fail(request: Request) -> Response:
    """Nothing changed hands."""
    said = await read(request, FailDraft)
    catalogue = await snapshot.current(of(request).database)
    async with deed(request) as d:
        match = await closing.fail(
            d.session, request.path_params["id"], said.reason, by=request.user.id, now=clock.now()
        )
        return await _answer(request, d, match, catalogue)


async def show(request: Request) -> Response:
    """A match of one's own."""
    services = of(request)
    catalogue = await snapshot.current(services.database)
    async with services.database.reading() as session:
        match = await store.own(session, request.path_params["id"], request.user.id)
        view = await reading.one(
            session, match, reader=request.user.id, catalogue=catalogue, language=language(request)
        )
    return answer(view)


async def list_own(request: Request) -> Response:
    """One's own matches, newest first."""
    services = of(request)
    asked = await query(request, PageQuery)
    catalogue = await snapshot.current(services.database)
    async with services.database.reading() as session:
        page = await reading.of_member(
            session,
            services.ring,
            asked,
            reader=request.user.id,
            catalogue=catalogue,
            language=language(request),
        )
    return answer(page)


async def list_of_post(request: Request) -> Response:
    """The matches of one's own post, newest first."""
    services = of(request)
    asked = await query(request, PageQuery)
    catalogue = await snapshot.current(services.database)
    async with services.database.reading() as session:
        page = await reading.of_post(
            session,
            services.ring,
            asked,
            request.path_params["id"],
            reader=request.user.id,
            catalogue=catalogue,
            language=language(request),
        )
    return answer(page)


_MATCH = "/api/v1/matches/{id}"
_POST_MATCHES = "/api/v1/posts/{id}/matches"
_MEETING = (RealNameNeeded, PhoneNeeded, ConsentNeeded, Suspended, PostNotOpen, QuantityGone, NeedCapReached)
ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/v1/me/matches",
        list_own,
        SIGNED_IN,
        {200: MatchList},
        "One's own matches",
        query=PageQuery,
        tag="matches",
    ),
    Endpoint(
        "GET",
        _POST_MATCHES,
        list_of_post,
        SIGNED_IN,
        {200: MatchList},
        "The matches of one's own post",
        query=PageQuery,
        tag="matches",
    ),
    Endpoint(
        "POST",
        _POST_MATCHES,
        pledge,
        REAL_NAME,
        {200: MatchView, 201: MatchView},
        "Pledge one's own post to another's",
        body=PledgeDraft,
        problems=(*_MEETING, OwnPost, PairEnded, AlreadyAgreed, MatchNotOpen),
        tag="matches",
        replayable=True,
        limit="write",
    ),
    Endpoint("GET", _MATCH, show, SIGNED_IN, {200: MatchView}, "One match", tag="matches"),
    Endpoint(
        "POST",
        f"{_MATCH}/accept",
        accept,
        REAL_NAME,
        {200: MatchView},
        "Say yes",
        problems=(*_MEETING, MatchNotOpen, AlreadyAccepted),
        tag="matches",
        replayable=True,
    ),
    Endpoint(
        "POST",
        f"{_MATCH}/decline",
        decline,
        SIGNED_IN,
        {200: MatchView},
        "Say no",
        problems=(MatchNotOpen,),
        tag="matches",
        replayable=True,
    ),
    Endpoint(
        "POST",
        f"{_MATCH}/block",
        block,
        SIGNED_IN,
        {200: MatchView},
        "Block the other side",
        tag="matches",
        replayable=True,
    ),
    Endpoint(
        "POST",
        f"{_MATCH}/complete",
        complete,
        SIGNED_IN,
        {200: MatchView},
        "It changed hands",
        body=CompleteDraft,
        problems=(MatchNotAgreed, MatchClosed),
        tag="matches",
        replayable=True,
    ),
    Endpoint(
        "POST",
        f"{_MATCH}/fail",
        fail,
        SIGNED_IN,
        {200: MatchView},
        "Nothing changed hands",
        body=FailDraft,
        problems=(MatchNotAgreed, MatchClosed),
        tag="matches",
        replayable=True,
    ),
)
