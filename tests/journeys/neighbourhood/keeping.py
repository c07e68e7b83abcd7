"""Contacts, moderators, members, the clock and the worker: the rest of what may happen at any moment."""

from datetime import timedelta
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from mutualaid.members.consent_texts import Purpose
from tests.journeys.neighbourhood.meeting import Meeting, N
from tests.journeys.neighbourhood.town import nth

_HOURS = st.sampled_from([0.01, 0.2, 1, 2, 6, 12, 13, 23, 24, 25, 72, 24 * 8, -1])
_LOSSES: list[Purpose] = [
    "health_need",
    "publish_nearby",
    "phone_masking",
    "precise_location",
    "real_name_check",
    "notices",
]


class Neighbourhood(Meeting):
    """Every rule there is."""

    often: ClassVar[dict[str, int]] = {
        **dict.fromkeys(("pledge", "both_accept", "close", "ask", "everything_due_is_done"), 3),
        **dict.fromkeys(
            ("publish", "in_touch", "time_passes", "rule_on_post", "a_member_changes", "one_job_is_run"), 2
        ),
    }

    # ---- contacts -----------------------------------------------------------------------------------------------

    @precondition(lambda self: self.posts("open"))
    @rule(which=N, who=N, channel=st.sampled_from(["call", "call", "words"]), waits=st.booleans(), late=st.booleans())
    def ask(self, which: int, who: int, channel: str, waits: bool, late: bool) -> None:
        person, post = nth(self.here() or self.town.people, who), nth(self.posts("open"), which)
        self.do("ask", self.deeds.ask(self.door(late), person, post.id, channel, waits=waits))

    @precondition(lambda self: self.leases())
    @rule(
        which=N,
        side=st.booleans(),
        how=st.sampled_from(["extend", "extend", "release", "block", "say", "report"]),
        any_lease=st.booleans(),
    )
    def in_touch(self, which: int, side: bool, how: str, any_lease: bool) -> None:
        lease = nth(self.leases() if any_lease else self.leases("asked", "granted") or self.leases(), which)
        who = self.town.person(lease.asker_id if side else lease.owner_id)
        if who in self.here():
            self.do(f"contact {how}", self.deeds.in_touch(self.seen, who, lease.id, how))

    @precondition(lambda self: any(lease.x for lease in self.leases("granted")))
    @rule(which=N, who=N, one_of_the_two=st.booleans(), seconds=st.sampled_from([0, 60]))
    def call(self, which: int, who: int, one_of_the_two: bool, seconds: int) -> None:
        lease = nth([lease for lease in self.leases("granted") if lease.x], which)
        two = [self.town.person(lease.asker_id), self.town.person(lease.owner_id)]
        self.do("call", self.deeds.call(nth(two if one_of_the_two else self.town.people, who), lease.x, seconds))

    # ---- moderators ---------------------------------------------------------------------------------------------

    @precondition(lambda self: self.posts("open"))
    @rule(which=N, who=N, many=st.booleans())
    def report(self, which: int, who: int, many: bool) -> None:
        post = nth(self.posts("open"), which)
        for n in range(4 if many else 1):
            person = nth(self.here() or self.town.people, who + n)
            self.do("report", self.deeds.report(self.seen, person, post.id))

    @precondition(lambda self: self.seen.cases)
    @rule(which=N, moderator=N)
    def claim(self, which: int, moderator: int) -> None:
        case = nth(self._inorder(self.seen.cases.values()), which)
        self.do("claim", self.deeds.claim(nth(self.town.moderators, moderator), case.id))

    @precondition(lambda self: self.posts())
    @rule(
        which=N,
        moderator=N,
        deed=st.sampled_from(["close", "hide", "hide", "restore", "approve"]),
        cut=st.booleans(),
        unfinished=st.booleans(),
    )
    def rule_on_post(self, which: int, moderator: int, deed: str, cut: bool, unfinished: bool) -> None:
        hidden = self.posts("hidden") if deed in ("restore", "approve") else self.posts("open")
        post = nth((hidden if unfinished else []) or self.posts(), which)
        by = nth(self.town.moderators, moderator)
        self.do(f"rule {deed}", self.deeds.rule_on_post(self.seen, by, post.id, deed, cut=cut))

    # ---- members ------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.here())
    @rule(
        who=N,
        other=N,
        what=st.sampled_from(["suspend", "restore", "vouch", "withdraw", "withdraw", "consent", "phone", "erase"]),
        purpose=st.sampled_from(_LOSSES),
        dies=st.booleans(),
    )
    def a_member_changes(self, who: int, other: int, what: str, purpose: Purpose, dies: bool) -> None:
        person, by = nth(self.here(), who), nth(self.town.moderators, other)
        if what in ("suspend", "restore", "vouch"):
            fitting = [each for each in self.here() if self.seen.active(each.id) is (what != "restore")]
            person = nth(fitting if dies and fitting else self.town.people, who)
            self.do(f"member {what}", self.deeds.rule_on_member(self.seen, by, person.id, what))
        elif what == "withdraw":
            self.do(f"withdraw {purpose}", self.deeds.withdraw_consent(person, purpose))
        elif what == "phone":
            self.do("change phone", self.deeds.change_phone(person))
        elif what == "erase" and len(self.here()) > 2:
            self.do("erase", self.deeds.erase(person, dies=dies))
        else:
            for lost in sorted({*_LOSSES} - self.seen.consented(person.id)):
                self.do("give consent", self.deeds.give_consent(person, lost))

    # ---- the clock, the provider and the worker -----------------------------------------------------------------

    @rule(hours=_HOURS)
    def time_passes(self, hours: float) -> None:
        self.do(f"{hours} hours pass", self._pass(hours))

    async def _pass(self, hours: float) -> None:
        self.town.clock.advance(seconds=int(timedelta(hours=hours).total_seconds()))

    @rule(
        provider=st.sampled_from(["mended", "mended", "as it is", "down", "broken", "pool_exhausted", "pair_conflict"]),
        daily=st.integers(0, 9),
    )
    def everything_due_is_done(self, provider: str, daily: int) -> None:
        told = self.town.numbers.told
        if provider == "mended":
            told.mend()
        elif provider != "as it is":
            told.fail(provider, times=2)
        if daily == 9:
            self.do("daily", self.town.daily())
        self.do("settle", self.town.settle(), settled=provider == "mended")

    @precondition(lambda self: any(job.due_at <= self.seen.now for job in self.seen.jobs.values()))
    @rule(which=N, how=st.sampled_from(["once", "twice", "killed"]), functions=st.integers(0, 2))
    def one_job_is_run(self, which: int, how: str, functions: int) -> None:
        self.do("job", self._one_job(which, killed_after=functions if how == "killed" else None, twice=how == "twice"))

    async def _one_job(self, which: int, **how: Any) -> None:
        if due := await self.town.due():
            await self.town.work(nth(due, which), **how)
