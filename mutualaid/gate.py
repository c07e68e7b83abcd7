"""How often who may come: the rate limits of the doors, by member, by address, by prefix."""

import ipaddress
from dataclasses import dataclass

from starlette.requests import Request

from mutualaid.kit.endpoints import Endpoint
from mutualaid.kit.errors import TooMany
from mutualaid.kit.limits import Rate
from mutualaid.kit.settings import Settings
from mutualaid.members.records import Principal
from mutualaid.services import of


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request comes from: its address and the block it lies in (/24, /48)."""

    address: str
    prefix: str


def place_of(request: Request) -> Place:
    """The peer's address. Behind a proxy uvicorn has put the client's there (`--proxy-headers`)."""
    host = request.client.host if request.client else "0.0.0.0"  # noqa: S104 — a stand-in for "nobody", nothing is bound
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return Place(host, host)
    width = 24 if address.version == 4 else 48
    return Place(str(address), str(ipaddress.ip_network((address, width), strict=False)))


async def admit(request: Request, endpoint: Endpoint, caller: Principal | None) -> None:
    """Raise `TooMany` with its Retry-After when this door has been asked too often. Relaxed settings lift all of it."""
    services = of(request)
    if endpoint.limit is None or services.settings.limits == "relaxed":
        return
    for name, subject, rate in _rates(services.settings, endpoint.limit, caller, place_of(request)):
        verdict = await services.limits.take(name, subject, rate=rate)
        if not verdict.allowed:
            raise TooMany(retry_after=max(1, round(verdict.retry_after_s)))


def _rates(settings: Settings, group: str, caller: Principal | None, place: Place) -> list[tuple[str, str, Rate]]:
    """The limits of a group of doors. `read`: the plaza and all that shows posts; `write`: what makes rows."""
    if group == "read":
        prefix = (f"{group}.prefix", place.prefix, Rate(settings.plaza_prefix_hourly, 3600, burst=settings.plaza_prefix_hourly // 4))
        if caller is None:
            return [(f"{group}.address", place.address, Rate(settings.plaza_address_hourly, 3600, burst=40)), prefix]
        return [(f"{group}.member", caller.id, Rate(settings.plaza_member_hourly, 3600, burst=120)), prefix]
    return [(f"{group}.member", caller.id if caller else place.address, Rate(120, 3600, burst=30))]
