import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from mutualaid.kit.phones import Phone
from mutualaid.providers.sms import ProviderDown
from mutualaid.providers.sms.fake import FakeSms
from tests.providers.promise_sms import NEIGHBOUR, NOW, SmsPromise, SmsStage, a_message


class TestFake(SmsPromise):
    @pytest.fixture
    def stage(self, tmp_path: Path) -> SmsStage:
        maker = FakeSms(tmp_path)

        async def received() -> list[tuple[str, dict[str, str]]]:
            return [(letter.to, letter.params) for letter in reversed(await maker.recent(NEIGHBOUR))]

        return SmsStage(maker, received, lambda told: maker.told.fail(told, times=1))


async def test_the_outbox_holds_one_object_a_message(tmp_path: Path) -> None:
    shanghai = timezone(timedelta(hours=8))

    await FakeSms(tmp_path / "outbox").send(a_message(), key="a", at=datetime(2023, 1, 7, 12, 0, tzinfo=shanghai))

    (line,) = (tmp_path / "outbox" / "sms.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line) == {
        "to": "+8613800138000",
        "template": "otp",
        "text": "您的验证码是 123456",
        "params": {"code": "123456"},
        "at": "2023-01-07T04:00:00Z",
        "key": "a",
    }


async def test_a_page_sees_the_newest_message_of_one_phone_first(tmp_path: Path) -> None:
    maker = FakeSms(tmp_path)
    for key in ("1", "2", "3"):
        await maker.send(a_message(code=key), key=key, at=NOW)
    await maker.send(a_message(to=Phone("+8613900139000"), code="4"), key="4", at=NOW)

    assert [letter.params["code"] for letter in await maker.recent(NEIGHBOUR, limit=2)] == ["3", "2"]
    assert await maker.recent(Phone("+8613700137000")) == []


async def test_a_file_tells_every_worker_to_fail(tmp_path: Path) -> None:
    workers = FakeSms(tmp_path), FakeSms(tmp_path)
    (tmp_path / "sms.fail").write_text("broken\n", encoding="utf-8")

    for worker in workers:
        with pytest.raises(ProviderDown):
            await worker.send(a_message(), key="a", at=NOW)

    (tmp_path / "sms.fail").unlink()
    await workers[0].send(a_message(), key="a", at=NOW)


async def test_an_order_that_no_fake_knows_is_not_taken_for_silence(tmp_path: Path) -> None:
    maker = FakeSms(tmp_path)
    (tmp_path / "sms.fail").write_text("tired", encoding="utf-8")

    with pytest.raises(ValueError, match="expected one of bad_number, broken, down, throttled"):
        await maker.send(a_message(), key="a", at=NOW)
    with pytest.raises(KeyError):
        maker.told.fail("tired")


def test_a_message_does_not_show_what_it_says() -> None:
    shown = repr(a_message())

    assert "123456" not in shown
    assert "13800138000" not in shown
