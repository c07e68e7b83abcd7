"""What a suspended member is told at the top of pages, before they begin anything."""

from sqlalchemy import select
from starlette.requests import Request

from mutualaid.kit.doors import language
from mutualaid.kit.texts import say
from mutualaid.members.errors import Suspended
from mutualaid.notices.records import Notice
from mutualaid.notices.wire import NoticeView
from mutualaid.services import of


async def told(request: Request) -> str | None:
    """That the caller is suspended, and why as they were told then; None for all others."""
    if not request.user.suspended:
        return None
    spoken, theirs = language(request), (Notice.member_id == request.user.id, Notice.kind == "suspended")
    async with of(request).database.reading() as session:
        last = await session.scalar(select(Notice).where(*theirs).order_by(Notice.created_at.desc()).limit(1))
    return NoticeView.of(last, spoken).text if last is not None else say(Suspended.text, spoken)
