"""Case, CaseMember, Ruling.

One case stands open for a subject and a reason; further reports join it. A claim is a lease: past `claimed_until` the case
is open again, whatever the column says (`store.claim_holds`). A ruling keeps why; its free text is sealed under the
moderator's key, and the audit row holds a commitment to it, whose salt stands here and can be erased.
Members and posts are no foreign keys here: see `matching.records.Match`.
"""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from mutualaid.kit.database import Base, Instant
from mutualaid.kit.privacy import SEALED
from mutualaid.moderation.rules import MemberDeed, Part, PostDeed, Reason, State

_STANDS = text("state <> 'closed'")


class Ruling(Base):
    """A moderator's decision on a post or a member."""

    __tablename__ = "rulings"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    moderator_id: Mapped[str] = mapped_column(String(40), index=True)
    post_id: Mapped[str | None] = mapped_column(String(40), index=True)
    member_id: Mapped[str | None] = mapped_column(String(40), index=True)
    deed: Mapped[PostDeed | MemberDeed] = mapped_column(String(8))
    reason: Mapped[Reason] = mapped_column(String(13))
    cut_contacts: Mapped[bool]
    note: Mapped[bytes | None] = mapped_column(LargeBinary, info=SEALED)
    salt: Mapped[bytes | None] = mapped_column(LargeBinary)
    made_at: Mapped[datetime] = mapped_column(Instant)


class Case(Base):
    """Something to look at. `subject_id`: the post, match, lease or member it is about; `post_id`: what a ruling closes."""

    __tablename__ = "cases"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    reason: Mapped[Reason] = mapped_column(String(13))
    state: Mapped[State] = mapped_column(String(7))
    subject_id: Mapped[str] = mapped_column(String(40))
    post_id: Mapped[str | None] = mapped_column(String(40), index=True)
    other_post_id: Mapped[str | None] = mapped_column(String(40), index=True)
    match_id: Mapped[str | None] = mapped_column(String(40))
    contact_id: Mapped[str | None] = mapped_column(String(40))
    claimed_by: Mapped[str | None] = mapped_column(String(40))
    claimed_until: Mapped[datetime | None] = mapped_column(Instant)
    created_at: Mapped[datetime] = mapped_column(Instant)
    closed_at: Mapped[datetime | None] = mapped_column(Instant)
    ruling_id: Mapped[str | None] = mapped_column(ForeignKey("rulings.id"))

    __table_args__ = (
        Index(
            "uq_cases_standing",
            "subject_id",
            "reason",
            unique=True,
            sqlite_where=_STANDS,
            postgresql_where=_STANDS,
        ),
        Index("ix_cases_queue", "state", "created_at", "id"),
    )


class CaseMember(Base):
    """Who plays which part in a case."""

    __tablename__ = "case_members"

    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id", ondelete="CASCADE"), primary_key=True)
    member_id: Mapped[str] = mapped_column(String(40), primary_key=True, index=True)
    part: Mapped[Part] = mapped_column(String(9))
