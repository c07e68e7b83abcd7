"""The promise of WeChat: who signs in, which phone they gave, and a subscription message to them.

A maker keeps to itself what the platform must not hold: access tokens and the session key of a sign-in.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from mutualaid.kit.errors import AidError
from mutualaid.kit.outside import ProviderDown, Throttled
from mutualaid.kit.phones import Phone
from mutualaid.kit.texts import N_

__all__ = ["CodeInvalid", "NotOffered", "ProviderDown", "Refused", "Throttled", "WechatIdentity", "WechatMaker"]


class CodeInvalid(AidError):
    """Unknown, used, out of time, or a code of the other kind (the sign-in code is not the phone code)."""

    kind = "invalid"
    code = "wechat_code_invalid"
    text = N_("WeChat did not accept this code; please try again.")


class Refused(AidError):
    """Final for this person: the account is barred from signing in, or they want no (more) such messages. Do not ask
    again.
    """

    kind = "forbidden"
    code = "wechat_refused"
    text = N_("WeChat does not allow this for your account.")


class NotOffered(AidError):
    """This installation has no WeChat."""

    kind = "invalid"
    code = "wechat_not_offered"
    text = N_("WeChat is not offered here; please use your phone number.")


@dataclass(frozen=True, slots=True)
class WechatIdentity:
    """`openid`: the person within our mini-program. `unionid`: the same person across our apps, where there is one."""

    openid: str = field(repr=False)
    unionid: str | None = field(default=None, repr=False)


class WechatMaker(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def is_fake(self) -> bool: ...

    @property
    def offered(self) -> bool:
        """False: every call raises NotOffered, and the faces show no WeChat."""
        ...

    async def login(self, code: str) -> WechatIdentity:
        """Exchange a sign-in code (live ones: single use, 5 minutes). Raises CodeInvalid, Refused, Throttled,
        ProviderDown, NotOffered.
        """
        ...

    async def phone(self, code: str) -> Phone:
        """Exchange a phone code for the number that WeChat knows, of any country: whether it may be used here is the
        room's to say. Raises CodeInvalid, Throttled, ProviderDown, NotOffered.
        """
        ...

    async def notify(
        self, openid: str, template: str, data: Mapping[str, str], *, page: str, key: str, at: datetime
    ) -> None:
        """One subscription message. `data`: keyword → value, already within the template's limits, never a phone, an
        address or an illness. `page`: path inside the mini-program, no leading slash. The same `key` again sends
        nothing. A template or page that WeChat does not take is ProviderDown, not retryable. Raises Refused,
        Throttled, ProviderDown, NotOffered.
        """
        ...
