"""Take a catalogue in: what came with the release at the first start, an operator's own ever after."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files

from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.catalogue import rules, sheet, store
from mutualaid.catalogue.records import CatalogueVersion, ItemRow
from mutualaid.catalogue.rules import Changes, Item, Value
from mutualaid.catalogue.sheet import Line
from mutualaid.kit import audit

_LONGEST_FACT = 200


@dataclass(frozen=True, slots=True)
class Report:
    """What an import did. `changes` is None when the file says what already stands: then no new version was made."""

    version: int
    items: int
    changes: Changes | None


async def import_catalogue(
    session: AsyncSession, lines: Sequence[Line], *, actor: str | None, now: datetime, packaged: bool = False
) -> Report:
    """Make these lines the whole catalogue, with one audit row for the version and one for each item that changes.

    What they no longer name is withdrawn: refused from now on, and kept. Raises `CatalogueRefused` with every fault.
    """
    items = sheet.items(lines)
    latest = await store.latest(session)
    fingerprint = rules.digest(items)
    if latest is not None and latest.digest == fingerprint:
        return Report(latest.number, len(items), None)
    rows = {row.code: row for row in await store.rows(session)}
    changes = rules.difference([row.item() for row in rows.values()], items)
    number = latest.number + 1 if latest else 1
    for rank, item in enumerate(items):
        if (row := rows.get(item.code)) is None:
            session.add(ItemRow.of(item, rank))
        else:
            row.rank = rank
            row.take(item)
    for code in changes.withdrawn:
        rows[code].take(rules.withdraw(rows[code].item()))
    session.add(CatalogueVersion(number=number, digest=fingerprint, packaged=packaged, imported_at=now, actor=actor))
    _note(session, changes, items, number, actor=actor, now=now)
    await session.flush()
    return Report(number, len(items), changes)


async def seed(session: AsyncSession, *, now: datetime) -> Report | None:
    """Take in the catalogue of this release, unless an operator's own stands: that one is left alone (None)."""
    latest = await store.latest(session)
    if latest is not None and not latest.packaged:
        return None
    raw = (files("mutualaid.catalogue") / "catalogue.csv").read_bytes()
    return await import_catalogue(session, sheet.read(raw), actor=None, now=now, packaged=True)


def _note(
    session: AsyncSession, changes: Changes, items: Sequence[Item], number: int, *, actor: str | None, now: datetime
) -> None:
    def write(deed: str, subject: str, facts: audit.Facts) -> None:
        audit.note(session, actor=actor, deed=deed, subject=subject, now=now, facts={"version": number, **facts})

    write("catalogue.imported", "catalogue", {"items": len(items), "changes": changes.count})
    for code in changes.added:
        write("item.added", code, {})
    for code, fields in changes.changed.items():
        write("item.changed", code, {name: f"{_short(was)} → {_short(now_)}" for name, (was, now_) in fields.items()})
    for code in changes.withdrawn:
        write("item.withdrawn", code, {})


def _short(value: Value) -> str:
    text = "|".join(value) if isinstance(value, tuple) else "" if value is None else str(value)
    return text[:_LONGEST_FACT]
