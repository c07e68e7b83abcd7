"""Rows of proposals by the dozen: what moves change is gathered, and written in a few statements.

The posts are locked by the caller, who has judged every move. The database checks what the lines then keep.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import String, bindparam, delete, literal, text, update

from mutualaid.kit import audit, outbox
from mutualaid.kit.audit import AuditRow
from mutualaid.kit.ids import row_id
from mutualaid.kit.instants import Instant
from mutualaid.kit.plain import Plain, put_rows
from mutualaid.kit.prepared import Prepared, among
from mutualaid.matching import proposing, rules
from mutualaid.matching.ground import Proposal
from mutualaid.matching.records import Match, MatchLine
from mutualaid.matching.rules import Share
from mutualaid.notices import settling
from mutualaid.posts.records import ENDED

Row = dict[str, Any]
_MATCHES: Final[Any] = Match.__table__
_LINES: Final[Any] = MatchLine.__table__


class Locked(NamedTuple):
    """A post under its lock."""

    id: str
    author_id: str
    state: str
    urgency: str
    until: datetime


class WriteFailed(Exception):
    """A row was not as it had been read under the locks: a fault of ours, and nothing is written."""


def units(shares: Iterable[Sequence[Share]]) -> Counter[str]:
    """Line of a post → how much of it these name."""
    found: Counter[str] = Counter()
    for each in shares:
        for share in each:
            found[share.need_line] += share.quantity
            found[share.offer_line] += share.quantity
    return found


@dataclass(slots=True)
class Changed:
    """What is to be written. `kept`: by how much the lines' `proposed` changes."""

    now: datetime
    withdrawn: list[str] = field(default_factory=list)
    members: set[str] = field(default_factory=set)  # of what is withdrawn
    altered: list[str] = field(default_factory=list)
    matches: list[Row] = field(default_factory=list)
    lines: list[Row] = field(default_factory=list)
    jobs: list[Row] = field(default_factory=list)
    deeds: list[tuple[str, str, audit.Facts]] = field(default_factory=list)
    kept: Counter[str] = field(default_factory=Counter)

    def withdraw(self, proposal: Proposal, posts: Iterable[Locked]) -> None:
        """It gives way to a better one. Nobody had said yes, so nobody waits; a post whose own time was over is looked at by
        its clock."""
        self.withdrawn.append(proposal.match_id)
        posts = list(posts)
        self.members.update(post.author_id for post in posts)
        self.deeds.append((proposal.match_id, "match.withdrawn", {"why": "rerouted"}))
        self.kept.subtract(units([proposal.shares]))
        for post in posts:
            if post.state not in ENDED and post.until <= self.now:
                self.jobs.append(outbox.job("post.due", {"post": post.id}, at=self.now))

    def alter(self, proposal: Proposal, shares: Sequence[Share]) -> None:
        """The same proposal with other amounts: nobody has said yes to the old ones, and nobody is told twice."""
        self.altered.append(proposal.match_id)
        self.deeds.append((proposal.match_id, "match.altered", proposing.amounts(shares)))
        self.kept.subtract(units([proposal.shares]))
        self._keep(proposal.match_id, shares)

    def make(self, need: Locked, offer: Locked, shares: Sequence[Share], *, round_: int) -> None:
        """A new proposal, of which both sides are told."""
        match_id, until = row_id(), rules.stands_until(need, offer, now=self.now)
        self.matches.append(
            {
                "id": match_id,
                "need_post_id": need.id,
                "offer_post_id": offer.id,
                "need_author_id": need.author_id,
                "offer_author_id": offer.author_id,
                "round": round_,
                "state": "proposed",
                "need_accepted": False,
                "offer_accepted": False,
                "pledged": False,
                "reserved": True,
                "proposed_at": self.now,
                "expires_at": until,
                "answered": False,
                "disputed": False,
            }
        )
        self.deeds.append((match_id, "match.proposed", {"round": round_}))
        self.jobs += proposing.told_and_due(match_id, until, now=self.now)
        self._keep(match_id, shares)

    def _keep(self, match_id: str, shares: Sequence[Share]) -> None:
        self.kept.update(units([shares]))
        for position, share in enumerate(shares):
            self.lines.append(
                {
                    "id": row_id(),
                    "match_id": match_id,
                    "position": position,
                    "need_line_id": share.need_line,
                    "offer_line_id": share.offer_line,
                    "item": share.item,
                    "quantity": share.quantity,
                    "completed": 0,
                }
            )


async def write(plain: Plain, changed: Changed) -> None:
    """All of it, in the caller's transaction."""
    if changed.withdrawn:
        gone = await plain.fetch(_WITHDRAW, matches=changed.withdrawn, now=changed.now)
        _all(gone, changed.withdrawn)
        await settling.answered(plain, changed.withdrawn, changed.members, now=changed.now)
    if changed.altered:
        await plain.fetch(_FORGET_LINES, matches=changed.altered)
    more = {line: n for line, n in sorted(changed.kept.items()) if n}
    if more:
        kept = json.dumps([{"line": line, "more": n} for line, n in more.items()])
        _all(await plain.fetch(_KEEP, kept=kept), more)
    await put_rows(plain, Match, changed.matches)
    await put_rows(plain, MatchLine, changed.lines)
    notes = [
        audit.row(plain.ring, actor=None, deed=deed, subject=subject, now=changed.now, facts=facts)
        for subject, deed, facts in changed.deeds
    ]
    await put_rows(plain, AuditRow, notes)
    await outbox.put_all(plain, changed.jobs)


def _all(written: Sequence[Any], wanted: Iterable[Any]) -> None:
    if len(written) != len(list(wanted)):
        raise WriteFailed


def _withdraw(dialect: str, prefix: str) -> Any:
    ended = {"state": literal("withdrawn"), "because": literal("rerouted")}
    now = bindparam(f"{prefix}now", type_=Instant(), required=True)
    these = among(_MATCHES.c.id, "matches", dialect, prefix)
    written = update(_MATCHES).values(**ended, closed_at=now).where(these)
    return written.where(_MATCHES.c.state == literal("proposed")).returning(_MATCHES.c.id)


def _forget_lines(dialect: str, prefix: str) -> Any:
    return delete(_LINES).where(among(_LINES.c.match_id, "matches", dialect, prefix))


_KEPT: Final = {
    "postgresql": """UPDATE post_lines SET proposed = proposed + m.more
        FROM json_to_recordset(CAST(:kept AS json)) AS m(line varchar, more integer)
        WHERE id = m.line RETURNING id""",
    "sqlite": """UPDATE post_lines SET proposed = proposed + m.more
        FROM (SELECT value->>'line' AS line, value->>'more' AS more FROM json_each(:kept)) AS m
        WHERE id = m.line RETURNING id""",
}


def _keep(dialect: str, prefix: str) -> Any:
    """By how much more or less each line is kept; the check on its row sees to it that no line keeps what it has not."""
    assert not prefix, "it is written by itself"
    return text(_KEPT[dialect]).bindparams(bindparam("kept", type_=String(), required=True))


_WITHDRAW: Final = Prepared(_withdraw)
_FORGET_LINES: Final = Prepared(_forget_lines)
_KEEP: Final = Prepared(_keep)
