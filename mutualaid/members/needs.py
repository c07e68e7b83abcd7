"""What a deed may need of its member first; rooms above ask here, in the order of the public contract."""

from collections.abc import Iterable
from typing import cast

from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.members import store
from mutualaid.members.consent_texts import PURPOSES, TEXTS, ConsentText, Purpose
from mutualaid.members.errors import ConsentNeeded, PhoneNeeded, RealNameNeeded
from mutualaid.members.records import Consent, Principal


def counts(consent: Consent) -> bool:
    """Whether a consent that was not withdrawn was given to the text as it stands now."""
    return bool(current([(consent.purpose, consent.version)]))


def current(given: Iterable[tuple[str, int]]) -> frozenset[str]:
    """Of consents that were not withdrawn (purpose, version of the text) the purposes for which they count now."""
    texts = cast(dict[str, ConsentText], TEXTS)  # a purpose of an earlier release may stand in a row
    return frozenset(purpose for purpose, version in given if (t := texts.get(purpose)) and t.version == version)


async def consented(session: AsyncSession, member_id: str) -> frozenset[str]:
    """The purposes for which the member's consent counts now."""
    return current((consent.purpose, consent.version) for consent in await store.live_consents(session, member_id))


async def require_consents(session: AsyncSession, member_id: str, purposes: Iterable[Purpose]) -> None:
    """428 `consent_needed` naming every missing purpose, in the order of the house."""
    require(await consented(session, member_id), purposes)


def require(given: frozenset[str], purposes: Iterable[Purpose]) -> None:
    """The same of the purposes for which consents count."""
    missing = set(purposes) - given
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
