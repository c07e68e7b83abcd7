"""The login code `fake:NAME` is the openid NAME, the phone code `phone:+8613…` is that number; messages go to
`OUTBOX/wechat.jsonl`.

Live codes work once. These may be used again and again, because people type them by hand in tests and in the tour.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from mutualaid.kit.letterbox import Letter, Letterbox, stamp
from mutualaid.kit.phones import Phone
from mutualaid.kit.told import Told
from mutualaid.providers.wechat import CodeInvalid, Refused, WechatIdentity

LOGIN = re.compile(r"fake:([^\s\x00-\x1f]{1,64})")
PHONE = re.compile(r"phone:(\+[1-9][0-9]{6,14})")  # E.164


class FakeWechat:
    """`told` knows `code_invalid` and `refused` besides what every fake knows."""

    name = "fake"
    is_fake = True
    offered = True

    def __init__(self, outbox: Path) -> None:
        self.told = Told("wechat", outbox, {"code_invalid": CodeInvalid, "refused": Refused})
        self._letters = Letterbox(outbox / "wechat.jsonl")

    async def login(self, code: str) -> WechatIdentity:
        self.told.obey()
        if (found := LOGIN.fullmatch(code)) is None:
            raise CodeInvalid
        return WechatIdentity(openid=found[1])

    async def phone(self, code: str) -> Phone:
        self.told.obey()
        if (found := PHONE.fullmatch(code)) is None:
            raise CodeInvalid
        return Phone(found[1])

    async def notify(
        self, openid: str, template: str, data: Mapping[str, str], *, page: str, key: str, at: datetime
    ) -> None:
        self.told.obey()
        # WeChat has no sentence of its own: the card shows the values one below the other.
        letter = Letter(openid, template, "\n".join(data.values()), dict(data), stamp(at), page)
        await self._letters.post(letter, key=key)

    async def recent(self, openid: str, *, limit: int = 5) -> list[Letter]:
        """The last messages to one openid, newest first: for pages in test mode."""
        return await self._letters.recent(openid, limit=limit)
