"""What a phone says of its sound (RFC 4566), rebuilt from what is known to carry no name: nothing else is passed on.

One sound is connected, the first that is offered; pictures and the rest are declined.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final

_CODECS: Final = frozenset(
    ("PCMU", "PCMA", "G722", "G729", "GSM", "iLBC", "opus", "AMR", "AMR-WB", "telephone-event", "CN", "speex", "L16")
)
_DIRECTIONS: Final = ("sendrecv", "sendonly", "recvonly", "inactive")
_CONNECTION: Final = re.compile(
    r"IN IP4 ([0-9.]{7,15})"
)  # the relay has no other address: towards IPv6 all were silent
_SOUND: Final = re.compile(r"audio ([0-9]{1,5})(?:/1)? RTP/AVPF? ([0-9]{1,3}(?: [0-9]{1,3}){0,29})")
_RTPMAP: Final = re.compile(r"rtpmap:([0-9]{1,3}) ([A-Za-z0-9-]{1,20})/([0-9]{4,6})(/[0-9])?")
_FORMAT: Final = re.compile(r"fmtp:([0-9]{1,3}) (.{1,200})")
_EVENTS: Final = re.compile(r"[0-9]{1,3}(-[0-9]{1,3})?(,[0-9]{1,3}(-[0-9]{1,3})?){0,9}")
_PARAMETER: Final = re.compile(
    r"(mode-set|mode-change-period|mode-change-neighbor|mode-change-capability|octet-align|crc|max-red|robust-sorting"
    r"|annexb|mode|bitrate|cbr|vbr|stereo|sprop-stereo|useinbandfec|usedtx|minptime|maxptime|maxplaybackrate"
    r"|sprop-maxcapturerate|maxaveragebitrate)=([0-9]{1,6}|yes|no|on|off|[0-9](,[0-9]){0,8})",
    re.IGNORECASE,
)
_TIME: Final = re.compile(r"(ptime|maxptime):[0-9]{1,3}")
_OTHER: Final = re.compile(
    r"(video|image|text|application|message|audio) [0-9]{1,5}(?:/[0-9]{1,2})? ([A-Za-z/]{3,20}) .*"
)


class Unusable(ValueError):
    """There is no sound in it that can be connected."""


@dataclass(frozen=True, slots=True)
class Offer:
    """`text`: the description without a name in it. `declined`: the other media that were offered, before and after."""

    text: str
    before: tuple[str, ...]
    after: tuple[str, ...]

    def answered(self, answer: str) -> str:
        """The answer to this offer: a line for each medium that was offered, in the same order (RFC 3264 §6)."""
        if not (self.before or self.after):
            return answer
        head, separator, sound = answer.partition("m=audio ")
        declined = [f"m={line}\r\n" for line in self.before], [f"m={line}\r\n" for line in self.after]
        return "".join((head, *declined[0], separator, sound, *declined[1]))


def clean(body: bytes, *, ours: Collection[str], version: int = 1) -> Offer:
    """Only what is listed here comes through. `ours`: hosts of the exchange, to which no sound is sent. `version`: how often
    this side has described its sound. Raises `Unusable`.
    """
    lines = [line.strip() for line in body.decode(errors="replace").splitlines()]
    parts = _parts([line for line in lines if line[1:2] == "="])
    session, media = parts[0], parts[1:]
    place = next((i for i, part in enumerate(media) if _SOUND.fullmatch(part[0][2:])), None)
    if place is None:
        raise Unusable
    sound = media[place]
    ends = [line[2:] for line in (*sound, *session) if line.startswith("c=")]
    found = _CONNECTION.fullmatch(ends[0]) if ends else None
    if found is None or not _is_a_phones(found[1], ours):
        raise Unusable
    address = f"IN IP4 {found[1]}"
    text = ["v=0", f"o=- 1 {version} {address}", "s=-", f"c={address}", "t=0 0", *_sound(sound, session)]
    return Offer("\r\n".join((*text, "")), _declined(media[:place]), _declined(media[place + 1 :]))


def _is_a_phones(host: str, ours: Collection[str]) -> bool:
    """Whether sound may be sent there: what one phone says, the relay would carry to whatever listens at that address, also
    to its own control. 0.0.0.0 is a phone on hold; loopback belongs to phones only where the whole exchange is there.
    """
    try:
        at = IPv4Address(host)
    except ValueError:  # a name, or one of the other ways to write an address
        return False
    own = {IPv4Address(one) for one in ours}
    if at in own or at.is_multicast or at.is_link_local:
        return False
    return not at.is_loopback or all(one.is_loopback for one in own)


def _parts(lines: list[str]) -> list[list[str]]:
    """The session's lines, then each medium's."""
    parts: list[list[str]] = [[]]
    for line in lines:
        if line.startswith("m="):
            parts.append([])
        parts[-1].append(line)
    return parts


def _sound(lines: list[str], session: list[str]) -> list[str]:
    head = _SOUND.fullmatch(lines[0][2:])
    assert head is not None
    known, kept = set(), []
    for attribute in (line[2:] for line in lines if line.startswith("a=")):
        mapped = _RTPMAP.fullmatch(attribute)
        if mapped and mapped[2] in _CODECS:
            known.add(mapped[1])
            kept.append(attribute)
        elif (fixed := _format(attribute)) or _TIME.fullmatch(attribute):
            kept.append(fixed or attribute)
    formats = [number for number in head[2].split() if number in known or int(number) < 35]
    if not formats:
        raise Unusable
    kept = [line for line in kept if not line.startswith("fmtp:") or line[5:].split()[0] in formats]
    direction = next((d for part in (lines, session) for d in _DIRECTIONS if f"a={d}" in part), "sendrecv")
    return [f"m=audio {head[1]} RTP/AVP {' '.join(formats)}", *(f"a={line}" for line in kept), f"a={direction}"]


def _format(attribute: str) -> str:
    found = _FORMAT.fullmatch(attribute)
    if not found:
        return ""
    if _EVENTS.fullmatch(found[2]):
        return attribute
    parameters = [one.strip() for one in found[2].split(";")]
    kept = [one for one in parameters if _PARAMETER.fullmatch(one)]
    return f"fmtp:{found[1]} {';'.join(kept)}" if kept else ""


def _declined(media: list[list[str]]) -> tuple[str, ...]:
    found = (_OTHER.fullmatch(part[0][2:]) for part in media)
    return tuple(f"{one[1]} 0 {one[2]} 0" if one else "application 0 UDP 0" for one in found)


def again(answer: str, offer: str, *, version: int) -> str:
    """An answer given before, as it fits another offer: a new version, in the direction that is left (RFC 3264 §6.1, §8)."""
    answer = re.sub(r"(?m)^o=- 1 [0-9]+ ", f"o=- 1 {version} ", answer)
    fitting = {"sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}
    asked = next((d for d in _DIRECTIONS if f"a={d}\r\n" in offer), "sendrecv")
    if asked == "sendrecv":
        return answer
    return re.sub(rf"a=(?:{'|'.join(_DIRECTIONS)})\r\n", f"a={fitting[asked]}\r\n", answer)


def formats(text: str) -> set[str]:
    """The numbers of the formats that the sound may have."""
    found = re.search(r"m=audio [0-9]+ [A-Z/]+ ([0-9 ]+)", text)
    return set(found[1].split()) if found else set()
