"""Consents: one purpose each, given to a text in its present version, proved by a row, withdrawn as easily as given.

What a withdrawal ends in other rooms is done by the room above them, in the same transaction.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.kit import audit
from mutualaid.kit.database import Database
from mutualaid.kit.errors import FieldError, Invalid
from mutualaid.kit.ids import new_id
from mutualaid.kit.prepared import Prepared
from mutualaid.kit.texts import N_
from mutualaid.members import anchors, needs, store, verifying
from mutualaid.members.consent_texts import TEXTS, Purpose
from mutualaid.members.needs import counts, current
from mutualaid.members.records import Consent


async def require(database: Database, member_id: str, purposes: Iterable[Purpose]) -> None:
    """428 `consent_needed` naming every purpose that consent is missing for, asked before a deed's transaction."""
    needs.require(current(await database.glance(_GIVEN, member=member_id)), purposes)


def _given(_dialect: str, prefix: str) -> Any:
    member: Any = bindparam(f"{prefix}member", required=True)
    return select(Consent.purpose, Consent.version).where(Consent.member_id == member, Consent.withdrawn_at.is_(None))


_GIVEN: Final = Prepared(_given)


async def give(
    session: AsyncSession, member_id: str, purpose: Purpose, *, version: int | None, channel: str, now: datetime
) -> Consent:
    """The member's consent to the present text; `version` is the one they read, where the client says it.

    Giving it again changes nothing. 422 for a version that is not the present one.
    """
    text = TEXTS[purpose]
    if version is not None and version != text.version:
        changed = N_("This text has changed; please read it again.")
        raise Invalid([FieldError("version", "consent_version_old", changed)])
    await store.get_locked(session, member_id)
    held = await _live(session, member_id, purpose)
    if held is not None and counts(held):
        return held
    if held is not None:
        held.withdrawn_at = now
        await session.flush()  # the one live row of a purpose is unique
    given = Consent(
        id=new_id(),
        member_id=member_id,
        purpose=purpose,
        version=text.version,
        text_hash=text.hash,
        channel=channel,
        given_at=now,
    )
    session.add(given)
    await session.flush()
    _note(session, "consent.given", given, now)
    return given


async def withdraw(session: AsyncSession, member_id: str, purpose: Purpose, *, now: datetime) -> bool:
    """Withdraw, and end what this room holds for the purpose. False if there was nothing to withdraw."""
    await store.get_locked(session, member_id)
    held = await _live(session, member_id, purpose)
    if purpose == "precise_location":  # whatever is there, however it came there
        await anchors.destroy_anchors(session, member_id)
    if held is None:
        return False
    held.withdrawn_at = now
    _note(session, "consent.withdrawn", held, now)
    if purpose == "real_name_check":
        await verifying.end_real_name(session, member_id, actor=member_id, now=now)
    return True


async def _live(session: AsyncSession, member_id: str, purpose: Purpose) -> Consent | None:
    held: Iterable[Consent] = await store.live_consents(session, member_id)
    return next((consent for consent in held if consent.purpose == purpose), None)


def _note(session: AsyncSession, deed: str, consent: Consent, now: datetime) -> None:
    facts: audit.Facts = {"purpose": consent.purpose, "version": consent.version, "text": consent.text_hash}
    audit.note(session, actor=consent.member_id, deed=deed, subject=consent.id, now=now, facts=facts)
