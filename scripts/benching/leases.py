"""Masked numbers without telephony: how many leases a second are granted, and how long the decision before a call takes.

Both on each database, in rounds that take turns with what is compared: one row in one durable commit, and one row read by
its key, through the same connections. The provider is the fake, which keeps its bindings in the same database.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from statistics import median
from typing import Any, Final

from sqlalchemy import bindparam, select

from mutualaid import migrate
from mutualaid.contacts import ending, routing
from mutualaid.contacts.errors import NotAParty
from mutualaid.contacts.records import Lease
from mutualaid.kit import audit, clock
from mutualaid.kit.ids import new_id
from mutualaid.kit.prepared import Prepared
from mutualaid.kit.settings import Settings
from mutualaid.members.records import Member, Principal
from mutualaid.wiring import open_services
from tests.contacts.town import Town

AT_ONCE: Final = 8
Told = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Effort:
    """`leases` and `decisions` of a round."""

    rounds: int = 5
    leases: int = 100
    decisions: int = 400


QUICK: Final = Effort(rounds=1, leases=6, decisions=10)


async def measure(folder: Path, server: str, effort: Effort, told: Told) -> dict[str, dict[str, Any]]:
    """`leases SQLite`, `decision PostgreSQL` and so on. `server`: an empty PostgreSQL database's address."""
    found: dict[str, dict[str, Any]] = {}
    for name, url in (("SQLite", f"sqlite+aiosqlite:///{folder / 'leases.db'}"), ("PostgreSQL", server)):
        async with _a_town(folder / f"leases-{name}", url) as town:
            people = [await town.member() for _ in range(effort.leases)]
            said = f"contacts: leases, {name}"
            rounds: list[tuple[float, float]] = []
            granted: list[Lease] = []
            for n in range(effort.rounds):
                rounds.append(await _leases(town, people, granted))
                told(said, n + 1, effort.rounds)
            found[f"leases {name}"] = _rates(rounds, effort)
            found[f"decision {name}"] = await _decisions(town, people, granted, effort, told, name)
    return found


@asynccontextmanager
async def _a_town(data: Path, url: str) -> AsyncIterator[Town]:
    async with open_services(Settings(data=data, database_url=url)) as services:
        await migrate.upgrade(services.database)
        yield Town(services)


# ---- leases a second -----------------------------------------------------------------------------------------------


async def _leases(town: Town, people: list[Principal], granted: list[Lease]) -> tuple[float, float]:
    """Leases a second, and commits of one row a second. `granted`: those of the round before, which end first."""
    for old in granted:
        async with town.services.database.transaction() as session:
            await ending.release_one(session, old.id, because="by_member", actor=None, now=clock.now())
    posts = [await town.post(person) for person in people]
    pairs = list(zip(people, posts[1:] + posts[:1], strict=True))
    granted.clear()

    async def lease(n: int) -> None:
        found = await town.call(*pairs[n])
        assert found.state == "granted", found.failed
        granted.append(found)

    async def commit(_: int) -> None:
        async with town.services.database.transaction() as session:
            audit.note(session, actor=None, deed="bench.noted", subject=new_id(), now=clock.now())

    return await _a_second(lease, len(pairs)), await _a_second(commit, len(pairs))


async def _a_second(deed: Callable[[int], Awaitable[None]], count: int) -> float:
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(n: int) -> None:
        async with turn:
            await deed(n)

    begun = time.perf_counter()
    await asyncio.gather(*(one(n) for n in range(count)))
    return count / (time.perf_counter() - begun)


def _rates(rounds: list[tuple[float, float]], effort: Effort) -> dict[str, Any]:
    return {
        "n": effort.rounds * effort.leases,
        "a_second": round(median(leases for leases, _ in rounds), 1),
        "of_a_commit": round(median(leases / commits for leases, commits in rounds), 4),
    }


# ---- the decision before a call --------------------------------------------------------------------------------------


async def _decisions(
    town: Town, people: list[Principal], granted: list[Lease], effort: Effort, told: Told, name: str
) -> dict[str, Any]:
    """p50 and p99 in ms, medians over the rounds; a stranger's refusal and a row read by its key beside it."""
    services, stranger = town.services, town.phones[(await town.member()).id]
    by_key = Prepared(lambda _, prefix: select(Member.id).where(Member.id == bindparam(f"{prefix}id", required=True)))

    async def connect(n: int) -> None:
        lease = granted[n % len(granted)]
        await routing.decide(services, town.phones[lease.asker_id], lease.x or "")

    async def refuse(n: int) -> None:
        try:
            await routing.decide(services, stranger, granted[n % len(granted)].x or "")
        except NotAParty:
            return
        raise AssertionError("a stranger was connected")

    async def read(n: int) -> None:
        await services.database.glance(by_key, id=people[n % len(people)].id)

    ways = {"connect": connect, "refuse": refuse, "row": read}
    took: dict[str, list[list[float]]] = {way: [] for way in ways}
    for ask in ways.values():  # statements are compiled the first time
        await ask(0)
    for n in range(effort.rounds):
        of_round: dict[str, list[float]] = {way: [] for way in ways}
        for at in range(effort.decisions):
            for way, ask in ways.items():
                begun = time.perf_counter()
                await ask(at)
                of_round[way].append((time.perf_counter() - begun) * 1000)
        for way, ms in of_round.items():
            took[way].append(sorted(ms))
        told(f"contacts: decisions, {name}", n + 1, effort.rounds)
    shares = {f"{way}_{at}_ms": _of(took[way], share) for way in ways for at, share in (("p50", 0.5), ("p99", 0.99))}
    return {"n": effort.rounds * effort.decisions, **shares}


def _of(rounds: list[list[float]], share: float) -> float:
    return round(median(ms[ceil(share * len(ms)) - 1] for ms in rounds), 3)


def lines(found: dict[str, dict[str, Any]]) -> list[str]:
    """Rows of a table: what, N, figure."""
    rows = []
    for what, one in found.items():
        if what.startswith("leases "):
            said = f"{one['a_second']:,.0f}/s, {one['of_a_commit']:.3f} × one row in one commit"
            rows.append(f"| leases asked and granted, {AT_ONCE} at once, {what[7:]} | {one['n']:,} | {said} |")
        elif what.startswith("decision "):
            by = [f"{one[f'{way}_p50_ms']:.2f} / {one[f'{way}_p99_ms']:.2f}" for way in ("connect", "refuse", "row")]
            said = f"connected {by[0]} ms, a stranger {by[1]} ms; a row by its key {by[2]} ms"
            rows.append(f"| the decision before a call, p50 / p99, {what[9:]} | {one['n']:,} | {said} |")
    return rows
