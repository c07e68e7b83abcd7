import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from mutualaid.kit.database import Database
from mutualaid.kit.errors import Invalid, Malformed
from mutualaid.kit.phones import Phone
from mutualaid.kit.ring import KeyRing
from mutualaid.providers.numbers import Connect, Mode, NotAuthorised, PairConflict, PoolExhausted
from mutualaid.providers.numbers.fake import FakeBinding, FakeNumbers
from mutualaid.providers.numbers.words import WordsOnly
from tests.moments import Clock
from tests.providers.promise_numbers import A, B, C, CallsPromise, ExtensionsPromise, NumbersPromise, NumbersStage

TOKEN = "the-hook-token"


@pytest.fixture
def modes() -> tuple[Mode, ...]:
    return ("axb",)


@pytest.fixture
async def fake(database_url: str, clock: Clock, tmp_path: Path, modes: tuple[Mode, ...]) -> AsyncIterator[FakeNumbers]:
    ring = KeyRing.open(tmp_path / "keys")
    database = Database(database_url, ring)
    yield FakeNumbers(database, ring, tmp_path / "outbox", pool=3, hook_token=TOKEN, modes=modes)
    await database.close()


class TestFake(CallsPromise):
    @pytest.fixture
    async def stage(self, fake: FakeNumbers, clock: Clock) -> NumbersStage:
        async def count() -> int:
            return len(await fake.bound())

        return NumbersStage(fake, clock.set, lambda told: fake.told.fail(told, times=1), count)


class TestFakeWithExtensions(TestFake, ExtensionsPromise):
    @pytest.fixture
    def modes(self) -> tuple[Mode, ...]:
        return ("axb", "axe")


class TestWords(NumbersPromise):
    @pytest.fixture
    async def stage(self) -> NumbersStage:
        async def count() -> int:
            return 0

        return NumbersStage(WordsOnly(), lambda _: None, lambda _: None, count)

    async def test_there_are_no_calls(self, stage: NumbersStage) -> None:
        with pytest.raises(NotAuthorised):
            stage.maker.answer_route(Connect(B, "+8617000000001", 1))


async def test_the_numbers_are_those_of_the_contract(fake: FakeNumbers) -> None:
    assert fake.pool == ("+8617000000001", "+8617000000002", "+8617000000003")


async def test_of_many_who_bind_one_person_on_one_number_at_once_one_wins(fake: FakeNumbers) -> None:
    stage = NumbersStage(fake, lambda _: None, lambda _: None, lambda: asyncio.sleep(0, 0))
    others = [Phone(f"+86136{n:08d}") for n in range(12)]
    asked = [stage.request(f"k{n}", a=A, b=other) for n, other in enumerate(others)]

    answers = await asyncio.gather(*(fake.bind(one) for one in asked), return_exceptions=True)

    assert sum(isinstance(answer, PairConflict) for answer in answers) == len(asked) - 1
    assert len(await fake.bound()) == 1


async def test_a_number_carries_so_many_pairs(fake: FakeNumbers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fake, "caps", replace(fake.caps, max_pairs_per_x=1))
    stage = NumbersStage(fake, lambda _: None, lambda _: None, lambda: asyncio.sleep(0, 0))
    await fake.bind(stage.request())

    with pytest.raises(PoolExhausted):
        await fake.bind(stage.request("k2", a=C, b=Phone("+8613600138000")))


async def test_the_fake_knows_phones_by_their_mark_only(fake: FakeNumbers) -> None:
    stage = NumbersStage(fake, lambda _: None, lambda _: None, lambda: asyncio.sleep(0, 0))
    await fake.bind(stage.request())

    async with fake._database.reading() as session:
        row = (await session.scalars(select(FakeBinding))).one()
    assert b"138" not in row.a + row.b and len(row.a) == 34


async def test_a_file_makes_every_worker_slow(fake: FakeNumbers, tmp_path: Path) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    fake._sleep = sleep
    (tmp_path / "outbox").mkdir()
    (tmp_path / "outbox" / "numbers.slow").write_text("2.5", encoding="utf-8")
    await fake.bind(NumbersStage(fake, lambda _: None, lambda _: None, lambda: asyncio.sleep(0, 0)).request())

    assert waited == [2.5]


def _push(**more: object) -> dict[str, object]:
    return {
        "call_id": "c1",
        "caller": A.e164,
        "dialled": "+8617000000001",
        "outcome": "answered",
        "seconds": 61,
        "ended_at": "2023-01-07T12:03:00Z",
        **more,
    }


async def test_a_push_tells_of_calls_and_what_else_it_says_is_ignored(fake: FakeNumbers) -> None:
    headers = {"authorization": f"Bearer {TOKEN}"}

    one = fake.parse_event(headers, json.dumps(_push(colour="red")).encode(), query={}).records
    calls = [_push(), _push(call_id="c2", outcome="busy", cause="rejected")]
    many = fake.parse_event(headers, json.dumps(calls).encode(), query={}).records

    assert [(record.call_id, record.outcome, record.seconds) for record in (*one, *many)] == [
        ("c1", "answered", 61),
        ("c1", "answered", 61),
        ("c2", "busy", 0),
    ]
    assert one[0].caller == A and one[0].ended_at.tzinfo is not None


@pytest.mark.parametrize(
    "raw",
    [b"<html>", b"", b"null", b'"x"', b"[1]", json.dumps(_push(caller="13800138000")).encode(), b'{"call_id":"c1"}'],
)
async def test_a_push_that_cannot_be_read_is_told_so_without_what_it_said(fake: FakeNumbers, raw: bytes) -> None:
    with pytest.raises((Malformed, Invalid)) as caught:
        fake.parse_event({"authorization": f"Bearer {TOKEN}"}, raw, query={})

    assert "138" not in f"{caught.value!r} {caught.value}"
