"""What neighbours and moderators do, each through the checks that its door makes and the room's own deed.

`seen` is what the door saw when it let somebody in. Where it is older than what stands now, the request was under way
while something else was done.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mutualaid.account import erasing, withdrawing
from mutualaid.contacts import actions as contacts
from mutualaid.contacts import asking, calls, granting, routing
from mutualaid.contacts.errors import LeaseEnded, NotAParty
from mutualaid.contacts.stock import Stock
from mutualaid.kit import cells
from mutualaid.kit.ids import new_id
from mutualaid.matching import agreeing, amending, closing, ending, pledging
from mutualaid.matching.drafts import HandedOver, PledgeDraft
from mutualaid.matching.meeting import may_meet
from mutualaid.matching.store import posts_of_own
from mutualaid.members import consents
from mutualaid.members.consent_texts import Purpose
from mutualaid.members.errors import RealNameNeeded
from mutualaid.members.needs import require_real_name
from mutualaid.members.policies import may_act
from mutualaid.members.records import Principal
from mutualaid.moderation import actions as rulings
from mutualaid.moderation import cases, standing
from mutualaid.moderation.wire import MemberRulingDraft, PostRulingDraft
from mutualaid.posts import actions as posts
from mutualaid.posts.drafts import PostAmendment, PostDraft, ReportDraft
from mutualaid.posts.needs import consents_for, consents_for_change
from mutualaid.posts.publishing import Shown
from mutualaid.providers.numbers import CallRecord, NumbersRefused
from tests.harness import HOME, a_need, an_offer
from tests.journeys.neighbourhood.seen import Seen
from tests.journeys.neighbourhood.town import Neighbour, Town

_HERE = Shown(cells.cell_of(*HOME), "450103")


def principal(seen: Seen, person: Neighbour) -> Principal:
    """Who is asking, as the door sees them."""
    row = seen.members[person.id]
    return Principal(
        id=person.id,
        session_id=new_id(),
        role=row.role,
        real_name=row.real_name,
        age_band=row.age_band,
        suspended=row.status == "suspended",
        has_phone=row.phone is not None,
        may_post=row.real_name != "none",
        signed_in_at=seen.now,
        stepped_up_until=None,
        stepped_up=True,
        language="zh-Hans",
    )


@dataclass
class Deeds:
    """Each is one request; what it raises as `AidError` is the answer."""

    town: Town

    @property
    def _now(self) -> datetime:
        return self.town.clock.now

    def _tx(self) -> Any:
        return self.town.services.database.transaction()

    async def publish(
        self, seen: Seen, who: Neighbour, *, kind: str, lines: list[tuple[str, int]], hours: int | None, **more: Any
    ) -> None:
        author = principal(seen, who)
        draft = a_need() if kind == "need" else an_offer()
        pack = draft["lines"][0]
        draft |= {"lines": [pack | {"item": item, "quantity": amount} for item, amount in lines], **more}
        if hours is not None:
            draft["until"] = (self._now + timedelta(hours=hours)).isoformat()
        parsed = PostDraft.model_validate(draft)
        if not author.may_post:
            raise RealNameNeeded
        if missing := {*consents_for(parsed, self.town.catalogue)} - seen.consented(who.id):
            await consents.require(self.town.services.database, who.id, missing)
        may_act(author)
        catalogue = self.town.catalogue
        async with self._tx() as session:
            await posts.publish(
                session, parsed, author=author, where=_HERE, doubtful=False, catalogue=catalogue, now=self._now
            )

    async def amend(self, seen: Seen, who: Neighbour, post_id: str, **change: Any) -> None:
        parsed = PostAmendment.model_validate(change)
        await consents.require(self.town.services.database, who.id, consents_for_change(parsed))
        by = principal(seen, who)
        may_act(by)
        catalogue = self.town.catalogue
        async with self._tx() as session:
            await amending.amend(session, post_id, parsed, by=by, doubtful=False, catalogue=catalogue, now=self._now)

    async def finish(self, seen: Seen, who: Neighbour, post_id: str, how: str) -> None:
        by = principal(seen, who)
        async with self._tx() as session:
            if how == "withdraw":
                await posts.withdraw(session, post_id, by=by, now=self._now)
            elif how == "confirm":
                await posts.confirm(session, post_id, by=by, now=self._now)
            else:
                await posts.resolve(session, post_id, "elsewhere", by=by, now=self._now)

    async def pledge(self, seen: Seen, who: Neighbour, mine: Any, theirs: Any, quantity: int) -> None:
        need, offer = (mine, theirs) if mine.kind == "need" else (theirs, mine)
        line = {"need_line": seen.lines_of(need.id)[0].id, "offer_line": seen.lines_of(offer.id)[0].id}
        draft = PledgeDraft.model_validate({"post": mine.id, "lines": [line | {"quantity": quantity}]})
        by, database = principal(seen, who), self.town.services.database
        require_real_name(by)
        async with database.reading() as session:
            await may_meet(session, by, [theirs.id, mine.id])
        async with self._tx() as session:
            await pledging.pledge(session, theirs.id, draft, by=by.id, catalogue=self.town.catalogue, now=self._now)

    async def accept(self, seen: Seen, who: Neighbour, match_id: str) -> None:
        by = principal(seen, who)
        require_real_name(by)
        async with self.town.services.database.reading() as session:
            await may_meet(session, by, await posts_of_own(session, match_id, by.id))
        async with self._tx() as session:
            await agreeing.accept(session, match_id, by=by.id, catalogue=self.town.catalogue, now=self._now)

    async def refuse(self, who: Neighbour, match_id: str, how: str) -> None:
        async with self._tx() as session:
            deed = ending.block if how == "block" else ending.decline
            await deed(session, match_id, by=who.id, now=self._now)

    async def complete(self, seen: Seen, who: Neighbour, match_id: str, of_ten: int) -> None:
        """So many tenths of each line, at least one; over ten is more than was agreed on."""
        done = [
            HandedOver(
                need_line=line.need_line_id,
                offer_line=line.offer_line_id,
                quantity=max(1, (line.quantity * of_ten + 9) // 10),
            )
            for line in seen.lines_of_match(match_id)
        ]
        async with self._tx() as session:
            await closing.complete(session, match_id, done, by=who.id, now=self._now)

    async def fail(self, who: Neighbour, match_id: str) -> None:
        async with self._tx() as session:
            await closing.fail(session, match_id, "no_show", by=who.id, now=self._now)

    async def ask(self, seen: Seen, who: Neighbour, post_id: str, channel: Any, *, waits: bool) -> None:
        """`waits`: the door waits for the provider, as it does for a moment; else the worker goes on."""
        services, by = self.town.services, principal(seen, who)
        prepared = await asking.prepare(services, post_id, channel, asker=by)
        async with self._tx() as session:
            lease, new = await asking.ask(session, prepared, asker=by, stock=Stock.of(services), now=self._now)
        if new and waits and lease.state == "asked":
            plan = await granting.plan(services, lease.id)
            assert plan is not None, "a lease that was just asked for has a plan"
            try:
                binding = await granting.bind(services, plan)
            except (*granting.Unanswered, NumbersRefused) as problem:
                async with self._tx() as session:
                    await granting.give_up(session, plan.lease, granting.code_of(problem), now=self._now)
                return
            async with self._tx() as session:
                await granting.settle(session, plan, binding, now=self._now)

    async def in_touch(self, seen: Seen, who: Neighbour, lease_id: str, how: str) -> None:
        """Whatever the two do with their contact."""
        by = principal(seen, who)
        if how in ("report", "say"):
            may_act(by)
        async with self._tx() as session:
            if how == "extend":
                await contacts.extend(session, lease_id, by=by.id, now=self._now)
            elif how == "release":
                await contacts.release(session, lease_id, by=by.id, now=self._now)
            elif how == "block":
                await contacts.block(session, lease_id, by=by.id, now=self._now)
            elif how == "say":
                await contacts.say(session, lease_id, "在吗", by=by.id, key=who.key, now=self._now)
            else:
                await contacts.report(session, lease_id, "scam", "", by=by.id, key=who.key, now=self._now)

    async def call(self, who: Neighbour, x: str, seconds: int) -> None:
        """A call that goes through or is refused, and its record."""
        services, now = self.town.services, self._now
        found = await routing.decide(services, who.phone, x)
        record = CallRecord(new_id(), who.phone, x, "answered" if seconds else "no_answer", seconds, now)
        maker = services.numbers.name
        async with self._tx() as session:
            await calls.begin(session, found, maker=maker, call_id=record.call_id, set_up_at=None)
            await calls.finish(session, services.ring, record, maker=maker, now=now)

    async def report(self, seen: Seen, who: Neighbour, post_id: str) -> None:
        by = principal(seen, who)
        may_act(by)
        draft = ReportDraft(reason="selling")
        async with self._tx() as session:
            await posts.report(session, post_id, draft, by=by, data_key=who.key, now=self._now)

    async def claim(self, moderator: Neighbour, case_id: str) -> None:
        async with self._tx() as session:
            await cases.claim(session, case_id, by=moderator.id, now=self._now)

    async def rule_on_post(self, seen: Seen, moderator: Neighbour, post_id: str, deed: Any, *, cut: bool) -> None:
        draft = PostRulingDraft(reason="scam", note="", cut_contacts=cut)
        by = principal(seen, moderator)
        async with self._tx() as session:
            await rulings.rule(session, post_id, deed, draft, by=by, key=moderator.key, now=self._now)

    async def rule_on_member(self, seen: Seen, moderator: Neighbour, member_id: str, deed: Any) -> None:
        draft = MemberRulingDraft(reason="abuse", note="")
        by = principal(seen, moderator)
        async with self._tx() as session:
            await standing.rule(session, member_id, deed, draft, by=by, key=moderator.key, now=self._now)

    async def withdraw_consent(self, who: Neighbour, purpose: Purpose) -> None:
        async with self._tx() as session:
            await withdrawing.withdraw(session, who.id, purpose, catalogue=self.town.catalogue, now=self._now)

    async def give_consent(self, who: Neighbour, purpose: Purpose) -> None:
        async with self._tx() as session:
            await consents.give(session, who.id, purpose, version=None, channel="api", now=self._now)

    async def change_phone(self, who: Neighbour) -> None:
        phone = self.town.new_phone()
        async with self._tx() as session:
            await withdrawing.change_phone(session, who.id, phone, key=who.key, now=self._now)
        who.phone = phone

    async def erase(self, who: Neighbour, *, dies: bool) -> None:
        """`dies`: the process ends between the commit and the key; the job is left to do the rest."""
        async with self._tx() as session:
            await erasing.erase(session, who.id, now=self._now)
        if not dies:
            await erasing.destroy_key(self.town.services, who.id, now=self._now)

    async def connects(self, who: Neighbour, x: str) -> str | None:
        """Whom this caller would reach by this number; None: nobody."""
        try:
            found = await routing.decide(self.town.services, who.phone, x)
        except (LeaseEnded, NotAParty):
            return None
        return found.connect.callee.e164
