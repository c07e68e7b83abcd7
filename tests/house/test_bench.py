"""scripts/bench at a tiny size: every row is there, no page is wrong, and a wrong one would be seen."""

import asyncio
import json
import math
import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from benching import driving, leases, nearest, questions, ways
from benching.command import SEED, posts
from benching.home import BOTH, Home
from benching.report import Figure, slope, tables
from benching.towns import HOT_CELLS, Towns
from benching.truth import Truth
from sqlalchemy import delete, func, select

from mutualaid.posts.records import Post
from tests.spares import Spares

ROOT = Path(__file__).resolve().parents[2]
POSTS = 500
WAYS = {"SQLite", "SQLite, in memory", "PostgreSQL", "PostgreSQL, in memory"}
STACKS = {("", "bare Starlette"), *((on, who) for on in ("SQLite", "PostgreSQL") for who in ("ours", "FastAPI"))}
WITHOUT = ("from places all over", "without the index")


@dataclass(frozen=True)
class Ran:
    """What one run printed and kept, and the folder with its loaded databases."""

    printed: str
    figures: list[Figure]
    folder: Path


@pytest.fixture(scope="module")
def ran(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("bench")
    words = ["plaza", "--quick", "--sets", "spread", "--sizes", str(POSTS)]
    kept = ["--keep", str(folder / "kept"), "--figures", str(folder / "figures.json")]
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "bench.py", *words, *kept],
        capture_output=True,
        text=True,
        timeout=240,
        env=os.environ | {"TEST_DATABASE_URL": postgres_url},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads((folder / "figures.json").read_text(encoding="utf-8"))
    return Ran(done.stdout, [Figure(**figure) for figure in told["figures"]], folder / "kept")


@pytest.fixture
async def home(ran: Ran, postgres_url: str) -> AsyncIterator[Home]:
    """What the run has left for the next one."""
    told: list[str] = []
    async with Home.open(
        ran.folder, postgres_url, kept=True, number=SEED, told=lambda *what: told.append(what[0])
    ) as h:
        yield h
    assert told == [], "it was loaded again"


@pytest.fixture
async def towns(home: Home) -> Towns:
    return Towns("spread", SEED, await home.ground(), home.made_at)


def of(ran: Ran, part: str) -> dict[tuple[str, str], dict[str, Any]]:
    return {(figure.what, figure.who): figure.values for figure in ran.figures if figure.part == part}


def test_every_page_is_right(ran: Ran) -> None:
    checks = of(ran, "check")

    assert {who for _, who in checks} == WAYS | {"all"}
    assert {values["wrong"] for values in checks.values()} == {0}
    assert all(values["n"] >= 30 for values in checks.values())


def test_every_form_of_question_is_timed_on_both_databases(ran: Ran, towns: Towns) -> None:
    timed = of(ran, "nearest")

    assert timed.keys() == {(form, way) for form in questions.forms(towns) for way in WAYS}
    assert all(0 < values["p50_ms"] <= values["p99_ms"] for values in timed.values())


def test_reading_and_publishing_stand_beside_what_they_are_compared_with(ran: Ran) -> None:
    read, create = of(ran, "read"), of(ran, "create")

    assert read.keys() == STACKS | {(on, f"ours, {how}") for on in ("SQLite", "PostgreSQL") for how in WITHOUT}
    more = {(on, "FastAPI, the post alone") for on in ("SQLite", "PostgreSQL")}
    assert create.keys() == STACKS | more
    for rates in (read, create):
        assert rates["", "bare Starlette"]["of_bare"] == 1
        assert all(values["a_second"] > 0 and values["of_bare"] > 0 for values in rates.values())
        assert all(rates[on, "ours"]["of_twin"] > 0 for on in ("SQLite", "PostgreSQL"))


def test_what_is_printed_is_what_is_kept(ran: Ran) -> None:
    assert ran.printed.endswith(tables(ran.figures) + "\n")
    assert "| kind, rare item | PostgreSQL | " in ran.printed


async def test_a_wrong_answer_is_seen(home: Home, towns: Towns) -> None:
    asked = questions.draw(towns, 3)
    async with home.lend(towns, POSTS, "sqlite") as pair, ways.by_sql(pair) as honest:

        async def careless(question: questions.Question) -> list[str] | None:
            page = await honest(question)
            return page and page[::-1]

        both = {"honest": honest, "careless": careless}
        _, answers = await nearest.measure(both, asked, rounds=1, told=lambda *_: None)
        async with pair.ours() as database, database.reading() as session:
            truth = await Truth.read(session)
    found = nearest.check(truth, asked, answers, both, each=3)

    longer = sum(len(truth.answer(question, 20)) > 1 for each in asked.values() for question in each)
    assert longer > 20
    assert found == {"honest": (30, 0), "careless": (30, longer)}


@pytest.mark.parametrize("dialect", BOTH)
async def test_what_a_run_writes_is_gone_with_the_next(home: Home, towns: Towns, dialect: str) -> None:
    for _ in range(2):
        async with home.lend(towns, POSTS, dialect) as pair, pair.ours() as database, database.transaction() as session:
            assert await session.scalar(select(func.count()).select_from(Post)) == POSTS
            await session.execute(delete(Post).where(Post.kind == "need"))


async def test_the_fullest_cell_of_the_hot_city_holds_a_fiftieth(home: Home) -> None:
    hot = Towns("hot", SEED, await home.ground(), home.made_at)

    found = Counter(cell for _, cell in hot.draw(hot.random("a test"), 100_000))

    assert 1_400 < len(found) <= HOT_CELLS
    assert 1_800 < found.most_common(1)[0][1] < 2_300


def test_growth_is_told_as_a_power_of_the_number_of_posts() -> None:
    assert slope([(10, 3.0), (100, 9.0), (1_000, 300.0)]) == pytest.approx(1)
    assert slope([(10_000, 2.0), (1_000_000, 2.0)]) == 0
    assert slope([(10_000, 1.0), (1_000_000, math.sqrt(100))]) == pytest.approx(0.5)
    assert slope([(10_000, 1.0)]) is None


def test_sizes_stand_side_by_side_with_their_growth() -> None:
    took = {10_000: (1.0, 4.0), 100_000: (1.2, 3.0), 1_000_000: (2.0, 4.0)}
    figures = [
        Figure("nearest", "spread", size, "kind", "SQLite", {"n": 500, "p50_ms": p50, "p99_ms": p99})
        for size, (p50, p99) in took.items()
    ]

    lines = tables(figures).splitlines()

    assert lines[2] == "|  |  | 10,000 posts | 100,000 posts | 1,000,000 posts | last / first | slope |"
    assert lines[4] == ("| kind | SQLite | 1.00 / 4.00 | 1.20 / 3.00 | 2.00 / 4.00 | 2.00 / 1.00 | +0.15 / +0.00 |")


def test_sizes_are_read_as_people_write_them() -> None:
    assert [posts(text) for text in ("500", "10k", "1M")] == [500, 10_000, 1_000_000]


async def test_an_answer_of_another_kind_ends_the_run() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(driving.BadAnswer, match="429"):
            asked = driving.request("GET", "/", "token")
            await driving.drive(port, lambda: asked, status=200, connections=2, seconds=5)


async def test_leases_and_decisions_are_measured_on_both_databases(spares: Spares, tmp_path: Path) -> None:
    async with spares.one() as url:
        found = await leases.measure(tmp_path, url, leases.QUICK, lambda *_: None)

    assert found.keys() == {f"{what} {on}" for what in ("leases", "decision") for on in ("SQLite", "PostgreSQL")}
    assert all(one["a_second"] > 0 for what, one in found.items() if what.startswith("leases"))
    assert all(0 < one["connect_p50_ms"] <= one["connect_p99_ms"] for what, one in found.items() if "decision" in what)
    assert len(leases.lines(found)) == 4
