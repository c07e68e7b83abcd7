"""One-time codes: asked for by whoever types a phone, proved by whoever reads it. Known and unknown phones are alike.

Two transactions decide. The first takes one of the tries and commits, so that a wrong code costs a try whatever happens
next; the second, the deed's own, uses the challenge up. So of a hundred requests with the right code one succeeds.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import delete, update
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.kit import audit, outbox, sealing
from mutualaid.kit.clock import sql_now
from mutualaid.kit.ids import new_id
from mutualaid.kit.phones import Phone
from mutualaid.kit.ring import KeyUnknown
from mutualaid.kit.sealing import DataKey
from mutualaid.members import rules, store
from mutualaid.members.errors import ChallengeEnded, CodeWrong
from mutualaid.members.records import Challenge
from mutualaid.services import Services

VAULT: Final = "service:challenges"  # the key store's owner of phones that have not proved anything yet
SEND: Final = "members.send_code"
_TABLE: Final = Challenge.__tablename__


@dataclass(frozen=True, slots=True)
class Proof:
    """Somebody read the code that was sent to this phone. Worth one deed, by `spend`."""

    challenge: str = field(repr=False)
    phone: Phone


async def ask(session: AsyncSession, phone: Phone, *, vault: DataKey, now: datetime) -> Challenge:
    """A new challenge, and the job that sends its code. `vault` is the key of `VAULT`."""
    challenge_id = new_id()
    challenge = Challenge(
        id=challenge_id,
        phone=sealing.seal(vault, phone.e164, table=_TABLE, column="phone", row=challenge_id),
        key_version=store.ring_of(session).current("code")[0],
        tries=0,
        made_at=now,
        ends_at=now + rules.CODE_LASTS,
    )
    session.add(challenge)
    audit.note(session, actor=None, deed="code.asked", subject=challenge_id, now=now)
    await outbox.enqueue(session, SEND, {"challenge": challenge_id}, at=now, key=f"{SEND}:{challenge_id}")
    return challenge


async def prove(services: Services, challenge_id: str, code: str, *, now: datetime) -> Proof:
    """Take a try and compare. Raises `CodeWrong`, or `ChallengeEnded` when no try is left, whatever the code."""
    async with services.database.transaction() as session:
        taken = await session.execute(
            update(Challenge)
            .where(Challenge.id == challenge_id, Challenge.tries < rules.CODE_TRIES, Challenge.ends_at > sql_now())
            .values(tries=Challenge.tries + 1)
            .returning(Challenge.phone, Challenge.key_version, Challenge.tries)
            .execution_options(synchronize_session=False)
        )
        row = taken.first()
        if row is not None:
            audit.note(session, actor=None, deed="code.tried", subject=challenge_id, now=now, facts={"try": row.tries})
    if row is None:
        raise ChallengeEnded
    try:
        key = services.ring.at("code", row.key_version)
    except KeyUnknown:
        raise ChallengeEnded from None  # its key was retired within its ten minutes
    if not rules.code_fits(key, challenge_id, code):
        raise CodeWrong
    return Proof(challenge_id, await addressee(services, challenge_id, row.phone))


async def addressee(services: Services, challenge_id: str, sealed: bytes) -> Phone:
    """The phone that a challenge's code goes to."""
    vault = await services.keys.get(VAULT)
    return Phone(sealing.unseal_text(vault, sealed, table=_TABLE, column="phone", row=challenge_id))


async def pending(services: Services, challenge_id: str) -> tuple[Phone, datetime] | None:
    """The phone that a challenge was asked for, and when; None once it is used or swept away."""
    async with services.database.reading() as session:
        row = await session.get(Challenge, challenge_id)
    return None if row is None else (await addressee(services, row.id, row.phone), row.made_at)


async def spend(session: AsyncSession, proof: Proof) -> None:
    """Use the challenge up in the deed's transaction; `ChallengeEnded` for everyone but the first."""
    gone = await session.execute(
        delete(Challenge)
        .where(Challenge.id == proof.challenge, Challenge.ends_at > sql_now())
        .returning(Challenge.id)
        .execution_options(synchronize_session=False)
    )
    if gone.first() is None:
        raise ChallengeEnded
