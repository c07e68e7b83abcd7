"""What the room does after an answer has gone: codes are sent, what has ended is swept."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import delete, or_, select

from mutualaid.kit.clock import sql_now
from mutualaid.kit.texts import N_, say
from mutualaid.members import codes, rules
from mutualaid.members.records import Challenge, SessionRow
from mutualaid.providers.sms import BadNumber, Message
from mutualaid.services import Services

_SENTENCE = N_(
    "{code} is your code for Mutual Aid, valid for {minutes} minutes. Never tell it to anybody, us included."
)


async def send_code(services: Services, payload: Mapping[str, str], *, now: datetime) -> None:
    """`members.send_code`: the code of a challenge that is still open, keyed by it so that it goes out once."""
    async with services.database.reading() as session:
        challenge = await session.scalar(
            select(Challenge).where(Challenge.id == payload["challenge"], Challenge.ends_at > sql_now())
        )
    if challenge is None:  # used, or too late to be of use
        return
    phone = await codes.addressee(services, challenge.id, challenge.phone)
    code = rules.code_of(services.ring.at("code", challenge.key_version), challenge.id)
    text = say(_SENTENCE, "zh-Hans", code=code, minutes=rules.CODE_LASTS.seconds // 60)
    try:
        await services.sms.send(Message(phone, "code", text, {"code": code}), key=challenge.id, at=now)
    except BadNumber:
        return  # nobody is there to be told, and the door answered as for every other number


async def sweep(services: Services, _payload: Mapping[str, str], *, now: datetime) -> None:
    """Daily: forget challenges and sessions that have ended. They had ended without it; this is housekeeping."""
    async with services.database.transaction() as session:
        await session.execute(delete(Challenge).where(Challenge.ends_at <= now))
        idle = SessionRow.last_seen_at <= now - rules.SESSION_IDLE
        await session.execute(delete(SessionRow).where(or_(SessionRow.ends_at <= now, idle)))
