"""What moderators write and are answered."""

from typing import Annotated, Any, Literal

from pydantic import Field

from mutualaid.kit.fields import Cursor, Draft, FreeText, Id, Limit, Moment, Query, View
from mutualaid.members.records import Member, Status
from mutualaid.members.rules import RealName, Role
from mutualaid.moderation.rules import Part, Reason, State
from mutualaid.posts.wire import PostView

Note = Annotated[FreeText, Field(max_length=500)]


class MemberRulingDraft(Draft):
    """Why. The note is for other moderators: it is sealed, and members are told the reason only."""

    reason: Reason
    note: Note = ""


class PostRulingDraft(MemberRulingDraft):
    """`cut_contacts`: numbers that were given for this post end at once."""

    cut_contacts: bool = False


class CaseQuery(Query):
    """Which cases. Past its ten minutes a claimed case is open again."""

    state: State | None = None
    reason: Reason | None = None
    limit: Limit = 20
    cursor: Cursor | None = None


class LogQuery(Query):
    """`subject`: only what was done to this row, member or post."""

    subject: Id | None = None
    limit: Limit = 20
    cursor: Cursor | None = None


class PartView(View):
    id: str
    role: Part


class ReportView(View):
    """What a reporter said; `note` is null where nothing was written, or where its writer is no longer here."""

    reason: Reason
    note: str | None
    made_at: Moment


class CaseView(View):
    """Something to look at; `post` is a card whatever its state, `match` and `contact` are ids."""

    id: str
    state: State
    reason: Reason
    post: PostView | None
    match: str | None
    contact: str | None
    members: list[PartView]
    reports: list[ReportView]
    claimed_by: str | None
    claimed_until: Moment | None
    created_at: Moment
    closed_at: Moment | None


class CaseList(View):
    """The oldest first."""

    items: list[CaseView]
    next_cursor: str | None


class MemberView(View):
    """A member as moderators see them: no phone, no legal name."""

    id: str
    display_name: str
    real_name: RealName
    role: Role
    suspended: bool
    created_at: Moment

    @classmethod
    def of(cls, member: Member) -> "MemberView":
        real_name: RealName = member.real_name  # type: ignore[assignment] # the column holds one of the three
        role: Role = member.role  # type: ignore[assignment] # the column holds one of the four
        return cls(
            id=member.id,
            display_name=member.display_name,
            real_name=real_name,
            role=role,
            suspended=member.status == Status.SUSPENDED.value,
            created_at=member.created_at,
        )


class LogRow(View):
    """One audit row. `actor` null is the house itself; `number` null is not chained yet."""

    id: str
    number: int | None
    at: Moment
    actor: str | None
    deed: str
    subject: str
    facts: dict[str, Any]


class LogList(View):
    """Newest first."""

    items: list[LogRow]
    next_cursor: str | None


class VerdictView(View):
    """Whether the chain holds; `broken_at` is the number of the first row that does not, `why` one word."""

    ok: bool
    rows: int
    broken_at: int | None
    why: Literal["missing", "altered", "relinked", "rebuilt", "truncated"] | None
