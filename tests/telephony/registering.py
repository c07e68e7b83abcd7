"""A soft phone signs in: REGISTER, proved by digest (RFC 2617), from the phone's own address."""

import asyncio
import hashlib
import re
import secrets
import socket
from typing import Any

from tests.telephony.phones import Owner


async def register(
    owner: Owner, exchange: tuple[str, int], password: str, *, port: int, as_number: str | None = None
) -> int:
    """The status of the last answer. `as_number`: whom the phone says it is, beside whom it proves to be."""

    def from_its_port() -> int:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.bind((owner.host, port))
            contact = f"sip:{as_number or owner.number}@{owner.host}:{port}"
            return sign_in(line, owner.number, exchange, password, contact=contact, as_number=as_number)

    return await asyncio.to_thread(from_its_port)


def sign_in(
    line: socket.socket,
    number: str,
    exchange: tuple[str, int],
    password: str,
    *,
    contact: str,
    as_number: str | None = None,
) -> int:
    """The same by a socket that goes on listening, with any `contact`."""
    line.settimeout(15)
    named = as_number or number
    said = _ask(line, exchange, named, contact, 1, "")
    challenge = dict(re.findall(r'(\w+)="([^"]*)"', said.partition("WWW-Authenticate:")[2].split("\r\n")[0]))
    if challenge:
        proof = _proof(number, password, challenge, f"sip:{exchange[0]}")
        said = _ask(line, exchange, named, contact, 2, f"Authorization: {proof}\r\n")
    return int(said.split(" ")[1])


def _ask(line: socket.socket, exchange: tuple[str, int], number: str, contact: str, cseq: int, more: str) -> str:
    host, here = line.getsockname()
    line.sendto(
        (
            f"REGISTER sip:{exchange[0]} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {host}:{here};branch=z9hG4bK{secrets.token_hex(8)}\r\n"
            f"From: <sip:{number}@{exchange[0]}>;tag={secrets.token_hex(4)}\r\nTo: <sip:{number}@{exchange[0]}>\r\n"
            f"Call-ID: {secrets.token_hex(8)}\r\nCSeq: {cseq} REGISTER\r\nMax-Forwards: 70\r\n"
            f"Contact: <{contact}>\r\nExpires: 120\r\n{more}Content-Length: 0\r\n\r\n"
        ).encode(),
        exchange,
    )
    return line.recv(4000).decode()


def _proof(user: str, password: str, challenge: dict[str, Any], uri: str) -> str:
    realm, nonce, once = challenge["realm"], challenge["nonce"], secrets.token_hex(4)
    who, what = _md5(f"{user}:{realm}:{password}"), _md5(f"REGISTER:{uri}")
    response = _md5(f"{who}:{nonce}:00000001:{once}:auth:{what}")
    fields = {"username": user, "realm": realm, "nonce": nonce, "uri": uri, "response": response, "cnonce": once}
    quoted = ", ".join(f'{name}="{value}"' for name, value in fields.items())
    return f"Digest {quoted}, qop=auth, nc=00000001, algorithm=MD5"


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
