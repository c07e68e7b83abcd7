"""Publishing over the real doors: how few statements it takes, and that its answer is what a reading gives."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import Any
from unittest import mock

import pytest
from sqlalchemy import text

from mutualaid.kit import lot_texts
from mutualaid.kit.database import Database
from mutualaid.kit.idempotency import Once
from mutualaid.kit.plain import EarlyPlain
from mutualaid.kit.prepared import Put
from tests.harness import House, Person, a_need, an_offer

# on the writer's connection, BEGIN and COMMIT included, of which PostgreSQL needs none, but not what a connection is set to;
# a home that is known already
MOST = {"sqlite": 11, "postgresql": 2}


@contextmanager
def telling(database: Database) -> Iterator[list[str]]:
    """What the connections kept for prepared statements are told within the block. SQLite tells a statement again for each
    step of its triggers: those count once with it."""
    said: list[str] = []
    together: Any = database._together
    if database.dialect == "sqlite":
        together._connection._conn.set_trace_callback(lambda one: said.extend([one] * (said[-1:] != [one])))
        yield said
        together._connection._conn.set_trace_callback(None)
        return

    def heard(record: Any) -> None:
        said.append(record.query)

    for _, driver in database._kept:
        driver.add_query_logger(heard)
    yield said
    for _, driver in database._kept:
        driver.remove_query_logger(heard)


async def publish(person: Person, key: str, **draft: Any) -> dict[str, Any]:
    answer = await person.post("/posts", a_need(**draft), headers={"idempotency-key": key})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_publication_takes_few_statements(house: House, dialect: str) -> None:
    member = await house.member()
    for key in ("k-1", "k-2"):  # the home is made, then the driver asks about types that it has not met
        await publish(member, key, note="三天没退烧了")

    with telling(house.services.database) as said:
        await publish(member, "k-3", note="还是没退烧")
        await asyncio.sleep(0)  # the driver tells of a question in the loop's next turn

    told = [one for one in said if not one.startswith("PRAGMA")]
    assert 1 < len(told) <= MOST[dialect], "\n".join(told)


@pytest.mark.parametrize(
    "draft",
    [
        a_need(note="三天没退烧了 13800138000", urgency="urgent"),
        an_offer(available=[{"from": "2023-01-08T01:00:00Z", "to": "2023-01-08T03:00:00Z"}], keeps_enough=True),
    ],
)
async def test_the_answer_is_what_a_reading_gives(house: House, draft: dict[str, Any]) -> None:
    member = await house.member()

    posts = [await member.publish(draft) for _ in range(2)]  # the second urgent one is hidden

    for post in posts:
        assert (await member.get(f"/posts/{post['id']}")).json() == post


@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_a_consent_taken_back_between_the_look_and_the_lock_counts(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = await house.member()
    await publish(member, "k-1", note="三天没退烧了")
    put, looks = EarlyPlain.put, []

    async def later(plain: EarlyPlain, first: Put, *others: Put) -> Any:
        looks.append(await member.ask("DELETE", "/me/consents/publish_nearby"))
        return await put(plain, first, *others)

    monkeypatch.setattr(EarlyPlain, "put", later)
    refused = await member.post("/posts", a_need(note="还是没退烧"), headers={"idempotency-key": "k-2"})

    assert len(looks) == 1, "it had been decided"
    assert (refused.status_code, refused.json()["code"]) == (428, "consent_needed")
    assert len((await member.get("/me/posts")).json()["items"]) == 1


async def test_a_publication_repeated_at_once_is_one(house: House) -> None:
    member = await house.member()
    await publish(member, "k-1")
    draft, key = a_need(note="三天没退烧了"), {"idempotency-key": "k-2"}

    with mock.patch.object(Once, "turn", lambda _once: nullcontext()):  # as in several processes
        answers = await asyncio.gather(*(member.post("/posts", draft, headers=key) for _ in range(4)))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len((await member.get("/me/posts")).json()["items"]) == 2


async def settled(house: House, count: int) -> list[Person]:
    """So many members whose homes are known, so that what they publish is decided ahead of the lock."""
    members = [await house.member() for _ in range(count)]
    for member in members:
        await publish(member, "k-1")
    return members


async def publish_all(members: list[Person]) -> list[Any]:
    """All of them publish at once, each under the key `k-2`: their answers."""
    draft, key = a_need(note="三天没退烧了"), {"idempotency-key": "k-2"}
    return await asyncio.gather(*(member.post("/posts", draft, headers=key) for member in members))


async def counts(members: list[Person]) -> list[int]:
    return [len((await member.get("/me/posts")).json()["items"]) for member in members]


@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_who_publish_at_once_are_written_in_one_and_who_is_refused_harms_no_other(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = await settled(house, 4)
    write, lots = lot_texts.writing, []

    def writing(lot: Any) -> Any:
        lots.append(len(lot))
        return write(lot)

    monkeypatch.setattr(lot_texts, "writing", writing)
    put = EarlyPlain.put

    async def later(plain: EarlyPlain, first: Put, *others: Put) -> Any:
        await all_decided.wait()
        if first.values["owner"] == refused:
            await members[1].ask("DELETE", "/me/consents/publish_nearby")
            taken_back.set()
        await taken_back.wait()
        return await put(plain, first, *others)

    all_decided, taken_back = asyncio.Barrier(len(members)), asyncio.Event()
    refused = (await members[1].get("/me")).json()["id"]
    monkeypatch.setattr(EarlyPlain, "put", later)
    answers = await publish_all(members)

    assert [answer.status_code for answer in answers] == [201, 428, 201, 201]
    assert lots == [4, 1, 1, 1, 1], "together, then each by itself"
    assert await counts(members) == [2, 1, 2, 2]


@pytest.mark.parametrize("dialect", ["postgresql"])
@pytest.mark.parametrize("written", [False, True])
async def test_a_lot_whose_connection_is_lost_is_answered_by_what_was_committed_and_done_once(
    house: House, monkeypatch: pytest.MonkeyPatch, written: bool
) -> None:
    members = await settled(house, 3)
    lots = house.services.database._lots
    lend = lots._lend

    class Lost:
        """The connection goes before the lot is committed, or before its answer comes back."""

        def __init__(self, connection: Any) -> None:
            self._connection = connection

        async def fetch(self, sql: str, *values: Any) -> Any:
            found = await self._connection.fetch(sql, *values) if written or "still_so" not in sql else []
            if "still_so" in sql:
                raise ConnectionResetError
            return found

    @asynccontextmanager
    async def losing() -> AsyncIterator[Lost]:
        async with lend() as connection:
            yield Lost(connection)

    monkeypatch.setattr(lots, "_lend", losing)
    told = {answer.status_code for answer in await publish_all(members)}
    assert told == {201 if written else 503}, "a kept answer is looked for where a deed is refused"
    monkeypatch.undo()
    assert await counts(members) == [1 + written] * 3

    assert {answer.status_code for answer in await publish_all(members)} == {201}
    assert await counts(members) == [2] * 3


@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_a_lot_that_gets_no_answer_is_given_up_and_holds_up_nobody(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    members, database = await settled(house, 3), house.services.database
    monkeypatch.setattr(database._lots._writes, "_patience_s", 0.3)

    async with database.transaction() as session:
        await session.execute(text("LOCK TABLE audit_rows IN EXCLUSIVE MODE"))
        assert {answer.status_code for answer in await publish_all(members)} == {503}
    monkeypatch.undo()

    assert {answer.status_code for answer in await publish_all(members)} == {201}
    assert await counts(members) == [2] * 3, "also where it was written after all"


async def test_one_key_twice_in_a_lot_is_one_deed(house: House) -> None:
    members = await settled(house, 3)

    with mock.patch.object(Once, "turn", lambda _once: nullcontext()):  # as in several processes
        answers = await publish_all([*members, members[0], members[0]])

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 3
    assert await counts(members) == [2, 2, 2]
