"""The API's doors to moderation. Every deed but a claim needs a step-up; rulings carry a reason."""

import json

from starlette.requests import Request
from starlette.responses import Response

from mutualaid.catalogue import snapshot
from mutualaid.kit import audit, clock
from mutualaid.kit.doors import answer, deed, language, query, read
from mutualaid.kit.endpoints import Endpoint, Handler
from mutualaid.kit.errors import NotFound
from mutualaid.members.errors import StepUpNeeded, Suspended
from mutualaid.members.policies import STAFF, STAFF_DEED
from mutualaid.moderation import actions, cases, reading, standing, store
from mutualaid.moderation.errors import (
    AlreadySuspended,
    AuthorSuspended,
    CaseClaimed,
    CaseClosed,
    NotSuspended,
    OwnRuling,
    PostNotHidden,
)
from mutualaid.moderation.rules import MEMBER_DEEDS, POST_DEEDS, MemberDeed, PostDeed
from mutualaid.moderation.wire import (
    CaseList,
    CaseQuery,
    CaseView,
    LogList,
    LogQuery,
    LogRow,
    MemberRulingDraft,
    MemberView,
    PostRulingDraft,
    VerdictView,
)
from mutualaid.posts import cards
from mutualaid.posts.errors import PostNotOpen
from mutualaid.posts.wire import PostView, post_view
from mutualaid.services import of


async def list_cases(request: Request) -> Response:
    """The queue: whoever has waited longest comes first."""
    services = of(request)
    asked = await query(request, CaseQuery)
    reader, spoken, catalogue = request.user.id, language(request), await snapshot.current(services.database)
    async with services.database.reading() as session:
        page = await store.page(session, services.ring, asked, reader=reader)
        items = await reading.views(
            services.keys, session, page.cases, reader=reader, language=spoken, catalogue=catalogue
        )
    return answer(CaseList(items=items, next_cursor=page.next_cursor))


async def claim(request: Request) -> Response:
    """This case is mine for ten minutes."""
    services, reader, spoken = of(request), request.user.id, language(request)
    catalogue = await snapshot.current(services.database)
    async with deed(request) as d:
        found = await cases.claim(d.session, request.path_params["id"], by=reader, now=clock.now())
        views = await reading.views(
            services.keys, d.session, [found], reader=reader, language=spoken, catalogue=catalogue
        )
        return await d.answer(views[0])


def rule_on_post(deed_name: PostDeed) -> Handler:
    """The door of one deed on posts."""

    async def rule(request: Request) -> Response:
        draft = await read(request, PostRulingDraft)
        services, by, post_id = of(request), request.user, request.path_params["id"]
        key = await services.keys.get(by.id)
        catalogue = await snapshot.current(services.database)
        async with deed(request) as d:
            await actions.rule(d.session, post_id, deed_name, draft, by=by, key=key, now=clock.now())
            card = (await cards.cards_of(d.session, [post_id])).get(post_id)
            if card is None:
                raise NotFound
            view = post_view(card, catalogue, language=language(request), reader=by.id)
            return await d.answer(view.model_copy(update={"hidden_by": card.hidden_by, "outcome": card.outcome}))

    return rule


def rule_on_member(deed_name: MemberDeed) -> Handler:
    """The door of one deed on members."""

    async def rule(request: Request) -> Response:
        draft = await read(request, MemberRulingDraft)
        by, member_id = request.user, request.path_params["id"]
        key = await of(request).keys.get(by.id)
        async with deed(request) as d:
            member = await standing.rule(d.session, member_id, deed_name, draft, by=by, key=key, now=clock.now())
            return await d.answer(MemberView.of(member))

    return rule


async def list_log(request: Request) -> Response:
    """Who did what, newest first."""
    services = of(request)
    asked = await query(request, LogQuery)
    async with services.database.reading() as session:
        rows, cursor = await store.log_page(session, services.ring, asked)
    items = [
        LogRow(
            id=row.id,
            number=row.number,
            at=row.at,
            actor=row.actor,
            deed=row.deed,
            subject=row.subject,
            facts=json.loads(row.facts),
        )
        for row in rows
    ]
    return answer(LogList(items=items, next_cursor=cursor))


async def verify_log(request: Request) -> Response:
    """Seal, then walk the whole chain."""
    services = of(request)
    verdict = await audit.verify(services.database, services.ring, services.settings.audit_heads)
    view = VerdictView.model_validate(
        {"ok": verdict.ok, "rows": verdict.rows, "broken_at": verdict.broken_at, "why": verdict.why}
    )
    return answer(view)


_AT = "/api/v1/moderation"
_STAFF = (Suspended,)
_DEED = (Suspended, StepUpNeeded, OwnRuling, CaseClaimed)

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "GET",
        f"{_AT}/cases",
        list_cases,
        STAFF,
        {200: CaseList},
        "Cases, the oldest first",
        query=CaseQuery,
        problems=_STAFF,
        tag="moderation",
    ),
    Endpoint(
        "POST",
        f"{_AT}/cases/{{id}}/claim",
        claim,
        STAFF,
        {200: CaseView},
        "Claim a case for ten minutes",
        problems=(*_STAFF, OwnRuling, CaseClaimed, CaseClosed),
        tag="moderation",
        replayable=True,
    ),
    *(
        Endpoint(
            "POST",
            f"{_AT}/posts/{{id}}/{name}",
            rule_on_post(name),
            STAFF_DEED,
            {200: PostView},
            f"Rule on a post: {name}",
            body=PostRulingDraft,
            problems=(*_DEED, PostNotOpen, PostNotHidden, AuthorSuspended),
            tag="moderation",
            replayable=True,
        )
        for name in POST_DEEDS
    ),
    *(
        Endpoint(
            "POST",
            f"{_AT}/members/{{id}}/{name}",
            rule_on_member(name),
            STAFF_DEED,
            {200: MemberView},
            f"Rule on a member: {name}",
            body=MemberRulingDraft,
            problems=(*_DEED, AlreadySuspended, NotSuspended),
            tag="moderation",
            replayable=True,
        )
        for name in MEMBER_DEEDS
    ),
    Endpoint(
        "GET",
        f"{_AT}/log",
        list_log,
        STAFF,
        {200: LogList},
        "Who did what, newest first",
        query=LogQuery,
        problems=_STAFF,
        tag="moderation",
    ),
    Endpoint(
        "GET",
        f"{_AT}/log/verify",
        verify_log,
        STAFF,
        {200: VerdictView},
        "Does the audit chain hold?",
        problems=_STAFF,
        tag="moderation",
    ),
)
