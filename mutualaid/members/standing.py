"""What a member is in the house: their role, given by whoever runs it."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.kit import audit
from mutualaid.kit.database import ring_after_commit
from mutualaid.kit.phones import Phone
from mutualaid.members import store
from mutualaid.members.errors import MemberUnknown
from mutualaid.members.records import Member
from mutualaid.members.rules import Role
from mutualaid.members.sessions import BELL


async def promote(session: AsyncSession, phone: Phone, role: Role, *, actor: str | None, now: datetime) -> Member:
    """Give the member with this phone a role; `member` takes it away again. `MemberUnknown` if nobody here has it.

    A running server sees it with the member's next deed. `actor` None: somebody at the command line.
    """
    member = await store.find(session, store.PHONE, phone.e164)
    if member is None:
        raise MemberUnknown
    facts: audit.Facts = {"from": member.role, "to": role}
    member.role = role
    audit.note(session, actor=actor, deed="member.promoted", subject=member.id, now=now, facts=facts)
    ring_after_commit(session, BELL)
    return member
