"""The sound of a phone: RTP and RTCP from its own address to where it was told, and what comes back, from where."""

import asyncio
import re
import socket
import struct
from types import TracebackType

from tests.telephony.phones import Phone

Packet = tuple[bytes, tuple[str, int]]


class Sound:
    """While it lasts, the phone's two ports are open. `heard`, `reports`: what came, and from where."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone
        self.heard: list[Packet] = []
        self.reports: list[Packet] = []
        self._lines: list[socket.socket] = []
        self._reading: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Sound":
        for port, into in ((self.phone.sound_port, self.heard), (self.phone.sound_port + 1, self.reports)):
            line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            line.setblocking(False)
            line.bind((self.phone.owner.host, port))
            self._lines.append(line)
            self._reading.append(asyncio.create_task(_read(line, into)))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, at: TracebackType | None
    ) -> None:
        for task in self._reading:
            task.cancel()
        await asyncio.gather(*self._reading, return_exceptions=True)
        for line in self._lines:
            line.close()

    def speak(self, packets: int) -> None:
        """So many packets of sound to where the phone was told, and a report that carries its own name."""
        host, port = self._where()
        for number in range(packets):
            head = struct.pack("!BBHII", 0x80, 8, number, 160 * number, 0xA11CE)
            self._lines[0].sendto(head + self.phone.owner.name.encode()[:1] * 160, (host, port))
        self._lines[1].sendto(self._report(), (host, port + 1))

    def _where(self) -> tuple[str, int]:
        """What the phone was last told of where to send its sound."""
        told = "\n".join(self.phone.heard())
        host, port = (
            re.findall(r"^c=IN IP4 (\S+)", told, re.MULTILINE)[-1],
            re.findall(r"^m=audio (\d+)", told, re.MULTILINE)[-1],
        )
        return host, int(port)

    def _report(self) -> bytes:
        """An empty receiver report, and a source description with a CNAME (RFC 3550 §6.5)."""
        name = f"{self.phone.owner.number}@{self.phone.owner.host}".encode()
        item = struct.pack("!IBB", 0xA11CE, 1, len(name)) + name + b"\0"
        item += b"\0" * (-len(item) % 4)
        return struct.pack("!BBHI", 0x80, 201, 1, 0xA11CE) + struct.pack("!BBH", 0x81, 202, len(item) // 4) + item


async def _read(line: socket.socket, into: list[Packet]) -> None:
    loop = asyncio.get_running_loop()
    while True:
        into.append(await loop.sock_recvfrom(line, 2000))
