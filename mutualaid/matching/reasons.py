"""Why a match: short sentences in the reader's language, from what both may see. Pure; distances are between cells."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from mutualaid.kit import geo
from mutualaid.kit.clock import SHANGHAI
from mutualaid.kit.texts import N_, Language, say
from mutualaid.posts.rules import Kind, Window


@dataclass(frozen=True, slots=True)
class Given:
    """One line of the match in words: `given` of the `wanted`, which of the offer's packs, for which other item."""

    name: str
    unit: str
    given: int
    wanted: int
    expires_on: date | None
    instead_of: str | None


def reasons(
    lines: list[Given], *, distance_m: int, meeting: Window | None, reader: Kind, language: Language
) -> list[str]:
    """The way, what can be given, how long it keeps, when both are there."""
    return list(dict.fromkeys(_sentences(lines, distance_m, meeting, reader, language)))


def _sentences(
    lines: list[Given], distance_m: int, meeting: Window | None, reader: Kind, language: Language
) -> Iterator[str]:
    if distance_m == 0:
        yield say(N_("same neighbourhood"), language)
    else:
        yield say(N_("about {km} km away"), language, km=geo.distance_km(distance_m))
    amount = (
        N_("has {given} of your {wanted}: {item}")
        if reader == "need"
        else N_("you can give {given} of {wanted}: {item}")
    )
    for line in lines:
        yield say(amount, language, given=line.given, wanted=line.wanted, unit=line.unit, item=line.name)
        if line.instead_of is not None:
            yield say(N_("instead of {item}"), language, item=line.instead_of)
        if line.expires_on is not None:
            yield say(N_("expires {month}"), language, month=f"{line.expires_on:%Y-%m}")
    if meeting is not None:
        start, end = meeting.start.astimezone(SHANGHAI), meeting.end.astimezone(SHANGHAI)
        to = f"{end:%H:%M}" if start.date() == end.date() else f"{end:%m-%d %H:%M}"
        yield say(N_("both there {start} to {to}"), language, start=f"{start:%m-%d %H:%M}", to=to)
