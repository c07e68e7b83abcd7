"""Members made through the room's own deeds, without a door."""

from datetime import datetime

from mutualaid.kit import clock
from mutualaid.kit.phones import Phone
from mutualaid.members import codes, consents, rules, signing_in
from mutualaid.members.consent_texts import Purpose
from mutualaid.members.signing_in import SignedIn
from mutualaid.services import Services


async def asked(services: Services, phone: str = "+8613800138000") -> tuple[str, str]:
    """A challenge for this phone, and its code as the phone's holder would read it."""
    vault = await services.keys.create(codes.VAULT)
    async with services.database.transaction() as session:
        challenge = await codes.ask(session, Phone(phone), vault=vault, now=clock.now())
    return challenge.id, rules.code_of(services.ring.at("code", challenge.key_version), challenge.id)


def another(code: str) -> str:
    """A code of the right form that is not this one."""
    return str((int(code) + 1) % 10**6).zfill(6)


async def a_member(services: Services, phone: str = "+8613800138000", *, now: datetime | None = None) -> SignedIn:
    """Somebody who has just signed in with this phone."""
    challenge, code = await asked(services, phone)
    return await signing_in.by_code(services, challenge, code, language="zh-Hans", now=now or clock.now())


async def consenting(services: Services, member_id: str, *purposes: Purpose) -> None:
    async with services.database.transaction() as session:
        for purpose in purposes:
            await consents.give(session, member_id, purpose, version=None, channel="test", now=clock.now())
