"""What the engine is asked: needs and offers as columns. Row k of every column is line k; whole numbers throughout.

Moments are microseconds since 1970 (UTC), days are days since 1970, places are the centres of shown cells in billionths
of a degree (as `cells.centre` rounds them). Members and posts are any numbers the caller likes.
"""

from dataclasses import dataclass, fields
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.int64]
Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]

NOWHERE: Final = np.iinfo(np.int64).min  # as lat or lng: the place is missing
NEVER: Final = 1 << 40  # as a day: does not expire
ANY_TIME: Final = -1  # as a schedule
NO_ITEM: Final = -1  # as an item: not in the catalogue
NO_GROUP: Final = -1
WAYS: Final = {"pickup": 1, "delivery": 2, "courier": 4}
PER_DEGREE: Final = 1_000_000_000
STANDING_MOST: Final = 15

L = TypeVar("L", bound="Lines")


@dataclass(frozen=True, slots=True)
class Lines:
    """What needs and offers have alike.

    quantity   what can still be promised: remaining, less held, less what accepted proposals fix
    item       row of `Items`, or NO_ITEM
    lat, lng   of the shown cell's centre, or NOWHERE
    reach      metres that the author is willing to go or to have come
    ways       bitset of WAYS
    schedule   row of `Problem.schedules`, or ANY_TIME
    until      when the post ends
    """

    post: Column
    member: Column
    item: Column
    quantity: Column
    lat: Column
    lng: Column
    reach: Column
    ways: Column
    schedule: Column
    until: Column

    def __len__(self) -> int:
        return len(self.post)

    def take(self: L, rows: NDArray[Any]) -> L:
        """These rows, in this order."""
        return type(self)(**{column.name: getattr(self, column.name)[rows] for column in fields(self)})


@dataclass(frozen=True, slots=True)
class Needs(Lines):
    """waiting: class by how long the post waits; passed: how often it was passed over; youngest: the fewest years that
    the beneficiary may have (0: nothing told); substitutes: takes any item of the same group."""

    urgent: Flags
    waiting: Column
    passed: Column
    substitutes: Flags
    youngest: Column

    def standing(self) -> Column:
        """The class that tier 3 counts: how long a need waits, and one more each time it was passed over."""
        return np.asarray(np.clip(self.waiting + self.passed, 0, STANDING_MOST))

    def rank(self) -> Column:
        """From 1: all urgent needs above all others, and by standing among themselves."""
        return np.asarray(self.urgent * (STANDING_MOST + 1) + self.standing() + 1)


@dataclass(frozen=True, slots=True)
class Offers(Lines):
    """expires: the day printed on the pack, or NEVER."""

    expires: Column


@dataclass(frozen=True, slots=True)
class Items:
    """The catalogue. group: of substitutes, or NO_GROUP. ways: bitset that it may be handed over by. least: the smallest
    split worth making, 1 for what does not divide. course: days of a usual course. min_age: years, 0 for any."""

    listable: Flags
    group: Column
    ways: Column
    least: Column
    course: Column
    min_age: Column

    def __len__(self) -> int:
        return len(self.listable)


@dataclass(frozen=True, slots=True)
class Problem:
    """One market of needs and offers.

    schedules      (S, W, 2): windows [from, to) of each schedule; unused places hold from = to
    barred_posts   (B, 2): need's post, offer's post that are never proposed (declined, failed)
    barred_members (B, 2): members who block each other, either way round
    now            the moment; `zone`: microseconds that the calendar is ahead of UTC
    """

    needs: Needs
    offers: Offers
    items: Items
    schedules: Column
    barred_posts: Column
    barred_members: Column
    now: int
    zone: int


def no_pairs() -> Column:
    return np.empty((0, 2), np.int64)


def no_schedules() -> Column:
    return np.empty((0, 1, 2), np.int64)


def distinct(keys: Column) -> Column:
    """The keys, ascending, each once. By sorting: numpy's own way hashes, and is slow where keys lie in rows."""
    ordered = np.sort(keys)
    return np.asarray(ordered[np.append(True, np.diff(ordered) != 0)[: len(ordered)]])


def among(values: Column, ascending: Column) -> Flags:
    """Which values are among these keys."""
    if not len(ascending):
        return np.zeros(len(values), np.bool_)
    at = np.minimum(np.searchsorted(ascending, values), len(ascending) - 1)
    return np.asarray(ascending[at] == values)
