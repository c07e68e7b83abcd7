"""No question to the plaza scans a table: each of its statements is explained by the database that ran it."""

from collections.abc import Iterator
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
from mutualaid.posts import nearby, reading, searching, streams
from mutualaid.posts.wire import PlazaQuery
from mutualaid.services import Services
from tests.posts import city
from tests.posts.city import Question

TABLES = ("plaza_entries", "plaza_cells", "posts", "post_lines", "post_words", "members", "regions", "x", "c", "p")
_Said = tuple[str, Any]


@contextmanager
def listening(database: Database) -> Iterator[list[_Said]]:
    """Every reading statement that goes to the database within the block, with its parameters."""
    said: list[_Said] = []

    def hear(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.lstrip().startswith("SELECT"):
            said.append((statement, parameters))

    event.listen(database.engine.sync_engine, "before_cursor_execute", hear)
    yield said
    event.remove(database.engine.sync_engine, "before_cursor_execute", hear)


def questions() -> Iterator[Question]:
    """Every combination of filters and orders."""
    wheres: list[dict[str, Any]] = [{}, {"region": "450103"}, {"region": "450100"}, {"region": "450000"}]
    whats: list[dict[str, Any]] = [{}, {"item": "ibuprofen"}, {"group": next(iter(city.GROUPS.values()))}]
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
        return [line for line in plan if "Seq Scan" in line]
    return [line for line in plan if line.startswith("SCAN") and line.split()[1] in TABLES]


async def test_no_combination_of_filters_scans_a_table(services: Services, dialect: str) -> None:
    database = services.database
    async with database.transaction() as session:
        await city.settle(session, city.generate(Random(1), posts=60))
    catalogue = await snapshot.current(database)

    asked = list(questions())
    shapes: dict[str, Any] = {}
    async with database.reading() as session:
        few: dict[str, Any] = {"_RARE": 1, "_AT_ONCE": 2, "_WALKED": 1}  # of words, every way is gone
        with listening(database) as said, mock.patch.multiple(searching, **few):
            for question in asked:
                query = PlazaQuery.model_validate(question.parameters() | {"limit": "5"})
                page = await reading.read_plaza(session, services.ring, query, catalogue, notes=True)
                if page.next_cursor:
                    later = query.model_copy(update={"cursor": page.next_cursor})
                    await reading.read_plaza(session, services.ring, later, catalogue, notes=True)
        shapes |= said
        if dialect == "postgresql":  # so small a table is quicker read whole; whether it could be helped is asked here
            await (await session.connection()).exec_driver_sql("SET LOCAL enable_seqscan = off")
        else:
            shapes |= {nearby.SQUARE: ("", "need", 1, 0, 1 << 52, 33), **streams_on_sqlite()}
        found = {
            statement: scans(dialect, await plan_of(session, dialect, statement, shapes[statement]))
            for statement in shapes
        }

    assert len(asked) == 576 and len(shapes) >= 12
    assert sum("post_words" in statement for statement in shapes) >= 3, "and some of them looked for words"
    assert {statement: lines for statement, lines in found.items() if lines} == {}


def streams_on_sqlite() -> dict[str, Any]:
    """What is asked of SQLite beside the engine: one statement a stream, of every shape."""
    asked = {"topic": "", "kind": "need", "real": 1, "place": "", "lowest": "", "highest": "9", "now": 0, "most": 9}
    asked |= {"created": 0, "post": "", "rank": 0}
    shapes = product(("newest", "rank"), (None, "region", "cell"), (False, True), (False, True))
    return {streams.range_of_one(*shape): asked for shape in shapes}  # type: ignore[arg-type] # the two orders


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_a_planted_scan_is_found(services: Services, dialect: str) -> None:
    async with services.database.reading() as session:
        plan = await plan_of(session, dialect, "SELECT post_id FROM plaza_entries WHERE rank + 0 = 1", ())
    assert scans(dialect, plan) != []
