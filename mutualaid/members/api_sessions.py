"""The API's doors to codes and sessions. None of them takes an Idempotency-Key: nothing of theirs may be stored."""

from starlette.requests import Request
from starlette.responses import Response

from mutualaid.kit import clock, cursors
from mutualaid.kit.doors import answer, deed, language, query, read
from mutualaid.kit.endpoints import Endpoint
from mutualaid.kit.errors import ProviderUnavailable, TooMany
from mutualaid.kit.limits import LimiterUnavailable
from mutualaid.kit.peers import peer_of
from mutualaid.kit.phones import Phone
from mutualaid.members import checking, codes, pacing, profile, rules, sessions, signing_in, store
from mutualaid.members.errors import ChallengeEnded, CodesTooOften, CodeWrong
from mutualaid.members.policies import PUBLIC, SIGNED_IN
from mutualaid.members.records import Principal
from mutualaid.members.wire import (
    Answered,
    AskCode,
    Challenged,
    PageQuery,
    SessionList,
    SessionView,
    SignedInView,
    SignIn,
)
from mutualaid.providers.wechat import CodeInvalid, NotOffered, Refused
from mutualaid.services import of

WECHAT_PROBLEMS = (CodeInvalid, NotOffered, Refused, ProviderUnavailable)


async def ask_code(request: Request) -> Response:
    """Send a one-time code; the same answer whether or not the phone is known."""
    services = of(request)
    draft = await read(request, AskCode, check=checking.own_phone_of(services.numbers))
    phone = Phone(draft.phone)
    asker: Principal | None = request.user
    await pacing.for_code(services, phone, peer=peer_of(request), session_id=asker.session_id if asker else None)
    vault = await services.keys.create(codes.VAULT)
    async with deed(request) as d:
        challenge = await codes.ask(d.session, phone, vault=vault, now=clock.now())
    view = Challenged(challenge=challenge.id, expires_in=int(rules.CODE_LASTS.total_seconds()))
    return answer(view, 202)


async def sign_in(request: Request) -> Response:
    """Begin a session; whoever comes first time becomes a member."""
    services, now = of(request), clock.now()
    draft = await read(request, SignIn, check=checking.one_proof)
    await pacing.for_sign_in(services, peer=peer_of(request))
    if draft.challenge is not None and draft.code is not None:
        found = await signing_in.by_code(services, draft.challenge, draft.code, language=language(request), now=now)
    else:
        assert draft.wechat_code is not None
        found = await signing_in.by_wechat(services, draft.wechat_code, language=language(request), now=now)
    member = await profile.describe(services, found.member.id)
    view = SignedInView(token=found.token, expires_at=sessions.expires_at(found.session), member=member)
    return answer(view, 201, headers={"Cache-Control": "no-store"})


async def step_up(request: Request) -> Response:
    """Confirm this session with a code sent to one's own phone."""
    services, now, caller = of(request), clock.now(), request.user
    draft = await read(request, Answered)
    await pacing.for_sign_in(services, peer=peer_of(request))
    proof = await codes.prove(services, draft.challenge, draft.code, now=now)
    async with deed(request) as d:
        row = await sessions.step_up(d.session, caller.session_id, proof, member_id=caller.id, now=now)
    return answer(SessionView.of(row, caller))


async def list_sessions(request: Request) -> Response:
    """One's own sessions, the newest sign-in first."""
    services, caller = of(request), request.user
    asked = await query(request, PageQuery)
    name = f"sessions {caller.id}"
    after = None
    if asked.cursor is not None:
        micros, last = cursors.decode(services.ring, name, asked.cursor, kinds=[int, str])
        after = rules.moment_of(micros), last
    async with services.database.reading() as session:
        found = await store.live_sessions(session, caller.id, after=after, most=asked.limit + 1)
    page = found[: asked.limit]
    more = None
    if len(found) > len(page):
        more = cursors.encode(services.ring, name, [rules.micros_of(page[-1].signed_in_at), page[-1].id])
    return answer(SessionList(items=[SessionView.of(row, caller) for row in page], next_cursor=more))


async def revoke(request: Request) -> Response:
    """End one of one's own sessions."""
    async with deed(request) as d:
        session_id = request.path_params["id"]
        await sessions.end(d.session, session_id, member_id=request.user.id, now=clock.now())
    return answer(None, 204)


async def sign_out(request: Request) -> Response:
    """End this session."""
    caller = request.user
    async with deed(request) as d:
        await sessions.end(d.session, caller.session_id, member_id=caller.id, now=clock.now())
    return answer(None, 204)


async def sign_out_everywhere(request: Request) -> Response:
    """End every session of one's own."""
    async with deed(request) as d:
        await sessions.end_all(d.session, request.user.id, actor=request.user.id, now=clock.now())
    return answer(None, 204)


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "POST",
        "/api/v1/sessions/otp",
        ask_code,
        PUBLIC,
        {202: Challenged},
        "Send a one-time code to a phone",
        body=AskCode,
        problems=(CodesTooOften, LimiterUnavailable),
        tag="sessions",
    ),
    Endpoint(
        "POST",
        "/api/v1/sessions",
        sign_in,
        PUBLIC,
        {201: SignedInView},
        "Sign in with a code or with WeChat; the first time makes a member",
        body=SignIn,
        problems=(CodeWrong, ChallengeEnded, TooMany, LimiterUnavailable, *WECHAT_PROBLEMS),
        tag="sessions",
    ),
    Endpoint(
        "POST",
        "/api/v1/sessions/current/step-up",
        step_up,
        SIGNED_IN,
        {200: SessionView},
        "Confirm this session before erasure, export or a staff deed",
        body=Answered,
        problems=(CodeWrong, ChallengeEnded, LimiterUnavailable),
        tag="sessions",
        limit="write",
    ),
    Endpoint(
        "GET",
        "/api/v1/me/sessions",
        list_sessions,
        SIGNED_IN,
        {200: SessionList},
        "One's own sessions",
        query=PageQuery,
        tag="sessions",
    ),
    Endpoint(
        "DELETE",
        "/api/v1/me/sessions/{id}",
        revoke,
        SIGNED_IN,
        {204: None},
        "End one session",
        tag="sessions",
    ),
    Endpoint("DELETE", "/api/v1/sessions/current", sign_out, SIGNED_IN, {204: None}, "Sign out here", tag="sessions"),
    Endpoint(
        "DELETE",
        "/api/v1/sessions",
        sign_out_everywhere,
        SIGNED_IN,
        {204: None},
        "Sign out everywhere",
        tag="sessions",
    ),
)
