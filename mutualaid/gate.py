"""How often who may come: the rate limits of the doors, by member, by address, by prefix."""

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Final

from starlette.requests import Request

from mutualaid.kit.endpoints import Endpoint
from mutualaid.kit.errors import TooMany
from mutualaid.kit.limits import Ask, Rate
from mutualaid.kit.peers import Peer, peer_of
from mutualaid.members.records import Principal
from mutualaid.services import of


async def admit(request: Request, endpoint: Endpoint, caller: Principal | None) -> None:
    """Raise `TooMany` with its Retry-After when this door has been asked too often. Relaxed settings lift all of it."""
    services = of(request)
    if endpoint.limit is None or services.settings.limits == "relaxed":
        return
    settings, peer = services.settings, peer_of(request)
    quotas = settings.plaza_member_hourly, settings.plaza_device_hourly, settings.plaza_address_hourly
    own = (caller.id, caller.session_id) if caller else None
    asks = _asks(endpoint.limit, own, peer, (*quotas, settings.plaza_prefix_hourly))
    verdict = await services.limits.take_all(asks, on_loss="local")
    if not verdict.allowed:
        raise TooMany(retry_after=verdict.retry_after_s)


@lru_cache(maxsize=4_096)
def _asks(group: str, own: tuple[str, str] | None, peer: Peer, hourly: tuple[int, int, int, int]) -> Sequence[Ask]:
    """The limits of a group of doors. `read`: the plaza and all that shows posts; any other: what makes rows. `own`: the
    member and the session, `hourly`: how often a member, a device, an address and a prefix may read."""
    if group != "read":
        return (Ask(f"{group}.member", own[0] if own else peer.address, _WRITES),)
    by_member, by_device, by_address, by_prefix = map(_an_hour, hourly)
    prefix = Ask("read.prefix", peer.prefix, by_prefix)
    if own is None:
        return (Ask("read.address", peer.address, by_address), prefix)
    member, session = own
    return (Ask("read.member", member, by_member), Ask("read.device", session, by_device), prefix)


_WRITES: Final = Rate(120, 3600, burst=30)


@cache
def _an_hour(count: int) -> Rate:
    return Rate(count, 3600)
