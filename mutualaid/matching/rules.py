"""Who can help whom: eligibility, amounts, cost. Arithmetic on frozen values, no clock; every refusal has a name.

Distances are between shown cells, so that nothing observable tells more of a home than its cell does.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal, Protocol

from mutualaid.catalogue.rules import Item
from mutualaid.kit import cells
from mutualaid.posts.rules import Find, Handover, Kind, Window

Refusal = Literal[
    # of the two posts
    "own_post",
    "not_open",
    "author_away",
    "author_rests",
    "blocked",
    "too_far",
    "no_common_time",
    "no_common_way",
    # of a need's line and an offer's
    "item_differs",
    "item_refused",
    "too_young",
    "way_not_allowed",
    "expires_too_soon",
    "cap_reached",
    "nothing_left",
    "too_little",
]
FailReason = Literal["no_show", "unreachable", "changed_mind", "wrong_goods"]

PROPOSALS_A_NEED: Final = 5  # open ones; pledges do not count
CAP_COUNTS: Final = timedelta(days=7)
OBJECTION: Final = timedelta(hours=24)
_STANDS: Final = timedelta(hours=12)
_STANDS_URGENT: Final = timedelta(hours=2)
RESTS: Final = timedelta(hours=24)  # a pair that lapsed twice
RESTS_URGENT: Final = timedelta(hours=6)
WAITING: Final = (timedelta(hours=6), timedelta(hours=24), timedelta(hours=48))
PASSED_COUNTS: Final = 3  # times that a need was passed over, at most, raise it by one class each
NO_SHOW_COUNTS: Final = timedelta(days=30)
NO_SHOWS_REST: Final = 3  # by so many members let down the house proposes nothing of theirs; pledges stay free
REACH_MOST_M: Final = 20_100_000  # half way round the globe: nobody is further away
_YOUNGEST: Final = {"under_6": 0, "6_13": 6, "14_17": 14, "adult": 18, "60_plus": 60}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a post; `free` is what can still be promised of it. `capped`: it asks for more than its author may still be
    promised, see `capping`."""

    id: str
    item: str
    free: int
    expires_on: date | None = None
    substitutes: bool = False
    capped: bool = False


@dataclass(frozen=True, slots=True)
class Side:
    """A post as matching sees it. `age_band` is the beneficiary's, as the author said it; `person` tells who stands behind
    the account (an HMAC of the identity), where that was checked.

    `passed`: proposals to it that came to nothing through the other side; `no_shows`: of its author, lately.
    """

    id: str
    author_id: str
    author_here: bool
    author_age_band: str | None
    open: bool
    cell: str
    reach_km: int
    ways: frozenset[Handover]
    windows: tuple[Window, ...]
    until: datetime
    urgent: bool
    since: datetime
    for_other: bool
    age_band: str | None
    lines: tuple[Line, ...]
    passed: int = 0
    no_shows: int = 0
    person: bytes | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """What could change hands: so much of the offer's line for the need's. `item` is the one that is given."""

    need_line: str
    offer_line: str
    item: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules say of a need and an offer: what could change hands, or every reason why nothing can."""

    shares: tuple[Share, ...]
    refusals: tuple[Refusal, ...]
    distance_m: int

    @property
    def eligible(self) -> bool:
        return bool(self.shares)

    @property
    def quantity(self) -> int:
        return sum(share.quantity for share in self.shares)


def serving(
    need: Side, offer: Side, *, blocked: bool, find: Find, now: datetime, day_of: Callable[[datetime], date]
) -> list[tuple[Line, Line]]:
    """Each line of a need with each line of an offer that may serve it, whatever the amounts; none where the two posts do
    not go together at all."""
    metres = cells.between_m(need.cell, offer.cell)
    meeting = common_window(need, offer, now=now)
    if meeting is None or any(_pair_refusals(need, offer, blocked=blocked, meeting=meeting, metres=metres, now=now)):
        return []
    common, day = need.ways & offer.ways, day_of(meeting.start)
    return [
        (wanted, given)
        for wanted in need.lines
        for given in offer.lines
        if line_refusal(need, wanted, given, common=common, find=find, day=day) is None
    ]


def useful(wanted: Line, given: Line, find: Find) -> bool:
    """Whether what is there of both lines is worth a handover."""
    return _too_little(min(wanted.free, given.free), wanted.free, find(given.item)) is None


def judge(
    need: Side, offer: Side, *, blocked: bool, find: Find, now: datetime, day_of: Callable[[datetime], date]
) -> Verdict:
    """Whether this offer can help this need, and with what. `day_of` tells the calendar date that expiry counts by."""
    metres = cells.between_m(need.cell, offer.cell)
    meeting = common_window(need, offer, now=now)
    refusals = tuple(_pair_refusals(need, offer, blocked=blocked, meeting=meeting, metres=metres, now=now))
    if refusals or meeting is None:
        return Verdict((), refusals, metres)
    shares, why = _share_out(need, offer, find=find, day=day_of(meeting.start))
    return Verdict(shares, () if shares else why, metres)


def _pair_refusals(
    need: Side, offer: Side, *, blocked: bool, meeting: Window | None, metres: int, now: datetime
) -> Iterator[Refusal]:
    if same_person(need, offer):
        yield "own_post"
    if not all(side.open and side.until > now for side in (need, offer)):
        yield "not_open"
    elif meeting is None:
        yield "no_common_time"
    if not (need.author_here and offer.author_here):
        yield "author_away"
    if max(need.no_shows, offer.no_shows) >= NO_SHOWS_REST:
        yield "author_rests"
    if blocked:
        yield "blocked"
    if metres > min(need.reach_km, offer.reach_km) * 1000:
        yield "too_far"
    if not need.ways & offer.ways:
        yield "no_common_way"


def same_person(a: Side, b: Side) -> bool:
    """Whether both posts are one member's, or of two accounts of one person."""
    return a.author_id == b.author_id or (a.person is not None and a.person == b.person)


class Timed(Protocol):
    """When somebody is there (empty: any time), and until when their post stands."""

    @property
    def windows(self) -> Sequence[Window]: ...
    @property
    def until(self) -> datetime: ...


def common_window(need: Timed, offer: Timed, *, now: datetime) -> Window | None:
    """The earliest stretch of time, from now on, in which both are there and both posts stand. No window: any time."""
    last = min(need.until, offer.until)
    if not (need.windows or offer.windows):
        return Window(now, last) if now < last else None
    any_time = (Window(now, last),)
    stretches = (
        Window(max(now, a.start, b.start), min(last, a.end, b.end))
        for a in need.windows or any_time
        for b in offer.windows or any_time
    )
    return min((w for w in stretches if w.start < w.end), key=lambda w: w.start, default=None)


def _share_out(need: Side, offer: Side, *, find: Find, day: date) -> tuple[tuple[Share, ...], tuple[Refusal, ...]]:
    """Amounts by line: the very item first, substitutes after it; of an item's packs the first to expire goes first."""
    left = {line.id: line.free for line in offer.lines}
    wanting = {line.id: line.free for line in need.lines}
    packs = sorted(offer.lines, key=lambda line: line.expires_on or date.max)
    shares: list[Share] = []
    why: set[Refusal] = set()
    for exact in (True, False):
        for wanted in need.lines:
            for given in packs:
                if (given.item == wanted.item) is not exact:
                    continue
                refusal = line_refusal(need, wanted, given, common=need.ways & offer.ways, find=find, day=day)
                amount = min(wanting[wanted.id], left[given.id])
                refusal = refusal or _too_little(amount, wanting[wanted.id], find(given.item))
                if refusal is not None:
                    why.add(refusal)
                    continue
                wanting[wanted.id] -= amount
                left[given.id] -= amount
                shares.append(Share(wanted.id, given.id, given.item, amount))
    return tuple(shares), tuple(sorted(why))


def line_refusal(
    need: Side, wanted: Line, given: Line, *, common: frozenset[Handover], find: Find, day: date
) -> Refusal | None:
    """Why this line of an offer cannot serve that line of the need, or None. `day`: the earliest handover."""
    item = find(given.item)
    if item is None or not item.listable:
        return "item_refused"
    if not _serves(wanted, item, find):
        return "item_differs"
    if item.min_age is not None and youngest(need.age_band, need.for_other, need.author_age_band) < item.min_age:
        return "too_young"
    if item.handover != "any" and item.handover not in common:
        return "way_not_allowed"
    if given.expires_on is not None and given.expires_on < day + timedelta(days=item.course_days):
        return "expires_too_soon"
    return "cap_reached" if wanted.capped and wanted.free <= 0 else None


def _serves(wanted: Line, given: Item, find: Find) -> bool:
    if wanted.item == given.code:
        return True
    asked = find(wanted.item)
    return (
        wanted.substitutes
        and asked is not None
        and bool(asked.substitute_group)
        and asked.substitute_group == given.substitute_group
    )


def youngest(age_band: str | None, for_other: bool, author_age_band: str | None) -> int:
    """The fewest years the beneficiary may have. Of somebody else's age nothing is taken for granted."""
    band = age_band or (None if for_other else author_age_band or "adult")
    return _YOUNGEST.get(band, 0) if band else 0


def _too_little(amount: int, wanting: int, item: Item | None) -> Refusal | None:
    """Amounts are whole units, so bottles and boxes go whole; what divides is not split below its least useful amount."""
    if amount <= 0:
        return "nothing_left"
    if item is not None and item.divisible and amount < item.min_useful and amount < wanting:
        return "too_little"
    return None


def substitutes_of(codes: Sequence[str], items: Sequence[Item]) -> frozenset[str]:
    """The codes of all items that share a non-empty substitute group with one of these; without these themselves."""
    groups = {item.substitute_group for item in items if item.code in codes and item.substitute_group}
    return frozenset(item.code for item in items if item.substitute_group in groups and item.code not in codes)


def turn(side: Side, now: datetime) -> int:
    """How far a need has come forward: a class for how long it waits, one for each time it was passed over (three at most),
    one back for each time its author did not come."""
    waited = sum(now - side.since >= threshold for threshold in WAITING)
    return max(0, waited + min(side.passed, PASSED_COUNTS) - side.no_shows)


class Due(Protocol):
    """How urgent a post is, and until when it stands."""

    @property
    def urgency(self) -> str: ...
    @property
    def until(self) -> datetime: ...


def stands_until(need: Due, offer: Due, *, now: datetime) -> datetime:
    """When a proposal lapses: after two hours where it is urgent, else twelve, and with the first of both posts."""
    stands = _STANDS_URGENT if need.urgency == "urgent" else _STANDS
    return min(now + stands, need.until, offer.until)


def barred(state: str, *, round_: int, disputed: bool, closed_at: datetime | None, urgent: bool, now: datetime) -> bool:
    """Whether a match of theirs keeps a pair from being proposed: it is live, was declined, failed or is disputed; or nobody
    answered for a second time, and others are to come first for a while."""
    if state == "withdrawn" or (state == "completed" and not disputed):  # handed over in part: there may be a rest
        return False
    if state != "lapsed":
        return True
    rests = RESTS_URGENT if urgent else RESTS
    return round_ > 1 and closed_at is not None and now < closed_at + rests


def contradict(first: str | None, second: FailReason) -> bool:
    """Whether the two sides' reasons for a failure cannot both be so: who says that the other did not come was there."""
    return "no_show" in (first, second) and "changed_mind" not in (first, second)


def other(kind: Kind) -> Kind:
    """The kind of post that a post is matched with."""
    return "offer" if kind == "need" else "need"
