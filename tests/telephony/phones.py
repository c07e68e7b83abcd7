"""Phones that leak everywhere: SIPp with its own number, name and address in every header, line and reason that it sends."""

import asyncio
import itertools
import re
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.telephony.programs import free_udp_port, program, udp_is_open

_count = itertools.count()
_HEADERS = """Subject: call from NAME NUMBER
User-Agent: phone-of-NUMBER
Server: phone-of-NUMBER
P-Asserted-Identity: "NAME" <sip:NUMBER@HOST>
P-Preferred-Identity: <tel:NUMBER>
P-Called-Party-ID: <sip:NUMBER@HOST>
Remote-Party-ID: "NAME" <sip:NUMBER@HOST>;party=calling
Diversion: <sip:NUMBER@HOST>;reason=unconditional
History-Info: <sip:NUMBER@HOST>;index=1
Referred-By: <sip:NUMBER@HOST>
Reply-To: <sip:NUMBER@HOST>
Organization: NAME NUMBER
Call-Info: <http://HOST/NUMBER.png>;purpose=icon
Alert-Info: <http://HOST/NUMBER.wav>
Error-Info: <sip:NUMBER@HOST>
Warning: 399 HOST "owner NUMBER"
User-to-User: NUMBER;encoding=ascii
P-Charging-Vector: icid-value=NUMBER;orig-ioi=HOST
Geolocation: <sip:NUMBER@HOST>
Identity: NUMBER
Date-Of: NUMBER
X-Owner: NUMBER NAME HOST"""
_SOUND = """v=0
o=NUMBER 53655765 2353687637 IN IP4 HOST
s=NAME NUMBER
i=NUMBER
u=http://HOST/NUMBER
e=NUMBER@example.org
p=NUMBER
c=IN IP4 HOST
b=X-NUMBER:1
t=0 0
k=clear:NUMBER
a=tool:NUMBER
a=group:NUMBER
m=audio SOUNDPORT RTP/AVP 8 101 97
i=NUMBER
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=rtpmap:97 NUMBER/8000
a=fmtp:101 0-15
a=fmtp:8 owner=NUMBER
a=ssrc:1234 cname:NUMBER@HOST
a=rtcp:SOUNDPORT IN IP4 HOST
a=candidate:1 1 UDP 2130706431 HOST SOUNDPORT typ host
a=ice-ufrag:NUMBER
a=mid:NUMBER
a=label:NUMBER
a=x-owner:NUMBER
a=DIRECTION
m=video 9 RTP/AVP 31
i=NUMBER
a=label:NUMBER"""
_VIA = "Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]"
_LAST = "[last_Via:]\n[last_From:]\n[last_To:]TAG\n[last_Call-ID:]\n[last_CSeq:]\n[last_Record-Route:]"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose phone it is: what must not reach the other."""

    number: str
    name: str
    host: str


@dataclass
class Phone:
    """One phone of an owner. `calls`: what it does, a SIPp scenario built by the functions below."""

    owner: Owner
    folder: Path
    exchange: tuple[str, int]
    password: str = ""
    port: int = 0
    sound_port: int = 0
    process: asyncio.subprocess.Process | None = None
    messages: Path = field(default_factory=Path)

    def __post_init__(self) -> None:
        self.port = self.port or free_udp_port(self.owner.host)
        self.sound_port = self.sound_port or free_udp_port(self.owner.host) & ~1

    # ---- what it says --------------------------------------------------------------------------------------------

    def _filled(self, text: str) -> str:
        values = {"NUMBER": self.owner.number, "NAME": self.owner.name, "HOST": self.owner.host}
        for name, value in values.items():
            text = text.replace(name, value)
        return text

    def _hostile(self) -> str:
        contact = f'Contact: "NAME" <sip:NUMBER@HOST:{self.port};transport=udp>;+sip.instance="<urn:uuid:NUMBER>"'
        return self._filled(f"{contact}\n{_HEADERS}")

    def _described(self, direction: str = "sendrecv") -> str:
        return self._filled(_SOUND.replace("SOUNDPORT", str(self.sound_port)).replace("DIRECTION", direction))

    def _request(self, method: str, uri: str, cseq: str, *, to: str, sound: str = "", more: Sequence[str] = ()) -> str:
        from_ = f'From: "NAME NUMBER" <sip:NUMBER@HOST:{self.port}>;tag=NUMBER-[call_number]'
        lines = [
            f"{method} {uri} SIP/2.0",
            _VIA,
            self._filled(from_),
            to,
            "Call-ID: [call_id]",
            f"CSeq: {cseq} {method}",
            "Max-Forwards: 70",
            *more,
            self._hostile(),
        ]
        return _message(lines, sound)

    def _response(self, status: int, *, sound: str = "", tag: bool = True) -> str:
        last = _LAST.replace("TAG", f";tag={self.owner.number}-[call_number]" if tag else "")
        return _message([f"SIP/2.0 {status} {self._filled('NAME NUMBER HOST')}", last, self._hostile()], sound)

    # ---- scenarios -----------------------------------------------------------------------------------------------

    def calls(self, number: str, then: Sequence[str], *, direct: bool = False) -> str:
        """INVITE, proved by digest where there is a password; `then` from its first answer on."""
        host, port = self.exchange
        uri, to = f"sip:{number}@{host}:{port}", f"To: <sip:{number}@{host}>"
        invite = self._request("INVITE", uri, "1", to=to, sound=self._described())
        if not self.password or direct:
            return _scenario(_send(invite), *then)
        auth = f"[authentication username={self.owner.number} password={self.password}]"
        again = self._request("INVITE", uri, "2", to=to, sound=self._described(), more=[auth])
        challenged = _recv('response="407" auth="true"'), _send(self._ack(uri, "1"), retrans=False)
        return _scenario(_send(invite), *challenged, _send(again), *then)

    def _ack(self, uri: str, cseq: str) -> str:
        """Of a refusal: it belongs to the INVITE's own transaction, which the refusal's Via names."""
        return self._request("ACK", uri, cseq, to="[last_To:]").replace(_VIA, "[last_Via:]")

    @property
    def cseq(self) -> int:
        """Of the INVITE that went through."""
        return 2 if self.password else 1

    def connected(self, *then: str) -> list[str]:
        """The caller's side once it is answered."""
        ringing = [_recv(f'response="{status}" optional="true"') for status in (100, 180, 183)]
        ack = self._request("ACK", "[next_url]", str(self.cseq), to="[last_To:]", more=["[routes]"])
        return [*ringing, _recv('response="200" rrs="true"'), _send(ack, retrans=False), *then]

    def hangs_up(self, after_ms: int = 0) -> list[str]:
        more = ["[routes]", self._filled('Reason: Q.850;cause=16;text="NUMBER"')]
        bye = self._request("BYE", "[next_url]", str(self.cseq + 2), to="[last_To:]", more=more)
        return [_pause(after_ms), _send(bye), _recv('response="200"')]

    def is_hung_up(self) -> list[str]:
        return [_recv('request="BYE"'), _send(self._response(200, tag=False), retrans=False)]

    def holds(self) -> list[str]:
        """A re-INVITE: the line is held, and what it says leaks as before."""
        uri, to = "[next_url]", "[last_To:]"
        held = self._request(
            "INVITE", uri, str(self.cseq + 1), to=to, sound=self._described("sendonly"), more=["[routes]"]
        )
        ack = self._request("ACK", uri, str(self.cseq + 1), to=to, more=["[routes]"])
        return [
            _send(held),
            _recv('response="100" optional="true"'),
            _recv('response="200"'),
            _send(ack, retrans=False),
        ]

    def waits(self) -> list[str]:
        """Until it is nudged."""
        return [_recv('request="OPTIONS"')]

    def nudge(self) -> None:
        """What it waited for has come: the test says so, by a request within its call."""
        answered = next(body for body in self.heard() if body.startswith("SIP/2.0 200"))
        kept = [
            line.rstrip() for line in answered.splitlines() if line.startswith(("From:", "To:", "Call-ID:", "Via:"))
        ]
        lines = ["OPTIONS sip:nudge SIP/2.0", *kept, "CSeq: 1 OPTIONS", "Content-Length: 0", "", ""]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.sendto("\r\n".join(lines).encode(), (self.owner.host, self.port))

    def is_refused(self, status: int) -> list[str]:
        ringing = [_recv(f'response="{one}" optional="true"') for one in (100, 180, 183)]
        return [
            *ringing,
            _recv(f'response="{status}"'),
            _send(self._ack("[last_Request_URI]", str(self.cseq)), retrans=False),
        ]

    def gives_up(self, number: str) -> list[str]:
        host, port = self.exchange
        cancel = self._request("CANCEL", f"sip:{number}@{host}:{port}", str(self.cseq), to=f"To: <sip:{number}@{host}>")
        cancel = cancel.replace(_VIA, "[last_Via:]")
        ringing = [_recv('response="100" optional="true"'), _recv('response="180"')]
        refused = [
            _recv('response="487"'),
            _send(self._ack(f"sip:{number}@{host}:{port}", str(self.cseq)), retrans=False),
        ]
        return [*ringing, _send(cancel), _recv('response="200" optional="true"'), *refused]  # the two may cross

    def answers(self, *then: str, rings: bool = True) -> str:
        """The callee's side: hostile ringing, hostile answer, `then`."""
        ringing = [
            _send(self._response(180), retrans=False),
            _send(self._response(183, sound=self._described()), retrans=False),
        ]
        answered = [_send(self._response(200, sound=self._described())), _recv('request="ACK"')]
        return _scenario(self._invited(), *(ringing if rings else ()), *answered, *then)

    def _invited(self) -> str:
        from_ = '<ereg regexp=".*" search_in="hdr" header="From:" assign_to="peer"/>'
        return _recv('request="INVITE" rrs="true"', f"<action>{from_}</action>")

    def puts_down(self, after_ms: int = 0) -> list[str]:
        """The callee hangs up."""
        bye = self._request("BYE", "[next_url]", "1", to="To:[$peer]", more=["[routes]"])
        return [_pause(after_ms), _send(bye), _recv('response="200"')]

    def refuses(self, status: int) -> str:
        refused = self._response(status)
        return _scenario(
            self._invited(), _send(self._response(180), retrans=False), _send(refused), _recv('request="ACK"')
        )

    def is_cancelled(self) -> str:
        ringing = _send(self._response(180), retrans=False)
        cancelled = [_recv('request="CANCEL"'), _send(self._response(200), retrans=False)]
        terminated = self._response(487).replace("[last_CSeq:]", "CSeq: [$number] INVITE")
        terminated = terminated.replace("[last_Via:]", "Via:[$first]\nVia:[$second]")  # the INVITE's, not the CANCEL's
        return _scenario(self._invited_and_kept(), ringing, *cancelled, _send(terminated), _recv('request="ACK"'))

    def _invited_and_kept(self) -> str:
        number = '<ereg regexp="[0-9]+" search_in="hdr" header="CSeq:" assign_to="number"/>'
        vias = [
            f'<ereg regexp=".*" search_in="hdr" header="Via:" occurrence="{n}" assign_to="{name}"/>'
            for n, name in ((1, "first"), (2, "second"))
        ]
        return _recv('request="INVITE" rrs="true"', f"<action>{number}{''.join(vias)}</action>")

    # ---- running -------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def doing(self, scenario: str, *, calls: int = 1, patience_s: float = 45) -> AsyncIterator["Phone"]:
        """While it lasts, the phone does that; `done` waits until it has. A phone that is left undone is put down."""
        self.messages = self.folder / f"{self.owner.name}-{next(_count)}.log"
        file = self.messages.with_suffix(".xml")
        file.write_text(scenario, encoding="utf-8")
        host, port = self.exchange
        self.process = await asyncio.create_subprocess_exec(
            *(program("sipp"), f"{host}:{port}", "-sf", file, "-i", self.owner.host, "-p", str(self.port)),
            *("-m", str(calls), "-nostdin", "-trace_msg", "-message_file", self.messages),
            *("-timeout", str(int(patience_s)), "-timeout_error", "-cid_str", f"%u-{self.owner.number}@%s"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=self.folder,
        )
        while not udp_is_open(self.owner.host, self.port):
            assert self.process.returncode is None, "SIPp ended before it listened"
            await asyncio.sleep(0.01)
        try:
            yield self
        finally:
            if self.process.returncode is None:
                self.process.kill()
            await self.process.wait()

    async def done(self) -> None:
        assert self.process is not None
        assert await self.process.wait() == 0, f"{self.owner.name}: not as it should be: {self.heard_starts()}"

    def heard(self) -> list[str]:
        """Every message that came in while it did what it did last, whole."""
        return [body for direction, body in _parts(self.messages) if direction == "received"]

    def said(self) -> list[str]:
        return [body for direction, body in _parts(self.messages) if direction == "sent"]

    def heard_starts(self) -> list[str]:
        """The first line of each."""
        return [body.strip().split("\n")[0].strip() for body in self.heard()]

    async def hears(self, start: str, *, patience_s: float = 30) -> str:
        """The first message that begins so, waited for."""
        async with asyncio.timeout(patience_s):
            while True:
                for body in self.heard():
                    if body.strip().startswith(start):
                        return body
                await asyncio.sleep(0.02)


_PART = re.compile(r"^-{40,} .*\nUDP message (sent|received)[^\n]*:\n\n", re.MULTILINE)


def _parts(file: Path) -> list[tuple[str, str]]:
    if not file.is_file():
        return []
    pieces = _PART.split(file.read_text(encoding="utf-8", errors="replace"))
    return list(zip(pieces[1::2], pieces[2::2], strict=True))


def _message(lines: Sequence[str], sound: str) -> str:
    if not sound:
        return "\n".join((*lines, "Content-Length: 0", "", ""))
    return "\n".join((*lines, "Content-Type: application/sdp", "Content-Length: [len]", "", sound, ""))


def _send(message: str, *, retrans: bool = True) -> str:
    how = ' retrans="500"' if retrans else ""
    return f"<send{how}><![CDATA[\n{message}\n]]></send>"


def _recv(what: str, inside: str = "") -> str:
    return f"<recv {what}>{inside}</recv>"


def _pause(milliseconds: int) -> str:
    return f'<pause milliseconds="{milliseconds}"/>'


def _scenario(*steps: str) -> str:
    used = [
        name for name in ("peer", "number", "first", "second") if any(f'assign_to="{name}"' in step for step in steps)
    ]
    kept = f'<Reference variables="{",".join(used)}"/>' if used else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="hostile">\n'
        + "\n".join((*steps, kept))
        + "</scenario>\n"
    )
