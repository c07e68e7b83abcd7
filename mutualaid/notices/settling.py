"""Notices that ask for something which is over: read, since there is nothing left to answer. In prepared statements."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from sqlalchemy import bindparam, literal, update

from mutualaid.kit import audit
from mutualaid.kit.audit import AuditRow
from mutualaid.kit.instants import Instant
from mutualaid.kit.plain import Plain, put_rows
from mutualaid.kit.prepared import Prepared, among
from mutualaid.notices.records import Notice

_NOTICES: Final[Any] = Notice.__table__


async def answered(plain: Plain, match_ids: Collection[str], member_ids: Collection[str], *, now: datetime) -> None:
    """What these members were told of these proposals asks for nothing any more."""
    if not match_ids:
        return
    rows = await plain.fetch(_READ, matches=sorted(match_ids), members=sorted(member_ids), now=now)
    notes = [
        audit.row(plain.ring, actor=None, deed="notice.read", subject=row[0], now=now, facts={"why": "over"})
        for row in rows
    ]
    await put_rows(plain, AuditRow, notes)


def _read(dialect: str, prefix: str) -> Any:
    now = bindparam(f"{prefix}now", type_=Instant(), required=True)
    notice = _NOTICES.c
    told = (among(notice.member_id, "members", dialect, prefix), notice.kind == literal("proposed"))
    these = among(notice.subject_id, "matches", dialect, prefix)
    written = update(_NOTICES).values(read_at=now).where(*told, these, notice.read_at.is_(None))
    return written.returning(notice.id)


_READ: Final = Prepared(_read)
