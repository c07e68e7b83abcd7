"""What `mutualaid import catalogue FILE`, `mutualaid seed` and the first start run."""

import asyncio
from datetime import datetime
from pathlib import Path

from mutualaid.catalogue import actions, sheet, snapshot
from mutualaid.catalogue.actions import Report
from mutualaid.kit.database import Database


async def run(database: Database, path: Path, *, actor: str | None, now: datetime) -> Report:
    """Take the file in, whole or not at all. Raises `OSError`, or `sheet.CatalogueRefused` that names every fault.

    `actor` is the pseudonym of who did it, None for the operator at the machine.
    """
    lines = sheet.read(await asyncio.to_thread(path.read_bytes))
    async with database.transaction() as session:
        report = await actions.import_catalogue(session, lines, actor=actor, now=now)
    snapshot.forget(database)
    return report


async def seed(database: Database, *, now: datetime) -> Report | None:
    """Take in the catalogue that came with this release, unless an operator's own stands (None)."""
    async with database.transaction() as session:
        report = await actions.seed(session, now=now)
    snapshot.forget(database)
    return report
