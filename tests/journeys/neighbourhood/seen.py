"""What stands in the tables at one moment: read in one snapshot, compared from step to step."""

import sqlite3
from collections import namedtuple
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import asyncpg
from sqlalchemy.engine import make_url

from mutualaid.contacts.records import ContactReport, Lease, Message, Seat
from mutualaid.contacts.rules import LIVE as LIVE_LEASE
from mutualaid.kit.database import Base, Instant
from mutualaid.kit.outbox import Job
from mutualaid.matching.records import LIVE as LIVE_MATCH
from mutualaid.matching.records import Match, MatchLine
from mutualaid.members.records import Block, Consent, Member
from mutualaid.moderation.records import Case
from mutualaid.posts.records import ENDED, Post, PostLine, Report

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Row = Any  # a named tuple of the columns below
Rows = dict[Any, Row]

_COLUMNS: dict[str, tuple[type[Base], str]] = {
    "posts": (Post, "id author_id kind state hidden_by hidden_at until contact urgency note"),
    "lines": (PostLine, "id post_id item quantity remaining held proposed"),
    "matches": (
        Match,
        "id need_post_id offer_post_id need_author_id offer_author_id round state pledged need_accepted offer_accepted "
        "reserved expires_at agreed_at closed_at closed_by because disputed answered",
    ),
    "match_lines": (MatchLine, "id match_id need_line_id offer_line_id item quantity completed objected"),
    "leases": (
        Lease,
        "id post_id other_post_id match_id asker_id owner_id channel wants_call state x asked_at expires_at extensions "
        "binding_key unbound_at fence because",
    ),
    "seats": (Seat, "x person_key lease_id role until"),
    "members": (Member, "id status role real_name age_band phone"),
    "consents": (Consent, "id member_id purpose withdrawn_at"),
    "blocks": (Block, "blocker_id blocked_id"),
    "reports": (Report, "id post_id reporter_id ruled_at"),
    "contact_reports": (ContactReport, "id lease_id reporter_id"),
    "messages": (Message, "id lease_id author_id"),
    "cases": (Case, "id state reason subject_id post_id claimed_by claimed_until"),
    "jobs": (Job, "id name due_at attempts"),
}
_KEYED_BY = {"seats": 2, "blocks": 2}  # so many columns are the key; else the first
_ROWS: dict[str, Any] = {name: namedtuple(name, columns) for name, (_, columns) in _COLUMNS.items()}
_INSTANTS = {
    name: [n for n, column in enumerate(columns.split()) if isinstance(record.__table__.c[column].type, Instant)]
    for name, (record, columns) in _COLUMNS.items()
}


@dataclass(frozen=True)
class Seen:
    """Every table by key, at the moment `now`."""

    now: datetime
    posts: Rows
    lines: Rows
    matches: Rows
    match_lines: Rows
    leases: Rows
    seats: Rows
    members: Rows
    consents: Rows
    blocks: Rows
    reports: Rows
    contact_reports: Rows
    messages: Rows
    cases: Rows
    jobs: Rows

    def lines_of(self, post_id: str) -> list[Row]:
        return [line for line in self.lines.values() if line.post_id == post_id]

    def lines_of_match(self, match_id: str) -> list[Row]:
        return [line for line in self.match_lines.values() if line.match_id == match_id]

    def unfinished(self, author_id: str) -> list[Row]:
        return [post for post in self.posts.values() if post.author_id == author_id and post.state not in ENDED]

    def live_matches(self) -> list[Row]:
        return [match for match in self.matches.values() if match.state in LIVE_MATCH]

    def live_leases(self) -> list[Row]:
        """By their state; the clock may have ended them already."""
        return [lease for lease in self.leases.values() if lease.state in LIVE_LEASE]

    def posts_of(self, lease: Row) -> list[Row]:
        return [self.posts[post_id] for post_id in (lease.post_id, lease.other_post_id) if post_id is not None]

    def consented(self, member_id: str) -> set[str]:
        """The purposes whose consent stands."""
        mine = (row for row in self.consents.values() if row.member_id == member_id and row.withdrawn_at is None)
        return {row.purpose for row in mine}

    def apart(self, one: str, other: str) -> bool:
        """Whether either has blocked the other."""
        return (one, other) in self.blocks or (other, one) in self.blocks

    def active(self, member_id: str) -> bool:
        return bool(self.members[member_id].status == "active")

    def tables(self) -> dict[str, Rows]:
        return {name: getattr(self, name) for name in _COLUMNS}


class Glass(Protocol):
    """Looks at the database beside the house's own connections, in one snapshot and as cheaply as can be."""

    async def look(self, now: datetime) -> Seen: ...

    async def deeds(self, subjects: Iterable[str]) -> list[tuple[str, str, str]]:
        """(id, subject, deed) of every audit row about these."""

    async def close(self) -> None: ...


def _seen(now: datetime, tables: Iterable[Iterable[Any]]) -> Seen:
    found: dict[str, Rows] = {}
    for (name, make), rows in zip(_ROWS.items(), tables, strict=True):
        width = _KEYED_BY.get(name, 1)
        made = (make._make(row) for row in rows)
        found[name] = {row[:width] if width > 1 else row[0]: row for row in made}
    return Seen(now, **found)


class PostgresGlass:
    """One round trip for all tables: each is an array of records."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        arrays = (
            f"ARRAY(SELECT ROW({', '.join(columns.split())}) FROM {record.__tablename__})"
            for record, columns in _COLUMNS.values()
        )
        self._query = "SELECT " + ", ".join(arrays)

    @classmethod
    async def open(cls, url: str) -> "PostgresGlass":
        return cls(await asyncpg.connect(url.replace("+asyncpg", "")))

    async def look(self, now: datetime) -> Seen:
        return _seen(now, await self._connection.fetchrow(self._query))

    async def deeds(self, subjects: Iterable[str]) -> list[tuple[str, str, str]]:
        query = "SELECT id, subject, deed FROM audit_rows WHERE subject = ANY($1)"
        return [tuple(row) for row in await self._connection.fetch(query, list(subjects))]

    async def close(self) -> None:
        await self._connection.close()


class SqliteGlass:
    """A second connection to the file; an instant is an integer of microseconds there."""

    def __init__(self, file: str) -> None:
        self._connection = sqlite3.connect(file, isolation_level=None)
        self._queries = [
            (f"SELECT {', '.join(columns.split())} FROM {record.__tablename__}", _INSTANTS[name])
            for name, (record, columns) in _COLUMNS.items()
        ]

    async def look(self, now: datetime) -> Seen:
        self._connection.execute("BEGIN")
        tables = [_with_instants(self._connection.execute(query), where) for query, where in self._queries]
        self._connection.execute("COMMIT")
        return _seen(now, tables)

    async def deeds(self, subjects: Iterable[str]) -> list[tuple[str, str, str]]:
        asked = list(subjects)
        marks = ", ".join("?" * len(asked))
        return self._connection.execute(
            f"SELECT id, subject, deed FROM audit_rows WHERE subject IN ({marks})", asked
        ).fetchall()

    async def close(self) -> None:
        self._connection.close()


def _with_instants(rows: Iterable[tuple[Any, ...]], where: list[int]) -> list[tuple[Any, ...]]:
    found = []
    for row in rows:
        values = list(row)
        for n in where:
            if values[n] is not None:
                values[n] = _EPOCH + timedelta(microseconds=values[n])
        found.append(tuple(values))
    return found


async def glass(url: str) -> Glass:
    """For the database at this address."""
    if url.startswith("sqlite"):
        return SqliteGlass(make_url(url).database or "")
    return await PostgresGlass.open(url)
