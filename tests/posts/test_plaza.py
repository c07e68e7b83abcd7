"""The plaza's orders against brute force over a generated city, on both databases; pages while posts come and go."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from random import Random
from typing import Any
from unittest import mock

import h3
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.catalogue import snapshot
from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.kit import clock as kit_clock
from mutualaid.kit.database import Database
from mutualaid.kit.prepared import Prepared
from mutualaid.kit.reads import Tables
from mutualaid.posts import neighbours, plaza, reading, searching
from mutualaid.posts.index.follower import Follower
from mutualaid.posts.orders import FromMemory, FromTables, Orders
from mutualaid.posts.plaza import Filters
from mutualaid.posts.records import Post
from mutualaid.posts.wire import PlazaQuery
from mutualaid.services import Services
from tests.figures import Figure
from tests.harness import House
from tests.moments import START, Clock
from tests.posts import city
from tests.posts.city import Lot, Question
from tests.posts.indexing import fill, indexed, renew

QUERIES = 500  # on each database
PAGES_WALKED = 12
WAYS: Sequence[dict[str, Any]] = [  # in which words are looked for
    {"_RARE": 2_000},  # every word of so small a city is rare
    {"_RARE": 3, "_AT_ONCE": 7, "_WALKED": 10_000},
    {"_RARE": 3, "_AT_ONCE": 7, "_WALKED": 2},
]


class Reader:
    """Asks the reading layer, page after page, within one session."""

    def __init__(self, services: Services, catalogue: Catalogue, session: AsyncSession, orders: Orders) -> None:
        self.ring, self.catalogue, self.session, self.orders = services.ring, catalogue, session, orders

    async def page(
        self, question: Question, *, limit: int, cursor: str | None = None
    ) -> tuple[list[tuple[int | None, str]], str | None]:
        said = question.parameters() | {"limit": str(limit)} | ({"cursor": cursor} if cursor else {})
        query = PlazaQuery.model_validate(said)
        orders = self.orders if question.q is None else None  # memory knows no words
        read = await reading.read_plaza(self.session, self.ring, query, self.catalogue, notes=True, orders=orders)
        return [(metres, card.id) for metres, card in read.cards], read.next_cursor


@asynccontextmanager
async def reader_of(services: Services, follower: Follower | None = None) -> AsyncIterator[Reader]:
    """By SQL, or with a follower from memory."""
    catalogue = await snapshot.current(services.database)
    standing = await follower.caught_up() if follower else None
    assert (standing is None) == (follower is None)
    async with services.database.reading() as session, services.database.tables() as tables:
        orders = FromMemory(standing, kit_clock.now()) if standing else FromTables(tables)
        yield Reader(services, catalogue, session, orders)


@pytest.fixture(params=["tables", "memory"])
async def follower(request: pytest.FixtureRequest, services: Services) -> AsyncIterator[Follower | None]:
    """None for the tables; else an index, made before anything stands and renewed now and then."""
    if request.param == "tables":
        yield None
        return
    async with indexed(services) as found:
        yield found


async def settle(database: Database, lots: Sequence[Lot]) -> None:
    async with database.transaction() as session:
        await city.settle(session, lots)


async def _compared(services: Services, clock: Clock, follower: Follower | None, *, queries: int, seed: int) -> int:
    """So many pages, each as brute force says: how many cards stood on them."""
    random = Random(seed)
    lots = city.generate(random, posts=300)
    await settle(services.database, lots[:200])
    if follower:
        await renew(follower)  # the rest is found in its tail
    await settle(services.database, lots[200:])

    asked, found, ties, said = 0, 0, 0, 0
    async with reader_of(services, follower) as reader:
        while asked < queries:
            question, limit = city.ask(random), random.choice([1, 2, 5, 20, 50])
            expected = city.brute_force(lots, question, clock.now)
            if question.within_km and expected and (metres := random.choice(expected)[0]):  # just within reach
                question = replace(question, within_km=metres / 1000)
                expected = city.brute_force(lots, question, clock.now)
            cursor: str | None = None
            way = random.choice(WAYS)
            for begin in range(0, PAGES_WALKED * limit, limit):
                with mock.patch.multiple(searching, **way):
                    cards, cursor = await reader.page(question, limit=limit, cursor=cursor)
                assert cards == expected[begin : begin + limit], question
                assert (cursor is not None) == (len(expected) > begin + limit)
                asked += 1
                found += len(cards)
                said += len(cards) if question.q else 0
                ties += sum(a[0] is not None and a[0] == b[0] for a, b in pairwise(cards))
                if cursor is None:
                    break
    full = (found > 4 * queries, ties > queries // 4, said > queries // 4)
    assert full == (True, True, True), "these were no empty questions"
    return found


async def test_every_order_equals_brute_force_over_shown_cells(
    services: Services, clock: Clock, follower: Follower | None
) -> None:
    await _compared(services, clock, follower, queries=QUERIES, seed=20230107)


@pytest.mark.deep("plaza_orders", n=2_600, parts=4)
async def test_every_order_equals_brute_force_at_full_size(
    services: Services, clock: Clock, follower: Follower | None, figure: Figure
) -> None:
    cards = await _compared(services, clock, follower, queries=2_600, seed=7)
    figure.keep(pages=2_600, cards=cards, wrong=0)


@pytest.mark.parametrize("in_memory", [False, True], ids=["tables", "memory"])
async def test_over_http_the_same_questions_have_the_same_answers(house: House, clock: Clock, in_memory: bool) -> None:
    random = Random(7)
    lots = city.generate(random, posts=150)
    await settle(house.services.database, lots)
    reader = await house.newcomer()
    if in_memory:
        await fill(house.plaza)

    for _ in range(40):
        question = city.ask(random)
        answer = await reader.get("/posts", params=question.parameters() | {"limit": "50"})
        assert answer.status_code == 200, (question, answer.text)
        expected = city.brute_force(lots, question, clock.now)
        told = [(card["distance_m"], card["id"]) for card in answer.json()["items"]]
        assert told == expected[:50], question


async def test_pages_neither_repeat_nor_skip_while_posts_come_and_go(
    services: Services, follower: Follower | None
) -> None:
    random = Random(31)
    for sort in ("distance", "newest", "urgent"):
        lots = [
            replace(lot, state="open", until=START + timedelta(hours=9)) for lot in city.generate(random, posts=120)
        ]
        await settle(services.database, lots)
        question = Question(sort=sort, near=city.MIDDLE)
        before = [post_id for _, post_id in city.brute_force(lots, question, START)]

        seen: list[str] = []
        gone: set[str] = set()
        come: list[Lot] = []
        cursor: str | None = None
        while True:
            if follower and random.random() < 0.2:
                await renew(follower)
            async with reader_of(services, follower) as reader:
                cards, cursor = await reader.page(question, limit=7, cursor=cursor)
            seen += [post_id for _, post_id in cards]
            if cursor is None:
                break
            still = {post_id for post_id in before if post_id not in gone}
            leaving = {
                *random.sample(sorted(still), 3),
                *({seen[-1]} & still),
            }  # the one that the cursor points at, too
            gone |= leaving
            late = city.generate(random, posts=4)
            come += late
            async with services.database.transaction() as session:
                for post_id in leaving:
                    post = await session.get_one(Post, post_id)
                    post.withdraw(START)
            await settle(services.database, late)

        stayed = [post_id for post_id in before if post_id not in gone]
        assert len(seen) == len(set(seen))
        assert set(stayed) <= set(seen) <= {*before, *(lot.id for lot in come)}
        assert [post_id for post_id in seen if post_id in stayed] == stayed
        async with services.database.transaction() as session:
            for lot in (*lots, *come):
                post = await session.get_one(Post, lot.id)
                if not post.ended:
                    post.withdraw(START)


async def test_a_cursor_survives_the_readers_jitter_but_no_other_question(house: House) -> None:
    lots = [replace(lot, state="open") for lot in city.generate(Random(5), posts=60)]
    await settle(house.services.database, lots)
    reader = await house.newcomer()
    first = (await reader.get("/posts?near=22.820000,108.370000&limit=2&kind=need")).json()

    moved = {"near": "22.820001,108.370001", "limit": "5", "kind": "need", "cursor": first["next_cursor"]}
    same = await reader.get("/posts", params=moved)
    others = [
        {"near": "22.92,108.37", "kind": "need"},
        {"near": "22.82,108.37", "kind": "offer"},
        {"near": "22.82,108.37"},
        {"near": "22.82,108.37", "kind": "need", "sort": "newest"},
        {"near": "22.82,108.37", "kind": "need", "within_km": "5"},
        {"near": "22.82,108.37", "kind": "need", "real_name": "true"},
        {"near": "22.82,108.37", "kind": "need", "q": "口罩"},
    ]

    assert same.status_code == 200
    assert not {card["id"] for card in same.json()["items"]} & {card["id"] for card in first["items"]}
    for other in others:
        refused = await reader.get("/posts", params={**other, "cursor": first["next_cursor"]})
        assert refused.status_code == 422, other
        assert [(e["field"], e["code"]) for e in refused.json()["errors"]] == [("cursor", "cursor_invalid")]


@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_neighbours_are_asked_for_again_until_the_nearest_are_sure(services: Services, clock: Clock) -> None:
    random = Random(11)
    lots = city.generate(random, posts=300)
    await settle(services.database, lots)
    asked = 0
    fetch = Tables.fetch

    async def counted(tables: Tables, prepared: Prepared, **values: Any) -> Sequence[Any]:
        nonlocal asked
        asked += prepared is neighbours.NEAREST
        return await fetch(tables, prepared, **values)

    with mock.patch.object(neighbours, "_LEAST_ASKED", 1), mock.patch.object(Tables, "fetch", counted):
        async with reader_of(services) as reader:
            for limit in (1, 2, 3, 20) * 10:
                question = replace(city.ask(random), sort="distance", near=city.somewhere(random), region=None, q=None)
                cards, _ = await reader.page(question, limit=limit)
                assert cards == city.brute_force(lots, question, clock.now)[:limit], question

    assert asked > 40, "for some of the forty pages one question was not enough"


async def test_a_radius_may_hold_more_cells_than_are_read_one_by_one(services: Services) -> None:
    lots = [replace(lot, state="open", until=START + timedelta(hours=9)) for lot in city.generate(Random(3), posts=40)]
    await settle(services.database, lots)
    viewer = h3.latlng_to_cell(*city.MIDDLE, 8)

    async with services.database.tables() as tables:
        every = await plaza.newest(tables, Filters(), after=None, limit=50)
        with mock.patch.object(plaza, "_CELLS_MERGED", 3), mock.patch.object(plaza, "_WALKED_AT_ONCE", 2):
            walked = await plaza.newest(tables, Filters(within=(viewer, 2_000_000)), after=None, limit=50)
        merged = await plaza.newest(tables, Filters(within=(viewer, 2_000_000)), after=None, limit=50)
        none = await plaza.newest(tables, Filters(within=("8826233a2bfffff", 100)), after=None, limit=50)

    ids = [[one.post_id for one in found] for found in (every, walked, merged)]
    assert all(each == ids[0] for each in ids) and every
    assert none == []
