"""What members are answered about their inbox."""

from mutualaid.kit.fields import Cursor, Limit, Moment, Query, View
from mutualaid.kit.texts import Language
from mutualaid.notices import texts
from mutualaid.notices.records import Notice
from mutualaid.notices.rules import Kind, SubjectType


class PageQuery(Query):
    """One's own inbox."""

    limit: Limit = 20
    cursor: Cursor | None = None


class SubjectView(View):
    """What it is about: one's own post, match or contact, or one's own account."""

    type: SubjectType
    id: str


class NoticeView(View):
    """One notice, said in the reader's language."""

    id: str
    kind: Kind
    text: str
    subject: SubjectView
    params: dict[str, str]
    read: bool
    created_at: Moment

    @classmethod
    def of(cls, notice: Notice, language: Language) -> "NoticeView":
        return cls(
            id=notice.id,
            kind=notice.kind,
            text=texts.inbox(notice.kind, notice.params, language),
            subject=SubjectView(type=notice.subject_type, id=notice.subject_id),
            params=notice.params,
            read=notice.read_at is not None,
            created_at=notice.created_at,
        )


class NoticeList(View):
    """Newest first; `unread` counts the whole inbox."""

    items: list[NoticeView]
    unread: int
    next_cursor: str | None
