"""The socket that a server listens on, made before anything else is opened."""

import socket


class CannotListen(Exception):
    """The address is taken, not ours, or no address; the message is the system's."""


def listen(host: str, port: int) -> socket.socket:
    """Raises `CannotListen`. Port 0 is one of the system's choice."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(1024)
    except OSError as problem:
        listening.close()
        raise CannotListen(problem.strerror) from problem
    listening.setblocking(False)
    return listening
