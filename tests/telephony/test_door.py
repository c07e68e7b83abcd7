"""Kamailio by itself, between a trunk and a switchboard that are this test's own sockets."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mutualaid.kit.settings import Settings
from mutualaid.providers.numbers.kamailio.switchboard.messages import Request, read
from mutualaid.telephony import plan
from tests.telephony import programs
from tests.telephony.programs import Telephony
from tests.telephony.registering import sign_in

TRUNK = "127.0.0.65"
CALLER, X = "+8613800000000", "+8617000000001"
AT_ONCE = 6_000  # calls that begin: Kamailio's usual 64 MB hold 4,600
_A_HANDFUL = 50  # what no socket's buffer loses


@dataclass
class Door:
    """`outside`: a socket of the trunk's; `inside`: the switchboard's."""

    telephony: Telephony
    outside: socket.socket
    inside: socket.socket

    @property
    def listen(self) -> tuple[str, int]:
        return self.telephony.listen

    def invite(self, call: str, number: str = X, *, by: socket.socket | None = None) -> None:
        line = by or self.outside
        host, port = line.getsockname()
        lines = [
            f"INVITE sip:{number}@{self.listen[0]} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{call}",
            f"From: <sip:{CALLER}@{host}>;tag={call}",
            f"To: <sip:{number}@{self.listen[0]}>",
            f"Call-ID: {call}",
            "CSeq: 1 INVITE",
            "Max-Forwards: 70",
            f"Contact: <sip:{CALLER}@{host}:{port}>",
            f"P-Asserted-Identity: <sip:{CALLER}@{host}>",
            "Content-Length: 0",
        ]
        line.sendto("\r\n".join((*lines, "", "")).encode(), self.listen)

    def handed_in(self) -> Request:
        """The next message that the switchboard is given."""
        message = read(self.inside.recv(4_000))
        assert isinstance(message, Request)
        return message


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    programs.skip_where_missing()
    numbers = tmp_path / "numbers"
    numbers.write_text(f"{X}\n", encoding="utf-8")
    settings = programs.chosen(
        Settings(data=tmp_path), service="http://127.0.0.1:1", numbers=numbers, trusted=f"{TRUNK}/32"
    )
    telephony = Telephony(settings, tmp_path)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outside,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as inside,
    ):
        outside.bind((TRUNK, 0))
        inside.bind(plan(settings).switchboard.pair)
        inside.settimeout(5)
        try:
            telephony.start("kamailio")
            yield Door(telephony, outside, inside)
        finally:
            telephony.stop()


def test_the_door_holds_six_thousand_calls_that_begin(door: Door) -> None:
    """It remembers each for seconds; where its memory is full, nobody gets in any more, nor out."""
    handed_in: set[str] = set()
    for start in range(0, AT_ONCE, _A_HANDFUL):
        for call in range(start, start + _A_HANDFUL):
            door.invite(f"c{call}")
        while len(handed_in) < start + _A_HANDFUL:
            handed_in.add(door.handed_in().call_id)

    assert len(handed_in) == AT_ONCE


def test_a_phone_rings_where_it_signed_in_from_and_nowhere_that_it_names(door: Door) -> None:
    """The trunk carries whatever comes from us: a phone that says it is there would have us pay for its calls."""
    number, (trunk, port) = "+8613900000000", door.outside.getsockname()
    door.outside.settimeout(0.3)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.11", 0))
        password = door.telephony.password(number)
        contact = f"sip:+88213000000@{trunk}:{port}"
        assert sign_in(phone, number, door.listen, password, contact=contact) == 200

        door.invite("rings", number, by=door.inside)

        rung = read(phone.recv(4_000))
    assert isinstance(rung, Request) and rung.method == "INVITE"
    with pytest.raises(TimeoutError):
        door.outside.recv(4_000)
