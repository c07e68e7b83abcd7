"""A member's own phone: taken in, shown masked, changed."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.kit import audit, phones, sealing
from mutualaid.kit.database import ring_after_commit
from mutualaid.kit.phones import Phone
from mutualaid.kit.sealing import DataKey
from mutualaid.members import store
from mutualaid.members.errors import PhoneNeeded, PhoneTaken
from mutualaid.members.records import Member
from mutualaid.members.sessions import BELL
from mutualaid.providers.numbers import NumbersMaker
from mutualaid.services import Services


def is_ours(phone: Phone, numbers: NumbersMaker) -> bool:
    """Whether this is one of the masked numbers that we hand out: nobody can sign in with it."""
    return phone.e164 in numbers.pool


def hold(session: AsyncSession, member: Member, phone: Phone, *, key: DataKey) -> None:
    """Put the phone into the member's row: sealed to read, an HMAC to find."""
    member.phone = sealing.seal(key, phone.e164, table=Member.__tablename__, column="phone", row=member.id)
    member.phone_lookup = sealing.lookup(store.ring_of(session), store.PHONE, phone.e164)


def read(member: Member, *, key: DataKey) -> Phone | None:
    """The member's phone in clear."""
    return opened(member.id, member.phone, key=key) if member.phone is not None else None


def opened(member_id: str, sealed: bytes, *, key: DataKey) -> Phone:
    """What stands in the column of the member's phone, in clear."""
    return Phone(sealing.unseal_text(key, sealed, table=Member.__tablename__, column="phone", row=member_id))


async def of_member(services: Services, member_id: str) -> Phone:
    """A member's phone in clear; 428 `phone_needed` for one without."""
    key = await services.keys.get(member_id)
    async with services.database.reading() as session:
        phone = read(await store.get(session, member_id), key=key)
    if phone is None:
        raise PhoneNeeded
    return phone


def masked(member: Member, *, key: DataKey) -> str | None:
    """`138****8000`."""
    phone = read(member, key=key)
    return phones.mask(phone.e164) if phone else None


async def change(session: AsyncSession, member_id: str, phone: Phone, *, key: DataKey, now: datetime) -> bool:
    """From now on this is the member's phone; False where it was before. 409 `phone_taken` where another account holds it.

    That somebody proved to hold the phone is the caller's to see to. `key` is the member's data key.
    """
    await store.take_turn(session, store.PHONE, phone.e164)
    member = await store.get_locked(session, member_id, whole=True)
    holder = await store.find(session, store.PHONE, phone.e164)
    if holder is not None and holder.id != member_id:
        raise PhoneTaken
    if holder is not None:
        return False
    hold(session, member, phone, key=key)
    audit.note(session, actor=member_id, deed="member.phone_changed", subject=member_id, now=now)
    ring_after_commit(session, BELL)
    return True
