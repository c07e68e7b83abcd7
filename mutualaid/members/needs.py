"""What a deed may need of its member first; rooms above ask here, in the order of the public contract."""

from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.members import store
from mutualaid.members.consent_texts import PURPOSES, TEXTS, Purpose
from mutualaid.members.errors import ConsentNeeded, PhoneNeeded, RealNameNeeded
from mutualaid.members.records import Consent, Principal


def counts(consent: Consent) -> bool:
    """Whether a consent that was not withdrawn was given to the text as it stands now."""
    text = TEXTS.get(consent.purpose)  # type: ignore[call-overload] # a purpose of an earlier release may stand in the row
    return text is not None and consent.version == text.version


async def consented(session: AsyncSession, member_id: str) -> set[str]:
    """The purposes for which the member's consent counts now."""
    return {consent.purpose for consent in await store.live_consents(session, member_id) if counts(consent)}


async def require_consents(session: AsyncSession, member_id: str, purposes: Iterable[Purpose]) -> None:
    """428 `consent_needed` naming every missing purpose, in the order of the house."""
    missing = set(purposes) - await consented(session, member_id)
    if missing:
        raise ConsentNeeded(purpose for purpose in PURPOSES if purpose in missing)


def require_real_name(principal: Principal) -> None:
    """428 `real_name_needed`, also where unverified members may post: contacts and pledges always need it."""
    if principal.real_name == "none":
        raise RealNameNeeded


def require_phone(principal: Principal) -> None:
    """428 `phone_needed`: members who came by WeChat add one first."""
    if not principal.has_phone:
        raise PhoneNeeded
