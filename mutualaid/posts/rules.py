"""What may be posted: arithmetic on values, no I/O. Each rule says what is wrong and where."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, Protocol

from mutualaid.catalogue.rules import Item
from mutualaid.kit.errors import FieldError
from mutualaid.kit.texts import N_, Language

Kind = Literal["need", "offer"]
Urgency = Literal["normal", "urgent"]
Handover = Literal["pickup", "delivery", "courier"]
Contact = Literal["anyone", "matches", "words"]
AgeBand = Literal["under_6", "6_13", "14_17", "adult", "60_plus"]
Outcome = Literal["through_platform", "elsewhere", "no_longer"]
ReportReason = Literal["scam", "selling", "prescription", "abuse", "wrong_number", "other"]

STAYS = timedelta(hours=72)
STAYS_MOST = timedelta(days=14)
URGENT_PAUSE = timedelta(days=7)
REPORTERS_THAT_HIDE = 3
EXPIRY_WARNED = timedelta(hours=6)
WAITS = (timedelta(hours=6), timedelta(hours=24), timedelta(hours=48))  # a post open so long is in bucket 1, 2, 3
AGREED_DEFERS_EXPIRY = timedelta(hours=24)
HIDDEN_STILL_ROUTES = timedelta(hours=24)

Find = Callable[[str], Item | None]


class LineLike(Protocol):
    """A line as somebody wrote it; a field that could not be read is None."""

    @property
    def item(self) -> str: ...
    @property
    def quantity(self) -> int: ...
    @property
    def expires_on(self) -> date | None: ...
    @property
    def sealed(self) -> bool | None: ...
    @property
    def substitutes(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Window:
    """When somebody is there: from ≤ t < to, UTC."""

    start: datetime
    end: datetime


def default_contact(kind: Kind) -> Contact:
    """Who may ask for a number: anyone may ring a need, only matches an offer."""
    return "anyone" if kind == "need" else "matches"


def line_errors(
    kind: Kind | None, lines: Sequence[LineLike | None], find: Find, *, today: date, language: Language
) -> Iterator[FieldError]:
    """Unknown and refused items, amounts over the cap, medicine that is undated, out of date or opened."""
    amounts: dict[str, int] = {}
    for n, line in enumerate(lines):
        if line is None or line.item is None:
            continue
        at = f"lines.{n}"
        item = find(line.item)
        if item is None:
            yield FieldError(f"{at}.item", "item_unknown", N_("This item is not in the catalogue."))
            continue
        if not item.listable:
            why = item.reason(language) or ""
            yield FieldError(
                f"{at}.item", "item_refused", N_("This item cannot be shared here: {reason}."), {"reason": why}
            )
            continue
        if kind is None:
            continue
        if kind == "need" and line.item in amounts:
            yield FieldError(f"{at}.item", "item_repeated", N_("Please name each item once."))
        amounts[line.item] = amounts.get(line.item, 0) + (line.quantity or 0)
        if amounts[line.item] > item.most(kind):
            yield over_cap(f"{at}.quantity", item, kind)
        if kind == "offer":
            yield from _keeping_errors(at, line, item, today)


def over_cap(field: str, item: Item, kind: Kind) -> FieldError:
    """More than one post may ask for or hold."""
    params: dict[str, object] = {"most": item.most(kind), "unit": item.unit}
    return FieldError(field, "over_cap", N_("At most {most} in one post."), params)


def _keeping_errors(at: str, line: LineLike, item: Item, today: date) -> Iterator[FieldError]:
    if line.expires_on is None:
        if item.expiry_required:
            yield FieldError(
                f"{at}.expires_on", "expiry_needed", N_("Please give the expiry date printed on the pack.")
            )
    elif line.expires_on < today + timedelta(days=item.course_days):
        yield FieldError(f"{at}.expires_on", "expires_too_soon", N_("This expires before it could be used."))
    if item.sealed_required and line.sealed is not True:
        yield FieldError(f"{at}.sealed", "seal_needed", N_("Only packs whose inner seal is intact can be shared."))


def handover_errors(
    handover: Sequence[Handover] | None, lines: Sequence[LineLike | None], find: Find
) -> Iterator[FieldError]:
    """An item that may only be handed over in person cannot go by courier."""
    for line in lines:
        item = find(line.item) if line is not None and line.item is not None else None
        if item is not None and item.handover != "any" and any(way != item.handover for way in handover or ()):
            params: dict[str, object] = {"item": item.name}
            yield FieldError(
                "handover", "handover_not_allowed", N_("{item} may only be handed over in person."), params
            )
            return


def until_errors(until: datetime | None, *, now: datetime) -> Iterator[FieldError]:
    """A post ends in the future, at most fourteen days ahead."""
    if until is None:
        return
    if until <= now:
        yield FieldError("until", "until_past", N_("This time has already passed."))
    elif until > now + STAYS_MOST:
        yield FieldError("until", "until_too_far", N_("A post stays at most 14 days."))


def window_errors(windows: Sequence[Window | None] | None, *, now: datetime) -> Iterator[FieldError]:
    """Each window ends after it begins, and not in the past."""
    for n, window in enumerate(windows or ()):
        if window is None or window.end is None:
            continue
        if window.start is not None and window.end <= window.start:
            yield FieldError(f"available.{n}.to", "window_backwards", N_("This ends before it begins."))
        elif window.end <= now:
            yield FieldError(f"available.{n}.to", "until_past", N_("This time has already passed."))


def urgent_rank(urgency: Urgency, waiting: int, contacted: int) -> int:
    """The urgent order of the plaza, the lowest first: urgency, then how long it has waited, then how little it was noticed.

    `waiting`: the bucket of `WAITS` it has reached; `contacted`: how often somebody asked to be in touch about it. The same
    formula stands in the view `plaza_standing`.
    """
    return (0 if urgency == "urgent" else 10_000) + (len(WAITS) - waiting) * 1_000 + min(contacted, 999)
