"""The house in memory: posts, matches and what follows from them, event by event. Policies say who is brought together.

The states and amounts are those of `matching.records`: what is proposed is kept, what is agreed is held, what fails is
free again. Whether a pair returns is for `rules.barred` to say, as in the worker.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal, Protocol

from mutualaid.kit import cells, clock
from mutualaid.matching import rules
from mutualaid.matching.rules import PASSED_COUNTS, Line, Side
from mutualaid.matching.simulation.city import START, City, Poster
from mutualaid.matching.simulation.people import People
from mutualaid.posts.rules import Kind

Pair = tuple[str, str]  # need, offer
State = Literal["proposed", "accepted", "agreed", "completed", "declined", "lapsed", "withdrawn", "failed"]
OPEN: Final = ("proposed", "accepted")


@dataclass(slots=True)
class Match:
    """A need and an offer brought together. `kept`: its quantity is set aside until they answer."""

    need: Poster
    offer: Poster
    turn: int
    quantity: int
    made: datetime
    until: datetime
    kept: bool
    accepted: set[Kind] = field(default_factory=set)
    state: State = "proposed"
    closed: datetime | None = None

    @property
    def pair(self) -> Pair:
        return self.need.id, self.offer.id


@dataclass(frozen=True, slots=True)
class Given:
    """A handover."""

    need: Poster
    offer: Poster
    quantity: int
    at: datetime

    @property
    def metres(self) -> int:
        return cells.between_m(self.need.cell, self.offer.cell)


class Policy(Protocol):
    """Who is brought together, at the moments at which the house asks."""

    reads_plaza: bool

    def look(self, house: "House", who: Poster) -> None:
        """This post is new, or something of it is free again."""

    def sweep(self, house: "House") -> None:
        """Another hour is over."""

    def visit(self, house: "House", who: Poster, number: int) -> None:
        """This person looks through the plaza."""


class House:
    """One run of a city under a policy."""

    def __init__(self, city: City, policy: Policy) -> None:
        self.city, self.policy, self.people = city, policy, People(city)
        self.now = START
        self.posters = {each.id: each for each in city.posters}
        self.free = {each.id: each.quantity for each in city.posters}
        self.live: dict[Pair, Match] = {}
        self.last: dict[Pair, Match] = {}
        self.of_post: defaultdict[str, dict[Pair, Match]] = defaultdict(dict)  # live ones
        self.open: dict[str, Poster] = {}
        self.passed: Counter[str] = Counter()
        self.no_shows: Counter[str] = Counter()
        self.attention: Counter[str] = Counter()
        self.given: list[Given] = []
        self._events: list[tuple[datetime, int, Callable[[], None]]] = []
        self._count = 0
        self.near = _near(city)

    def run(self) -> "House":
        """Until nothing more happens."""
        for who in self.city.posters:
            self._at(who.posted, lambda who=who: self._arrive(who))  # type: ignore[misc]
            self._at(who.until, lambda who=who: self._end(who))  # type: ignore[misc]
        last = max((who.until for who in self.city.posters), default=START)
        for hour in range(1, int((last - START) / timedelta(hours=1)) + 1):
            self._at(START + timedelta(hours=hour), lambda: self.policy.sweep(self))
        while self._events:
            self.now, _, deed = heapq.heappop(self._events)
            deed()
        return self

    def _at(self, at: datetime, deed: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (at, self._count, deed))

    # ---- posts ---------------------------------------------------------------------------------------------------

    def _arrive(self, who: Poster) -> None:
        self.open[who.id] = who
        if self.policy.reads_plaza:
            for n, at in enumerate(self.people.visits(who)):
                self._at(at, lambda n=n: self.policy.visit(self, who, n))  # type: ignore[misc]
        self.policy.look(self, who)

    def _end(self, who: Poster) -> None:
        del self.open[who.id]
        for match in list(self.of_post[who.id].values()):
            if match.state in OPEN:
                self.lapse(match)

    def side(self, who: Poster) -> Side:
        """The post as the rules see it."""
        line = Line(who.id, who.item, self.free[who.id], who.expires_on)
        return Side(
            id=who.id,
            author_id=who.id,
            author_here=True,
            author_age_band="adult",
            open=who.id in self.open,
            cell=who.cell,
            reach_km=who.reach_km,
            ways=who.ways,
            windows=(),
            until=who.until,
            urgent=who.urgent,
            since=who.posted,
            for_other=False,
            age_band=None,
            lines=(line,),
            passed=min(self.passed[who.id], PASSED_COUNTS),
            no_shows=self.no_shows[who.id],
        )

    def counterparts(self, who: Poster) -> Iterator[Poster]:
        """Who stands open for the same item within this one's reach, the nearest first."""
        return (self.open[other] for other in self.near[who.id] if other in self.open)

    def possible(self, need: Poster, offer: Poster) -> int:
        """What could be agreed between these two now: nothing where the rules or their past forbid it."""
        pair = need.id, offer.id
        last = self.last.get(pair)
        if last is not None and self.barred(last):
            return 0
        find = self.city.catalogue.get
        sides = self.side(need), self.side(offer)
        return rules.judge(*sides, blocked=False, find=find, now=self.now, day_of=clock.today).quantity

    def barred(self, last: Match) -> bool:
        """Whether their last match keeps the pair from being brought together now."""
        return rules.barred(
            last.state,
            round_=last.turn,
            disputed=False,
            closed_at=last.closed,
            urgent=last.need.urgent,
            now=self.now,
        )

    # ---- matches -------------------------------------------------------------------------------------------------

    def propose(self, need: Poster, offer: Poster, quantity: int, *, by: Kind | None = None) -> Match:
        """Bring two together; both are asked, or where one of them picked the other (`by`), the other alone, and nothing
        is kept."""
        pair = need.id, offer.id
        turn = self.last[pair].turn + 1 if pair in self.last else 1
        until = rules.stands_until(need, offer, now=self.now)
        match = Match(need, offer, turn, quantity, self.now, until, kept=by is None)
        if match.kept:
            self._take(match, 1)
        self.live[pair] = self.last[pair] = self.of_post[need.id][pair] = self.of_post[offer.id][pair] = match
        self.attention[need.id] += 1
        for who, other in ((need, offer), (offer, need)):
            if who.kind == by:
                match.accepted.add(who.kind)
                match.state = "accepted"
            else:
                at = self.now + self.people.answers_after(who, other, turn)
                if at < until:
                    self._at(at, lambda who=who, other=other: self._answer(match, who, other))  # type: ignore[misc]
        self._at(until, lambda: self.lapse(match))
        return match

    def alter(self, match: Match, quantity: int) -> None:
        """Another amount, for two of whom nobody has answered."""
        assert match.state == "proposed" and match.kept
        self._take(match, -1)
        match.quantity = quantity
        self._take(match, 1)

    def withdraw(self, match: Match) -> None:
        """Better use was found for it; nobody had answered."""
        assert match.state == "proposed"
        self._close(match, "withdrawn")

    def lapse(self, match: Match) -> None:
        """Its time is over, unless it was decided before."""
        if match.state in OPEN:
            self._close(match, "lapsed")
            self.passed[match.need.id] += match.kept and "offer" not in match.accepted
            self._look_again(match)

    def _answer(self, match: Match, who: Poster, other: Poster) -> None:
        if match.state not in OPEN:
            return
        if self.people.declines(who, other):
            self._close(match, "declined")
            self.passed[match.need.id] += match.kept and who.kind == "offer"
            self._look_again(match)
            return
        match.accepted.add(who.kind)
        match.state = "accepted"
        if len(match.accepted) == 2:
            self._agree(match)

    def _agree(self, match: Match) -> None:
        if not match.kept:
            match.quantity = min(match.quantity, self.free[match.need.id], self.free[match.offer.id])
            if match.quantity <= 0:
                self._close(match, "withdrawn")  # the quantity is gone
                return
            match.kept = True
            self._take(match, 1)
        match.state = "agreed"
        meets = self.people.meets_at(match.need, match.offer, self.now)
        self._at(meets, lambda: self._meet(match))
        self._look_again(match)

    def _meet(self, match: Match) -> None:
        pairs = ((match.need, match.offer), (match.offer, match.need))
        away = [who for who, other in pairs if not self.people.comes(who, other)]
        if not away:
            self._close(match, "completed")
            self.given.append(Given(match.need, match.offer, match.quantity, self.now))
            return
        self.no_shows.update(who.id for who in away)
        self._close(match, "failed")
        self._look_again(match)

    def _close(self, match: Match, state: State) -> None:
        match.state, match.closed = state, self.now
        if match.kept and state != "completed":
            self._take(match, -1)
        for place in (self.live, self.of_post[match.need.id], self.of_post[match.offer.id]):
            del place[match.pair]

    def _take(self, match: Match, sign: int) -> None:
        for who in (match.need, match.offer):
            self.free[who.id] -= sign * match.quantity
            assert 0 <= self.free[who.id] <= who.quantity

    def _look_again(self, match: Match) -> None:
        for who in (match.need, match.offer):
            if who.id in self.open:
                self.policy.look(self, who)


def _near(city: City) -> dict[str, list[str]]:
    """Counterparts for the same item within one's own reach, the nearest first."""
    found = {}
    for who in city.posters:
        others = [each for each in city.posters if each.kind != who.kind and each.item == who.item]
        ways = sorted((cells.between_m(who.cell, each.cell), each.id) for each in others)
        found[who.id] = [other for metres, other in ways if metres <= who.reach_km * 1000]
    return found
