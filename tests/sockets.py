"""Refuses sockets that would leave this machine: `with loopback_only(): …`.

Names are refused too unless they are `localhost`: looking one up asks a server elsewhere. Unix sockets are free.
Child processes are not covered; the ones that tests start listen on loopback and use the fakes.
"""

import ipaddress
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_GUARDED = ("connect", "connect_ex", "bind")


class NotLoopback(RuntimeError):
    """A test reached outside this machine. A RuntimeError: code that shrugs off OSError must not hide it."""


def is_loopback(host: object) -> bool:
    """True for `localhost`, 127.0.0.0/8, ::1 and their mapped forms; never for names, wildcards and other addresses."""
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if not isinstance(host, str):
        return False
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address.is_loopback


def _check(family: int, address: object) -> None:
    if family not in (socket.AF_INET, socket.AF_INET6):
        return
    host = address[0] if isinstance(address, tuple) and address else address
    if not is_loopback(host):
        raise NotLoopback(f"only loopback sockets are allowed in tests, not {host!r}")


@contextmanager
def loopback_only() -> Iterator[None]:
    """While it lasts, connect, bind, sendto and look-ups go to loopback or raise NotLoopback. May be nested."""
    before: dict[str, Any] = {name: socket.socket.__dict__.get(name) for name in (*_GUARDED, "sendto")}
    look_up = socket.getaddrinfo

    def guarded(name: str) -> Callable[..., Any]:
        original = getattr(socket.socket, name)

        def method(self: socket.socket, address: Any, *rest: Any) -> Any:
            _check(self.family, address)
            return original(self, address, *rest)

        return method

    send = socket.socket.sendto

    def sendto(self: socket.socket, data: Any, *rest: Any) -> int:
        _check(self.family, rest[-1])  # sendto(data, address) or sendto(data, flags, address)
        return send(self, data, *rest)

    def getaddrinfo(host: Any, *rest: Any, **named: Any) -> Any:
        if host is not None and not is_loopback(host):
            raise NotLoopback(f"only loopback names are looked up in tests, not {host!r}")
        return look_up(host, *rest, **named)

    for name in _GUARDED:
        setattr(socket.socket, name, guarded(name))
    socket.socket.sendto = sendto  # type: ignore[method-assign, assignment]  # the overloads are kept by *rest
    socket.getaddrinfo = getaddrinfo
    try:
        yield
    finally:
        socket.getaddrinfo = look_up
        for name, original in before.items():
            if original is None:
                delattr(socket.socket, name)  # it was the C class's own
            else:
                setattr(socket.socket, name, original)
