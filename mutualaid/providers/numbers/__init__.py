"""The promise of masked numbers: two phones are bound to a number X that is neither's own, for a while.

Which X is used is chosen by the platform, in its own database, and named to the maker: vendors answer "none is left" and
"this pair cannot have it" with the same word, and only rows of ours can be unique.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar, Literal, Protocol

from mutualaid.kit.errors import AidError
from mutualaid.kit.outside import ProviderDown, Throttled
from mutualaid.kit.phones import Phone
from mutualaid.kit.texts import N_

__all__ = [
    "BadNumber",
    "BindRequest",
    "Binding",
    "BindingGone",
    "BindingRef",
    "CallRecord",
    "Caps",
    "Connect",
    "ExpiryTooSoon",
    "Mode",
    "NotAuthorised",
    "NotReported",
    "NumbersMaker",
    "NumbersRefused",
    "Outcome",
    "PairConflict",
    "PoolExhausted",
    "ProviderDown",
    "PushRefused",
    "Throttled",
]

Mode = Literal["axb", "axe", "x"]
Outcome = Literal["answered", "busy", "no_answer"]


@dataclass(frozen=True, slots=True)
class Caps:
    """What a maker can do. No mode: it has no numbers, and the platform offers in-app words only.

    `max_pairs_per_x`: bindings that one X carries at once. `extension_digits`: of AXE, 0 where there is none.
    `min_ttl`, `max_ttl`: how soon and how late a binding may end; `renewable`: whether its end may be moved.
    `call_time_decision`: the maker asks the platform before each call.
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


@dataclass(frozen=True, slots=True)
class BindRequest:
    """`key` names the binding for ever; `x` is a number of ours in E.164; `a` and `b` are the two who may call."""

    key: str = field(repr=False)
    mode: Mode
    x: str = field(repr=False)
    a: Phone
    b: Phone
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class BindingRef:
    """How to find a binding again. `ref` is what the maker calls it; None where its answer was lost: then by our key."""

    key: str = field(repr=False)
    x: str = field(repr=False)
    ref: str | None = field(default=None, repr=False)


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
class CallRecord:
    """One finished call as the maker saw it. `seconds`: of talk, 0 where nobody answered. `x` in E.164."""

    call_id: str = field(repr=False)
    caller: Phone
    x: str = field(repr=False)
    outcome: Outcome
    seconds: int
    ended_at: datetime


class NumbersRefused(Exception):
    """The maker understood and will not. Nothing is bound; `code` is kept with the contact that failed."""

    code: ClassVar[str] = "provider_refused"


class PoolExhausted(NumbersRefused):
    """This X carries as many pairs as it can."""

    code = "numbers_exhausted"


class PairConflict(NumbersRefused):
    """One of the two is bound on this X already, or the key names a binding on another X."""

    code = "numbers_exhausted"


class BindingGone(NumbersRefused):
    """There is no such binding (any more)."""


class ExpiryTooSoon(NumbersRefused):
    """The binding would end before the maker's shortest time."""


class BadNumber(NumbersRefused):
    """X is not ours, or a phone is none that the maker can reach."""


class NotReported(NumbersRefused):
    """The phone must be reported to the carrier (实名报备) first; calls would be intercepted."""


class NotAuthorised(NumbersRefused):
    """Our account may not do this there."""


class PushRefused(AidError):
    """A push that does not prove who sent it."""

    kind = "unauthenticated"
    code = "push_not_authentic"
    text = N_("This does not come from the provider of masked numbers.")


class NumbersMaker(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def is_fake(self) -> bool: ...

    @property
    def caps(self) -> Caps: ...

    @property
    def pool(self) -> Sequence[str]:
        """Our numbers at this maker, E.164."""
        ...

    async def bind(self, request: BindRequest) -> Binding:
        """Bind; the same key again is the same binding, whose answer may have been lost. After an error nothing is
        bound, except after ProviderDown, where it may be: ask again with the key, or unbind it.

        Raises any NumbersRefused, Throttled, ProviderDown.
        """
        ...

    async def renew(self, binding: BindingRef, expires_at: datetime) -> Binding:
        """Move the end. Raises BindingGone, ExpiryTooSoon, NotAuthorised where the maker cannot, Throttled,
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

    def parse_event(self, headers: Mapping[str, str], raw: bytes) -> list[CallRecord]:
        """What a push tells, once it has proved who sent it. The same call may be told again.

        Raises PushRefused; Malformed or Invalid for what cannot be read. Fields that are not known are ignored.
        """
        ...

    def answer_route(self, decision: Connect) -> dict[str, str | int]:
        """The body that lets a call through, in the maker's own words."""
        ...
