"""The promise of masked numbers: two phones are bound to a number X that is neither's own, for a while.

Which X is used is chosen by the platform, in its own database, and named to the maker: vendors answer "none is left" and
"this pair cannot have it" with the same word, and only rows of ours can be unique.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from mutualaid.kit.outside import ProviderDown, Throttled
from mutualaid.kit.phones import Phone
from mutualaid.providers.numbers.refusals import (
    BadNumber,
    BindingGone,
    ExpiryTooSoon,
    NotAuthorised,
    NotReported,
    NumbersRefused,
    PairConflict,
    PoolExhausted,
    PushOfAnother,
    PushRefused,
    PushReplayed,
)

__all__ = [
    "BadNumber",
    "BindRequest",
    "Binding",
    "BindingGone",
    "BindingRef",
    "CallRecord",
    "Caps",
    "Cause",
    "Close",
    "Connect",
    "ExpiryTooSoon",
    "Mode",
    "NotAuthorised",
    "NotReported",
    "NumbersMaker",
    "NumbersRefused",
    "Once",
    "Outcome",
    "PairConflict",
    "PoolExhausted",
    "ProviderDown",
    "PushOfAnother",
    "PushRefused",
    "PushReplayed",
    "Pushed",
    "RouteQuery",
    "Throttled",
]

Mode = Literal["axb", "axe", "x"]
Outcome = Literal["answered", "busy", "no_answer"]
Cause = Literal[
    "normal",  # hung up by either after they had talked
    "busy",
    "no_answer",
    "rejected",
    "cancelled",  # the caller hung up before anybody answered
    "unreachable",  # switched off, out of reach
    "no_such_number",
    "not_allowed",  # refused by us or by the maker: no binding, the wrong direction, a phone that is not reported
    "network",  # the maker's or the carrier's fault
]


@dataclass(frozen=True, slots=True)
class Caps:
    """What a maker can do. No mode: it has no numbers, and the platform offers in-app words only.

    `axb`: each of the two reaches the other by X. `axe`: by X and an extension. `x`: nothing is bound outside, the maker
    asks before each call. `max_pairs_per_x`: bindings that one X carries at once. `extension_digits`: the most of AXE,
    0 where there is none. `min_ttl`, `max_ttl`: how soon and how late a binding may end; `renewable`: whether its end
    may be moved; where it may not, unbind and bind anew. `call_time_decision`: the maker asks before each call.
    """

    modes: frozenset[Mode]
    max_pairs_per_x: int = 0
    extension_digits: int = 0
    sms: bool = False
    call_time_decision: bool = False
    min_ttl: timedelta = timedelta()
    max_ttl: timedelta = timedelta.max
    renewable: bool = False

    @property
    def calls(self) -> bool:
        return bool(self.modes)

    @property
    def keeps_bindings(self) -> bool:
        """False where nothing is bound outside, so that there is nothing to ask for and nothing to agree about."""
        return bool(self.modes - {"x"})


@dataclass(frozen=True, slots=True)
class BindRequest:
    """`key` names the binding for ever; `x` is a number of ours in E.164; `a` and `b` are the two who may call.

    `extension`: of AXE, the digits on this X that are the lease's own; chosen by us like X. Whoever keys them in reaches
    `b`, and `b` reaches `a` by `x` alone.
    """

    key: str = field(repr=False)
    mode: Mode
    x: str = field(repr=False)
    a: Phone
    b: Phone
    expires_at: datetime
    extension: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class BindingRef:
    """How to find a binding again. `ref` is what the maker calls it; None where its answer was lost: then by our key.

    `people`: `a` and `b` where they are still known. A maker whose vendor tells of no binding finds by them, sooner than
    by waiting for its end, one whose answer was lost.
    """

    key: str = field(repr=False)
    x: str = field(repr=False)
    ref: str | None = field(default=None, repr=False)
    people: tuple[Phone, Phone] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Binding:
    """`ref`: what the maker calls it. `extension`: digits to key in after X, where the mode has them."""

    key: str = field(repr=False)
    ref: str = field(repr=False)
    x: str = field(repr=False)
    extension: str | None
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Connect:
    """The call may go through: to `callee`, whose phone shows `display`, for at most `max_seconds`."""

    callee: Phone
    display: str = field(repr=False)
    max_seconds: int


@dataclass(frozen=True, slots=True)
class Close:
    """The call may not go through. `code` is why, for the records of whoever asked; no caller is told it."""

    code: str


@dataclass(frozen=True, slots=True)
class RouteQuery:
    """May this call go through? `digits`: what was keyed in after X. `at`: the maker's time, recorded and never trusted."""

    call_id: str = field(repr=False)
    caller: Phone
    x: str = field(repr=False)
    digits: str | None = field(default=None, repr=False)
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One finished call as the maker saw it. `seconds`: of talk, 0 where nobody answered. `x` in E.164.

    Times are the maker's: kept, never trusted. `extension`: what was keyed in after X. `cause`: None is what the
    outcome says. `caller`, `x`: None where the maker asked before the call, so that its id says it all.
    """

    call_id: str = field(repr=False)
    caller: Phone | None
    x: str | None = field(repr=False)
    outcome: Outcome
    seconds: int
    ended_at: datetime
    extension: str | None = field(default=None, repr=False)
    started_at: datetime | None = None
    rang_at: datetime | None = None
    answered_at: datetime | None = None
    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class Once:
    """What makes a push good for one time: `mark` may not have been seen before, and it is of now: `since` ≤ now < `until`."""

    mark: str = field(repr=False)
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push tells (finished calls, none of them for news on the way), or asks before a call."""

    records: tuple[CallRecord, ...] = ()
    asks: RouteQuery | None = None
    once: Once | None = None


class NumbersMaker(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def is_fake(self) -> bool: ...

    @property
    def caps(self) -> Caps: ...

    @property
    def pool(self) -> Sequence[str]:
        """Our numbers at this maker, E.164, each good for every mode of `caps`."""
        ...

    async def bind(self, request: BindRequest) -> Binding:
        """Bind; the same key again is the same binding, whose answer may have been lost. After an error nothing is
        bound, except after ProviderDown, where it may be: ask again with the key, or unbind it.

        Raises any NumbersRefused, Throttled, ProviderDown.
        """
        ...

    async def renew(self, binding: BindingRef, expires_at: datetime) -> Binding:
        """Move the end. Raises BindingGone, ExpiryTooSoon, NotAuthorised where `caps.renewable` is false, Throttled,
        ProviderDown.
        """
        ...

    async def unbind(self, binding: BindingRef) -> None:
        """Nobody reaches anybody by this binding any more; one that is gone already is done. Raises Throttled,
        ProviderDown.
        """
        ...

    async def query(self, binding: BindingRef) -> Binding | None:
        """The binding as the maker holds it now, None where there is none. Raises Throttled, ProviderDown."""
        ...

    def parse_event(self, headers: Mapping[str, str], raw: bytes, *, query: Mapping[str, str]) -> Pushed:
        """What a push says, once it has proved who sent it. The same call may be told again.

        `query`: of the address that it was sent to; vendors that sign nothing are known by a secret in it. Raises
        PushRefused, PushOfAnother; Malformed or Invalid for what cannot be read. Fields that are not known are ignored.
        """
        ...

    def answer_route(self, decision: Connect | Close) -> dict[str, Any]:
        """What a maker that asks by a push is answered. Raises NotAuthorised where the maker does not ask."""
        ...

    def answer_event(self, taken: int) -> dict[str, Any]:
        """What tells the maker that a push was taken; `taken`: how many calls it made known."""
        ...
