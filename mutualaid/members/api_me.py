"""The API's doors to oneself: who I am, my phone, my consents, my real name."""

from starlette.requests import Request
from starlette.responses import Response

from mutualaid.kit import clock, phones
from mutualaid.kit.doors import answer, deed, language, read
from mutualaid.kit.endpoints import Endpoint
from mutualaid.kit.errors import FieldError, Invalid, NotFound, ProviderUnavailable
from mutualaid.kit.limits import LimiterUnavailable
from mutualaid.kit.peers import peer_of
from mutualaid.kit.phones import Phone, PhoneRejected
from mutualaid.members import checking, consents, identity, own_phone, pacing, profile, verifying
from mutualaid.members.consent_texts import PURPOSES, TEXTS, Purpose
from mutualaid.members.errors import (
    ConsentNeeded,
    RealNameMismatch,
    RealNameTriesUsed,
    RealNameUnsupported,
    Suspended,
    UnderAge,
)
from mutualaid.members.policies import PUBLIC, SIGNED_IN
from mutualaid.members.wire import (
    PHONE_REFUSED,
    ConsentDraft,
    ConsentTextList,
    ConsentTextView,
    ConsentView,
    MeView,
    RealNameDraft,
    RealNameView,
)
from mutualaid.services import Services, of


async def show_me(request: Request) -> Response:
    """Who I am here."""
    return answer(await profile.describe(of(request), request.user.id))


async def phone_of_wechat(services: Services, wechat_phone_code: str) -> Phone:
    """The phone that WeChat vouches for, if it may be used here."""
    given = await services.wechat.phone(wechat_phone_code)
    try:
        phone = phones.parse(given.e164)
    except PhoneRejected as refusal:
        text = PHONE_REFUSED[refusal.reason]
        raise Invalid([FieldError("wechat_phone_code", f"phone_{refusal.reason}", text)]) from None
    if own_phone.is_ours(phone, services.numbers):
        raise Invalid([FieldError("wechat_phone_code", "phone_ours", checking.OURS)])
    return phone


async def list_consents(request: Request) -> Response:
    """What consent may be given to, in words and versions."""
    spoken = language(request)
    items = [ConsentTextView.of(text, spoken) for text in TEXTS.values()]
    return answer(ConsentTextList(items=items), headers={"Vary": "Accept-Language"})


async def give_consent(request: Request) -> Response:
    """Consent to one purpose."""
    purpose = purpose_of(request)
    draft = await read(request, ConsentDraft, optional=True)
    member_id, now = request.user.id, clock.now()
    async with deed(request) as d:
        given = await consents.give(d.session, member_id, purpose, version=draft.version, channel="api", now=now)
        return await d.answer(ConsentView.of(given))


def purpose_of(request: Request) -> Purpose:
    """The purpose that the address names, or 404."""
    asked = request.path_params["purpose"]
    for purpose in PURPOSES:
        if purpose == asked:
            return purpose
    raise NotFound


async def check_real_name(request: Request) -> Response:
    """Have name and ID number compared once; the number is not kept."""
    services, caller, now = of(request), request.user, clock.now()
    draft = await read(request, RealNameDraft, check=checking.identity_number(clock.today(now)))
    number = identity.check(draft.id_number, today=clock.today(now))
    await consents.require(services.database, caller.id, ["real_name_check"])
    await pacing.for_identity_check(services, caller.id, peer=peer_of(request))
    state = await verifying.check_real_name(services, caller.id, draft.name, number, now=now)
    return answer(RealNameView(real_name=state), 202 if state == "none" else 200)


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("GET", "/api/v1/me", show_me, SIGNED_IN, {200: MeView}, "Who I am here", tag="me"),
    Endpoint(
        "GET",
        "/api/v1/consents",
        list_consents,
        PUBLIC,
        {200: ConsentTextList},
        "What consent may be given to",
        tag="me",
    ),
    Endpoint(
        "PUT",
        "/api/v1/me/consents/{purpose}",
        give_consent,
        SIGNED_IN,
        {200: ConsentView},
        "Consent to one purpose",
        body=ConsentDraft,
        optional=True,
        replayable=True,
        tag="me",
        limit="write",
        params={"purpose": ", ".join(PURPOSES)},
    ),
    Endpoint(
        "POST",
        "/api/v1/me/real-name",
        check_real_name,
        SIGNED_IN,
        {200: RealNameView, 202: RealNameView},
        "Have one's real name checked",
        body=RealNameDraft,
        problems=(
            ConsentNeeded,
            UnderAge,
            RealNameMismatch,
            RealNameUnsupported,
            RealNameTriesUsed,
            Suspended,
            ProviderUnavailable,
            LimiterUnavailable,
        ),
        tag="me",
        limit="write",
    ),
)
