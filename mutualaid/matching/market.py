"""Needs and offers of some items, or of all, as the engine's columns: a statement for each kind of row, read in a stream.

Whoever imports this loads numpy: it is for the sweep's own process and for commands, never for one that serves.
"""

from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations, product
from typing import Any, Final

import numpy as np
from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from mutualaid.catalogue.rules import Item
from mutualaid.kit import cells
from mutualaid.kit.instants import micros
from mutualaid.matching import capping, columns, ground, standing
from mutualaid.matching.columns import Numbers, Rows
from mutualaid.matching.engine.problem import ANY_TIME, NO_ITEM, NOWHERE, PER_DEGREE, WAYS, Needs, Offers, Problem
from mutualaid.matching.ground import Pair, Proposal
from mutualaid.matching.records import OPEN, Match
from mutualaid.matching.rules import (
    NO_SHOWS_REST,
    PASSED_COUNTS,
    REACH_MOST_M,
    RESTS,
    WAITING,
    substitutes_of,
    youngest,
)
from mutualaid.members.records import Block, Member, Status
from mutualaid.posts.records import Post, PostLine, windows_of

_AT_ONCE: Final = 20_000
_LINE: Final[tuple[Any, ...]] = (
    PostLine.id,
    PostLine.item,
    (PostLine.remaining - PostLine.held - PostLine.proposed).label("spare"),
    PostLine.expires_on,
    PostLine.substitutes,
    Post.id.label("post_id"),
    Post.kind,
    Post.author_id,
    Post.cell,
    Post.reach_km,
    Post.handover,
    Post.available,
    Post.until,
    Post.urgency,
    Post.created_at,
    Post.for_other,
    Post.beneficiary_age_band,
    Member.age_band,
    Member.identity_lookup,
)


@dataclass(slots=True)
class Market:
    """The problem, and who its numbers are. `proposals`: what nobody has accepted, which the plan may move."""

    problem: Problem
    need_lines: list[str]
    offer_lines: list[str]
    posts: Numbers
    proposals: dict[Pair, Proposal]
    taken: Counter[str]

    @property
    def size(self) -> int:
        return len(self.need_lines) + len(self.offer_lines)


async def read(session: AsyncSession, items: Sequence[Item], codes: Collection[str] | None, *, now: datetime) -> Market:
    """Every open line of these items (None: of all), in one consistent look."""
    return await _Reading(session, items, codes, now).read()


class _Reading:
    def __init__(
        self, session: AsyncSession, items: Sequence[Item], codes: Collection[str] | None, now: datetime
    ) -> None:
        self._session, self._items, self._now = session, items, now
        self._codes = codes
        self._item = {item.code: n for n, item in enumerate(items)}
        self._posts, self._members, self._schedules, self._places = Numbers(), Numbers(), Numbers(), Numbers()
        self._needs, self._offers = Rows(), Rows()
        self._persons: dict[bytes, str] = {}
        self._accounts: dict[bytes, set[str]] = {}  # of those who have several
        self._since: list[int] = []  # of needs' lines

    async def read(self) -> Market:
        which = [] if self._codes is None else [self._touching(self._codes)]
        proposals = await ground.read_proposals(self._session, *which)
        kept = _kept(proposals.values())
        promised = await standing.all_promised(self._session, self._codes, now=self._now)
        missed = await standing.all_no_shows(self._session, now=self._now)
        passed = await standing.all_passed_over(self._session)
        async for row in self._lines():
            if missed[row.author_id] < NO_SHOWS_REST:
                self._add(row, kept[row.id], passed[row.post_id] if row.kind == "need" else 0, missed[row.author_id])
        left_alone = [pair for pair in proposals if any(self._posts.known(post_id) is None for post_id in pair)]
        not_ours = _kept(proposals.pop(pair) for pair in left_alone)
        self._needs.less(not_ours)
        self._offers.less(not_ours)
        self._cap(promised, proposals, kept - not_ours)
        return Market(
            await self._problem(proposals),
            self._needs.ids,
            self._offers.ids,
            self._posts,
            proposals,
            await self._taken(proposals),
        )

    def _touching(self, codes: Collection[str]) -> ColumnElement[bool]:
        lines = select(PostLine.post_id).where(PostLine.item.in_(sorted(codes)))
        return or_(Match.need_post_id.in_(lines), Match.offer_post_id.in_(lines))

    async def _lines(self) -> AsyncIterator[Any]:
        here = (Post.state == "open", Post.until > self._now, Member.status == Status.ACTIVE.value)
        query = (
            select(*_LINE)
            .join(Post, Post.id == PostLine.post_id)
            .join(Member, Member.id == Post.author_id)
            .where(*here)
        )
        if self._codes is not None:
            query = query.where(PostLine.item.in_(sorted(self._codes)))
        rows = await self._session.stream(query.order_by(PostLine.id).execution_options(yield_per=_AT_ONCE))
        async for row in rows:
            yield row

    def _add(self, row: Any, kept: int, passed: int, missed: int) -> None:
        person = row.identity_lookup
        if person is not None and (first := self._persons.setdefault(person, row.author_id)) != row.author_id:
            self._accounts.setdefault(person, {first}).add(row.author_id)
        lat, lng = self._places.names[self._place(row.cell)][1]
        common = {
            "post": self._posts.of(row.post_id),
            "member": self._members.of(row.author_id),
            "item": self._item.get(row.item, NO_ITEM),
            "quantity": row.spare + kept,
            "lat": lat,
            "lng": lng,
            "reach": min(row.reach_km * 1000, REACH_MOST_M + 1),  # no larger than the column holds
            "ways": _ways(row.handover),
            "schedule": self._schedule(row.available),
            "until": micros(row.until),
        }
        if row.kind == "need":
            self._needs.add(
                row.id,
                **common,
                urgent=int(row.urgency == "urgent"),
                waiting=sum(self._now - row.created_at >= threshold for threshold in WAITING),
                passed=min(passed, PASSED_COUNTS) - missed,
                substitutes=int(row.substitutes),
                youngest=youngest(row.beneficiary_age_band, row.for_other, row.age_band),
            )
            self._since.append(micros(row.created_at))
        else:
            self._offers.add(row.id, **common, expires=columns.day(row.expires_on))

    def _cap(self, promised: Counter[tuple[str, str]], proposals: dict[Pair, Proposal], kept: Counter[str]) -> None:
        """The needs' lines ask for no more than their authors may still be promised: what proposals keep is free to move."""
        needs = self._needs.columns
        row = {line: n for n, line in enumerate(self._needs.ids)} if promised else {}
        for proposal in proposals.values():
            for share in proposal.shares:
                if share.need_line in row:
                    member = self._members.names[needs["member"][row[share.need_line]]]
                    promised[member, share.item] -= share.quantity
        asked = self._asked({self._members.known(who) for (who, _), units in (+promised).items() if units}, kept)
        less = capping.limited(asked, promised, {item.code: item for item in self._items}.get)
        for n, line in enumerate(self._needs.ids) if less else ():
            if line in less:
                needs["quantity"][n], needs["substitutes"][n] = less[line].quantity, 0
                needs["item"][n] = self._item[less[line].item]

    def _asked(self, promised: Collection[int | None], kept: Counter[str]) -> Iterator[capping.Asked]:
        """The lines that a cap may bar: of members who were promised something, or ask twice, or for more than is allowed."""
        needs = self._needs.columns
        times = Counter(needs.get("member", ()))
        for n, (member, at) in enumerate(zip(needs.get("member", ()), needs.get("item", ()), strict=True)):
            if at == NO_ITEM:
                continue
            item, quantity = self._items[at], needs["quantity"][n]
            if member in promised or times[member] > 1 or quantity > item.need_max:
                instead = sorted(substitutes_of([item.code], self._items)) if needs["substitutes"][n] else ()
                line = self._needs.ids[n]
                order = capping.turn(kept=kept[line], urgent=bool(needs["urgent"][n]), since=self._since[n], line=line)
                yield capping.Asked(line, self._members.names[member], item.code, tuple(instead), quantity, order)

    def _place(self, cell: str) -> int:
        """The number of a place: its name is (cell, (lat, lng) in the engine's units)."""
        known = self._places.known(cell)
        if known is not None:
            return known
        number = self._places.of(cell)
        where = (NOWHERE, NOWHERE)
        if cells.is_cell(cell):
            lat, lng = cells.centre(cell)
            where = (round(lat * PER_DEGREE), round(lng * PER_DEGREE))
        self._places.names[number] = (cell, where)
        return number

    def _schedule(self, available: list[list[str]]) -> int:
        if available == []:
            return ANY_TIME
        try:
            return self._schedules.of(tuple((micros(w.start), micros(w.end)) for w in windows_of(available)))
        except (TypeError, ValueError):
            return _UNREADABLE

    async def _problem(self, proposals: dict[Pair, Proposal]) -> Problem:
        widest = max((len(windows) for windows in self._schedules.names), default=1)
        schedules = np.zeros((len(self._schedules.names), widest, 2), np.int64)
        for n, windows in enumerate(self._schedules.names):
            schedules[n, : len(windows)] = windows
        return Problem(
            needs=self._needs.lines(Needs, flags=("urgent", "substitutes")),
            offers=self._offers.lines(Offers),
            items=columns.items(self._items),
            schedules=schedules,
            barred_posts=columns.pairs(await self._barred(proposals), self._posts.known),
            barred_members=columns.pairs(await self._apart(), self._members.known),
            now=micros(self._now),
            zone=columns.zone(self._now),
        )

    async def _barred(self, proposals: dict[Pair, Proposal]) -> list[Pair]:
        """Pairs that were matched before, unless that came to nothing by itself, then only while it is fresh; or went well,
        then there may be a rest."""
        query = select(Match.need_post_id, Match.offer_post_id).where(
            or_(
                Match.state.not_in(("proposed", "lapsed", "withdrawn", "completed")),
                (Match.state == "completed") & Match.disputed,
                (Match.state == "lapsed") & (Match.closed_at > self._now - _FRESH),
            )
        )
        found = [(need, offer) for need, offer in await self._session.execute(query.distinct())]
        return [pair for pair in found if pair not in proposals]

    async def _apart(self) -> list[Pair]:
        """Members of whom one has blocked the other, and accounts of one person."""
        one, other = aliased(Member), aliased(Member)
        query = select(one.id, one.identity_lookup, other.id, other.identity_lookup).select_from(Block)
        joined = query.join(one, one.id == Block.blocker_id).join(other, other.id == Block.blocked_id)
        blocked = [
            pair
            for a, a_person, b, b_person in await self._session.execute(joined)
            for pair in product(self._accounts_of(a, a_person), self._accounts_of(b, b_person))
        ]
        return blocked + [pair for accounts in self._accounts.values() for pair in combinations(sorted(accounts), 2)]

    def _accounts_of(self, member_id: str, person: bytes | None) -> Collection[str]:
        """By whom this member may be here."""
        if person is None or person not in self._persons:
            return (member_id,)
        return self._accounts.get(person, (self._persons[person],))

    async def _taken(self, proposals: dict[Pair, Proposal]) -> Counter[str]:
        query = select(Match.need_post_id, func.count()).where(Match.state.in_(OPEN), Match.pledged.is_(False))
        taken = Counter(
            {need: count for need, count in await self._session.execute(query.group_by(Match.need_post_id))}
        )
        taken.subtract(need for need, _ in proposals)
        return taken


_FRESH: Final = RESTS  # for so long a pair that let a proposal lapse is left to others by the sweep
_UNREADABLE: Final = -2  # a schedule, or ways, that make no sense: the engine leaves such rows out, and names them


def _ways(handover: Any) -> int:
    known = isinstance(handover, list) and all(isinstance(way, str) and way in WAYS for way in handover)
    return sum(WAYS[way] for way in set(handover)) if known else _UNREADABLE


def _kept(proposals: Iterable[Proposal]) -> Counter[str]:
    """How much of each line these keep."""
    found: Counter[str] = Counter()
    for proposal in proposals:
        for share in proposal.shares:
            found.update({share.need_line: share.quantity, share.offer_line: share.quantity})
    return found
