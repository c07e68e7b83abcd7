"""Members with phones, their posts, and the deeds of contacts, without a door: what tests of this room are written with."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import select

from mutualaid.contacts import actions, asking, ending, granting, rules, store
from mutualaid.contacts.people import keys_of
from mutualaid.contacts.records import Lease, Seat
from mutualaid.contacts.rules import Channel
from mutualaid.contacts.stock import Stock
from mutualaid.kit import clock, outbox
from mutualaid.kit.audit import AuditRow
from mutualaid.kit.ids import new_id
from mutualaid.kit.outbox import Job
from mutualaid.kit.phones import Phone
from mutualaid.matching.records import Match
from mutualaid.members import consents, own_phone
from mutualaid.members.records import Member, Principal
from mutualaid.posts.records import Post
from mutualaid.posts.rules import Contact
from mutualaid.providers.numbers.fake import FakeNumbers
from mutualaid.services import Services
from mutualaid.worker import Worker
from tests.harness import by_hand


@dataclass
class Town:
    """Neighbours by index: the phone of the n-th is `+86138` and n in eight digits."""

    services: Services
    phones: dict[str, Phone] = field(default_factory=dict)
    worker: Worker = field(init=False)

    def __post_init__(self) -> None:
        self.worker = by_hand(self.services)

    @property
    def numbers(self) -> FakeNumbers:
        maker = self.services.numbers
        assert isinstance(maker, FakeNumbers)
        return maker

    async def member(self) -> Principal:
        """Somebody verified, with a phone and consent to masked numbers."""
        member_id, phone = new_id(), Phone(f"+86138{len(self.phones):08d}")
        key = await self.services.keys.create(member_id)
        async with self.services.database.transaction() as session:
            row = Member(id=member_id, language="zh-Hans", display_name="王**", created_at=clock.now())
            row.real_name = "checked"
            own_phone.hold(session, row, phone, key=key)
            session.add(row)
            await session.flush()
            await consents.give(session, member_id, "phone_masking", version=None, channel="test", now=clock.now())
        self.phones[member_id] = phone
        return principal(member_id)

    async def post(
        self, author: Principal, *, contact: Contact = "anyone", urgency: str = "normal", days: int = 14
    ) -> str:
        """A need without lines: contacts do not look at them."""
        now, post_id = clock.now(), new_id()
        async with self.services.database.transaction() as session:
            session.add(
                Post(
                    id=post_id,
                    author_id=author.id,
                    kind="need",
                    state="open",
                    cell="884119a8d3fffff",
                    region="450103",
                    urgency=urgency,
                    reach_km=10,
                    handover=["pickup"],
                    contact=contact,
                    for_other=False,
                    keeps_enough=False,
                    available=[],
                    note="",
                    scrubbed=False,
                    created_at=now,
                    confirmed_at=now,
                    until=now + timedelta(days=days),
                )
            )
        return post_id

    async def match(self, need: str, needer: Principal, offer: str, giver: Principal) -> str:
        """An agreed match between two posts, with the job that follows."""
        match_id, now = new_id(), clock.now()
        async with self.services.database.transaction() as session:
            session.add(
                Match(
                    id=match_id,
                    need_post_id=need,
                    offer_post_id=offer,
                    need_author_id=needer.id,
                    offer_author_id=giver.id,
                    round=1,
                    state="agreed",
                    proposed_at=now,
                    expires_at=now + timedelta(hours=12),
                    agreed_at=now,
                )
            )
            await outbox.enqueue(session, "match.agreed", {"match": match_id}, at=now)
        return match_id

    async def ask(
        self, asker: Principal, post_id: str, channel: Channel = "call", *, now: datetime | None = None
    ) -> Lease:
        """Ask, without telling the provider yet. `now`: what the process believes, if it is wrong."""
        services = self.services
        prepared = await asking.prepare(services, post_id, channel, asker=asker)
        async with services.database.transaction() as session:
            stock = Stock.of(services)
            lease, _ = await asking.ask(session, prepared, asker=asker, stock=stock, now=now or clock.now())
        return lease

    async def call(self, asker: Principal, post_id: str, *, now: datetime | None = None) -> Lease:
        """Ask, and tell the provider as a worker does."""
        lease = await self.ask(asker, post_id, now=now)
        if lease.state == "asked":
            await granting.grant(self.services, lease.id, now=now or clock.now())
        return await self.lease(lease.id)

    async def lease(self, lease_id: str) -> Lease:
        """As it stands now."""
        async with self.services.database.reading() as session:
            found = await store.get(session, lease_id)
        assert found is not None
        return found

    async def extend(self, lease: Lease, by: str) -> Lease:
        async with self.services.database.transaction() as session:
            return await actions.extend(session, lease.id, by=by, now=clock.now())

    async def release(self, lease: Lease, *, now: datetime | None = None) -> None:
        async with self.services.database.transaction() as session:
            await ending.release_one(session, lease.id, because="by_member", actor=None, now=now or clock.now())

    async def end_post(self, post_id: str) -> None:
        """As its author's answer does, with the job that follows."""
        async with self.services.database.transaction() as session:
            post = await session.get_one(Post, post_id)
            post.withdraw(clock.now())
            await outbox.enqueue(session, "post.ended", {"post": post_id}, at=clock.now())

    async def seats(self) -> list[Seat]:
        async with self.services.database.reading() as session:
            return list(await session.scalars(select(Seat).order_by(Seat.x, Seat.person_key)))

    async def leases(self) -> list[Lease]:
        async with self.services.database.reading() as session:
            return list(await session.scalars(select(Lease).order_by(Lease.asked_at, Lease.id)))

    async def deeds(self, subject: str, deed: str | None = None) -> list[str]:
        """What the audit says of this row, in order."""
        async with self.services.database.reading() as session:
            query = select(AuditRow.deed).where(AuditRow.subject == subject).order_by(AuditRow.at, AuditRow.deed)
            query = query.where(AuditRow.deed == deed) if deed else query
            return list(await session.scalars(query))

    async def jobs(self, name: str) -> list[dict[str, str]]:
        async with self.services.database.reading() as session:
            return list(await session.scalars(select(Job.payload).where(Job.name == name).order_by(Job.due_at, Job.id)))

    async def work(self) -> None:
        """Let a worker do what is due, and what follows from it."""
        while await self.worker.work_once():
            continue

    def person_of(self, seat: Seat) -> str:
        """Whose seat it is."""
        ring = self.services.ring
        return next(i for i, phone in self.phones.items() if seat.person_key in keys_of(ring, phone))


async def check(town: Town) -> None:
    """What must hold whatever happened: a person stands once on a number, by our rows, their leases and the provider's."""
    seats, leases = await town.seats(), {lease.id: lease for lease in await town.leases()}
    at: dict[tuple[str, str, str], int] = defaultdict(int)
    by_lease: dict[str, list[Seat]] = defaultdict(list)
    for seat in seats:
        at[seat.x, seat.extension, town.person_of(seat)] += 1
        by_lease[seat.lease_id].append(seat)
    assert set(at.values()) <= {1}, "two seats of one person on one number"
    now = clock.now()
    on: dict[tuple[str | None, str | None, str], str] = {}
    extended = [(seat.x, seat.extension, seat.role) for seat in seats if seat.extension]
    assert len(set(extended)) == len(extended), "an extension of two contacts"
    for lease in leases.values():
        live = lease.state in rules.LIVE and lease.expires_at > now
        if live and lease.channel == "call":
            assert {town.person_of(seat) for seat in by_lease[lease.id]} == set(lease.parties())
            assert all(
                seat.x == lease.x and seat.until == lease.expires_at + rules.QUARANTINE for seat in by_lease[lease.id]
            )
            for member_id in lease.parties():
                line = (lease.x, lease.extension, member_id)
                assert lease.x is not None and on.setdefault(line, lease.id) == lease.id
        assert lease.state != "failed" or not by_lease[lease.id]
    granted = [one for one in leases.values() if one.state == "granted" and one.channel == "call" and one.binding_key]
    await _check_told(town, [one for one in granted if one.expires_at > now], now)


async def _check_told(town: Town, granted: Sequence[Lease], now: datetime) -> None:
    """The provider holds every granted call to its end. One whose extension it is still owed, as a job of ours says, it
    holds to an end that the contact had before, or lets go of when that end has come; nothing else may differ."""
    bound = {binding.key: binding for binding in await town.numbers.bound()}
    owed = {job["lease"] for job in await town.jobs("contacts.renew")}
    for lease in granted:
        held = bound.get(lease.binding_key or "")
        assert held is None or (held.x, held.extension) == (lease.x, lease.extension), "bound on another line"
        if lease.id not in owed:
            assert held is not None and held.expires_at == lease.expires_at, "not held to its end, and nothing owed"
            continue
        ends = [lease.expires_at - n * rules.EXTENSION for n in range(lease.extensions + 1)]
        assert len(ends) > 1, "an extension is owed of a contact that was never extended"
        assert held.expires_at in ends if held is not None else ends[-1] <= now, "let go of before any of its ends"


def principal(member_id: str, *, suspended: bool = False) -> Principal:
    return Principal(
        id=member_id,
        session_id=new_id(),
        role="member",
        real_name="checked",
        age_band="adult",
        suspended=suspended,
        has_phone=True,
        may_post=True,
        signed_in_at=clock.now(),
        stepped_up_until=None,
        stepped_up=True,
        language="zh-Hans",
    )
