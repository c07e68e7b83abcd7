"""Where a request comes from: its address, and the block that the address lies in."""

import ipaddress
from dataclasses import dataclass
from functools import lru_cache

from starlette.requests import Request


@dataclass(frozen=True, slots=True)
class Peer:
    """An address and its block (/24, /48). Not shown: an address is personal."""

    address: str
    prefix: str

    def __repr__(self) -> str:
        return "Peer(…)"


def peer_of(request: Request) -> Peer:
    """Who is at the other end. Behind a proxy uvicorn has put the client's address there (`--proxy-headers`)."""
    return _peer(request.client.host if request.client else "unknown")


@lru_cache(maxsize=4_096)
def _peer(host: str) -> Peer:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return Peer(host, host)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:  # who listens on both hears of IPv4 so
        address = address.ipv4_mapped
    width = 24 if address.version == 4 else 48
    return Peer(str(address), str(ipaddress.ip_network((address, width), strict=False)))
