"""The API's doors to what touches every room: consents withdrawn, another phone, export, erasure."""

import orjson
from starlette.requests import Request
from starlette.responses import Response

from mutualaid.account import erasing, exporting, withdrawing
from mutualaid.account.wire import ExportView
from mutualaid.catalogue import snapshot
from mutualaid.kit import clock
from mutualaid.kit.doors import answer, deed, read
from mutualaid.kit.endpoints import Endpoint
from mutualaid.kit.errors import ProviderUnavailable
from mutualaid.kit.limits import LimiterUnavailable
from mutualaid.kit.peers import peer_of
from mutualaid.members import codes, pacing, profile
from mutualaid.members.api_me import phone_of_wechat, purpose_of
from mutualaid.members.api_sessions import WECHAT_PROBLEMS
from mutualaid.members.checking import one_proof
from mutualaid.members.consent_texts import PURPOSES
from mutualaid.members.errors import ChallengeEnded, CodeWrong, PhoneTaken, StepUpNeeded
from mutualaid.members.policies import OWN_DANGER, SIGNED_IN
from mutualaid.members.wire import MeView, NewPhone
from mutualaid.services import of


async def withdraw_consent(request: Request) -> Response:
    """Withdraw one purpose, with effect."""
    purpose, services = purpose_of(request), of(request)
    catalogue = await snapshot.current(services.database)
    async with deed(request) as d:
        await withdrawing.withdraw(d.session, request.user.id, purpose, catalogue=catalogue, now=clock.now())
        return await d.answer(None, 204)


async def change_phone(request: Request) -> Response:
    """Take a new phone, proved by a code sent to it or by WeChat. 403 `step_up_needed` for another one than is held, in a
    session that has not proved to be the member's lately: by its codes whoever took the session would prove anything."""
    services, caller, now = of(request), request.user, clock.now()
    if caller.has_phone and not caller.stepped_up:
        raise StepUpNeeded
    draft = await read(request, NewPhone, check=one_proof)
    await pacing.for_sign_in(services, peer=peer_of(request))
    proof = None
    if draft.challenge is not None and draft.code is not None:
        proof = await codes.prove(services, draft.challenge, draft.code, now=now)
        phone = proof.phone
    else:
        phone = await phone_of_wechat(services, draft.wechat_phone_code or "")
    key = await services.keys.get(caller.id)
    async with deed(request) as d:
        if proof is not None:
            await codes.spend(d.session, proof)
        await withdrawing.change_phone(d.session, caller.id, phone, key=key, now=now)
    return answer(await profile.describe(services, caller.id))


async def export(request: Request) -> Response:
    """Everything held about the caller, as JSON."""
    services, caller = of(request), request.user
    key = await services.keys.get(caller.id)
    async with services.database.reading() as session:
        found = await exporting.gather(session, caller.id, key=key)
    headers = {"content-disposition": 'attachment; filename="mutualaid-export.json"'}
    return Response(orjson.dumps(found), headers=headers, media_type="application/json")


async def erase(request: Request) -> Response:
    """Leave for good: posts and leases end, the token dies, what was sealed can be read by nobody, in backups too."""
    services, member_id = of(request), request.user.id
    async with deed(request) as d:
        await erasing.erase(d.session, member_id, now=clock.now())
    await erasing.destroy_key(services, member_id, now=clock.now())
    return answer(None)


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "DELETE",
        "/api/v1/me/consents/{purpose}",
        withdraw_consent,
        SIGNED_IN,
        {204: None},
        "Withdraw a consent, with effect",
        replayable=True,
        tag="me",
        limit="write",
        params={"purpose": ", ".join(PURPOSES)},
    ),
    Endpoint(
        "PUT",
        "/api/v1/me/phone",
        change_phone,
        SIGNED_IN,
        {200: MeView},
        "Take a new phone",
        body=NewPhone,
        problems=(
            *(StepUpNeeded, CodeWrong, ChallengeEnded, PhoneTaken, LimiterUnavailable, ProviderUnavailable),
            *WECHAT_PROBLEMS,
        ),
        tag="me",
        limit="write",
    ),
    Endpoint(
        "GET",
        "/api/v1/me/export",
        export,
        OWN_DANGER,
        {200: ExportView},
        "Everything held about oneself",
        problems=(StepUpNeeded,),
        tag="me",
        limit="write",
    ),
    Endpoint(
        "DELETE",
        "/api/v1/me",
        erase,
        OWN_DANGER,
        {204: None},
        "Leave for good",
        problems=(StepUpNeeded,),
        tag="me",
        limit="write",
    ),
)
