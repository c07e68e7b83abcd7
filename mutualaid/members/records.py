"""The rows of this room, and `Principal`: who is asking, as every door sees them.

`info` says what a column holds of a person: `sealed` (under a data key), `lookup` (an HMAC), or `clear` by design.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Date, ForeignKey, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from mutualaid.kit.database import Base, Instant
from mutualaid.kit.privacy import CLEAR, LOOKUP, SEALED
from mutualaid.kit.texts import Language
from mutualaid.members.rules import RealName, Role


class Status(StrEnum):
    """`erasing`: all that is theirs has ended, the data key is about to be destroyed; to everyone they are gone."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    ERASING = "erasing"
    ERASED = "erased"


PRESENT: Final = (Status.ACTIVE.value, Status.SUSPENDED.value)


class Member(Base):
    """One account. Erasing sets the look-ups to NULL, so that the phone and the WeChat account may begin anew."""

    __tablename__ = "members"

    id: Mapped[str] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(default=Status.ACTIVE.value)
    role: Mapped[str] = mapped_column(default="member")
    language: Mapped[str]
    display_name: Mapped[str] = mapped_column(info=CLEAR)
    created_at: Mapped[datetime] = mapped_column(Instant)

    phone: Mapped[bytes | None] = mapped_column(LargeBinary, info=SEALED)
    phone_lookup: Mapped[bytes | None] = mapped_column(LargeBinary, unique=True, info=LOOKUP)
    openid: Mapped[bytes | None] = mapped_column(LargeBinary, info=SEALED)
    openid_lookup: Mapped[bytes | None] = mapped_column(LargeBinary, unique=True, info=LOOKUP)
    unionid: Mapped[bytes | None] = mapped_column(LargeBinary, info=SEALED)

    real_name: Mapped[str] = mapped_column(default="none")
    real_name_at: Mapped[datetime | None] = mapped_column(Instant)
    legal_name: Mapped[bytes | None] = mapped_column(LargeBinary, info=SEALED)
    identity_lookup: Mapped[bytes | None] = mapped_column(LargeBinary, index=True, info=LOOKUP)
    age_band: Mapped[str | None] = mapped_column(info=CLEAR)
    left_at: Mapped[datetime | None] = mapped_column(Instant)
    tries_on: Mapped[date | None] = mapped_column(Date)
    tries: Mapped[int] = mapped_column(default=0)


class SessionRow(Base):
    """One sign-in. The token itself is nowhere: `token_hash` is its SHA-256 (256 random bits need no slow hash)."""

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(primary_key=True)
    member_id: Mapped[str] = mapped_column(ForeignKey("members.id"), index=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    channel: Mapped[str]
    signed_in_at: Mapped[datetime] = mapped_column(Instant)
    last_seen_at: Mapped[datetime] = mapped_column(Instant)
    ends_at: Mapped[datetime] = mapped_column(Instant, index=True)
    stepped_up_until: Mapped[datetime | None] = mapped_column(Instant)


class Challenge(Base):
    """A one-time code that was asked for. The code is derived (`rules.code_of`); a used challenge is a deleted row."""

    __tablename__ = "challenges"

    id: Mapped[str] = mapped_column(primary_key=True)
    phone: Mapped[bytes] = mapped_column(LargeBinary, info=SEALED)
    key_version: Mapped[int]
    tries: Mapped[int] = mapped_column(default=0)
    made_at: Mapped[datetime] = mapped_column(Instant)
    ends_at: Mapped[datetime] = mapped_column(Instant, index=True)


class Consent(Base):
    """One consent to one version of one text; withdrawn ones stay as the proof that and when they were given."""

    __tablename__ = "consents"

    id: Mapped[str] = mapped_column(primary_key=True)
    member_id: Mapped[str] = mapped_column(ForeignKey("members.id"), index=True)
    purpose: Mapped[str]
    version: Mapped[int]
    text_hash: Mapped[str]
    channel: Mapped[str]
    given_at: Mapped[datetime] = mapped_column(Instant)
    withdrawn_at: Mapped[datetime | None] = mapped_column(Instant)

    __table_args__ = (
        Index(
            "uq_consents_live",
            "member_id",
            "purpose",
            unique=True,
            sqlite_where=text("withdrawn_at IS NULL"),
            postgresql_where=text("withdrawn_at IS NULL"),
        ),
    )


class Anchor(Base):
    """A home: its true point, sealed, and the cell that everyone sees instead, decided once."""

    __tablename__ = "anchors"

    id: Mapped[str] = mapped_column(primary_key=True)
    member_id: Mapped[str] = mapped_column(ForeignKey("members.id"), index=True)
    point: Mapped[bytes] = mapped_column(LargeBinary, info=SEALED)
    cell: Mapped[str] = mapped_column(info=CLEAR)
    made_at: Mapped[datetime] = mapped_column(Instant)


class CrowdMark(Base):
    """That somebody was once anchored in a cell: it counts people and names none (an HMAC of person and cell, see `anchors`)."""

    __tablename__ = "crowd_marks"

    cell: Mapped[str] = mapped_column(primary_key=True, info=CLEAR)
    mark: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True, info=LOOKUP)


class Block(Base):
    """One member wants nothing more to do with another. Matching and contacts heed it in both directions."""

    __tablename__ = "blocks"

    blocker_id: Mapped[str] = mapped_column(ForeignKey("members.id"), primary_key=True)
    blocked_id: Mapped[str] = mapped_column(ForeignKey("members.id"), primary_key=True, index=True)
    made_at: Mapped[datetime] = mapped_column(Instant)


@dataclass(frozen=True, slots=True)
class Home:
    """An anchor as it is kept: its true point is sealed."""

    id: str
    cell: str
    point: bytes = field(repr=False)
    made: Any  # the driver's own moment, to be compared only


@dataclass(frozen=True, slots=True)
class Seen:
    """What else a deed needs to know of a member, and the mark of the rows that it was read from; see migrations/marks.py."""

    display_name: str
    homes: tuple[Home, ...]
    mark: str
    person: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking. `may_post`: real name checked or vouched, or the house does not ask for it.

    `consents`: the purposes for which theirs count, read with the session. `seen`: where more was read with it.
    `stepped_up` was decided by the database's clock when the session was read, also for a session that has just begun.
    """

    id: str = field(repr=False)
    session_id: str = field(repr=False)
    role: Role
    real_name: RealName
    age_band: str | None
    suspended: bool
    has_phone: bool
    may_post: bool
    signed_in_at: datetime
    stepped_up_until: datetime | None
    stepped_up: bool
    language: Language
    consents: frozenset[str] = frozenset()
    seen: Seen | None = field(default=None, repr=False)
