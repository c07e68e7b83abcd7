"""What a simulated vendor remembers: its numbers, who is bound on them, what it was told to do wrong, calls, pushes to send.

Everything that is a vendor's own (addresses, signatures, field names, codes) stands in the vendor's module beside this one.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import httpx2
import orjson

Fault = Literal[
    "down",  # a gateway's page in HTML, status 502
    "html",  # the same with status 200
    "slow",  # an answer that comes after nobody waits for it any more
    "lost",  # it is done, and the answer is lost
    "missing",  # an answer without its fields
    "extra",  # an answer with fields that nobody knows
    "throttled",
    "pool_exhausted",
    "pair_conflict",
    "bad_number",
    "not_authorised",
    "key_refused",
]
FAULTS: Final[tuple[Fault, ...]] = (
    *("down", "html", "slow", "lost", "missing", "extra", "throttled"),
    *("pool_exhausted", "pair_conflict", "bad_number", "not_authorised", "key_refused"),
)
Ending = Literal["answered", "busy", "no_answer", "rejected", "intercepted", "no_binding"]


class Conflict(Exception):
    """One of the two stands on this number already, or the extension is another's."""


class Exhausted(Exception):
    """The number carries as many as it can."""


@dataclass(frozen=True, slots=True)
class Bound:
    """`a` and `b` as in the promise; `key`: what we passed along (OutId, BizId, userData); `count`: how often."""

    ref: str
    key: str = field(repr=False)
    x: str = field(repr=False)
    a: str = field(repr=False)
    b: str = field(repr=False)
    expires_at: datetime
    extension: str | None = None
    count: int = 1


@dataclass(frozen=True, slots=True)
class CallMade:
    """A call that was simulated: `callee` is None where it was not put through."""

    id: str
    caller: str = field(repr=False)
    callee: str | None = field(repr=False)
    x: str = field(repr=False)
    ending: Ending
    started_at: datetime
    seconds: int
    ref: str = ""
    extension: str | None = None
    by_a: bool = True

    def put(self, callee: str, ending: Ending, seconds: int) -> "CallMade":
        """The same call, put through."""
        return replace(self, callee=callee, ending=ending, seconds=0 if ending == "intercepted" else seconds)

    @property
    def answered_at(self) -> datetime | None:
        return self.started_at + timedelta(seconds=5) if self.ending == "answered" else None

    @property
    def ended_at(self) -> datetime:
        return self.started_at + timedelta(seconds=5 + (self.seconds if self.ending == "answered" else 15))


@dataclass(slots=True)
class Switchboard:
    """`numbers`: E.164. `hook`: where pushes go; `send` sends them, replaced in tests."""

    numbers: Sequence[str]
    now: Callable[[], datetime]
    pairs_per_x: int = 200
    hook: str = ""
    send: Callable[[httpx2.Request], Awaitable[httpx2.Response]] | None = None
    patience_s: float = 30.0
    unreported: set[str] = field(default_factory=set)
    faults: deque[Fault] = field(default_factory=deque)
    waiting: list[httpx2.Request] = field(default_factory=list)
    nonces: set[str] = field(default_factory=set)
    _bound: dict[str, Bound] = field(default_factory=dict)
    _refs: Iterator[int] = field(default_factory=lambda: itertools.count(1_000_000_000_000_001))

    def live(self, x: str | None = None) -> list[Bound]:
        """What is bound now, on one number or all."""
        self._bound = {ref: one for ref, one in self._bound.items() if one.expires_at > self.now()}
        return [one for one in self._bound.values() if x in (None, one.x)]

    def find(self, ref: str) -> Bound | None:
        return next((one for one in self.live() if one.ref == ref), None)

    def bind(self, key: str, x: str, a: str, b: str, expires_at: datetime, extension: str | None = None) -> Bound:
        """Raises Conflict, Exhausted."""
        on_x = self.live(x)
        if extension is not None:
            if any(one.extension == extension for one in on_x):
                raise Conflict
        elif any({a, b} & {one.a, one.b} for one in on_x):
            raise Conflict
        if len(on_x) >= self.pairs_per_x:
            raise Exhausted
        made = Bound(str(next(self._refs)), key, x, a, b, expires_at, extension)
        self._bound[made.ref] = made
        return made

    def change(self, one: Bound, *, expires_at: datetime | None = None, count: int | None = None) -> Bound:
        changed = replace(one, expires_at=expires_at or one.expires_at, count=one.count if count is None else count)
        self._bound[one.ref] = changed
        return changed

    def unbind(self, ref: str) -> bool:
        return self.find(ref) is not None and self._bound.pop(ref, None) is not None

    def fault(self, *of: Fault) -> Fault | None:
        """The next thing to do wrong, if it is one of these."""
        return self.faults.popleft() if self.faults and self.faults[0] in of else None

    async def hang(self) -> None:
        await asyncio.sleep(self.patience_s)

    def put_through(
        self, call_id: str, caller: str, x: str, digits: str | None, ending: Ending, seconds: int
    ) -> CallMade:
        """Who is called, as the bindings say now, and how the call ends."""
        made = CallMade(call_id, caller, None, x, "no_binding", self.now(), 0, extension=digits)
        for one in self.live(x):
            if one.extension is None:
                callee = {one.a: one.b, one.b: one.a}.get(caller)
            elif digits == one.extension:
                callee = one.b
            else:
                callee = one.a if caller == one.b and digits is None else None
            if callee is None:
                continue
            known = replace(made, ref=one.ref, by_a=caller == one.a)
            return known.put(callee, "intercepted" if caller in self.unreported else ending, seconds)
        return made

    async def push(self, request: httpx2.Request, *, times: int = 1, hold: bool = False) -> list[int]:
        """Send a push so often; the statuses that came back. `hold`: not before `deliver`."""
        if hold:
            self.waiting.append(request)
            return []
        return [(await self._sent(request)).status_code for _ in range(times)]

    async def deliver(self) -> list[int]:
        """Send what was held, late."""
        held, self.waiting = self.waiting, []
        return [(await self._sent(request)).status_code for request in held]

    async def ask(self, request: httpx2.Request) -> dict[str, Any]:
        """Push a question; what was answered, nothing where it was refused."""
        answered = await self._sent(request)
        try:
            told = orjson.loads(answered.content) if answered.status_code == 200 else None
        except orjson.JSONDecodeError:
            return {}
        return told if isinstance(told, dict) else {}

    async def _sent(self, request: httpx2.Request) -> httpx2.Response:
        if self.send is not None:
            return await self.send(request)
        async with httpx2.AsyncClient(timeout=10, trust_env=False) as client:
            return await client.send(request)
