"""No question to the plaza scans a table: each of its statements is explained by the database that ran it."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from random import Random
from typing import Any
from unittest import mock

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.catalogue import snapshot
from mutualaid.kit.database import Database
from mutualaid.kit.prepared import Prepared
from mutualaid.kit.reads import Tables
from mutualaid.posts import nearby, reading, searching, streams
from mutualaid.posts.wire import PlazaQuery
from mutualaid.services import Services
from tests.figures import Figure
from tests.posts import city
from tests.posts.city import Question

# `post_words_unsorted` is not among them: it is read whole, and whoever searches keeps it short
TABLES = ("plaza_entries", "plaza_cells", "posts", "post_lines", "post_words", "members", "regions", "x", "c", "p")
MADE = {"sqlite": 33, "postgresql": 52}  # statements, by all 576 combinations
_Said = tuple[str, Any]


@contextmanager
def listening(database: Database) -> Iterator[list[_Said]]:
    """Every reading statement that goes to the database within the block, with its parameters: those of a session, and
    those that are prepared."""
    said: list[_Said] = []
    fetch = Tables.fetch

    def hear(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.lstrip().startswith(("SELECT", "WITH")):
            said.append((statement, parameters))

    async def heard(tables: Tables, asked: Prepared, **values: Any) -> Sequence[Any]:
        text = asked.text(tables.dialect)
        said.append((text.sql, tuple(text.values(values))))
        return await fetch(tables, asked, **values)

    event.listen(database.engine.sync_engine, "before_cursor_execute", hear)
    with mock.patch.object(Tables, "fetch", heard):
        yield said
    event.remove(database.engine.sync_engine, "before_cursor_execute", hear)


def questions(*, every: bool) -> Iterator[Question]:
    """Every combination of filters and orders; else those that make every statement which all of them make: a district,
    a city and a province are asked alike, and so are an item and a group. `--deep` asks them all, and sees to that."""
    regions, group = ("450103", "450100", "450000"), {"group": next(iter(city.GROUPS.values()))}
    wheres: list[dict[str, Any]] = [{}, *({"region": region} for region in (regions if every else regions[-1:]))]
    whats: list[dict[str, Any]] = [{}, *([{"item": "ibuprofen"}] if every else []), group]
    orders: list[dict[str, Any]] = [
        {"sort": "newest"},
        {"sort": "urgent"},
        {"sort": "distance", "near": city.MIDDLE},
        {"sort": "distance", "near": city.MIDDLE, "within_km": 3.0},
        {"sort": "newest", "near": city.MIDDLE, "within_km": 3.0},
        {"sort": "urgent", "near": city.MIDDLE, "within_km": 2000.0},
    ]
    words = (None, "口罩 退烧")
    for kind, real, where, what, order, q in product((None, "need"), (None, True), wheres, whats, orders, words):
        yield Question(kind=kind, real_name=real, **where, **what, **order, q=q)


async def plan_of(session: AsyncSession, dialect: str, statement: str, parameters: Any) -> list[str]:
    connection = await session.connection()
    word = "EXPLAIN " if dialect == "postgresql" else "EXPLAIN QUERY PLAN "
    rows = await connection.exec_driver_sql(word + statement, parameters)
    return [row[-1] for row in rows]


def scans(dialect: str, plan: list[str]) -> list[str]:
    """The lines of a plan that read a whole table."""
    if dialect == "postgresql":
        return [line for line in plan if "Seq Scan" in line and "post_words_unsorted" not in line]
    return [line for line in plan if line.startswith("SCAN") and line.split()[1] in TABLES]


async def ask(services: Services, session: AsyncSession, asked: Iterable[Question]) -> dict[str, Any]:
    """The statements that these questions make, each with parameters it was asked with."""
    catalogue = await snapshot.current(services.database)
    few: dict[str, Any] = {"_RARE": 1, "_AT_ONCE": 2, "_WALKED": 1}  # of words, every way is gone
    with listening(services.database) as said, mock.patch.multiple(searching, **few):
        for question in asked:
            query = PlazaQuery.model_validate(question.parameters() | {"limit": "5"})
            page = await reading.read_plaza(session, services.ring, query, catalogue, notes=True)
            if page.next_cursor:
                later = query.model_copy(update={"cursor": page.next_cursor})
                await reading.read_plaza(session, services.ring, later, catalogue, notes=True)
    return dict(said)


@pytest.fixture
async def settled(services: Services) -> Services:
    async with services.database.transaction() as session:
        await city.settle(session, city.generate(Random(1), posts=60))
    return services


async def test_no_combination_of_filters_scans_a_table(settled: Services, dialect: str) -> None:
    asked = list(questions(every=False))
    async with settled.database.reading() as session:
        shapes = await ask(settled, session, asked)
        assert len(asked) == 192 and len(shapes) == MADE[dialect], "every statement was made"
        if dialect == "postgresql":  # so small a table is quicker read whole; whether it could be helped is asked here
            await (await session.connection()).exec_driver_sql("SET LOCAL enable_seqscan = off")
        else:
            shapes |= squares_on_sqlite() | streams_on_sqlite()
        found = {
            statement: scans(dialect, await plan_of(session, dialect, statement, shapes[statement]))
            for statement in shapes
        }

    assert sum("post_words" in statement for statement in shapes) >= 3, "and some of them looked for words"
    assert {statement: lines for statement, lines in found.items() if lines} == {}


@pytest.mark.deep("plaza_statements", n=576)
async def test_all_combinations_of_filters_make_no_other_statements(
    settled: Services, dialect: str, figure: Figure
) -> None:
    every, few = list(questions(every=True)), list(questions(every=False))
    async with settled.database.reading() as session:
        made = await ask(settled, session, every)
        enough = await ask(settled, session, few)

    assert len(every) == 576 and few != every
    assert made.keys() == enough.keys() and len(made) == MADE[dialect]
    figure.keep(asked=len(every), statements=len(made), missed=0)


def streams_on_sqlite() -> dict[str, Any]:
    """What is asked of SQLite beside the engine: one statement a stream, of every shape."""
    asked = {"topic": "", "kind": "need", "real": 1, "place": "", "lowest": "", "highest": "9", "now": 0, "most": 9}
    asked |= {"created": 0, "post": "", "rank": 0}
    shapes = product(("newest", "rank"), (None, "region", "cell"), (False, True), (False, True))
    return {streams.range_of_one(*shape): asked for shape in shapes}  # type: ignore[arg-type] # the two orders


def squares_on_sqlite() -> dict[str, Any]:
    """One statement a square, of one or several topics, kinds and sorts of author."""
    counts = product((1, 2, 9), (1, 2), (1, 2))
    return {nearby.in_square(*each): (*("" for _ in range(sum(each))), 0, 1 << 52, 33) for each in counts}


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_a_planted_scan_is_found(services: Services, dialect: str) -> None:
    async with services.database.reading() as session:
        plan = await plan_of(session, dialect, "SELECT post_id FROM plaza_entries WHERE rank + 0 = 1", ())
    assert scans(dialect, plan) != []
