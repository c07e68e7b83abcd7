"""Text messages: from job rows only, keyed by the notice so that each goes out once."""

from datetime import datetime

from sqlalchemy import select

from mutualaid.kit.keystore import KeyDestroyed, KeyMissing
from mutualaid.kit.texts import Language
from mutualaid.members import own_phone
from mutualaid.members.needs import consented
from mutualaid.members.records import PRESENT, Member
from mutualaid.notices import texts
from mutualaid.notices.records import Notice
from mutualaid.notices.rules import Kind
from mutualaid.providers.sms import BadNumber, Message
from mutualaid.services import Services


async def send_sms(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """`notice.sms`: to members with a phone whose consent to be told so stands now; the inbox has it anyway."""
    found = await _addressee(services, payload["notice"])
    if found is None:
        return
    member, kind = found
    try:
        phone = own_phone.read(member, key=await services.keys.get(member.id))
    except (KeyMissing, KeyDestroyed):
        return  # erased meanwhile
    if phone is None:
        return
    language: Language = member.language  # type: ignore[assignment] # the column holds one of the two
    text = texts.sms(kind, language)
    try:
        await services.sms.send(Message(phone, kind, text, {}), key=payload["notice"], at=now)
    except BadNumber:
        return  # the inbox has it


async def _addressee(services: Services, notice_id: str) -> tuple[Member, Kind] | None:
    """The member and the kind, or None where no text message may go out."""
    async with services.database.reading() as session:
        query = select(Member, Notice.kind).join(Notice, Notice.member_id == Member.id)
        found = (await session.execute(query.where(Notice.id == notice_id, Member.status.in_(PRESENT)))).first()
        if found is None or "notices" not in await consented(session, found[0].id):
            return None
        return found[0], found[1]
