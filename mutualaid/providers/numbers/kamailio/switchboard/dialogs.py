"""One side of a call (RFC 3261 §12): its ids, which are ours or its own, and the next request to it.

A side never sees anything of the other's: every header here is made of its own messages, of X and of random bits.
"""

import secrets
from dataclasses import dataclass, field
from typing import Literal

from mutualaid.providers.numbers.kamailio.switchboard.line import Line
from mutualaid.providers.numbers.kamailio.switchboard.messages import Headers, Request, Response, tag_of, uri_of

Side = Literal["caller", "callee"]
SDP = ("content-type", "application/sdp")
_ALLOW = ("allow", "INVITE, ACK, CANCEL, BYE, OPTIONS")
_COPIED = ("via", "from", "to", "call-id", "cseq", "record-route")


def fresh() -> str:
    """An id that says nothing."""
    return secrets.token_hex(16)


@dataclass(slots=True)
class Dialog:
    """`ours`, `theirs`: From and To as they stand in requests to this side. `target`: where its phone says it is."""

    call_id: str = field(repr=False)
    ours: str = field(repr=False)
    theirs: str = field(repr=False)
    target: str = field(repr=False)
    routes: list[str] = field(default_factory=list, repr=False)
    cseq: int = 0
    heard_cseq: int = 0
    descriptions: int = 0  # how often this side has described its sound
    sound: str = field(default="", repr=False)

    def request(self, line: Line, method: str, *, cseq: int | None = None) -> Request:
        """The next request, or one that repeats the number of an INVITE (ACK, CANCEL)."""
        if cseq is None:
            self.cseq += 1
        headers: Headers = [
            ("via", line.via()),
            *(("route", route) for route in self.routes),
            ("max-forwards", "70"),
            ("from", self.ours),
            ("to", self.theirs),
            ("call-id", self.call_id),
            ("cseq", f"{self.cseq if cseq is None else cseq} {method}"),
        ]
        return Request(headers, method=method, uri=self.target)

    def fits(self, request: Request) -> bool:
        """Whether a request within a dialog is of this one, and newer than the last."""
        tags = tag_of(request.first("to")), tag_of(request.first("from"))
        same = request.call_id == self.call_id and tags == (tag_of(self.ours), tag_of(self.theirs))
        return same and request.cseq[0] > self.heard_cseq


def of_caller(invite: Request, tag: str) -> Dialog:
    """The side that called us. `tag`: ours."""
    return Dialog(
        call_id=invite.call_id,
        ours=f"{invite.first('to')};tag={tag}",
        theirs=invite.first("from"),
        target=uri_of(invite.first("contact")),
        routes=invite.every("record-route"),
        heard_cseq=invite.cseq[0],
    )


def to_callee(display: str, callee: str, domain: str, tag: str) -> Dialog:
    """The side that we call: ids of our own, X in the place of whoever called."""
    return Dialog(
        call_id=fresh(),
        ours=f"<sip:{display}@{domain}>;tag={tag}",
        theirs=f"<sip:{callee}@{domain}>",
        target=f"sip:{callee}@{domain}",
    )


def invitation(dialog: Dialog, line: Line, display: str, domain: str, sound: str) -> Request:
    invite = dialog.request(line, "INVITE")
    invite.headers += [
        ("contact", contact(line)),
        ("p-asserted-identity", f"<sip:{display}@{domain}>"),
        _ALLOW,
        SDP,
    ]
    invite.body = sound.encode()
    return invite


def cancellation(invite: Request) -> Request:
    """CANCEL names the INVITE's own transaction."""
    kept = [(name, value) for name, value in invite.headers if name in ("via", "route", "from", "to", "call-id")]
    headers = [*kept, ("max-forwards", "70"), ("cseq", f"{invite.cseq[0]} CANCEL")]
    return Request(headers, method="CANCEL", uri=invite.uri)


def confirm(dialog: Dialog, answered: Response) -> None:
    """The callee picked up: where it is, and by which way, is in its answer."""
    dialog.theirs = answered.first("to")
    dialog.target = uri_of(answered.first("contact")) or dialog.target
    dialog.routes = answered.every("record-route")[::-1]


def contact(line: Line) -> str:
    host, port = line.address
    return f"<sip:switchboard@{host}:{port}>"


def reply(request: Request, status: int, *, to: str | None = None) -> Response:
    """An answer made of the asker's own headers. `to`: with our tag, where the answer begins or belongs to a dialog."""
    headers = [(name, value) for name, value in request.headers if name in _COPIED]
    if to is not None:
        headers = [(name, to if name == "to" else value) for name, value in headers]
    elif status > 100 and not tag_of(request.first("to")):
        headers = [(name, f"{value};tag={fresh()}" if name == "to" else value) for name, value in headers]
    if status == 405:
        headers.append(_ALLOW)
    if status == 503:
        headers.append(("retry-after", "2"))
    return Response(headers, status=status)
