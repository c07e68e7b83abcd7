"""Lease, Seat, PoolNumber, Call, Message, ContactReport.

asked → granted → released | failed; an asked one may also be released. Extending is no state, and quarantine belongs to the
seats. A lease is written by conditional statements only (`store.move`): state and `fence` are part of the condition, so
a writer that was paused while the lease moved on writes nothing.
"""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from mutualaid.contacts.rules import Channel, EndedBecause, Outcome, Role, State
from mutualaid.kit.database import Base, Instant
from mutualaid.kit.privacy import LOOKUP, SEALED
from mutualaid.posts.rules import ReportReason
from mutualaid.providers.numbers import Cause

_LIVE_SQL = text("state IN ('asked', 'granted')")
_BOUND_SQL = text("binding_key IS NOT NULL AND unbound_at IS NULL")  # what the provider holds, or may


class Lease(Base):
    """Two members may reach each other. `owner_id` is the author of `post_id`; of a match `other_post_id` is the other post.

    `x` is a number of ours, `extension` what is keyed in after it (AXE); under `words` both are set while an upgrade to a
    call is under way. `wants_call`: words stand in
    for a call until a number is free. `binding`: what the provider calls it; `unbound_at`: when it let go of it.
    The two members are no foreign keys: see `matching.records.Match`.
    """

    __tablename__ = "leases"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    post_id: Mapped[str] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"))
    other_post_id: Mapped[str | None] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"), index=True)
    match_id: Mapped[str | None] = mapped_column(String(40))
    asker_id: Mapped[str] = mapped_column(String(40))
    owner_id: Mapped[str] = mapped_column(String(40))
    channel: Mapped[Channel] = mapped_column(String(5))
    wants_call: Mapped[bool]
    state: Mapped[State] = mapped_column(String(8))
    x: Mapped[str | None] = mapped_column(String(16))
    extension: Mapped[str | None] = mapped_column(String(4))
    fence: Mapped[int] = mapped_column(default=0)
    asked_at: Mapped[datetime] = mapped_column(Instant)
    granted_at: Mapped[datetime | None] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    extensions: Mapped[int] = mapped_column(default=0)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    because: Mapped[EndedBecause | None] = mapped_column(String(17))
    failed: Mapped[str | None] = mapped_column(String(32))
    binding_key: Mapped[str | None] = mapped_column(String(48))
    binding_ref: Mapped[str | None] = mapped_column(String(128))
    unbound_at: Mapped[datetime | None] = mapped_column(Instant)

    __table_args__ = (
        Index(
            "uq_leases_live_match",
            "match_id",
            unique=True,
            sqlite_where=text("match_id IS NOT NULL AND state IN ('asked', 'granted')"),
            postgresql_where=text("match_id IS NOT NULL AND state IN ('asked', 'granted')"),
        ),
        Index("ix_leases_post", "post_id", "state"),
        Index("ix_leases_asker", "asker_id", "asked_at"),
        Index("ix_leases_owner", "owner_id", "asked_at"),
        Index("ix_leases_live", "expires_at", sqlite_where=_LIVE_SQL, postgresql_where=_LIVE_SQL),
        Index("ix_leases_bound", "x", sqlite_where=_BOUND_SQL, postgresql_where=_BOUND_SQL),
    )

    def parties(self) -> tuple[str, str]:
        return self.asker_id, self.owner_id

    def counterpart(self, member_id: str) -> str:
        """The other of the two."""
        return self.owner_id if member_id == self.asker_id else self.asker_id


class Seat(Base):
    """One person on one number, until quarantine is over: live and quarantined seats both count. The lease tells which.

    `person_key` is an HMAC of the phone, pinned for the lease: A as caller here and callee there is the same person.
    `extension` is empty in AXB, where a person stands on a number once; in AXE it belongs to one lease alone.
    """

    __tablename__ = "seats"

    x: Mapped[str] = mapped_column(String(16), primary_key=True)
    extension: Mapped[str] = mapped_column(String(4), primary_key=True, default="")
    person_key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True, info=LOOKUP)
    lease_id: Mapped[str] = mapped_column(ForeignKey("leases.id", ondelete="CASCADE"), index=True)
    role: Mapped[Role] = mapped_column(String(1))
    until: Mapped[datetime] = mapped_column(Instant)

    __table_args__ = (
        Index("ix_seats_person", "person_key", "until"),
        Index(
            "uq_seats_extension",
            "x",
            "extension",
            "role",
            unique=True,
            sqlite_where=text("extension <> ''"),
            postgresql_where=text("extension <> ''"),
        ),
    )


class PoolNumber(Base):
    """A number of ours, where it is at home, and when it was last given out: the one that rested longest is given next."""

    __tablename__ = "pool_numbers"

    x: Mapped[str] = mapped_column(String(16), primary_key=True)
    offered: Mapped[bool]
    city: Mapped[str | None] = mapped_column(String(6))
    used_at: Mapped[datetime] = mapped_column(Instant)

    __table_args__ = (Index("ix_pool_numbers_rested", "offered", "used_at"),)


class Call(Base):
    """One call by a lease. `outcome` is unknown until the provider tells; no phone stands here, only HMACs.

    `at` is ours; the other times are the provider's: set up, rang, answered, ended. They are kept and decide nothing.
    """

    __tablename__ = "calls"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    maker: Mapped[str] = mapped_column(String(16))
    call_id: Mapped[str] = mapped_column(String(100))
    lease_id: Mapped[str] = mapped_column(ForeignKey("leases.id", ondelete="CASCADE"))
    caller_key: Mapped[bytes] = mapped_column(LargeBinary, info=LOOKUP)
    callee_key: Mapped[bytes] = mapped_column(LargeBinary, info=LOOKUP)
    by: Mapped[Role] = mapped_column(String(1))
    outcome: Mapped[Outcome | None] = mapped_column(String(9))
    seconds: Mapped[int] = mapped_column(default=0)
    at: Mapped[datetime] = mapped_column(Instant)
    cause: Mapped[Cause | None] = mapped_column(String(14))
    set_up_at: Mapped[datetime | None] = mapped_column(Instant)
    rang_at: Mapped[datetime | None] = mapped_column(Instant)
    answered_at: Mapped[datetime | None] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)

    __table_args__ = (
        Index("uq_calls_call", "maker", "call_id", unique=True),
        Index("ix_calls_lease", "lease_id", "at"),
        Index("ix_calls_caller", "caller_key", "at"),
        Index("ix_calls_at", "at"),
    )


class Message(Base):
    """In-app words, scrubbed, sealed under their author's key. `position` counts from 1 within a lease."""

    __tablename__ = "messages"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    lease_id: Mapped[str] = mapped_column(ForeignKey("leases.id", ondelete="CASCADE"))
    author_id: Mapped[str] = mapped_column(String(40))
    position: Mapped[int]
    words: Mapped[bytes] = mapped_column(LargeBinary, info=SEALED)
    scrubbed: Mapped[bool]
    at: Mapped[datetime] = mapped_column(Instant)

    __table_args__ = (
        Index("uq_messages_position", "lease_id", "position", unique=True),
        Index("ix_messages_author", "author_id"),
    )


class ContactReport(Base):
    """One of the two asks a moderator to look. The free text is sealed under the reporter's key."""

    __tablename__ = "contact_reports"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    lease_id: Mapped[str] = mapped_column(ForeignKey("leases.id", ondelete="CASCADE"))
    reporter_id: Mapped[str] = mapped_column(String(40))
    reason: Mapped[ReportReason] = mapped_column(String(16))
    note: Mapped[bytes | None] = mapped_column(LargeBinary, info=SEALED)
    made_at: Mapped[datetime] = mapped_column(Instant)

    __table_args__ = (Index("uq_contact_reports_once", "lease_id", "reporter_id", unique=True),)
