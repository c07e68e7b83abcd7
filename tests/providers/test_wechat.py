import json
from pathlib import Path

import pytest

from mutualaid.kit.phones import Phone
from mutualaid.providers.wechat import NotOffered, WechatIdentity, WechatMaker
from mutualaid.providers.wechat.fake import FakeWechat
from mutualaid.providers.wechat.off import WechatOff
from tests.providers.promise_wechat import NOW, WechatPromise, WechatStage


class TestFake(WechatPromise):
    @pytest.fixture
    def stage(self, tmp_path: Path) -> WechatStage:
        maker = FakeWechat(tmp_path)

        async def received() -> list[tuple[str, dict[str, str], str | None]]:
            return [(letter.template, letter.params, letter.page) for letter in reversed(await maker.recent("wanglei"))]

        return WechatStage(
            maker,
            "fake:wanglei",
            "phone:+8613800138000",
            WechatIdentity("wanglei"),
            Phone("+8613800138000"),
            received,
            lambda told: maker.told.fail(told, times=1),
        )

    async def test_its_codes_may_be_typed_again(self, stage: WechatStage) -> None:
        for _ in range(2):
            assert await stage.maker.login(stage.login_code) == stage.identity
            assert await stage.maker.phone(stage.phone_code) == stage.number


async def test_the_outbox_has_the_shape_of_the_other_one(tmp_path: Path) -> None:
    await FakeWechat(tmp_path).notify(
        "wanglei", "match_agreed", {"thing1": "布洛芬", "number2": "4"}, page="pages/inbox", key="a", at=NOW
    )

    (line,) = (tmp_path / "wechat.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line) == {
        "to": "wanglei",
        "template": "match_agreed",
        "text": "布洛芬\n4",
        "params": {"thing1": "布洛芬", "number2": "4"},
        "at": "2023-01-07T04:00:00Z",
        "page": "pages/inbox",
        "key": "a",
    }


async def test_where_wechat_is_off_nothing_of_it_is_offered() -> None:
    off: WechatMaker = WechatOff()

    assert not off.offered
    with pytest.raises(NotOffered):
        await off.login("fake:wanglei")
    with pytest.raises(NotOffered):
        await off.phone("phone:+8613800138000")
    with pytest.raises(NotOffered):
        await off.notify("wanglei", "match_agreed", {}, page="pages/inbox", key="a", at=NOW)
