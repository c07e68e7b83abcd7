"""Huawei's mode X: nothing is bound there. They ask before each call, and the answer says whom to connect."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from mutualaid.providers.numbers import (
    BadNumber,
    Binding,
    BindingRef,
    BindRequest,
    Caps,
    Close,
    Connect,
    ExpiryTooSoon,
    NotAuthorised,
    Pushed,
)
from mutualaid.providers.numbers import pushes as push
from mutualaid.providers.numbers.huawei_events import read_event
from mutualaid.providers.numbers.signing import Account

PAIRS_PER_X: Final = 5000  # theirs has no bound; ours is that of their AXB
_MIN_TTL: Final = timedelta(seconds=60)


class HuaweiX:
    """`bind` only says whether the numbers are ones that they can connect; the lease's rows decide about each call."""

    name = "huawei"
    is_fake = False

    def __init__(
        self, account: Account, *, pool: Sequence[str], now: Callable[[], datetime], pairs_per_x: int = PAIRS_PER_X
    ) -> None:
        self.caps = Caps(
            modes=frozenset({"x"}),
            max_pairs_per_x=pairs_per_x,
            sms=True,
            call_time_decision=True,
            min_ttl=_MIN_TTL,
            renewable=True,
        )
        self.pool = tuple(pool)
        self._account = account
        self._now = now

    async def bind(self, request: BindRequest) -> Binding:
        if request.mode != "x" or request.extension is not None:
            raise NotAuthorised
        if request.x not in self.pool or request.a == request.b:
            raise BadNumber
        for phone in (request.a, request.b):
            push.home(phone)
        return self._until(BindingRef(request.key, request.x), request.expires_at)

    async def renew(self, binding: BindingRef, expires_at: datetime) -> Binding:
        return self._until(binding, expires_at)

    def _until(self, binding: BindingRef, expires_at: datetime) -> Binding:
        if expires_at <= self._now() + _MIN_TTL:
            raise ExpiryTooSoon
        return Binding(binding.key, binding.key, binding.x, None, expires_at)

    async def unbind(self, binding: BindingRef) -> None:
        """Nothing was ever bound."""

    async def query(self, binding: BindingRef) -> Binding | None:
        return None

    def parse_event(self, headers: Mapping[str, str], raw: bytes, *, query: Mapping[str, str]) -> Pushed:
        return read_event(self._account, headers, raw, asks=True)

    def answer_route(self, decision: Connect | Close) -> dict[str, Any]:
        """Whole minutes, rounded down: the call ends no later than was decided, but never before its first minute."""
        if isinstance(decision, Close):
            return {"operation": "close", "closeInfo": {}}
        connect = {
            "displayCalleeNum": decision.display,
            "calleeNum": decision.callee.e164,
            "maxDuration": max(1, decision.max_seconds // 60),
            "recordFlag": "false",
        }
        return {"operation": "connect", "connectInfo": connect}

    def answer_event(self, taken: int) -> dict[str, Any]:
        return {"resultcode": "0", "resultdesc": "Success"}
