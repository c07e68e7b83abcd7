"""Audit: every state change leaves a row in its own transaction; one sealer chains the committed rows soon after.

A chain head inside every transaction would make all writers queue for it, so a row carries only its own HMAC when it is
written, and the sealer links committed rows in order (within a second) and exports the head to a file outside the
database. Rows hold pseudonyms and codes; names and free text stand in tables that can be erased.
"""

import asyncio
import hashlib
import hmac
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import BigInteger, Index, LargeBinary, Text, bindparam, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from mutualaid.kit.clock import sql_now
from mutualaid.kit.database import RING, Base, Database, Instant
from mutualaid.kit.ids import row_id
from mutualaid.kit.ring import KeyRing, KeyUnknown

Facts = dict[str, str | int | bool | None]
_GENESIS = bytes(32)
_BATCH = 500
_SEALER_LOCK = 0x6D61_7365  # one sealer at a time on PostgreSQL; SQLite's write lock does the same


class AuditRow(Base):
    """Who (a pseudonym, or nobody: the house itself) did what to which row, when, with which codes."""

    __tablename__ = "audit_rows"

    id: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant)
    actor: Mapped[str | None]
    deed: Mapped[str]
    subject: Mapped[str] = mapped_column(index=True)
    facts: Mapped[str] = mapped_column(Text)
    key_version: Mapped[int]
    mac: Mapped[bytes] = mapped_column(LargeBinary)
    number: Mapped[int | None] = mapped_column(BigInteger, unique=True)
    link: Mapped[bytes | None] = mapped_column(LargeBinary)

    __table_args__ = (Index("ix_audit_rows_unsealed", "number", "at"), Index("ix_audit_rows_at_id", "at", "id"))

    def own_mac(self, ring: KeyRing) -> bytes:
        """What `mac` must be. Raises `KeyUnknown` for a key version that never was."""
        key = ring.at("audit", self.key_version)
        return _mac(key, self.id, self.at, self.actor, self.deed, self.subject, self.facts)

    def holds(self, ring: KeyRing) -> bool:
        """Whether the row is as it was written."""
        try:
            return hmac.compare_digest(self.mac, self.own_mac(ring))
        except KeyUnknown:
            return False


def note(
    session: AsyncSession, *, actor: str | None, deed: str, subject: str, now: datetime, facts: Facts | None = None
) -> None:
    """Write the row of a state change into this transaction. `facts`: codes, amounts and pseudonyms only."""
    ring: KeyRing = session.info[RING]
    session.add(AuditRow(**row(ring, actor=actor, deed=deed, subject=subject, now=now, facts=facts)))


def row(
    ring: KeyRing, *, actor: str | None, deed: str, subject: str, now: datetime, facts: Facts | None = None
) -> dict[str, Any]:
    """The same row as values, for whoever writes it with others."""
    version, key = ring.current("audit")
    own_id, told = row_id(), orjson.dumps(facts or {}, option=orjson.OPT_SORT_KEYS).decode()
    return {
        "id": own_id,
        "at": now,
        "actor": actor,
        "deed": deed,
        "subject": subject,
        "facts": told,
        "key_version": version,
        "mac": _mac(key, own_id, now, actor, deed, subject, told),
        "number": None,
        "link": None,
    }


def _mac(key: bytes, own_id: str, at: datetime, actor: str | None, deed: str, subject: str, facts: str) -> bytes:
    moment = at.astimezone(UTC).isoformat(timespec="microseconds")
    return hmac.digest(key, orjson.dumps([own_id, moment, actor, deed, subject, facts]), "sha256")


def _next_link(ring: KeyRing, version: int, previous: bytes, number: int, mac: bytes) -> bytes:
    try:
        key = ring.at("audit", version)
    except (
        KeyUnknown
    ):  # somebody altered the row: it is chained all the same, so that the sealer goes on, and named later
        key = _GENESIS
    return hmac.new(key, previous + number.to_bytes(8, "big") + mac, hashlib.sha256).digest()


@dataclass(frozen=True, slots=True)
class Head:
    """The last link of the chain."""

    number: int
    link: bytes


async def seal(database: Database, ring: KeyRing, heads: Path) -> int:
    """Chain what is committed and not yet chained, export the head to the file `heads`; how many rows were chained."""
    async with database.reading() as session:
        if await session.scalar(select(AuditRow.id).where(AuditRow.number.is_(None)).limit(1)) is None:
            return 0
    sealed = batch = await _seal_batch(database, ring, heads)
    while batch == _BATCH:
        batch = await _seal_batch(database, ring, heads)
        sealed += batch
    return sealed


async def _seal_batch(database: Database, ring: KeyRing, heads: Path) -> int:
    async with database.transaction() as session:
        if database.dialect == "postgresql":
            await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _SEALER_LOCK})
        head = await _head(session)
        rows = await session.execute(
            select(AuditRow.id, AuditRow.mac, AuditRow.key_version)
            .where(AuditRow.number.is_(None))
            .order_by(AuditRow.at, AuditRow.id)
            .limit(_BATCH)
        )
        links = []
        for row in rows:
            number = head.number + 1
            head = Head(number, _next_link(ring, row.key_version, head.link, number, row.mac))
            links.append({"row": row.id, "number": head.number, "link": head.link})
        if not links:  # another sealer was quicker
            return 0
        await session.execute(
            update(AuditRow.__table__)  # type: ignore[arg-type] # Table is not in the declared union
            .where(AuditRow.__table__.c.id == bindparam("row"))
            .values(number=bindparam("number"), link=bindparam("link")),
            links,
        )
        moment = (await session.execute(select(sql_now()))).scalar_one()
    await asyncio.to_thread(_export, heads, head, moment)
    return len(links)


async def _head(session: AsyncSession) -> Head:
    row = (
        await session.execute(
            select(AuditRow.number, AuditRow.link)
            .where(AuditRow.number.is_not(None))
            .order_by(AuditRow.number.desc())
            .limit(1)
        )
    ).first()
    return Head(row.number, row.link) if row is not None and row.number is not None else Head(0, _GENESIS)


def _export(heads: Path, head: Head, moment: datetime) -> None:
    """Append the head to a file that a backup of the database does not hold: cutting off the chain's end shows."""
    heads.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps({"number": head.number, "link": head.link.hex(), "at": moment.isoformat()})
    fd = os.open(heads, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(fd, f"\n{line}\n".encode())  # its own first line break: one that a full disk cut short spoils no other
        os.fsync(fd)
    finally:
        os.close(fd)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `verify` found: `broken_at` is the number of the first row that does not hold, `why` one word."""

    ok: bool
    rows: int
    broken_at: int | None = None
    why: str | None = None


async def verify(database: Database, ring: KeyRing, heads: Path) -> Verdict:
    """Seal, then walk the whole chain: altered, deleted, reordered, truncated or rebuilt rows are found."""
    await seal(database, ring, heads)
    head = Head(0, _GENESIS)
    exported = await asyncio.to_thread(_exported, heads)
    async with database.reading() as session:
        counted = select(func.count()).select_from(AuditRow).where(AuditRow.number.is_not(None))
        total = await session.scalar(counted) or 0
        while rows := (
            await session.scalars(
                select(AuditRow).where(AuditRow.number > head.number).order_by(AuditRow.number).limit(_BATCH)
            )
        ).all():
            for row in rows:
                number = head.number + 1
                if row.number != number:
                    return Verdict(False, total, number, "missing")
                if not row.holds(ring):
                    return Verdict(False, total, number, "altered")
                head = Head(number, _next_link(ring, row.key_version, head.link, number, row.mac))
                if row.link is None or not hmac.compare_digest(row.link, head.link):
                    return Verdict(False, total, number, "relinked")
                if exported.pop(number, {head.link.hex()}) != {head.link.hex()}:
                    return Verdict(False, total, number, "rebuilt")
            session.expunge_all()
    if exported:
        return Verdict(False, total, min(exported), "truncated")
    return Verdict(True, head.number)


def _exported(heads: Path) -> dict[int, set[str]]:
    """Number → every link that was ever exported for it: two mean that the chain's end was cut off and grew again."""
    found: dict[int, set[str]] = {}
    for line in heads.read_text().splitlines() if heads.exists() else ():
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:  # cut short by a full disk or a crash; the next export says more than this one did
            continue
        found.setdefault(entry["number"], set()).add(entry["link"])
    return found
