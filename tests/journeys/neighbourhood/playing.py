"""One step of a sequence: a deed, then every truth asked of what stands. And the ways to name who and what is meant."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Coroutine
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import Rule, RuleBasedStateMachine

from mutualaid.kit.errors import AidError
from tests.journeys.neighbourhood import traces, truths
from tests.journeys.neighbourhood.deeds import Deeds
from tests.journeys.neighbourhood.seen import Row, Seen
from tests.journeys.neighbourhood.town import Neighbour, Town


@st.composite
def _next_rule(draw: st.DrawFn, machine: "Playing") -> tuple[Rule, dict[str, Any]]:
    """Any rule that applies, the more telling ones more often. Hypothesis would play each sequence with half of the
    rules only: too few meet then for a handover to come about."""
    fitting = [rule for rule in machine.rules if all(applies(machine) for applies in rule.preconditions)]
    chosen = draw(
        st.sampled_from([rule for rule in fitting for _ in range(machine.often.get(rule.function.__name__, 1))])
    )
    return chosen, draw(st.fixed_dictionaries(chosen.arguments_strategies))


class Playing(RuleBasedStateMachine):
    """One sequence in an empty town. `town`, `loop` and the counts belong to all sequences of a run."""

    town: ClassVar[Town]
    loop: ClassVar[asyncio.AbstractEventLoop]
    done: ClassVar[Counter[str]]
    often: ClassVar[dict[str, int]] = {}
    sequences: ClassVar[int] = 0
    steps: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.deeds = Deeds(self.town)
        self.order: dict[str, int] = {}
        self.called: dict[Any, Any] = {}
        self._rules_strategy = _next_rule(self)  # type: ignore[assignment] # whatever draws a rule and its arguments
        self._run(self._begin())

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        self.loop.run_until_complete(work)

    async def _begin(self) -> None:
        await self.town.begin()
        self.known: set[str] = set()  # audit rows of this sequence that a step has looked at
        self.seen = self.before = await self._look()
        self.latest = self.seen.now

    async def _look(self) -> Seen:
        found = await self.town.glass.look(self.town.clock.now)
        self._keep_order(found)
        return found

    def _keep_order(self, seen: Seen) -> None:
        """Things are named by the order in which they came: ids are random, and a sequence must play the same again."""
        for rows, key in (
            (seen.posts, lambda row: ""),
            (seen.matches, lambda row: (self.order[row.need_post_id], self.order[row.offer_post_id], row.round)),
            (seen.leases, lambda row: (self.order[row.post_id], self._place(row.asker_id))),
            (seen.cases, lambda row: (row.reason, self.order.get(row.subject_id, -1))),
        ):
            for row in sorted((row for row in rows.values() if row.id not in self.order), key=key):
                self.order[row.id] = len(self.order)

    def _place(self, member_id: str) -> int:
        return [person.id for person in self.town.people].index(member_id)

    # ---- one step -----------------------------------------------------------------------------------------------

    def do(self, name: str, deed: Awaitable[None], *, settled: bool = False) -> None:
        type(self).steps += 1
        self._run(self._step(name, deed, settled=settled))

    async def _step(self, name: str, deed: Awaitable[None], *, settled: bool) -> None:
        refused = None
        try:
            await deed
        except AidError as refusal:
            refused = refusal
        self.before, self.seen = self.seen, await self._look()
        self.done[f"{name}: {refused.code if refused else 'done'}"] += 1
        wrong = [*truths.at_all_times(self.seen, self.town.catalogue), *truths.between(self.before, self.seen)]
        wanted = [*traces.changes(self.before, self.seen)]
        if refused is not None and self.before.tables() != self.seen.tables():
            wrong.append(f"refused with {refused.code}, and something changed all the same")
        wrong += traces.untold(wanted, await self._written({subject for subject, _ in wanted}))
        wrong += [line async for line in self._routing()]
        self.latest = max(self.latest, self.seen.now)
        if settled and self.seen.now == self.latest:  # else jobs wait until the clock has caught up with itself
            bound = [binding.key for binding in await self.town.numbers.bound()]
            wrong += truths.once_settled(self.seen, bound)
        assert not wrong, f"after {name}: {'; '.join(sorted(set(wrong)))}"

    async def _written(self, subjects: set[str]) -> list[tuple[str, str]]:
        """The audit rows about these that came since they were last asked for."""
        if not subjects:
            return []
        rows = [row for row in await self.town.glass.deeds(subjects) if row[0] not in self.known]
        self.known.update(row[0] for row in rows)
        return [(subject, deed) for _, subject, deed in rows]

    async def _routing(self) -> Any:
        """Each seat is called from: it reaches the other one of a lease that routes, and nobody otherwise.

        Not again while nothing has changed that could decide it.
        """
        called, self.called = self.called, {}
        for key, seat in self.seen.seats.items():
            lease = self.seen.leases[seat.lease_id]
            ground = self.called[key] = (seat, *truths.ground(self.seen, lease))
            if called.get(key) == ground:
                continue
            caller, callee = (lease.asker_id, lease.owner_id) if seat.role == "a" else (lease.owner_id, lease.asker_id)
            meant = self.town.person(callee).phone.e164 if truths.routes(self.seen, lease) else None
            reached = await self.deeds.connects(self.town.person(caller), lease.x)
            if reached != meant:
                yield f"a {lease.state} {lease.channel} lease that {'must' if meant else 'must not'} route"

    def teardown(self) -> None:
        if not hasattr(self, "seen"):
            return
        type(self).sequences += 1
        self._run(self._finish())

    async def _finish(self) -> None:
        subjects = {*self.seen.posts, *self.seen.matches, *self.seen.leases, *self.seen.cases}
        rows = await self.town.glass.deeds(subjects)
        wrong = [*traces.ends_told(self.seen, [(subject, deed) for _, subject, deed in rows])]
        assert not wrong, "at the end: " + "; ".join(sorted(set(wrong)))

    # ---- who and what -------------------------------------------------------------------------------------------

    def _inorder(self, rows: Any) -> list[Row]:
        return sorted(rows, key=lambda row: self.order[row.id])

    def posts(self, *states: str, kind: str | None = None) -> list[Row]:
        rows = self.seen.posts.values()
        return self._inorder(row for row in rows if (not states or row.state in states) and kind in (None, row.kind))

    def matches(self, *states: str) -> list[Row]:
        return self._inorder(row for row in self.seen.matches.values() if not states or row.state in states)

    def leases(self, *states: str) -> list[Row]:
        return self._inorder(row for row in self.seen.leases.values() if not states or row.state in states)

    def here(self) -> list[Neighbour]:
        """Everybody who can sign in."""
        return [person for person in self.town.people if self.seen.members[person.id].status in ("active", "suspended")]

    def author(self, post: Row) -> Neighbour:
        return self.town.person(post.author_id)

    def side(self, match: Row, side: str) -> Neighbour:
        return self.town.person(match.need_author_id if side == "need" else match.offer_author_id)

    def door(self, late: bool) -> Seen:
        """What the door saw: late, it was before the last step."""
        return self.before if late else self.seen

    def can_ask(self, person: Neighbour) -> bool:
        return self.seen.members[person.id].status in ("active", "suspended")
