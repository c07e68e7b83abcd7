"""How often who may come: the rate limits of the doors, by member, by address, by prefix."""

from starlette.requests import Request

from mutualaid.kit.endpoints import Endpoint
from mutualaid.kit.errors import TooMany
from mutualaid.kit.limits import Ask, Rate
from mutualaid.kit.peers import Peer, peer_of
from mutualaid.kit.settings import Settings
from mutualaid.members.records import Principal
from mutualaid.services import of


async def admit(request: Request, endpoint: Endpoint, caller: Principal | None) -> None:
    """Raise `TooMany` with its Retry-After when this door has been asked too often. Relaxed settings lift all of it."""
    services = of(request)
    if endpoint.limit is None or services.settings.limits == "relaxed":
        return
    asks = _asks(services.settings, endpoint.limit, caller, peer_of(request))
    verdict = await services.limits.take_all(asks, on_loss="local")
    if not verdict.allowed:
        raise TooMany(retry_after=verdict.retry_after_s)


def _asks(settings: Settings, group: str, caller: Principal | None, peer: Peer) -> list[Ask]:
    """The limits of a group of doors. `read`: the plaza and all that shows posts; any other: what makes rows."""
    if group != "read":
        return [Ask(f"{group}.member", caller.id if caller else peer.address, Rate(120, 3600, burst=30))]
    prefix = Ask("read.prefix", peer.prefix, Rate(settings.plaza_prefix_hourly, 3600))
    if caller is None:
        return [Ask("read.address", peer.address, Rate(settings.plaza_address_hourly, 3600)), prefix]
    return [
        Ask("read.member", caller.id, Rate(settings.plaza_member_hourly, 3600)),
        Ask("read.device", caller.session_id, Rate(settings.plaza_device_hourly, 3600)),
        prefix,
    ]
