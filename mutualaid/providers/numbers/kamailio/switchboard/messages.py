"""Messages of SIP (RFC 3261), as much of them as the switchboard reads and writes."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

_COMPACT: Final = {
    "v": "via",
    "f": "from",
    "t": "to",
    "i": "call-id",
    "m": "contact",
    "l": "content-length",
    "c": "content-type",
    "k": "supported",
}
_NAMES: Final = {"call-id": "Call-ID", "cseq": "CSeq", "p-asserted-identity": "P-Asserted-Identity"}
_TAG: Final = re.compile(r";\s*tag\s*=\s*([^;,>\s]+)", re.IGNORECASE)
_BRACKETED: Final = re.compile(r'(?:"(?:[^"\\]|\\.)*"\s*|[^<"]*)<([^<>\s]+)>')
_USER: Final = re.compile(r"^(?:sips?:([^@;:]+)(?:[;:][^@]*)?@|tel:([^;]+))", re.IGNORECASE)
_STRAY: Final = re.compile(rb"\r(?!\n)|(?<!\r)\n|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")  # others might end a line there
_BRANCH: Final = re.compile(r";\s*branch\s*=\s*([^;,\s]+)", re.IGNORECASE)

REASONS: Final = {
    100: "Trying",
    180: "Ringing",
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    410: "Gone",
    415: "Unsupported Media Type",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    491: "Request Pending",
    500: "Server Internal Error",
    503: "Service Unavailable",
    603: "Decline",
}

Headers = list[tuple[str, str]]


class Unreadable(ValueError):
    """These bytes are no message. Carries nothing of them."""


@dataclass(slots=True)
class _Message:
    """Header names are lower case, in the order of the message; one that may stand twice stands twice."""

    headers: Headers = field(default_factory=list, repr=False)
    body: bytes = field(default=b"", repr=False)

    def first(self, name: str) -> str:
        """The first such header's value, empty where there is none."""
        return next((value for held, value in self.headers if held == name), "")

    def every(self, name: str) -> list[str]:
        return [value for held, value in self.headers if held == name]

    @property
    def call_id(self) -> str:
        return self.first("call-id")

    @property
    def branch(self) -> str:
        """What names the transaction: the branch of the topmost Via."""
        found = _BRANCH.search(self.first("via").split(",")[0])
        return found[1] if found else ""

    @property
    def cseq(self) -> tuple[int, str]:
        number, _, method = self.first("cseq").partition(" ")
        return int(number), method.strip()

    def _with_body(self, start: str) -> bytes:
        lines = [start, *(f"{_NAMES.get(name, name.title())}: {value}" for name, value in self.headers)]
        lines += [f"Content-Length: {len(self.body)}", "", ""]
        return "\r\n".join(lines).encode() + self.body


@dataclass(slots=True)
class Request(_Message):
    method: str = ""
    uri: str = field(default="", repr=False)

    def encode(self) -> bytes:
        return self._with_body(f"{self.method} {self.uri} SIP/2.0")


@dataclass(slots=True)
class Response(_Message):
    status: int = 0

    def encode(self) -> bytes:
        """The reason is ours, by its number: what a phone wrote there is not repeated."""
        return self._with_body(f"SIP/2.0 {self.status} {REASONS.get(self.status, 'Call Failed')}")


def read(raw: bytes) -> Request | Response:
    """Raises `Unreadable` for what is no SIP, or lacks what every message has."""
    head, separator, rest = raw.partition(b"\r\n\r\n")
    if not separator or _STRAY.search(head):
        raise Unreadable
    try:
        start, *lines = head.decode().split("\r\n")
        headers = [*_headers(lines)]
        length = next((int(value) for name, value in headers if name == "content-length"), len(rest))
    except ValueError:
        raise Unreadable from None
    kept = [(name, value) for name, value in headers if name != "content-length"]
    first, second, third = (*start.split(" ", 2), "", "")[:3]
    message: Request | Response
    if first == "SIP/2.0" and re.fullmatch("[1-6][0-9]{2}", second):
        message = Response(kept, rest[: max(0, length)], int(second))
    elif third == "SIP/2.0" and re.fullmatch("[A-Z]{1,20}", first):
        message = Request(kept, rest[: max(0, length)], first, second)
    else:
        raise Unreadable
    if not _whole(message):
        raise Unreadable
    return message


def _whole(message: Request | Response) -> bool:
    if not all(message.first(name) for name in ("via", "from", "to", "call-id", "cseq")):
        return False
    return re.fullmatch(r"[0-9]{1,10} +[A-Z]{1,20}", message.first("cseq")) is not None


def _headers(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    folded: list[str] = []
    for line in lines:
        if line[:1] in (" ", "\t") and folded:
            folded[-1] += " " + line.strip()
        else:
            folded.append(line)
    for line in folded:
        name, separator, value = line.partition(":")
        if not separator:
            raise Unreadable
        name = name.strip().lower()
        yield _COMPACT.get(name, name), value.strip()


def tag_of(value: str) -> str:
    """The tag of a From or To, empty where it has none yet."""
    found = _TAG.search(value.rpartition(">")[2])  # a name before the address may look like a tag
    return found[1] if found else ""


def uri_of(value: str) -> str:
    """The address in a From, To, Contact or P-Asserted-Identity."""
    bracketed = _BRACKETED.match(value)
    return (bracketed[1] if bracketed else value.split(";")[0]).strip()


def user_of(uri: str) -> str:
    """Whom an address names, before the host: a number or a name; empty where it names nobody."""
    found = _USER.match(uri)
    return (found[1] or found[2]).replace("%2B", "+").replace("%2b", "+") if found else ""
