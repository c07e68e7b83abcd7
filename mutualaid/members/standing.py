"""What a member is in the house: their role, given by whoever runs it; whether they are suspended; who vouched for them."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.kit import audit
from mutualaid.kit.database import ring_after_commit
from mutualaid.kit.phones import Phone
from mutualaid.members import store, verifying
from mutualaid.members.errors import MemberUnknown
from mutualaid.members.records import Member, Status
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


def suspend(session: AsyncSession, member: Member, *, actor: str, now: datetime) -> None:
    """They stay signed in, and may do nothing that concerns others. The row is locked by the caller."""
    _stand(session, member, Status.SUSPENDED, "member.suspended", actor=actor, now=now)


def restore(session: AsyncSession, member: Member, *, actor: str, now: datetime) -> None:
    """A suspension ends. The row is locked by the caller."""
    if member.real_name == "none":
        member.identity_lookup = None  # the consent was withdrawn meanwhile; only the ban had kept it
    _stand(session, member, Status.ACTIVE, "member.restored", actor=actor, now=now)


def _stand(session: AsyncSession, member: Member, status: Status, deed: str, *, actor: str, now: datetime) -> None:
    member.status = status.value
    audit.note(session, actor=actor, deed=deed, subject=member.id, now=now)
    ring_after_commit(session, BELL)


def vouch(session: AsyncSession, member: Member, *, actor: str, now: datetime) -> None:
    """Somebody of the house has seen the member's paper; nothing of it is kept. The row is locked by the caller."""
    if member.real_name != "vouched":
        verifying.set_real_name(session, member, "vouched", actor=actor, now=now)
