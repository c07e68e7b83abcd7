"""Rate limits: GCRA, one Lua script on the server's own clock, several limits in one round trip.

GCRA keeps one number a subject: the time at which nothing is owed any more ("theoretical arrival time", I.371). In
any stretch of t seconds at most `burst + t · count / per_seconds` are let through; a refused one costs nothing.

Where the cache is lost, a limit either counts in this process (`local`: reads go on, n processes let through n times as
much) or refuses to decide (`closed`: one-time codes, identity checks, sign-in).
"""

import hashlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal

from mutualaid.kit.cache import Cache, CacheLost, Script
from mutualaid.kit.errors import AidError
from mutualaid.kit.ring import KeyRing
from mutualaid.kit.texts import N_

OnLoss = Literal["local", "closed"]

_MICRO: Final = 1_000_000
_MOST_LOCAL = 50_000
_LOST_FOR_S = 2

# All keys carry one tag, so that on a cluster the limits of one question lie in one slot and are decided together.
_SCRIPT = Script("""
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local full, wait, least, named = {}, 0, nil, 1
for i, key in ipairs(KEYS) do
  local step, room, cost = tonumber(ARGV[3*i-2]), tonumber(ARGV[3*i-1]), tonumber(ARGV[3*i])
  local at = math.min(math.max(tonumber(redis.call('GET', key) or now), now), now + room)
  full[i] = at + step * cost
  local over, left = full[i] - room - now, math.floor((now + room - full[i]) / step)
  if over > wait then wait, named = over, i end
  if wait == 0 and (least == nil or left < least) then least, named = left, i end
end
if wait > 0 then return {0, wait, 0, named} end
for i, key in ipairs(KEYS) do
  redis.call('SET', key, string.format('%.0f', full[i]), 'PX', math.ceil(math.max(full[i] - now, 0) / 1000) + 1)
end
return {1, 0, least, named}
""")


class LimiterUnavailable(AidError):
    """A limit that must hold cannot be counted now, so what it guards is refused."""

    kind = "unavailable"
    code = "limits_unavailable"
    text = N_("This cannot be done safely right now; please try again in a moment.")


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` in `per_seconds` on the long run, at most `burst` at once (default: `count`)."""

    count: int
    per_seconds: float
    burst: int | None = None
    step_us: int = field(init=False, repr=False)
    """Microseconds that one costs, rounded up: never more than the rate is let through."""
    room_us: int = field(init=False, repr=False)
    """Microseconds that may be owed: the whole burst."""

    def __post_init__(self) -> None:
        if self.count < 1 or self.per_seconds <= 0 or (self.burst is not None and self.burst < 1):
            raise ValueError("a rate lets at least one through in some time")
        step = math.ceil(self.per_seconds * _MICRO / self.count)
        object.__setattr__(self, "step_us", step)
        object.__setattr__(self, "room_us", step * (self.burst or self.count))


@dataclass(frozen=True, slots=True)
class Ask:
    """One limit to be counted: its name, whom it counts (a phone, an address, a member), how many at once."""

    name: str
    subject: str
    rate: Rate
    cost: int = 1

    def __repr__(self) -> str:
        return f"Ask({self.name}, …)"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`retry_after_s` is 0 when allowed, else whole seconds ≥ 1. `limit`: the one that refused, or has least left."""

    allowed: bool
    retry_after_s: int
    remaining: int
    limit: str


class Limiter:
    """Counts in the cache, or in this process where there is none. `fallback`: what happens on a loss unless said."""

    def __init__(
        self, cache: Cache, ring: KeyRing, *, fallback: bool = True, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._cache = cache
        self._ring = ring
        self._on_loss: OnLoss = "local" if fallback else "closed"
        self._monotonic = monotonic
        self._local = LocalLimiter()

    async def take(
        self, name: str, subject: str, *, rate: Rate, cost: int = 1, on_loss: OnLoss | None = None
    ) -> Verdict:
        """Count one limit. Raises `LimiterUnavailable` where the cache is lost and the limit must hold."""
        return await self.take_all([Ask(name, subject, rate, cost)], on_loss=on_loss)

    async def give_back(self, name: str, subject: str, *, rate: Rate) -> None:
        """What was counted came to nothing: as if one had not been taken. Where the cache is lost, so is this."""
        await self.take_all([Ask(name, subject, rate, cost=-1)], on_loss="local")

    async def take_all(self, asks: Sequence[Ask], *, on_loss: OnLoss | None = None) -> Verdict:
        """Count several limits together: all are let through and pay, or none pays. At least one."""
        keys, merged = self._keyed(asks)
        if self._cache.embedded:
            return self._take_locally(keys, merged)
        words = [word for ask in merged for word in (ask.rate.step_us, ask.rate.room_us, ask.cost)]
        try:
            allowed, wait_us, left, named = await self._cache.run(_SCRIPT, keys, words)
        except CacheLost as loss:
            if (on_loss or self._on_loss) == "closed":
                raise LimiterUnavailable(retry_after=_LOST_FOR_S) from loss
            return self._take_locally(keys, merged)
        return Verdict(bool(allowed), math.ceil(wait_us / _MICRO), left, merged[named - 1].name)

    def _take_locally(self, keys: Sequence[str], asks: Sequence[Ask]) -> Verdict:
        return self._local.take_all(keys, asks, now_us=int(self._monotonic() * _MICRO))

    def _keyed(self, asks: Sequence[Ask]) -> tuple[list[str], list[Ask]]:
        """Keys in which no phone and no address stands: keyed BLAKE2 (RFC 7693), not a bare hash, for there are few
        enough phones to try all.

        A limit that is asked twice for one subject is counted once, at the sum of the costs.
        """
        _, secret = self._ring.current("limits")
        keys = [_key(secret, ask.name, ask.subject) for ask in asks]
        if len(set(keys)) == len(keys):
            return keys, list(asks)
        merged: dict[str, Ask] = {}
        for key, ask in zip(keys, asks, strict=True):
            before = merged.get(key)
            merged[key] = Ask(ask.name, ask.subject, ask.rate, ask.cost + before.cost) if before else ask
        return list(merged), list(merged.values())


@lru_cache(maxsize=8_192)
def _key(secret: bytes, name: str, subject: str) -> str:
    mac = hashlib.blake2b(f"{name}\0{subject}".encode(), key=secret, digest_size=16)
    return f"{{limits}}:{name}:{mac.hexdigest()}"


class LocalLimiter:
    """The same arithmetic in one process. Time comes in, in microseconds of a clock that never goes back."""

    def __init__(self, most: int = _MOST_LOCAL) -> None:
        self._full_at: dict[str, int] = {}
        self._most = most

    def take_all(self, keys: Sequence[str], asks: Sequence[Ask], *, now_us: int) -> Verdict:
        full: dict[str, int] = {}
        wait, least, named = 0, math.inf, asks[0].name
        for key, ask in zip(keys, asks, strict=True):
            step, room = ask.rate.step_us, ask.rate.room_us
            at = min(max(self._full_at.get(key, now_us), now_us), now_us + room)
            full[key] = at + step * ask.cost
            over, left = full[key] - room - now_us, (now_us + room - full[key]) // step
            if over > wait:
                wait, named = over, ask.name
            if wait == 0 and left < least:
                least, named = left, ask.name
        if wait > 0:
            return Verdict(False, math.ceil(wait / _MICRO), 0, named)
        self._make_room(now_us)
        self._full_at.update(full)
        return Verdict(True, 0, int(least), named)

    def _make_room(self, now_us: int) -> None:
        """Forget who owes nothing; where that is not enough, a tenth of those counted first: memory stays bounded."""
        if len(self._full_at) < self._most:
            return
        kept = [(key, at) for key, at in self._full_at.items() if at > now_us]
        self._full_at = dict(kept[len(kept) // 10 :] if len(kept) > self._most * 9 // 10 else kept)
