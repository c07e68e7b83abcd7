"""The periodic sweep: market by market, each claimed once through the outbox, whatever the number of workers.

A market is the items that may stand for each other: nothing flows between two of them. A small one is thought through here;
a large one in a process of its own, since the engine's libraries have no place where requests are served. Where that
process fails, every post with something left is looked at by itself instead: less good, and never nothing.
"""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

import orjson
import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.catalogue.rules import Item
from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.kit import metrics, outbox
from mutualaid.kit.database import Database
from mutualaid.kit.plain import plain_of
from mutualaid.matching import applying, ground, planning, repairing, standing
from mutualaid.matching.ground import Ground
from mutualaid.matching.planning import Planned
from mutualaid.posts import actions as posts
from mutualaid.posts.plaza_records import PlazaCell, PlazaEntry
from mutualaid.services import Services

SMALL: Final = 60  # posts of a market that is thought through in this process
_PATIENCE_S: Final = 30.0  # for the engine's process
_WRITING_S: Final = 10.0  # for writing what it says; what is left is thought through anew
_LOOKED_AT: Final = 2_000  # posts, where the engine's process has failed

PROMISED: Final = "nothing_left"  # a line all of which is promised is left out as well, and makes perfect sense

log = structlog.get_logger()


class SweepFailed(Exception):
    """The engine's process did not answer."""


def markets(items: Sequence[Item]) -> list[list[str]]:
    """The codes of each market: items of one group, or one item alone."""
    found: dict[str, list[str]] = {}
    for item in items:
        if item.listable:
            found.setdefault(f"group {item.substitute_group}" if item.substitute_group else item.code, []).append(
                item.code
            )
    return list(found.values())


async def announce(services: Services, catalogue: Catalogue, *, now: datetime) -> None:
    """A job for each market in which there are needs and offers."""
    async with services.database.reading() as session:
        there = await _there(session)
    async with services.database.transaction() as session:
        for codes in markets(catalogue.items):
            if all(any((code, kind) in there for code in codes) for kind in ("need", "offer")):
                told = {"items": ",".join(codes)}
                key = f"match.sweep:{codes[0]}"
                await outbox.enqueue(session, "match.sweep", told, at=now, key=key, lane=outbox.SEEKING)


async def _there(session: AsyncSession) -> set[tuple[str, str]]:
    query = select(PlazaCell.topic, PlazaCell.kind).distinct()  # far fewer rows than there are posts
    return {(topic, kind) for topic, kind in await session.execute(query)}


async def sweep(services: Services, catalogue: Catalogue, codes: Collection[str], *, now: datetime) -> bool:
    """Put one market right; False where there is more to do than there was time for."""
    database = services.database
    async with database.reading() as session:
        post_ids = await _posts(session, codes, most=SMALL + 1)
    if len(post_ids) <= SMALL:
        planned = await think_here(database, post_ids, catalogue, now=now)
    else:
        try:
            planned = await _elsewhere(services, codes, now=now)
        except SweepFailed as problem:
            metrics.MATCHING_FALLBACKS.labels("process").inc()
            log.warning("sweep_failed", error=str(problem))
            await _look_at(database, codes, now=now)
            return True
    warn(planned)
    return await write(database, planned, catalogue, now=now, seconds=_WRITING_S)


async def _posts(session: AsyncSession, codes: Collection[str], *, most: int) -> set[str]:
    """Posts of this market, no more than these."""
    query = select(PlazaEntry.post_id).where(PlazaEntry.topic.in_(sorted(codes))).distinct().limit(most)
    return set(await session.scalars(query))


async def think_here(database: Database, post_ids: Collection[str], catalogue: Catalogue, *, now: datetime) -> Planned:
    """A small market, thought through in this process."""
    skipped: dict[str, str] = {}
    async with database.reading() as session:
        whole, plain = Ground(), await plain_of(session)
        whole.add(await standing.sides(plain, post_ids, now=now, skipped=skipped))
        proposals = await ground.proposals_of(plain, post_ids)
        await ground.complete(plain, whole, proposals, catalogue=catalogue, now=now)
    report = {"skipped": Counter(skipped.values()), "skipped_posts": skipped}
    return Planned(await repairing.thought_through(whole, catalogue, now=now), whole.proposals, report)


async def _elsewhere(services: Services, codes: Collection[str], *, now: datetime) -> Planned:
    """Ask the engine's process. It ends with the answer, and its memory with it."""
    asked = {
        "database_url": services.settings.database_url,
        "keys_dir": str(services.settings.keys_dir),
        "codes": sorted(codes),
        "now": now.isoformat(),
    }
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", planning.__name__, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(_PATIENCE_S):
            said, _ = await process.communicate(orjson.dumps(asked))
    except TimeoutError as problem:
        raise SweepFailed("too slow") from problem
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise SweepFailed(f"ended with {process.returncode}")
    return planning.understood(said)


def warn(planned: Planned) -> None:
    """What an operator should hear of a sweep: rows that make no sense, parts that were not solved exactly."""
    report = planned.report
    if report.get("skipped"):
        for why, count in sorted(report["skipped"].items()):
            if why != PROMISED:
                log.warning("sweep_skipped", code=why, count=count)
    if fallbacks := report.get("fallbacks"):
        gap = sum(part["gap"] for part in fallbacks)
        metrics.MATCHING_FALLBACKS.labels("solver").inc(len(fallbacks))
        metrics.MATCHING_GAP.set(gap)
        log.warning("sweep_greedy", error=", ".join(sorted({part["because"] for part in fallbacks})), count=gap)


async def write(
    database: Database, planned: Planned, catalogue: Catalogue, *, now: datetime, seconds: float | None = None
) -> bool:
    """Make the moves, some at a time; those that no longer stand are left to whoever changed them. False: out of time."""
    until = None if seconds is None else time.monotonic() + seconds
    for lot in applying.lots(planned.moves):
        if until is not None and time.monotonic() > until:
            return False
        await applying.apply_lot(database, lot, planned.current, catalogue=catalogue, now=now)
    return True


async def _look_at(database: Database, codes: Collection[str], *, now: datetime) -> None:
    async with database.transaction() as session:
        for post_id in sorted(await _posts(session, codes, most=_LOOKED_AT)):
            await posts.look_again(session, post_id, now=now)
