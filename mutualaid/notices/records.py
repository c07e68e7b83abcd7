"""Notice: that a member was told of something, once. What it says is said anew for each reader (`texts`)."""

from datetime import datetime

from sqlalchemy import JSON, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from mutualaid.kit.database import Base, Instant
from mutualaid.notices.rules import Kind, SubjectType


class Notice(Base):
    """One line of an inbox. `params`: codes and ids only. `occasion` tells apart what may happen to a subject twice.

    The member is no foreign key: writing one would wait for the lock of the member's row while posts are locked, and
    those who lock a member go on to lock posts.
    """

    __tablename__ = "notices"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    member_id: Mapped[str] = mapped_column(String(40))
    kind: Mapped[Kind] = mapped_column(String(16))
    params: Mapped[dict[str, str]] = mapped_column(JSON)
    subject_type: Mapped[SubjectType] = mapped_column(String(8))
    subject_id: Mapped[str] = mapped_column(String(40))
    occasion: Mapped[str] = mapped_column(String(40))
    created_at: Mapped[datetime] = mapped_column(Instant)
    read_at: Mapped[datetime | None] = mapped_column(Instant)

    __table_args__ = (
        Index("uq_notices_once", "member_id", "kind", "subject_id", "occasion", unique=True),
        Index("ix_notices_inbox", "member_id", "created_at", "id"),
    )
