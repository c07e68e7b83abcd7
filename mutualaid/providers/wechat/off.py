"""No WeChat: an association without a mini-program signs its members in by phone."""

from collections.abc import Mapping
from datetime import datetime

from mutualaid.kit.phones import Phone
from mutualaid.providers.wechat import NotOffered, WechatIdentity


class WechatOff:
    name = "off"
    is_fake = False
    offered = False

    async def login(self, code: str) -> WechatIdentity:
        raise NotOffered

    async def phone(self, code: str) -> Phone:
        raise NotOffered

    async def notify(
        self, openid: str, template: str, data: Mapping[str, str], *, page: str, key: str, at: datetime
    ) -> None:
        raise NotOffered
