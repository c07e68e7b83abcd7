"""Members who are there when a test begins: what signing in, consenting and the real-name check leave behind, in one
transaction. How it comes about over HTTP is told by the tests of members and by the journeys."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.kit import audit, clock, sealing
from mutualaid.kit.ids import new_id
from mutualaid.kit.phones import Phone
from mutualaid.kit.sealing import DataKey
from mutualaid.members import identity, own_phone, rules, sessions, store, verifying
from mutualaid.members.consent_texts import TEXTS, Purpose
from mutualaid.members.records import Consent, Member
from mutualaid.services import Services


async def settle(
    services: Services,
    phone: str,
    *,
    legal_name: str | None,
    number: str,
    now: datetime,
    purposes: Collection[Purpose] = TEXTS.keys(),
) -> tuple[str, str]:
    """(token of a session that begins now, member id). With a `legal_name` also verified, these consents given."""
    member = Member(id=new_id(), language="zh-Hans", created_at=now)
    member.display_name = rules.neighbour_name(member.id)
    key = await services.keys.create(member.id)
    async with services.database.transaction() as session:
        own_phone.hold(session, member, Phone(phone), key=key)
        session.add(member)
        await session.flush()
        audit.note(session, actor=member.id, deed="member.joined", subject=member.id, now=now)
        if legal_name is not None:
            _consent(session, member, purposes, now=now)
            _verify(session, services, member, key, legal_name, number, now=now)
        token, _row = await sessions.begin(session, member.id, channel="phone", now=now)
    return token, member.id


def _consent(session: AsyncSession, member: Member, purposes: Collection[Purpose], *, now: datetime) -> None:
    for purpose in purposes:
        text = TEXTS[purpose]
        given = {"purpose": purpose, "version": text.version, "text_hash": text.hash}
        consent = Consent(id=new_id(), member_id=member.id, channel="api", given_at=now, **given)
        session.add(consent)
        facts: audit.Facts = {"purpose": purpose, "version": text.version, "text": text.hash}
        audit.note(session, actor=member.id, deed="consent.given", subject=consent.id, now=now, facts=facts)


def _verify(
    session: AsyncSession, services: Services, member: Member, key: DataKey, name: str, number: str, *, now: datetime
) -> None:
    today = clock.today(now)
    found = identity.check(number, today=today)
    member.tries, member.tries_on = 1, today
    audit.note(session, actor=member.id, deed="real_name.tried", subject=member.id, now=now, facts={"try": 1})
    member.legal_name = sealing.seal(key, name, table=Member.__tablename__, column="legal_name", row=member.id)
    member.identity_lookup = sealing.lookup(services.ring, store.IDENTITY, found.normalised)
    member.age_band = identity.age_band(identity.age_on(found.birth, today))
    member.display_name = rules.masked_name(name)
    verifying.set_real_name(session, member, "checked", actor=member.id, now=now)
