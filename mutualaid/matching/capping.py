"""What a member may be promised of an item within seven days, as a rule on what their needs' lines ask for. Pure.

Agreeing counts what was agreed or handed over; here what is proposed counts as well, so that nobody is proposed what they
then could not accept. A line that takes substitutes, and may not have as much of each as it asks for, asks for one item only.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from mutualaid.catalogue.rules import Item
from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.kit.instants import micros
from mutualaid.matching.rules import CAP_COUNTS, Line, Side, substitutes_of
from mutualaid.posts.rules import Find

_ENDLESS: Final = 1 << 62  # what is in no catalogue has no cap, and is refused for that alone
Counted = Mapping[tuple[str, str], int]  # (member, item) → units within seven days


@dataclass(frozen=True, slots=True)
class Asked:
    """A need's line: so much of `item` for `member`, or of one of `instead`. `turn`: the lowest of a member's comes first."""

    line: str
    member: str
    item: str
    instead: tuple[str, ...]
    quantity: int
    turn: tuple[bool, bool, int, str]


def asked(line: Line, side: Side, kept: int, catalogue: Catalogue) -> Asked:
    """What this line of this need asks for. `kept`: what proposals to it keep, which may be assigned anew."""
    instead = sorted(substitutes_of([line.item], catalogue.items)) if line.substitutes else ()
    order = turn(kept=kept, urgent=side.urgent, since=micros(side.since), line=line.id)
    return Asked(line.id, side.author_id, line.item, tuple(instead), line.free, order)


def turn(*, kept: int, urgent: bool, since: int, line: str) -> tuple[bool, bool, int, str]:
    """Of one member's lines what is proposed already stays, then urgent ones come first, then the eldest."""
    return not kept, not urgent, since, line


def within(line: Line, less: Mapping[str, Asked]) -> Line:
    """This line as it may ask, see `limited`."""
    found = less.get(line.id)
    if found is None:
        return line
    return replace(line, item=found.item, free=found.quantity, substitutes=False, capped=True)


def limited(lines: Iterable[Asked], counted: Counted, find: Find) -> dict[str, Asked]:
    """The lines that may not have all that they ask for, as they may ask: for less, for nothing, or for one item alone."""
    left: dict[tuple[str, str], int] = {}
    found: dict[str, Asked] = {}

    def room(member: str, item: str) -> int:
        if (member, item) not in left:
            left[member, item] = max(0, _most(find(item)) - counted.get((member, item), 0))
        return left[member, item]

    for asked in sorted(lines, key=lambda each: each.turn):
        rooms = {item: room(asked.member, item) for item in (asked.item, *asked.instead)}
        best = asked
        if min(rooms.values()) < asked.quantity:
            item = asked.item if rooms[asked.item] else max(rooms, key=lambda code: rooms[code])  # the first of equals
            best = replace(asked, item=item, instead=(), quantity=min(asked.quantity, rooms[item]))
            found[asked.line] = best
        for item in (best.item, *best.instead):  # it may come to have any of them
            left[asked.member, item] -= max(0, best.quantity)
    return found


def earliest(
    given: Iterable[tuple[datetime, int]], quantity: int, most: int, *, now: datetime
) -> tuple[int, datetime] | None:
    """Of what was given (when agreed, how much) within seven days: how much is left for now, and when the whole quantity can
    be met at the earliest. None: at once."""
    lately = sorted(given)
    left = most - sum(units for _, units in lately)
    found = max(0, left)
    for agreed_at, units in lately:
        if left >= quantity:
            break
        left, now = left + units, agreed_at + CAP_COUNTS
    return (found, now) if found < quantity else None


def _most(item: Item | None) -> int:
    return _ENDLESS if item is None else item.need_max
