"""What every maker of WeChat keeps to. A maker's test class inherits the suite and sets its stage."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from mutualaid.kit.phones import Phone
from mutualaid.providers.wechat import CodeInvalid, ProviderDown, Refused, Throttled, WechatIdentity, WechatMaker

NOW = datetime(2023, 1, 7, 4, 0, tzinfo=UTC)


@dataclass
class WechatStage:
    """A maker whose world knows one person, what they received as (template, data, page), and a way to make its next
    call fail.
    """

    maker: WechatMaker
    login_code: str
    phone_code: str
    identity: WechatIdentity
    number: Phone
    received: Callable[[], Awaitable[list[tuple[str, dict[str, str], str | None]]]]
    fail_next: Callable[[str], None]

    async def notify(self, key: str) -> None:
        await self.maker.notify(
            self.identity.openid,
            "match_agreed",
            {"thing1": "布洛芬 4 粒"},
            page="pages/match/show?id=1",
            key=key,
            at=NOW,
        )


class WechatPromise:
    @pytest.fixture
    def stage(self) -> WechatStage:
        raise NotImplementedError("each maker sets its own stage")

    async def test_a_code_becomes_the_person(self, stage: WechatStage) -> None:
        assert stage.maker.offered
        assert await stage.maker.login(stage.login_code) == stage.identity

    async def test_a_phone_code_becomes_the_number(self, stage: WechatStage) -> None:
        assert await stage.maker.phone(stage.phone_code) == stage.number

    @pytest.mark.parametrize(
        "code", ["", " ", "nonsense", "x" * 5000, "fake:", "phone:", "phone:13800138000", "fake:a\nb"]
    )
    async def test_a_code_that_is_none_is_invalid(self, stage: WechatStage, code: str) -> None:
        with pytest.raises(CodeInvalid):
            await stage.maker.login(code)
        with pytest.raises(CodeInvalid):
            await stage.maker.phone(code)

    async def test_one_code_does_not_stand_for_the_other(self, stage: WechatStage) -> None:
        with pytest.raises(CodeInvalid):
            await stage.maker.login(stage.phone_code)
        with pytest.raises(CodeInvalid):
            await stage.maker.phone(stage.login_code)

    async def test_a_message_reaches_the_person_once_a_key(self, stage: WechatStage) -> None:
        await stage.notify("a")
        await stage.notify("a")
        await stage.notify("b")

        assert await stage.received() == [("match_agreed", {"thing1": "布洛芬 4 粒"}, "pages/match/show?id=1")] * 2

    @pytest.mark.parametrize(
        ("told", "error"),
        [("down", ProviderDown), ("broken", ProviderDown), ("throttled", Throttled), ("refused", Refused)],
    )
    async def test_an_error_sends_nothing_and_leaves_the_key_free(
        self, stage: WechatStage, told: str, error: type[Exception]
    ) -> None:
        stage.fail_next(told)
        with pytest.raises(error):
            await stage.notify("a")
        assert await stage.received() == []

        await stage.notify("a")
        assert len(await stage.received()) == 1

    async def test_who_it_is_does_not_show(self, stage: WechatStage) -> None:
        assert stage.identity.openid not in repr(await stage.maker.login(stage.login_code))
