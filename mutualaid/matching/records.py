"""Match and MatchLine, named by role, and their transitions.

proposed → accepted → agreed → completed | failed; an open one also → declined | lapsed; any live one → withdrawn.
A row guards its own states: the public verbs go through one private gate. What a match counts for stands on the posts'
lines, see `reserving`; the caller holds the locks of both posts.
"""

from datetime import datetime
from typing import Literal

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, String, and_, case, func, literal, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from mutualaid.kit.database import Base, Instant
from mutualaid.kit.privacy import CLEAR
from mutualaid.matching.errors import AlreadyAccepted, MatchClosed, MatchNotAgreed, MatchNotOpen
from mutualaid.matching.rules import OBJECTION, FailReason
from mutualaid.posts.rules import Kind

State = Literal["proposed", "accepted", "agreed", "completed", "declined", "lapsed", "withdrawn", "failed"]
WithdrawnBecause = Literal["post_ended", "post_hidden", "amended", "rerouted", "blocked", "suspended", "erased"]
Objection = Literal["completed"] | FailReason
OPEN: tuple[State, ...] = ("proposed", "accepted")
LIVE: tuple[State, ...] = (*OPEN, "agreed")
NEVER_AGAIN: tuple[State, ...] = ("declined", "failed")
_LIVE_SQL = text("state IN ('proposed', 'accepted', 'agreed')")
_MAY: dict[State, frozenset[State]] = {
    "proposed": frozenset({"accepted", "agreed", "declined", "lapsed", "withdrawn"}),
    "accepted": frozenset({"agreed", "declined", "lapsed", "withdrawn"}),
    "agreed": frozenset({"completed", "failed", "withdrawn"}),
}


class Match(Base):
    """A need and an offer that were proposed to each other, by the house or by a pledge; `round` counts from 1.

    `reserved`: its amounts count on the lines of both posts, as proposed while it is open, as held once it is agreed.

    The two authors stand here too, for lists by member. They are no foreign keys: writing one would wait for the lock of
    the member's row while the posts are locked, and those who lock a member go on to lock posts.

    `objection`: what the other side says of a match that it disputes, `completed` or why it failed; `settled_at`: when a
    moderator had looked.
    """

    __tablename__ = "matches"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    need_post_id: Mapped[str] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"))
    offer_post_id: Mapped[str] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"))
    need_author_id: Mapped[str] = mapped_column(String(40))
    offer_author_id: Mapped[str] = mapped_column(String(40))
    round: Mapped[int]
    state: Mapped[State] = mapped_column(String(9))
    need_accepted: Mapped[bool] = mapped_column(default=False)
    offer_accepted: Mapped[bool] = mapped_column(default=False)
    pledged: Mapped[bool] = mapped_column(default=False)
    reserved: Mapped[bool] = mapped_column(default=False)
    proposed_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    agreed_at: Mapped[datetime | None] = mapped_column(Instant)
    closed_at: Mapped[datetime | None] = mapped_column(Instant)
    closed_by: Mapped[Kind | None] = mapped_column(String(5))
    because: Mapped[str | None] = mapped_column(String(12))
    answered: Mapped[bool] = mapped_column(default=False)
    disputed: Mapped[bool] = mapped_column(default=False)
    objection: Mapped[Objection | None] = mapped_column(String(12))
    settled_at: Mapped[datetime | None] = mapped_column(Instant)

    lines: Mapped[list["MatchLine"]] = relationship(
        order_by="MatchLine.position", lazy="selectin", cascade="all, delete-orphan"
    )

    __table_args__ = (
        Index(
            "uq_matches_live_pair",
            "need_post_id",
            "offer_post_id",
            unique=True,
            sqlite_where=_LIVE_SQL,
            postgresql_where=_LIVE_SQL,
        ),
        Index("uq_matches_round", "need_post_id", "offer_post_id", "round", unique=True),
        Index("ix_matches_offer", "offer_post_id", "proposed_at"),
        Index("ix_matches_need_author", "need_author_id", "proposed_at"),
        Index("ix_matches_offer_author", "offer_author_id", "proposed_at"),
    )

    @property
    def post_ids(self) -> tuple[str, str]:
        return self.need_post_id, self.offer_post_id

    @property
    def live(self) -> bool:
        return self.state in LIVE

    @property
    def accepted_by(self) -> list[Kind]:
        """Which sides have said yes."""
        said: list[tuple[Kind, bool]] = [("need", self.need_accepted), ("offer", self.offer_accepted)]
        return [side for side, yes in said if yes]

    def side_of(self, member_id: str) -> Kind:
        """Which side this member is; the caller has seen that they are one."""
        return "need" if member_id == self.need_author_id else "offer"

    def counterpart(self, member_id: str) -> str:
        """The other of the two members."""
        return self.offer_author_id if self.side_of(member_id) == "need" else self.need_author_id

    def _become(self, state: State) -> None:
        """The one gate of the states."""
        if state not in _MAY.get(self.state, frozenset()):
            raise MatchNotOpen
        self.state = state

    def _end(self, state: State, now: datetime, *, by: Kind | None = None, because: str | None = None) -> None:
        self._become(state)
        self.closed_at, self.closed_by, self.because = now, by, because

    def still_open(self, now: datetime) -> None:
        """Raise for one that is agreed, has ended, or whose time is over though the sweep has not come by yet."""
        if self.state not in OPEN or self.expires_at <= now:
            raise MatchNotOpen

    def still_acceptable(self, side: Kind, now: datetime) -> None:
        """Raise where this side's yes can no longer count."""
        if side in self.accepted_by and self.live:
            raise AlreadyAccepted
        self.still_open(now)

    def accept(self, side: Kind, now: datetime) -> bool:
        """One side says yes; True when both have, which makes it agreed."""
        self.still_acceptable(side, now)
        if side == "need":
            self.need_accepted = True
        else:
            self.offer_accepted = True
        both = self.need_accepted and self.offer_accepted
        self._become("agreed" if both else "accepted")
        if both:
            self.agreed_at, self.reserved = now, True
        return both

    def pledge(self, side: Kind, lines: list["MatchLine"], *, reserved: bool, until: datetime) -> None:
        """One side offers or asks for these amounts of its own accord."""
        if side == "need":
            self.need_accepted = True
        else:
            self.offer_accepted = True
        if self.state != "accepted":
            self._become("accepted")
        self.pledged, self.reserved, self.lines, self.expires_at = True, reserved, lines, until

    def decline(self, side: Kind, now: datetime) -> None:
        self._end("declined", now, by=side)

    def lapse(self, now: datetime) -> None:
        self._end("lapsed", now)

    def withdraw(self, because: WithdrawnBecause, now: datetime) -> None:
        self._end("withdrawn", now, because=because)

    def close(self, side: Kind, now: datetime, *, reason: FailReason | None) -> bool:
        """One side says how it went: handed over (`reason` None) or not. True if this decided it.

        False: the other side had said so before, and this is the answer to it, which comes once and within 24 hours.
        """
        if self.state in OPEN:
            raise MatchNotAgreed
        if self.state == "agreed":
            self._end("failed" if reason else "completed", now, by=side, because=reason)
            return True
        late = self.closed_at is None or now > self.closed_at + OBJECTION
        if self.state not in ("completed", "failed") or side == self.closed_by or self.answered or late:
            raise MatchClosed
        self.answered = True
        return False


class MatchLine(Base):
    """So much of an offer's line for a need's; `completed` is what was handed over, `objected` what the other side says was."""

    __tablename__ = "match_lines"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    match_id: Mapped[str] = mapped_column(ForeignKey("matches.id", ondelete="CASCADE"), index=True)
    position: Mapped[int]
    need_line_id: Mapped[str] = mapped_column(ForeignKey("post_lines.id", ondelete="CASCADE"), index=True)
    offer_line_id: Mapped[str] = mapped_column(ForeignKey("post_lines.id", ondelete="CASCADE"), index=True)
    item: Mapped[str] = mapped_column(String(64), info=CLEAR)
    quantity: Mapped[int]
    completed: Mapped[int] = mapped_column(default=0)
    objected: Mapped[int | None]

    __table_args__ = (CheckConstraint("0 < quantity AND 0 <= completed AND completed <= quantity", name="amounts"),)


def counted() -> ColumnElement[int]:
    """How much of a match's line its needer is promised or was given. Where they dispute the giver's word, theirs counts
    once a moderator has looked: nobody's cap fills up with what they never got, nor is freed by their own word alone."""
    match, line = Match.__table__.c, MatchLine.__table__.c
    settled = and_(match.disputed.is_(True), match.settled_at.is_not(None))
    theirs = and_(settled, match.closed_by == literal("offer"))
    given = case((theirs, func.coalesce(line.objected, line.completed)), else_=line.completed)
    return case((match.state == literal("completed"), given), else_=line.quantity)
