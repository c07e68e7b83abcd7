"""Who answers the plaza's questions. A way opens what it needs and gives an `Ask`; one more way is one more line in `WAYS`."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text

from benching.home import Pair
from benching.questions import A_PAGE, Question
from mutualaid.kit import cells, clock, tasks
from mutualaid.kit.reads import Tables
from mutualaid.posts.index.feed import feed_of
from mutualaid.posts.index.follower import Follower
from mutualaid.posts.orders import FromMemory, FromTables, Hit, Orders
from mutualaid.posts.plaza import Filters

Ask = Callable[[Question], Awaitable[list[str] | None]]  # the ids of the first page; None: not for this way
Open = Callable[[Pair], AbstractAsyncContextManager[Ask | None]]  # None: it is not there


@dataclass(frozen=True, slots=True)
class Way:
    """`dialect`: which pair it is opened on. `exact`: whether its answers must be those of brute force."""

    name: str
    dialect: str
    open: Open
    exact: bool = True


@asynccontextmanager
async def by_sql(pair: Pair) -> AsyncIterator[Ask]:
    """The plaza's functions, all questions of one reader."""
    async with pair.ours() as database, database.tables() as tables:

        async def ask(question: Question) -> list[str]:
            return await answered(tables, question)

        yield ask


async def answered(tables: Tables, question: Question) -> list[str]:
    """What the plaza's functions say."""
    return [entry.post_id for _, entry in await _of(FromTables(tables), question)]


async def _of(orders: Orders, question: Question) -> Sequence[Hit]:
    filters = question.filters
    if question.order == "distance":
        viewer, within_m = question.viewer, question.within_m
        return await orders.nearest(filters, viewer=viewer, within_m=within_m, after=None, limit=A_PAGE)
    in_time = orders.urgent if question.order == "urgent" else orders.newest
    return await in_time(filters, after=None, limit=A_PAGE)


@asynccontextmanager
async def by_memory(pair: Pair) -> AsyncIterator[Ask]:
    """The index, which catches up with the feed before each answer."""
    async with pair.ours() as database:
        follower = Follower(feed_of(database), least=0, waits=database.dialect == "postgresql")
        following = asyncio.create_task(follower.run())
        try:
            while await follower.caught_up() is None:  # noqa: ASYNC110 — it is being made
                await asyncio.sleep(0.1)

            async def ask(question: Question) -> list[str] | None:
                if question.filters.words is not None:
                    return None
                standing = await follower.caught_up()
                assert standing is not None
                return [entry.post_id for _, entry in await _of(FromMemory(standing, clock.now()), question)]

            yield ask
        finally:
            await tasks.end(following)
            await follower.close()


_GEOGRAPHY: Final = (
    "CREATE EXTENSION IF NOT EXISTS postgis",
    """CREATE TABLE bench_geography AS SELECT e.post_id, e.topic, e.kind, ST_SetSRID(ST_MakePoint(
        degrees(atan2(cube_ll_coord(p.spot, 2), cube_ll_coord(p.spot, 1))), degrees(asin(cube_ll_coord(p.spot, 3)))
    ), 4326)::geography AS place FROM plaza_entries e JOIN posts p ON p.id = e.post_id""",
    "CREATE INDEX bench_geography_near ON bench_geography USING gist (kind, topic, place)",
    "ANALYZE bench_geography",
)
_NEIGHBOURS: Final = text("""SELECT post_id FROM bench_geography WHERE kind = :kind AND topic = :topic
    ORDER BY place <-> ST_SetSRID(ST_MakePoint(:lng, :lat), 4326)::geography LIMIT :most""")


@asynccontextmanager
async def by_postgis(pair: Pair) -> AsyncIterator[Ask | None]:
    """PostGIS, where the server has it: the posts of a kind and an item by an index over geography. It measures on the
    ellipsoid and takes what is level as it comes, so it is timed and not compared."""
    async with pair.ours() as database:
        async with database.connected() as connection:
            there = await connection.scalar(text("SELECT 1 FROM pg_available_extensions WHERE name = 'postgis'"))
            for statement in _GEOGRAPHY if there else ():
                await connection.execute(text(statement))
            await connection.commit()
        if not there:
            yield None
            return
        async with database.reading() as session:

            async def ask(question: Question) -> list[str] | None:
                filters, items = question.filters, question.filters.items or ("",)
                if question.order != "distance" or question.within_m or len(items) > 1:
                    return None
                if filters != Filters(filters.kind, filters.items):
                    return None
                lat, lng = cells.centre(question.viewer)
                asked = {"kind": filters.kind, "topic": items[0], "lat": lat, "lng": lng, "most": A_PAGE}
                return list(await session.scalars(_NEIGHBOURS, asked))

            yield ask


WAYS: Final = (
    Way("SQLite", "sqlite", by_sql),
    Way("PostgreSQL", "postgresql", by_sql),
    Way("SQLite, in memory", "sqlite", by_memory),
    Way("PostgreSQL, in memory", "postgresql", by_memory),
    Way("PostGIS", "postgresql", by_postgis, exact=False),
)
