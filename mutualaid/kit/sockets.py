"""Addresses as settings name them: `a.b.c.d:port`, a range of ports, networks. Each is what it was, or a ValueError."""

from ipaddress import IPv4Address, IPv4Network


def address(text: str) -> str:
    """`127.0.0.1:5060`."""
    host, _, port = text.rpartition(":")
    IPv4Address(host)
    _port(port)
    return text


def address_or_none(text: str) -> str:
    return address(text) if text else text


def ports(text: str) -> str:
    """`127.0.0.1:30000-40000`, the first an even one: each sound has two."""
    host, _, both = text.rpartition(":")
    first, _, last = both.partition("-")
    IPv4Address(host)
    if _port(first) % 2 or _port(first) >= _port(last):
        raise ValueError("the first port is even, and lower than the last")
    return text


def networks(text: str) -> str:
    """`10.0.0.0/8,192.0.2.1/32`, or nothing."""
    for one in text.split(",") if text else ():
        if "/" not in one:
            raise ValueError("a network is a.b.c.d/n")
        IPv4Network(one)
    return text


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65_536):
        raise ValueError("a port is 1 to 65535")
    return int(text)
