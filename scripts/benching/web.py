"""Requests a second of the whole stack, beside bare Starlette and the twin: in rounds, each application in its turn.

Ours checks the token, the policy and strict limits (with quotas that are never reached) and answers cards, as it does for
anybody. Members read near home, where they have looked before; ours is asked from other places too, for first looks.
"""

import itertools
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from demo_city import NEED_NOTES

from benching import driving, serving
from benching.driving import Next
from benching.home import Pair
from benching.people import Person
from benching.questions import A_PAGE
from benching.serving import Server
from benching.towns import Towns
from mutualaid.kit import cells
from tests.bench import bare, twin

NAMES: Final = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
BARE: Final = "bare Starlette"
OURS: Final = "ours"
FIRST: Final = "ours, from places all over"
TABLES: Final = "ours, without the index"
TWIN: Final = "FastAPI"
ALONE: Final = "FastAPI, the post alone"
_QUOTAS: Final = ("PLAZA_MEMBER_HOURLY", "PLAZA_DEVICE_HOURLY", "PLAZA_ADDRESS_HOURLY", "PLAZA_PREFIX_HOURLY")
_POSTS: Final = "/api/v1/posts"
_DRAWN: Final = 20_000  # different places; then they come again
_COMPARED: Final = 30
_WARM_S: Final = 0.2  # before each turn; before all of them, a turn that does not count


@dataclass(frozen=True, slots=True)
class Target:
    """Who is asked, on which database, by which requests."""

    name: str
    dialect: str
    server: Server
    following: Next
    status: int


@dataclass(frozen=True, slots=True)
class Rate:
    """Medians over the rounds: answers a second; as a fraction of bare Starlette's and as a multiple of the twin's on the
    same database, each within its round; milliseconds of the server's core an answer (None: unknown)."""

    n: int
    a_second: float
    of_bare: float
    of_twin: float | None
    core_ms: float | None


@dataclass(frozen=True, slots=True)
class Effort:
    """How long and how hard each application is asked."""

    rounds: int
    seconds: float
    connections: int


Rates = dict[tuple[str, str], Rate]  # (name, dialect)


async def measure(targets: Sequence[Target], effort: Effort, *, told: Callable[[int, int], None]) -> Rates:
    """The rate of each. The first target is the bare one."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    spent: dict[tuple[str, str], list[float]] = defaultdict(list)
    answers: dict[tuple[str, str], int] = defaultdict(int)
    for target in targets:
        await _drive(target, effort, effort.seconds)
    for done in range(effort.rounds):
        for n, target in enumerate(targets):
            told(done * len(targets) + n, effort.rounds * len(targets))
            key = target.name, target.dialect
            await _drive(target, effort, _WARM_S)
            before = target.server.cpu_s()
            driven = await _drive(target, effort, effort.seconds)
            after = target.server.cpu_s()
            found[key].append(driven.a_second)
            answers[key] += driven.answers
            if before is not None and after is not None:
                spent[key].append((after - before) * 1000 / driven.answers)
    told(1, 1)
    first = targets[0].name, targets[0].dialect

    def over(key: tuple[str, str], other: tuple[str, str]) -> float:
        return median(a / b for a, b in zip(found[key], found[other], strict=True))

    return {
        key: Rate(
            n=answers[key],
            a_second=median(found[key]),
            of_bare=over(key, first),
            of_twin=over(key, (TWIN, key[1])) if key[0] in (OURS, FIRST, TABLES) else None,
            core_ms=median(spent[key]) if spent[key] else None,
        )
        for key in found
    }


async def _drive(target: Target, effort: Effort, seconds: float) -> driving.Driven:
    return await driving.drive(
        target.server.port,
        target.following,
        status=target.status,
        connections=effort.connections,
        seconds=seconds,
    )


# ---- the applications --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Running:
    """The servers: ours, ours without the index, and the twin by dialect; the bare one once there is something to answer."""

    ours: Mapping[str, Server]
    tables: Mapping[str, Server]
    theirs: Mapping[str, Server]
    start_bare: Callable[[bytes], Server]
    end_tables: Callable[[], None]
    """Before others are measured: they would follow what is published, on the same core."""


@contextmanager
def running(pairs: Mapping[str, Pair], folder: Path, core: set[int]) -> Iterator[Running]:
    """All of them at once, idle but for the one that is asked."""
    quotas = {f"MUTUALAID_{name}": str(10**9) for name in _QUOTAS}
    with ExitStack() as stack:
        ours: dict[str, Server] = {}
        tables: dict[str, Server] = {}
        theirs: dict[str, Server] = {}
        without = stack.enter_context(ExitStack())
        for dialect, pair in pairs.items():
            variables = {
                "MUTUALAID_DATA": str(pair.data),
                "MUTUALAID_DATABASE_URL": pair.url,
                "MUTUALAID_LIMITS": "strict",
            }
            app = "mutualaid.app:from_environment"
            for name, index, where, until in (("ours", "auto", ours, stack), ("tables", "off", tables, without)):
                said = variables | quotas | {"MUTUALAID_PLAZA_INDEX": index}
                log = folder / f"{name}-{dialect}.log"
                where[dialect] = until.enter_context(serving.serving(app, log, core, said, factory=True))
            variables, log = {twin.DATABASE_URL: pair.twin_url}, folder / f"twin-{dialect}.log"
            theirs[dialect] = stack.enter_context(
                serving.serving("tests.bench.twin:app", log, core, variables, factory=False)
            )

        def start_bare(page: bytes) -> Server:
            items = json.loads(page)["items"]
            file = folder / "answers.json"
            file.write_text(json.dumps({"list": json.loads(page), "card": items[0]}), encoding="utf-8")
            log, variables = folder / "bare.log", {bare.ANSWERS: str(file)}
            return stack.enter_context(serving.serving("tests.bench.bare:build", log, core, variables, factory=True))

        yield Running(ours, tables, theirs, start_bare, without.close)


# ---- what is asked -----------------------------------------------------------------------------------------------


def reads(people: Sequence[Person]) -> list[bytes]:
    """`GET /posts` of a kind near home, by each member."""
    return [_read(who.home, who) for who in people]


def first_reads(towns: Towns, people: Sequence[Person]) -> list[bytes]:
    """The same from places all over, by random members: hardly any of the posts has been shown to anybody."""
    random = towns.random("readers")
    who = random.integers(len(people), size=_DRAWN)
    return [_read(cells.centre(cell), people[who[n]]) for n, (_, cell) in enumerate(towns.draw(random, _DRAWN))]


def _read(place: tuple[float, float], who: Person) -> bytes:
    path = f"{_POSTS}?near={place[0]:.6f},{place[1]:.6f}&kind=need&limit={A_PAGE}"
    return driving.request("GET", path, who.token)


def creates(towns: Towns, people: Sequence[Person], path: str = _POSTS) -> Iterator[bytes]:
    """`POST /posts` by one member after the other, at home, each under a key of its own."""
    items = [item.code for item in towns.ground.items]
    for n in itertools.count():
        who = people[n % len(people)]
        lat, lng = who.home
        draft = {
            "kind": "need",
            "lines": [{"item": items[n % len(items)], "quantity": 1}],
            "place": {"lat": lat, "lng": lng, "crs": "wgs84"},
            "note": NEED_NOTES[n % len(NEED_NOTES)],
        }
        body = json.dumps(draft, ensure_ascii=False).encode()
        yield driving.request("POST", path, who.token, body=body, headers=f"idempotency-key: {n}\r\n")


async def read(
    towns: Towns,
    people: Mapping[str, Sequence[Person]],
    servers: Running,
    effort: Effort,
    told: Callable[[int, int], None],
) -> tuple[Rates, tuple[int, int]]:
    """The rates of reading; and of how many pages that were compared how many differ between any two applications."""
    asked = {dialect: reads(people[dialect]) for dialect in people}
    first = next(iter(asked))
    different, compared = 0, min(_COMPARED, len(asked[first]))
    for n in range(compared):
        shown = [(d, server[d]) for d in asked for server in (servers.ours, servers.tables, servers.theirs)]
        pages = [await _distances(server, asked[d][n]) for d, server in shown]
        different += not _alike(pages)
    page = await driving.one(servers.ours[first].port, asked[first][0], status=200)
    targets = [Target(BARE, "", servers.start_bare(page), itertools.cycle(asked[first]).__next__, 200)]
    for d in asked:
        for n, once in enumerate(asked[d]):  # everybody has looked before
            told(n, len(asked[d]))
            for server in (servers.ours[d], servers.tables[d]):
                await driving.one(server.port, once, status=200)
        first_time = itertools.cycle(first_reads(towns, people[d])).__next__
        targets += [
            Target(OURS, d, servers.ours[d], itertools.cycle(asked[d]).__next__, 200),
            Target(FIRST, d, servers.ours[d], first_time, 200),
            Target(TABLES, d, servers.tables[d], itertools.cycle(asked[d]).__next__, 200),
            Target(TWIN, d, servers.theirs[d], itertools.cycle(asked[d]).__next__, 200),
        ]
    return await measure(targets, effort, told=told), (compared, different)


async def _distances(server: Server, asked: bytes) -> list[int]:
    page = json.loads(await driving.one(server.port, asked, status=200))
    return [card["distance_m"] for card in page["items"]]


def _alike(pages: Sequence[Sequence[int]]) -> bool:
    """The same distances in the same order, give or take the metre by which formulas may differ."""
    first = pages[0]
    return all(len(p) == len(first) and all(abs(a - b) <= 1 for a, b in zip(p, first, strict=True)) for p in pages)


async def create(
    towns: Towns,
    people: Mapping[str, Sequence[Person]],
    servers: Running,
    effort: Effort,
    told: Callable[[int, int], None],
) -> Rates:
    """The rates of publishing, by members who have published before: their homes are anchored."""
    first = next(iter(people))
    page = await driving.one(servers.ours[first].port, reads(people[first])[0], status=200)
    targets = [Target(BARE, "", servers.start_bare(page), creates(towns, people[first]).__next__, 201)]
    for d in people:
        alone = creates(towns, people[d], f"{_POSTS}/alone")
        following = creates(towns, people[d])
        for n, once in enumerate(itertools.islice(following, len(people[d]))):
            told(n, len(people[d]))
            await driving.one(servers.ours[d].port, once, status=201)
        targets += [
            Target(OURS, d, servers.ours[d], following.__next__, 201),
            Target(TWIN, d, servers.theirs[d], creates(towns, people[d]).__next__, 201),
            Target(ALONE, d, servers.theirs[d], alone.__next__, 201),
        ]
    return await measure(targets, effort, told=told)
