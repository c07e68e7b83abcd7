"""What must hold of the tables at every moment, between two moments, and once everything due is done. Pure: it only reads
what was seen, and yields a sentence for everything that is not so.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.contacts import rules as contacts
from mutualaid.matching.records import LIVE, NEVER_AGAIN, OPEN
from mutualaid.matching.rules import CAP_COUNTS, NO_SHOW_COUNTS, NO_SHOWS_REST, PROPOSALS_A_NEED
from mutualaid.posts.records import ENDED
from mutualaid.posts.rules import AGREED_DEFERS_EXPIRY, HIDDEN_STILL_ROUTES
from tests.journeys.neighbourhood.seen import Row, Seen

_GONE = ("erasing", "erased")


def at_all_times(seen: Seen, catalogue: Catalogue) -> Iterator[str]:
    """Every truth about one moment."""
    yield from _amounts(seen)
    yield from _pairs(seen)
    yield from _caps(seen, catalogue)
    yield from _seats(seen)
    yield from _members(seen)


def _amounts(seen: Seen) -> Iterator[str]:
    held: Counter[str] = Counter()
    handed: Counter[str] = Counter()
    proposed: Counter[str] = Counter()
    for line in seen.match_lines.values():
        match = seen.matches[line.match_id]
        state = match.state
        for post_line in (line.need_line_id, line.offer_line_id):
            if state == "agreed":
                held[post_line] += line.quantity
            elif state in OPEN and match.reserved:
                proposed[post_line] += line.quantity
            elif state == "completed":
                handed[post_line] += line.completed
        if line.completed and state != "completed":
            yield "something changed hands by a match that is not completed"
    for line in seen.lines.values():
        if not 0 <= line.held <= line.held + line.proposed <= line.remaining <= line.quantity:
            yield f"{line.held} held and {line.proposed} proposed of {line.remaining} remaining of {line.quantity}"
        if line.proposed != proposed[line.id]:
            yield f"{line.proposed} kept for proposals that name {proposed[line.id]}"
        if line.held != held[line.id]:
            yield f"{line.held} held, {held[line.id]} agreed"
        if line.remaining != line.quantity - handed[line.id]:
            yield f"{line.quantity} posted and {handed[line.id]} handed over, but {line.remaining} remaining"


def _pairs(seen: Seen) -> Iterator[str]:
    live = Counter((match.need_post_id, match.offer_post_id) for match in seen.live_matches())
    if any(count > 1 for count in live.values()):
        yield "a pair has two live matches"
    for match in seen.matches.values():
        if match.state in ("accepted", "agreed") and not (match.need_accepted or match.offer_accepted):
            yield f"{match.state}, and nobody has accepted"
        if match.state == "agreed" and not (match.need_accepted and match.offer_accepted):
            yield "agreed, and not both have accepted"
        if match.need_author_id == match.offer_author_id:
            yield "a match with oneself"
        if match.state in OPEN and not match.pledged and not match.reserved:
            yield "a proposal that keeps nothing"
    for line in seen.match_lines.values():
        if seen.lines[line.need_line_id].item != line.item or seen.lines[line.offer_line_id].item != line.item:
            yield "a match of lines that are not about the same"
    over = {(m.need_post_id, m.offer_post_id): m.round for m in seen.matches.values() if m.state in NEVER_AGAIN}
    for match in seen.matches.values():
        if match.round > over.get((match.need_post_id, match.offer_post_id), match.round):
            yield "a declined or failed pair has returned"
    proposed = Counter(m.need_post_id for m in seen.matches.values() if m.state in OPEN and not m.pledged)
    if any(count > PROPOSALS_A_NEED for count in proposed.values()):
        yield "a need has too many open proposals"


def _caps(seen: Seen, catalogue: Catalogue) -> Iterator[str]:
    promised: Counter[tuple[str, str]] = Counter()
    for line in seen.match_lines.values():
        match = seen.matches[line.match_id]
        if match.agreed_at is not None and match.agreed_at > seen.now - CAP_COUNTS:
            given = line.objected if match.disputed and match.closed_by == "offer" else line.completed
            counts = {"agreed": line.quantity, "completed": given}.get(match.state, 0)
            promised[match.need_author_id, line.item] += counts
    for (_, code), amount in promised.items():
        item = catalogue.get(code)
        if item is not None and amount > item.need_max:
            yield f"{amount} of {code} promised in seven days"
    asked = [lease for lease in running(seen) if lease.match_id is None]
    if any(count > contacts.A_MEMBER for count in Counter(lease.asker_id for lease in asked).values()):
        yield "somebody has asked for too many contacts"
    if any(count > contacts.A_POST for count in Counter(lease.post_id for lease in asked).values()):
        yield "too many are in touch about a post"


def running(seen: Seen) -> list[Row]:
    """Leases that are live and whose time is not over."""
    return [lease for lease in seen.live_leases() if lease.expires_at > seen.now]


def _seats(seen: Seen) -> Iterator[str]:
    per_lease = Counter(seat.lease_id for seat in seen.seats.values())
    on_x: set[tuple[str, str]] = set()
    for lease in running(seen):
        if (lease.x is None) != (per_lease[lease.id] == 0) or per_lease[lease.id] not in (0, 2):
            yield f"a live {lease.state} lease with {per_lease[lease.id]} seats"
        if lease.channel == "call" and lease.state == "granted" and lease.x is None:
            yield "a granted call without a number"
        for member_id in (lease.asker_id, lease.owner_id):
            if lease.x is not None and (lease.x, member_id) in on_x:
                yield "a person sits twice on one number"
            on_x.add((lease.x, member_id))
    for seat in seen.seats.values():
        lease = seen.leases[seat.lease_id]
        if lease.x != seat.x:
            yield "a seat on another number than its lease's"
        if lease.state in contacts.LIVE and seat.until < lease.expires_at + contacts.QUARANTINE:
            yield "a seat that ends before the quarantine after its lease"
    live = Counter(lease.match_id for lease in running(seen) if lease.match_id is not None)
    if any(count > 1 for count in live.values()):
        yield "a match with two live contacts"


def _members(seen: Seen) -> Iterator[str]:
    for member in seen.members.values():
        posts = seen.unfinished(member.id)
        matches = [m for m in seen.live_matches() if member.id in (m.need_author_id, m.offer_author_id)]
        leases = [lease for lease in seen.live_leases() if member.id in (lease.asker_id, lease.owner_id)]
        if member.status != "active" and (matches or leases):
            yield f"{member.status}, with {len(matches)} live matches and {len(leases)} live leases"
        if member.status == "suspended" and any(post.state == "open" for post in posts):
            yield "suspended, with an open post"
        if member.status in _GONE and (posts or seen.consented(member.id)):
            yield f"{member.status}, with {len(posts)} posts or consents that stand"
        if member.status not in _GONE:
            yield from _consents(seen, member.id)


def _consents(seen: Seen, member_id: str) -> Iterator[str]:
    given = seen.consented(member_id)
    if "publish_nearby" not in given and seen.unfinished(member_id):
        yield "a post without consent to publish"
    if "phone_masking" not in given:
        for lease in seen.live_leases():
            if member_id in (lease.asker_id, lease.owner_id) and (lease.channel == "call" or lease.x is not None):
                yield "a number without consent to masking"


def between(before: Seen, after: Seen) -> Iterator[str]:
    """What has ended stays so, and nothing is made or unmade in passing."""
    for name, over in (("posts", ENDED), ("leases", {"released", "failed"}), ("cases", {"closed"})):
        rows = after.tables()[name]
        for key, row in before.tables()[name].items():
            if row.state in over and rows[key].state != row.state:
                yield f"{name}: {row.state} became {rows[key].state}"
    for key, match in before.matches.items():
        now = after.matches[key]
        if match.state not in LIVE and now.state != match.state:
            yield f"match: {match.state} became {now.state}"
        if match.state in ("accepted", "agreed") and now.because == "rerouted":
            yield f"a match that was {match.state} has been moved"
        if match.state in ("completed", "failed") and (match.closed_at, match.agreed_at) != (
            now.closed_at,
            now.agreed_at,
        ):
            yield "a closed match was closed again"
    yield from _proposed_rightly(before, after)
    for key, member in before.members.items():
        if member.status in _GONE and after.members[key].status not in _GONE:
            yield "an erased member came back"


def _proposed_rightly(before: Seen, after: Seen) -> Iterator[str]:
    """What the house has proposed since: between two who are here, and never to who did not come three times."""
    for key in after.matches.keys() - before.matches.keys():
        match = after.matches[key]
        if match.state != "proposed":
            continue
        if after.apart(match.need_author_id, match.offer_author_id):
            yield "two who are kept apart are proposed to each other"
        if not all(after.active(member_id) for member_id in (match.need_author_id, match.offer_author_id)):
            yield "somebody who is not here is proposed"


def routes(seen: Seen, lease: Row) -> bool:
    """Whether the two of a lease reach each other now: the contract's words, thought through once more."""
    return (
        lease.state == "granted"
        and lease.channel == "call"
        and lease.expires_at > seen.now
        and all(seen.active(member_id) for member_id in (lease.asker_id, lease.owner_id))
        and not seen.apart(lease.asker_id, lease.owner_id)
        and all(_lets_through(seen, post) for post in seen.posts_of(lease))
    )


def ground(seen: Seen, lease: Row) -> tuple[Any, ...]:
    """Everything that could decide whether the two of a lease reach each other."""
    both = lease.asker_id, lease.owner_id
    return seen.now, lease, *seen.posts_of(lease), *(seen.members[member_id] for member_id in both), seen.apart(*both)


def _lets_through(seen: Seen, post: Row) -> bool:
    if post.state == "hidden":
        return bool(post.hidden_by != "suspension" and seen.now < post.hidden_at + HIDDEN_STILL_ROUTES)
    return bool(post.state == "open")


def once_settled(seen: Seen, bound: Iterable[str]) -> Iterator[str]:
    """When nothing is due any more. `bound`: the keys of the bindings that the provider holds.

    Nothing is said while a job that failed waits for its next turn: what it is to do is not done yet.
    """
    if any(job.attempts for job in seen.jobs.values()):
        return
    for post in seen.posts.values():
        if post.state in ENDED or post.until > seen.now:
            continue
        agreed = [
            m for m in seen.live_matches() if m.state == "agreed" and post.id in (m.need_post_id, m.offer_post_id)
        ]
        if not agreed or seen.now >= post.until + AGREED_DEFERS_EXPIRY:
            yield "a post outlives its time"
    for match in seen.live_matches():
        posts = (seen.posts[match.need_post_id], seen.posts[match.offer_post_id])
        if any(post.state in ENDED for post in posts):
            yield f"a match that is {match.state} outlives its post"
        if match.state in OPEN and match.expires_at <= seen.now:
            yield "a proposal outlives its time"
        if seen.apart(match.need_author_id, match.offer_author_id):
            yield "a match between two who are kept apart"
        if match.state == "agreed" and not any(lease.match_id == match.id for lease in seen.leases.values()):
            yield "an agreed match without a contact"
    yield from _unhelped(seen)
    for lease in seen.live_leases():
        yield from _settled_lease(seen, lease)
    if any(job.due_at <= seen.now for job in seen.jobs.values()):
        yield "a job that is due and left"
    kept = {lease.binding_key for lease in running(seen) if lease.channel == "call" and lease.state == "granted"}
    if set(bound) != kept:
        yield f"the provider holds {len(set(bound))} bindings for {len(kept)} calls"


def _unhelped(seen: Seen) -> Iterator[str]:
    """Two who could help each other, with something to spare on both sides, and nobody has told them."""
    met = {(m.need_post_id, m.offer_post_id) for m in seen.matches.values() if m.state not in ("lapsed", "withdrawn")}
    proposed = Counter(m.need_post_id for m in seen.matches.values() if m.state in OPEN and not m.pledged)
    resting = {member_id for member_id, count in no_shows(seen).items() if count >= NO_SHOWS_REST}
    there = [
        (post, line, line.remaining - line.held - line.proposed)
        for line in seen.lines.values()
        if (post := seen.posts[line.post_id]).state == "open"
        and post.until > seen.now
        and seen.active(post.author_id)
        and post.author_id not in resting
    ]
    for need, wanted, asked in there:
        for offer, given, spare in there:
            apart = need.author_id == offer.author_id or seen.apart(need.author_id, offer.author_id)
            if (need.kind, offer.kind) != ("need", "offer") or wanted.item != given.item or apart:
                continue
            useful = min(asked, spare) >= 2 or 0 < asked <= spare
            if useful and (need.id, offer.id) not in met and proposed[need.id] < PROPOSALS_A_NEED:
                yield f"{spare} to spare for {asked} that are wanted, and nobody was told"


def no_shows(seen: Seen) -> Counter[str]:
    """How often each member did not come lately, as the other side said."""
    said = [m for m in seen.matches.values() if m.state == "failed" and m.because == "no_show" and not m.disputed]
    lately = [m for m in said if m.closed_at > seen.now - NO_SHOW_COUNTS]
    return Counter(m.need_author_id if m.closed_by == "offer" else m.offer_author_id for m in lately)


def _settled_lease(seen: Seen, lease: Row) -> Iterator[str]:
    for post in seen.posts_of(lease):
        if post.state in ENDED:
            yield "a lease outlives its post"
        if post.state == "hidden" and post.hidden_at + HIDDEN_STILL_ROUTES <= seen.now:
            yield "a lease outlives the day after its post was hidden"
    if lease.state == "asked" and lease.asked_at + contacts.GIVEN_UP <= seen.now:
        yield "a lease that is asked for and never granted"
    if lease.expires_at <= seen.now:
        yield "a lease outlives its time"
    if seen.apart(lease.asker_id, lease.owner_id):
        yield "a lease between two who are kept apart"
    if lease.match_id is not None and seen.matches[lease.match_id].state in ("failed", "withdrawn"):
        yield "a lease outlives its match"
