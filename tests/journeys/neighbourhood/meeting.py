"""Posts and matches: publish, amend, end, pledge, accept, decline, block, complete, fail, object; by anybody, at any moment."""

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.journeys.neighbourhood.playing import Playing
from tests.journeys.neighbourhood.seen import Seen
from tests.journeys.neighbourhood.town import nth

ITEMS = ("ibuprofen", "rice", "smectite")
N = st.integers(0, 11)
SIDE = st.sampled_from(["need", "offer"])


class Meeting(Playing):
    """The rules of posts and matches."""

    # ---- posts --------------------------------------------------------------------------------------------------

    @initialize(
        item=st.sampled_from(ITEMS),
        needs=st.lists(st.integers(1, 6), min_size=1, max_size=2),
        offers=st.lists(st.integers(1, 8), min_size=1, max_size=3),
    )
    def it_begins(self, item: str, needs: list[int], offers: list[int]) -> None:
        """Somebody needs something, and others have some."""
        for n, (kind, amount) in enumerate([*(("need", amount) for amount in needs), *(("offer", a) for a in offers)]):
            self._publish(n, kind, [item], amount, None, None, False, self.seen)
        self.do("settle", self.town.settle(), settled=True)

    @precondition(lambda self: len(self.posts("open", "hidden")) < 12)
    @rule(
        who=N,
        kind=SIDE,
        items=st.lists(st.sampled_from(ITEMS), min_size=1, max_size=2, unique=True),
        amount=st.integers(1, 8),
        hours=st.sampled_from([None, None, 1, 13, 200]),
        contact=st.sampled_from([None, None, "anyone", "words"]),
        urgent=st.booleans(),
        late=st.booleans(),
    )
    def publish(
        self,
        who: int,
        kind: str,
        items: list[str],
        amount: int,
        hours: int | None,
        contact: Any,
        urgent: bool,
        late: bool,
    ) -> None:
        self._publish(who, kind, items, amount, hours, contact, urgent, self.door(late))

    def _publish(
        self,
        who: int,
        kind: str,
        items: list[str],
        amount: int,
        hours: int | None,
        contact: Any,
        urgent: bool,
        seen: Seen,
    ) -> None:
        catalogue = self.town.catalogue
        lines = [(code, min(amount, item.need_max)) for code in items if (item := catalogue.get(code)) is not None]
        more = {"urgency": "urgent" if urgent else "normal", "contact": contact}
        person = nth(self.town.people, who)
        self.do("publish", self.deeds.publish(seen, person, kind=kind, lines=lines, hours=hours, **more))

    @precondition(lambda self: self.posts())
    @rule(which=N, line=N, amount=st.integers(1, 6), what=st.sampled_from(["lines", "lines", "contact", "until"]))
    def amend(self, which: int, line: int, amount: int, what: str) -> None:
        post = nth(self.posts("open", "hidden") or self.posts(), which)
        lines = sorted(self.seen.lines_of(post.id), key=lambda row: row.item)
        change: dict[str, Any] = {
            "lines": [{"id": nth(lines, line).id, "quantity": amount}],
            "contact": "anyone" if amount % 2 else "words",
            "until": (self.town.clock.now + timedelta(hours=amount)).isoformat(),
        }
        self.do("amend", self.deeds.amend(self.seen, self.author(post), post.id, **{what: change[what]}))

    @precondition(lambda self: self.posts())
    @rule(which=N, how=st.sampled_from(["withdraw", "resolve", "confirm"]), any_post=st.booleans())
    def finish(self, which: int, how: str, any_post: bool) -> None:
        post = nth(self.posts() if any_post else self.posts("open", "hidden") or self.posts(), which)
        self.do(how, self.deeds.finish(self.seen, self.author(post), post.id, how))

    # ---- matches ------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.posts("open", kind="need") and self.posts("open", kind="offer"))
    @rule(need=N, offer=N, by=SIDE, amount=st.integers(1, 4), late=st.booleans(), both=st.booleans())
    def pledge(self, need: int, offer: int, by: str, amount: int, late: bool, both: bool) -> None:
        pair = {
            "need": nth(self.posts("open", kind="need"), need),
            "offer": nth(self.posts("open", kind="offer"), offer),
        }
        mine, theirs = pair[by], pair["offer" if by == "need" else "need"]
        seen = self.door(late and mine.id in self.before.posts and theirs.id in self.before.posts)
        self.do("pledge", self.deeds.pledge(seen, self.author(mine), mine, theirs, amount))
        for match in self.matches("accepted") if both else []:
            if {match.need_post_id, match.offer_post_id} == {mine.id, theirs.id}:
                self.do("accept", self.deeds.accept(self.seen, self.author(theirs), match.id))

    @precondition(lambda self: self.matches("proposed", "accepted"))
    @rule(which=N, late=st.booleans())
    def both_accept(self, which: int, late: bool) -> None:
        match = nth(self.matches("proposed", "accepted"), which)
        for side in ("need", "offer"):
            if not getattr(self.seen.matches[match.id], f"{side}_accepted"):
                self.do("accept", self.deeds.accept(self.door(late), self.side(match, side), match.id))

    @precondition(lambda self: self.matches())
    @rule(which=N, side=SIDE, how=st.sampled_from(["accept", "decline", "block", "fail"]), any_match=st.booleans())
    def answer(self, which: int, side: str, how: str, any_match: bool) -> None:
        match = nth(self.matches() if any_match else self.matches("proposed", "accepted") or self.matches(), which)
        who = self.side(match, side)
        if how == "accept":
            self.do("accept", self.deeds.accept(self.seen, who, match.id))
        elif how == "fail":
            self.do("fail", self.deeds.fail(who, match.id))
        else:
            self.do(how, self.deeds.refuse(who, match.id, how))

    @precondition(lambda self: self.matches("agreed", "completed", "failed"))
    @rule(which=N, side=SIDE, tenths=st.sampled_from([10, 10, 5, 11, 0]), fails=st.booleans(), objects=st.booleans())
    def close(self, which: int, side: str, tenths: int, fails: bool, objects: bool) -> None:
        over, agreed = self.matches("completed", "failed"), self.matches("agreed")
        match = nth((over or agreed) if objects else (agreed or over), which)
        who = self.side(match, side)
        if fails:
            self.do("fail", self.deeds.fail(who, match.id))
        else:
            self.do("complete", self.deeds.complete(self.seen, who, match.id, tenths))
