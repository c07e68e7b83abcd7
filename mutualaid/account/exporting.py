"""Everything held about a member, readable: theirs to take away (PIPL articles 45 and 47)."""

from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase

from mutualaid.contacts import rules as contacts
from mutualaid.contacts.records import Call, ContactReport, Lease, Message
from mutualaid.kit import sealing
from mutualaid.kit.audit import AuditRow
from mutualaid.kit.fields import rfc3339
from mutualaid.kit.privacy import LOOKUP, SEALED
from mutualaid.kit.sealing import DataKey
from mutualaid.matching.records import Match, MatchLine
from mutualaid.members.records import Anchor, Block, Consent, Member, SessionRow
from mutualaid.notices.records import Notice
from mutualaid.posts.records import Post, PostLine, Report

_NOT_THEIRS = frozenset(
    {"token_hash", "mac", "link", "number", "key_version", "binding_key", "binding_ref", "fence", "x"}
)
_PEOPLE = frozenset({"asker_id", "owner_id", "need_author_id", "offer_author_id", "blocker_id", "blocked_id", "actor"})


async def gather(session: AsyncSession, member_id: str, *, key: DataKey) -> dict[str, Any]:
    """One JSON object: a list of rows for each kind of thing. What is sealed under the member's key is opened.

    Nothing of anybody else's is in it: of a match or a contact the member gets the row without the other's id, and no
    row tells who has blocked or left whom.
    """

    async def rows(record: type[DeclarativeBase], *which: ColumnElement[bool]) -> list[dict[str, Any]]:
        return [_readable(row, key, member_id) for row in await session.scalars(select(record).where(*which))]

    mine_match = or_(Match.need_author_id == member_id, Match.offer_author_id == member_id)
    mine_lease = or_(Lease.asker_id == member_id, Lease.owner_id == member_id)
    my_posts = select(Post.id).where(Post.author_id == member_id)
    not_blocked = AuditRow.deed != "member.blocked"  # by whom is the other's affair
    return {
        "member": (await rows(Member, Member.id == member_id))[0],
        "sessions": await rows(SessionRow, SessionRow.member_id == member_id),
        "consents": await rows(Consent, Consent.member_id == member_id),
        "places": await rows(Anchor, Anchor.member_id == member_id),
        "blocked": await rows(Block, Block.blocker_id == member_id),
        "posts": await rows(Post, Post.author_id == member_id),
        "post_lines": await rows(PostLine, PostLine.post_id.in_(my_posts)),
        "reports": await rows(Report, Report.reporter_id == member_id),
        "matches": await rows(Match, mine_match),
        "match_lines": await rows(MatchLine, MatchLine.match_id.in_(select(Match.id).where(mine_match))),
        "contacts": await rows(Lease, mine_lease),
        "calls": await rows(Call, Call.lease_id.in_(select(Lease.id).where(mine_lease))),
        "messages": await rows(Message, Message.author_id == member_id),
        "contact_reports": await rows(ContactReport, ContactReport.reporter_id == member_id),
        "notices": await rows(Notice, Notice.member_id == member_id),
        "log": await rows(AuditRow, or_(AuditRow.actor == member_id, and_(AuditRow.subject == member_id, not_blocked))),
    }


def _readable(row: Any, key: DataKey, member_id: str) -> dict[str, Any]:
    """A row's columns in JSON's terms: moments as RFC 3339, the sealed opened, look-ups and our own numbering left out,
    and instead of anybody else's id null.
    """
    table = row.__table__
    found = {
        c.name: _value(getattr(row, c.name), c.info == SEALED, table.name, c.name, _row_id(row), key)
        for c in table.columns
        if c.info != LOOKUP and c.name not in _NOT_THEIRS
    }
    for name in _PEOPLE & found.keys():
        found[name] = member_id if found[name] == member_id else None
    if isinstance(row, Lease) and row.because is not None:
        found["because"] = contacts.told_because(row.because)
    if isinstance(row, Match) and row.state == "withdrawn":
        found["because"] = None
    return found


def _row_id(row: Any) -> str:
    return str(getattr(row, "id", ""))


def _value(value: Any, sealed: bool, table: str, column: str, row_id: str, key: DataKey) -> Any:
    if isinstance(value, bytes):
        return sealing.unseal_text(key, value, table=table, column=column, row=row_id) if sealed else None
    if hasattr(value, "tzinfo"):
        return rfc3339(value)
    return value.isoformat() if hasattr(value, "isoformat") else value
