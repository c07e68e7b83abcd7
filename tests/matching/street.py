"""Members and posts made by the rooms' own deeds, without a door: what tests of matching are written with."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select

from mutualaid.catalogue import snapshot
from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.kit import cells
from mutualaid.kit.audit import AuditRow
from mutualaid.kit.database import Database
from mutualaid.kit.ids import new_id
from mutualaid.kit.outbox import Job
from mutualaid.matching import agreeing, amending, closing, pledging, repairing, store
from mutualaid.matching.drafts import PledgeDraft
from mutualaid.matching.records import Match
from mutualaid.members.records import Member, Principal
from mutualaid.posts import actions
from mutualaid.posts import store as posts_store
from mutualaid.posts.drafts import PostAmendment, PostDraft
from mutualaid.posts.publishing import Shown
from mutualaid.posts.records import Post
from tests.consents import all_given
from tests.harness import HOME, a_need, an_offer
from tests.moments import START


@dataclass
class Street:
    """Neighbours around one place, and the deeds of matching, each in a transaction of its own."""

    database: Database
    catalogue: Catalogue
    now: datetime = START

    @classmethod
    async def open(cls, database: Database) -> "Street":
        return cls(database, await snapshot.current(database))

    async def member(self, *, age_band: str | None = "adult", status: str = "active") -> Principal:
        """Somebody verified."""
        member_id = new_id()
        async with self.database.transaction() as session:
            session.add(
                Member(
                    id=member_id,
                    status=status,
                    language="zh-Hans",
                    display_name="王**",
                    created_at=self.now,
                    real_name="checked",
                    age_band=age_band,
                )
            )
            await session.flush()
            session.add_all(all_given(member_id, self.now))
        return Principal(
            id=member_id,
            session_id=new_id(),
            role="member",
            real_name="checked",
            age_band=age_band,
            suspended=status == "suspended",
            has_phone=True,
            may_post=True,
            signed_in_at=self.now,
            stepped_up_until=None,
            stepped_up=True,
            language="zh-Hans",
        )

    async def publish(self, draft: dict[str, Any], author: Principal | None = None) -> Post:
        """Post it, by a new neighbour unless one is named."""
        author = author or await self.member()
        parsed = PostDraft.model_validate(draft)
        assert parsed.place is not None
        where = Shown(cells.cell_of(parsed.place.lat, parsed.place.lng), "450103")
        async with self.database.transaction() as session:
            return await actions.publish(
                session, parsed, author=author, where=where, doubtful=False, catalogue=self.catalogue, now=self.now
            )

    async def need(self, *, by: Principal | None = None, at: tuple[float, float] = HOME, **more: Any) -> Post:
        return await self.publish(a_need(at=at, **more), by)

    async def offer(self, *, by: Principal | None = None, at: tuple[float, float] = HOME, **more: Any) -> Post:
        return await self.publish(an_offer(at=at, **more), by)

    async def propose(self, post: Post) -> list[Match]:
        """Put right what is proposed round this post; what is proposed of it now."""
        await repairing.repair(self.database, post.id, catalogue=self.catalogue, now=self.now)
        return await self.proposals(post)

    async def proposals(self, post: Post) -> list[Match]:
        """What is proposed of it and not accepted yet, the nearest first."""
        async with self.database.reading() as session:
            query = select(Match).where(store.of_post(post.id), Match.state == "proposed")
            found = list(await session.scalars(query.order_by(Match.proposed_at, Match.id)))
            posts = {p.id: p for p in await session.scalars(select(Post))}
        return sorted(found, key=lambda m: cells.between_m(*(posts[each].cell for each in m.post_ids)))

    async def paired(self, post: Post) -> list[str]:
        """Whom it is proposed to, the nearest first."""
        return [next(each for each in match.post_ids if each != post.id) for match in await self.propose(post)]

    async def pledge(self, theirs: Post, mine: Post, quantity: int) -> Match:
        """All of it on the first line of both."""
        need, offer = (mine, theirs) if mine.kind == "need" else (theirs, mine)
        line = {"need_line": need.lines[0].id, "offer_line": offer.lines[0].id, "quantity": quantity}
        draft = PledgeDraft.model_validate({"post": mine.id, "lines": [line]})
        async with self.database.transaction() as session:
            match, _ = await pledging.pledge(
                session, theirs.id, draft, by=mine.author_id, catalogue=self.catalogue, now=self.now
            )
        return match

    async def accept(self, match: Match, by: str) -> Match:
        async with self.database.transaction() as session:
            return await agreeing.accept(session, match.id, by=by, catalogue=self.catalogue, now=self.now)

    async def amend(self, post: Post, author: Principal, quantity: int) -> Post:
        """Another amount on its first line."""
        change = PostAmendment.model_validate({"lines": [{"id": post.lines[0].id, "quantity": quantity}]})
        async with self.database.transaction() as session:
            return await amending.amend(
                session, post.id, change, by=author, doubtful=False, catalogue=self.catalogue, now=self.now
            )

    async def agreed(self, need: Post, offer: Post, quantity: int) -> Match:
        match = await self.pledge(need, offer, quantity)
        return await self.accept(match, need.author_id)

    async def no_show(self, who: Principal, says: Principal | None = None) -> None:
        """They agree with somebody, who says that they did not come; both posts are taken down."""
        says = says or await self.member()
        need, offer = await self.need(by=who, quantity=1), await self.offer(by=says, quantity=1)
        match = await self.agreed(need, offer, 1)
        async with self.database.transaction() as session:
            await closing.fail(session, match.id, "no_show", by=says.id, now=self.now)
            for post_id, author in ((need.id, who), (offer.id, says)):
                await actions.withdraw(session, post_id, by=author, now=self.now)

    async def post(self, post: Post) -> Post:
        """As it stands now."""
        async with self.database.reading() as session:
            found = await posts_store.get(session, post.id)
        assert found is not None
        return found

    async def match(self, match: Match) -> Match:
        """As it stands now."""
        async with self.database.reading() as session:
            return await store.own(session, match.id, match.need_author_id)

    async def deeds(self, subject: str) -> list[str]:
        """What the audit says of this row."""
        async with self.database.reading() as session:
            rows = await session.scalars(select(AuditRow.deed).where(AuditRow.subject == subject))
            return list(rows)

    async def jobs(self, name: str) -> list[dict[str, str]]:
        """The payloads of the jobs of this name that wait."""
        async with self.database.reading() as session:
            return list(await session.scalars(select(Job.payload).where(Job.name == name).order_by(Job.due_at, Job.id)))

    def later(self, now: datetime) -> "Street":
        """The same street at another hour."""
        return replace(self, now=now)


def amounts(post: Post) -> list[tuple[int, int]]:
    """(remaining, held) by line."""
    return [(line.remaining, line.held) for line in post.lines]
