"""Which rule bars a pair of lines, for one pair or for a million: the rules of `matching.rules`, on columns.

`barring` is the only place that knows them; `allowed` is all of them at once, `explain` tells one pair.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

from mutualaid.matching.engine import distances
from mutualaid.matching.engine.plan import Explained
from mutualaid.matching.engine.problem import (
    ANY_TIME,
    NEVER,
    NO_GROUP,
    NO_ITEM,
    NOWHERE,
    Column,
    Flags,
    Problem,
    among,
    distinct,
)
from mutualaid.matching.rules import Refusal

DAY: Final = 86_400_000_000  # microseconds
NO_TIME: Final = 1 << 62  # no moment at which both are there


class Bars:
    """Pairs of posts and pairs of members that are never proposed, found by one binary search."""

    def __init__(self, problem: Problem) -> None:
        needs, offers = problem.needs, problem.offers
        self._need_posts, self._need_post = np.unique(needs.post, return_inverse=True)
        self._offer_posts, self._offer_post = np.unique(offers.post, return_inverse=True)
        self._members = np.unique(np.concatenate((needs.member, offers.member)))
        self._need_member = np.searchsorted(self._members, needs.member)
        self._offer_member = np.searchsorted(self._members, offers.member)
        self._posts = _keys(problem.barred_posts, self._need_posts, self._offer_posts)
        both = np.concatenate((problem.barred_members, problem.barred_members[:, ::-1]))
        self._pairs = _keys(both, self._members, self._members)

    def between(self, n: Column, o: Column) -> Flags:
        """Whether need lines n and offer lines o, row by row, are barred by what somebody said."""
        posts = self._need_post[n] * len(self._offer_posts) + self._offer_post[o]
        members = self._need_member[n] * len(self._members) + self._offer_member[o]
        return among(posts, self._posts) | among(members, self._pairs)

    def pairs(self, n: Column, o: Column) -> tuple[Column, Column]:
        """Every pair among need lines n and offer lines o that is barred by what somebody said, or is one's own: places in
        n, places in o. A pair may come twice."""
        width = max(len(self._offer_posts), 1)
        by_post = _through(self._need_post[n], self._posts // width, self._posts % width, self._offer_post[o])
        width = max(len(self._members), 1)
        mine = np.arange(len(self._members))
        left, right = np.append(self._pairs // width, mine), np.append(self._pairs % width, mine)
        by_member = _through(self._need_member[n], left, right, self._offer_member[o])
        return np.append(by_post[0], by_member[0]), np.append(by_post[1], by_member[1])


def _through(left: Column, a: Column, b: Column, right: Column) -> tuple[Column, Column]:
    """Places (i, j) with left[i] = a[k] and b[k] = right[j] for some k."""
    i, k = _equal(left, a)
    at, j = _equal(b[k], right)
    return i[at], j


def _equal(left: Column, right: Column) -> tuple[Column, Column]:
    """Places (i, j) with left[i] = right[j]."""
    order = np.argsort(right, kind="stable")
    found = right[order]
    begin, end = np.searchsorted(found, left, "left"), np.searchsorted(found, left, "right")
    count = end - begin
    i = np.repeat(np.arange(len(left)), count)
    within = np.arange(len(i)) - np.repeat(np.cumsum(count) - count, count)
    return i, order[np.repeat(begin, count) + within]


def _keys(pairs: Column, left: Column, right: Column) -> Column:
    """Sorted numbers of those pairs whose ends are both known."""
    if not (len(pairs) and len(left) and len(right)):
        return np.empty(0, np.int64)
    a, b = np.searchsorted(left, pairs[:, 0]), np.searchsorted(right, pairs[:, 1])
    a, b = np.minimum(a, len(left) - 1), np.minimum(b, len(right) - 1)
    known = (left[a] == pairs[:, 0]) & (right[b] == pairs[:, 1])
    return distinct(a[known] * len(right) + b[known])


def barring(problem: Problem, bars: Bars, n: Column, o: Column, metres: Column) -> Iterator[tuple[Refusal, Flags]]:
    """Every rule with the rows that it bars, of need lines n and offer lines o, so many metres apart."""
    needs, offers, items = problem.needs, problem.offers, problem.items
    yield "own_post", needs.member[n] == offers.member[o]
    yield "not_open", (needs.until[n] <= problem.now) | (offers.until[o] <= problem.now)
    start = meeting(problem, n, o)
    yield "no_common_time", start == NO_TIME
    yield "blocked", bars.between(n, o)
    yield "too_far", metres > np.minimum(needs.reach[n], offers.reach[o])
    common = needs.ways[n] & offers.ways[o]
    yield "no_common_way", common == 0
    asked, given = needs.item[n], offers.item[o]
    known = (asked != NO_ITEM) & (given != NO_ITEM)
    asked, given = np.where(known, asked, 0), np.where(known, given, 0)
    yield "item_refused", ~known | ~items.listable[given]
    alike = (items.group[asked] == items.group[given]) & (items.group[asked] != NO_GROUP)
    yield "item_differs", known & (asked != given) & ~(needs.substitutes[n] & alike)
    yield "too_young", needs.youngest[n] < items.min_age[given]
    yield "way_not_allowed", items.ways[given] & common == 0
    day = (np.where(start == NO_TIME, problem.now, start) + problem.zone) // DAY
    expires = offers.expires[o]
    yield "expires_too_soon", (expires != NEVER) & (expires < day + items.course[given])
    wanted, amount = needs.quantity[n], np.minimum(needs.quantity[n], offers.quantity[o])
    yield "nothing_left", amount <= 0
    yield "too_little", (amount > 0) & (amount < items.least[given]) & (amount < wanted)


def allowed(problem: Problem, bars: Bars, n: Column, o: Column, metres: Column) -> Flags:
    """The rows that no rule bars."""
    barred = np.zeros(len(n), np.bool_)
    for _, rows in barring(problem, bars, n, o, metres):
        barred |= rows
    return ~barred


def meeting(problem: Problem, n: Column, o: Column) -> Column:
    """The earliest moment from now on at which both are there and both posts stand, or NO_TIME."""
    needs, offers = problem.needs, problem.offers
    last = np.minimum(needs.until[n], offers.until[o])
    a, b = needs.schedule[n], offers.schedule[o]
    found = np.where(last > problem.now, problem.now, NO_TIME)
    timed = np.flatnonzero((a != ANY_TIME) | (b != ANY_TIME))
    if len(timed):
        found[timed] = _earliest(problem, a[timed], b[timed], last[timed])
    return found


def _earliest(problem: Problem, a: Column, b: Column, last: Column) -> Column:
    best = np.full(len(a), NO_TIME)
    for starts_a, ends_a in _windows(problem, a):
        for starts_b, ends_b in _windows(problem, b):
            start = np.maximum(np.maximum(starts_a, starts_b), problem.now)
            end = np.minimum(np.minimum(ends_a, ends_b), last)
            both = (starts_a < ends_a) & (starts_b < ends_b) & (start < end)
            best = np.where(both & (start < best), start, best)
    return best


def _windows(problem: Problem, schedule: Column) -> Iterator[tuple[Column, Column]]:
    """(starts, ends) of the first windows, of the second …; one endless window where there is no schedule."""
    always = schedule == ANY_TIME
    table = problem.schedules
    for k in range(table.shape[1] if len(table) else 1):
        here = table[np.where(always, 0, schedule), k] if len(table) else np.zeros((len(schedule), 2), np.int64)
        yield np.where(always, -NO_TIME, here[:, 0]), np.where(always, NO_TIME, here[:, 1])


def explain(problem: Problem, need: int, offer: int, *, planned: int = 0) -> Explained:
    """Why this need line and this offer line are or are not for each other. `planned`: what a plan gives here."""
    n, o = np.array([need]), np.array([offer])
    needs, offers = problem.needs, problem.offers
    placed = all(int(lat[row]) != NOWHERE for lat, row in ((needs.lat, need), (offers.lat, offer)))
    metres = distances.metres(needs.lat[n], needs.lng[n], offers.lat[o], offers.lng[o]) if placed else _FAR
    refusals = tuple(why for why, rows in barring(problem, Bars(problem), n, o, metres) if rows[0])
    most = 0 if refusals else int(min(needs.quantity[need], offers.quantity[offer]))
    return Explained(refusals, int(metres[0]), most, planned)


_FAR: Final = np.array([1 << 40])  # metres to a place that is missing
