"""Post, PostLine and their transitions: open → resolved | withdrawn | expired | closed; hidden, and back.

A row guards its own states: the public verbs go through one private gate. Quantities: `quantity` is what was posted,
`remaining` falls when a handover is completed, `held` is what agreed matches have reserved, `proposed` what the house's
open proposals keep; always held + proposed ≤ remaining ≤ quantity, which the database checks too. `waiting` and
`contacted` are what the plaza's urgent order is made of: see `rules.urgent_rank`.
"""

from datetime import date, datetime
from typing import Any, Literal

from sqlalchemy import JSON, CheckConstraint, Date, ForeignKey, Index, LargeBinary, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from mutualaid.kit.database import Base, Instant
from mutualaid.kit.privacy import CLEAR, SEALED
from mutualaid.kit.spots import Spot
from mutualaid.posts.errors import PostNotOpen, QuantityGone, QuantityHeld
from mutualaid.posts.rules import AgeBand, Contact, Handover, Kind, Outcome, Urgency, Window
from mutualaid.posts.words import LONGEST_ROW

State = Literal["open", "hidden", "resolved", "withdrawn", "expired", "closed"]
HiddenBy = Literal["urgent_review", "note_review", "reports", "moderator", "suspension"]
ENDED: frozenset[State] = frozenset({"resolved", "withdrawn", "expired", "closed"})
_MAY: dict[State, frozenset[State]] = {
    "open": frozenset({"resolved", "withdrawn", "expired", "closed", "hidden"}),
    "hidden": frozenset({"open", "resolved", "withdrawn", "expired", "closed"}),
}


def windows_of(available: list[Any]) -> list[Window]:
    """When somebody is there, as it is stored; empty is any time."""
    return [Window(datetime.fromisoformat(start), datetime.fromisoformat(end)) for start, end in available]


class Post(Base):
    """A need or an offer. What a reader sees of its place is `cell` (H3), decided once; no point is kept here."""

    __tablename__ = "posts"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    author_id: Mapped[str] = mapped_column(ForeignKey("members.id"), index=True)
    kind: Mapped[Kind] = mapped_column(String(5))
    state: Mapped[State] = mapped_column(String(9))
    hidden_by: Mapped[HiddenBy | None] = mapped_column(String(13))
    hidden_at: Mapped[datetime | None] = mapped_column(Instant)
    cell: Mapped[str] = mapped_column(String(16), info=CLEAR)
    spot: Mapped[str] = mapped_column(Spot, info=CLEAR, default=lambda made: made.get_current_parameters()["cell"])
    region: Mapped[str] = mapped_column(String(6), info=CLEAR)
    urgency: Mapped[Urgency] = mapped_column(String(6))
    urgent_at: Mapped[datetime | None] = mapped_column(Instant)
    """When it was called urgent last, whatever it is called now."""
    reach_km: Mapped[int]
    handover: Mapped[list[Handover]] = mapped_column(JSON)
    contact: Mapped[Contact] = mapped_column(String(7))
    for_other: Mapped[bool]
    beneficiary_age_band: Mapped[AgeBand | None] = mapped_column(String(8), info=CLEAR)
    keeps_enough: Mapped[bool]
    available: Mapped[list[Any]] = mapped_column(JSON, info=CLEAR)
    note: Mapped[str] = mapped_column(info=CLEAR)
    scrubbed: Mapped[bool]
    note_approved: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(Instant)
    confirmed_at: Mapped[datetime] = mapped_column(Instant)
    until: Mapped[datetime] = mapped_column(Instant)
    waiting: Mapped[int] = mapped_column(SmallInteger, default=0)
    contacted: Mapped[int] = mapped_column(default=0)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    outcome: Mapped[Outcome | None] = mapped_column(String(16))

    lines: Mapped[list["PostLine"]] = relationship(
        order_by="PostLine.position", lazy="selectin", cascade="all, delete-orphan"
    )

    __table_args__ = (
        Index("ix_posts_ended", "state", "ended_at"),
        Index("ix_posts_waiting", "state", "waiting", "created_at"),
    )

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def windows(self) -> list[Window]:
        """When the author is there; empty is any time."""
        return windows_of(self.available)

    def line(self, line_id: str) -> "PostLine | None":
        return next((line for line in self.lines if line.id == line_id), None)

    def _become(self, state: State, now: datetime) -> None:
        """The one gate of the states."""
        if state not in _MAY.get(self.state, frozenset()):
            raise PostNotOpen
        self.state = state
        if state in ENDED:
            self.ended_at = now
        self.hidden_by, self.hidden_at = None, None

    def resolve(self, outcome: Outcome, now: datetime) -> None:
        self._become("resolved", now)
        self.outcome = outcome

    def withdraw(self, now: datetime) -> None:
        self._become("withdrawn", now)

    def expire(self, now: datetime) -> None:
        self._become("expired", now)

    def close(self, now: datetime) -> None:
        self._become("closed", now)

    def hide(self, by: HiddenBy, now: datetime) -> None:
        """Off the plaza for now; one that is hidden already stays so for its first reason, unless a moderator rules."""
        if self.state == "hidden":
            if by == "moderator":
                self.hidden_by = by
            return
        self._become("hidden", now)
        self.hidden_by, self.hidden_at = by, now

    def restore(self, now: datetime) -> None:
        if self.state != "hidden":
            raise PostNotOpen
        self._become("open", now)

    def confirm(self, now: datetime) -> None:
        """Still here."""
        self.still_going()
        self.confirmed_at = now

    def still_going(self) -> None:
        """Raise for a post that has ended."""
        if self.ended:
            raise PostNotOpen


class PostLine(Base):
    """One item of a post and how much of it."""

    __tablename__ = "post_lines"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    post_id: Mapped[str] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"))
    position: Mapped[int]
    item: Mapped[str] = mapped_column(String(64), info=CLEAR)
    quantity: Mapped[int]
    remaining: Mapped[int]
    held: Mapped[int] = mapped_column(default=0)
    proposed: Mapped[int] = mapped_column(default=0)
    expires_on: Mapped[date | None] = mapped_column(Date)
    sealed: Mapped[bool] = mapped_column(default=False)
    substitutes: Mapped[bool] = mapped_column(default=False)

    __table_args__ = (
        CheckConstraint(
            "0 <= held AND 0 <= proposed AND held + proposed <= remaining AND remaining <= quantity", name="amounts"
        ),
        Index("ix_post_lines_post_id", "post_id", "item"),
        Index("ix_post_lines_item", "item", "post_id"),
    )

    @property
    def free(self) -> int:
        """What nobody was promised: cards and filters show this."""
        return self.remaining - self.held

    @property
    def spare(self) -> int:
        """What is in no proposal either: all that may still be proposed."""
        return self.remaining - self.held - self.proposed

    def set_quantity(self, quantity: int) -> None:
        """Post another amount: what was handed over stays handed over, what is promised stays promised.

        Proposals that would no longer fit were withdrawn before, see `matching.amending`.
        """
        remaining = quantity - (self.quantity - self.remaining)
        if remaining < self.held + self.proposed:
            raise QuantityHeld
        self.quantity, self.remaining = quantity, remaining

    def propose(self, amount: int) -> None:
        """Keep so much for a proposal; the row is locked by the caller's transaction."""
        if amount > self.spare:
            raise QuantityGone
        self.proposed += amount

    def take_back(self, amount: int) -> None:
        """A proposal is over, or has become a promise."""
        self.proposed -= amount

    def hold(self, amount: int) -> None:
        """Reserve; the row is locked by the caller's transaction."""
        if amount > self.spare:
            raise QuantityGone
        self.held += amount

    def free_up(self, amount: int) -> None:
        """Give back what was reserved."""
        self.held -= amount

    def hand_over(self, amount: int) -> None:
        """It changed hands: of what was reserved, this much is gone."""
        self.held -= amount
        self.remaining -= amount


class PostWord(Base):
    """A word of an unended post's note, or what stands for one of its items, see `words`: readable as the note itself is.

    No key to the post and no index by it: both would cost as much as the rows, and which rows a post has follows from it."""

    __tablename__ = "post_words"

    word: Mapped[str] = mapped_column(String(LONGEST_ROW), primary_key=True, info=CLEAR)
    post_id: Mapped[str] = mapped_column(String(40), primary_key=True)

    __table_args__ = ({"sqlite_with_rowid": False},)  # the key is the table


class UnsortedWords(Base):
    """All words of a post that are not in `post_words` yet: written with its note, sorted in later, many posts at once."""

    __tablename__ = "post_words_unsorted"

    post_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    words: Mapped[list[str]] = mapped_column(JSON, info=CLEAR)

    __table_args__ = ({"sqlite_with_rowid": False},)


class Report(Base):
    """A member's report of a post. Its free text is sealed under the reporter's data key."""

    __tablename__ = "post_reports"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    post_id: Mapped[str] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"))
    reporter_id: Mapped[str] = mapped_column(ForeignKey("members.id"), index=True)
    reason: Mapped[str] = mapped_column(String(16))
    note: Mapped[bytes | None] = mapped_column(LargeBinary, info=SEALED)
    counts: Mapped[bool]
    ruled_at: Mapped[datetime | None] = mapped_column(Instant)
    made_at: Mapped[datetime] = mapped_column(Instant)

    __table_args__ = (Index("uq_post_reports_once", "post_id", "reporter_id", unique=True),)
