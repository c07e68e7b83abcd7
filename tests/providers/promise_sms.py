"""What every maker of text messages keeps to. A maker's test class inherits the suite and sets its stage."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from mutualaid.kit.phones import Phone
from mutualaid.providers.sms import BadNumber, Message, ProviderDown, SmsMaker, Throttled

NOW = datetime(2023, 1, 7, 4, 0, tzinfo=UTC)
NEIGHBOUR = Phone("+8613800138000")


def a_message(to: Phone = NEIGHBOUR, code: str = "123456") -> Message:
    return Message(to=to, template="otp", text=f"您的验证码是 {code}", params={"code": code})


@dataclass
class SmsStage:
    """A maker, what its world received as (E.164, params), and a way to make its next call fail."""

    maker: SmsMaker
    received: Callable[[], Awaitable[list[tuple[str, dict[str, str]]]]]
    fail_next: Callable[[str], None]


class SmsPromise:
    @pytest.fixture
    def stage(self) -> SmsStage:
        raise NotImplementedError("each maker sets its own stage")

    async def test_a_message_reaches_its_phone(self, stage: SmsStage) -> None:
        await stage.maker.send(a_message(), key="a", at=NOW)

        assert await stage.received() == [("+8613800138000", {"code": "123456"})]

    async def test_the_same_key_sends_once(self, stage: SmsStage) -> None:
        await stage.maker.send(a_message(), key="a", at=NOW)
        await stage.maker.send(a_message(), key="a", at=NOW)
        await stage.maker.send(a_message(code="654321"), key="b", at=NOW)

        assert [params["code"] for _, params in await stage.received()] == ["123456", "654321"]

    @pytest.mark.parametrize(
        ("told", "error"),
        [("down", ProviderDown), ("broken", ProviderDown), ("throttled", Throttled), ("bad_number", BadNumber)],
    )
    async def test_an_error_sends_nothing_and_leaves_the_key_free(
        self, stage: SmsStage, told: str, error: type[Exception]
    ) -> None:
        stage.fail_next(told)
        with pytest.raises(error):
            await stage.maker.send(a_message(), key="a", at=NOW)
        assert await stage.received() == []

        await stage.maker.send(a_message(), key="a", at=NOW)
        assert len(await stage.received()) == 1

    async def test_an_error_says_whether_to_ask_again(self, stage: SmsStage) -> None:
        stage.fail_next("down")
        with pytest.raises(ProviderDown) as passing:
            await stage.maker.send(a_message(), key="a", at=NOW)
        stage.fail_next("broken")
        with pytest.raises(ProviderDown) as lasting:
            await stage.maker.send(a_message(), key="a", at=NOW)
        stage.fail_next("throttled")
        with pytest.raises(Throttled) as pause:
            await stage.maker.send(a_message(), key="a", at=NOW)

        assert passing.value.retryable
        assert not lasting.value.retryable
        assert pause.value.pause >= 1

    async def test_no_error_names_the_phone_or_the_code(self, stage: SmsStage) -> None:
        for told in ("down", "throttled", "bad_number"):
            stage.fail_next(told)
            with pytest.raises(Exception) as caught:
                await stage.maker.send(a_message(), key="a", at=NOW)
            assert "138" not in f"{caught.value!r} {caught.value}"
            assert "123456" not in f"{caught.value!r} {caught.value}"
