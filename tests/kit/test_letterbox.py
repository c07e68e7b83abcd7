import asyncio
import json
import stat
from pathlib import Path

from mutualaid.kit.letterbox import REMEMBERED, Letter, Letterbox


def a_letter(to: str = "a", text: str = "…") -> Letter:
    return Letter(to, "hello", text, {}, "2023-01-07T04:00:00Z")


def keys(path: Path) -> list[str]:
    return [json.loads(line)["key"] for line in path.read_bytes().splitlines()]


async def test_a_key_is_posted_once_by_many_workers_at_the_same_time(tmp_path: Path) -> None:
    path = tmp_path / "letters.jsonl"
    workers = [Letterbox(path) for _ in range(4)]

    posted = await asyncio.gather(*(w.post(a_letter(), key=str(n)) for n in range(25) for w in workers))

    assert sum(posted) == 25
    assert sorted(keys(path), key=int) == [str(n) for n in range(25)]


async def test_a_key_is_remembered_over_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "letters.jsonl"
    assert await Letterbox(path).post(a_letter(), key="k")

    assert not await Letterbox(path).post(a_letter(), key="k")


async def test_a_line_torn_by_a_dying_process_is_sent_again_and_harms_no_other(tmp_path: Path) -> None:
    path = tmp_path / "letters.jsonl"
    box = Letterbox(path)
    await box.post(a_letter(text="first"), key="1")
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:20])

    assert [letter.text for letter in await box.recent("a")] == ["first"]
    assert await box.post(a_letter(text="second"), key="2")
    assert [letter.text for letter in await Letterbox(path).recent("a")] == ["second", "first"]
    assert not await Letterbox(path).post(a_letter(), key="2")


async def test_a_line_that_lacks_only_its_end_counts_as_posted(tmp_path: Path) -> None:
    path = tmp_path / "letters.jsonl"
    await Letterbox(path).post(a_letter(), key="1")
    path.write_bytes(path.read_bytes().rstrip())

    assert not await Letterbox(path).post(a_letter(), key="1")
    assert keys(path) == ["1"]


async def test_a_box_that_was_emptied_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "letters.jsonl"
    box = Letterbox(path)
    await box.post(a_letter(), key="1")
    path.unlink()

    assert await box.recent("a") == []
    assert await box.post(a_letter(), key="1")
    assert keys(path) == ["1"]


async def test_only_the_last_letters_of_an_address_stay_in_memory(tmp_path: Path) -> None:
    box = Letterbox(tmp_path / "letters.jsonl")
    for n in range(REMEMBERED + 3):
        await box.post(a_letter(text=str(n)), key=str(n))

    assert [letter.text for letter in await box.recent("a", limit=100)] == [
        str(n) for n in range(REMEMBERED + 2, 2, -1)
    ]


async def test_only_the_owner_may_read_the_box(tmp_path: Path) -> None:
    path = tmp_path / "outbox" / "letters.jsonl"

    await Letterbox(path).post(a_letter(), key="1")

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_letter_shows_nothing_of_itself() -> None:
    assert repr(a_letter(to="+8613800138000", text="123456")) == "Letter(…)"
