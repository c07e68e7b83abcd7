"""What is proposed round a post on both databases: to whom, how much, and what gives way."""

from dataclasses import replace

import pytest

from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.matching import ending
from mutualaid.members import blocks, standing
from mutualaid.members import store as members
from mutualaid.posts import actions as posts
from mutualaid.posts import store as posts_store
from mutualaid.posts.errors import QuantityGone
from tests.harness import HOME
from tests.matching.street import Street, amounts

NORTH = (HOME[0] + 0.03, HOME[1])
FURTHER = (HOME[0] + 0.06, HOME[1])
BEYOND = (HOME[0] + 0.2, HOME[1])


async def test_the_nearest_offers_are_proposed_and_what_is_out_of_reach_never(street: Street) -> None:
    further, near = await street.offer(at=FURTHER, quantity=2), await street.offer(at=NORTH, quantity=2)
    await street.offer(at=BEYOND)
    need = await street.need()

    assert await street.paired(need) == [near.id, further.id]


async def test_an_urgent_need_further_away_goes_before_a_near_one(street: Street) -> None:
    await street.need()
    urgent = await street.need(at=FURTHER, urgency="urgent")
    offer = await street.offer(quantity=4)

    assert await street.paired(offer) == [urgent.id]


async def test_who_is_suspended_blocked_or_oneself_is_not_looked_at(street: Street) -> None:
    needer, blocker, away = [await street.member() for _ in range(3)]
    for author in (needer, blocker, away):
        await street.offer(by=author)
    async with street.database.transaction() as session:
        standing.suspend(session, await members.get_locked(session, away.id), actor="moderator", now=street.now)
        assert await blocks.block(session, blocker.id, needer.id, street.now)
        assert not await blocks.block(session, blocker.id, needer.id, street.now)

    assert await street.paired(await street.need(by=needer)) == []


async def test_a_substitute_is_found_from_either_side_only_where_the_need_allows_it(street: Street) -> None:
    grouped = {"ibuprofen", "paracetamol-tablet"}
    items = tuple(
        replace(item, substitute_group="fever") if item.code in grouped else item for item in street.catalogue.items
    )
    street = replace(street, catalogue=Catalogue(street.catalogue.version, items))
    strict = await street.need()
    line = {"item": "ibuprofen", "quantity": 4, "substitutes": True}
    easy = await street.need(lines=[line])
    offer = await street.offer(item="paracetamol-tablet")

    assert await street.paired(strict) == []
    assert await street.paired(offer) == [easy.id]
    [match] = await street.propose(easy)
    assert [line.item for line in match.lines] == ["paracetamol-tablet"]


async def test_looking_twice_proposes_once_and_never_more_than_five(street: Street) -> None:
    for _ in range(7):
        await street.offer(item="rice", quantity=1)
    need = await street.need(item="rice", quantity=7)

    first = await street.propose(need)
    again = await street.propose(need)

    assert len(first) == 5 and [m.id for m in again] == [m.id for m in first]
    assert len(await street.jobs("match.proposed")) == 5


async def test_an_offer_leaves_a_need_alone_that_has_five_proposals(street: Street) -> None:
    need = await street.need(item="rice", quantity=7)
    for _ in range(5):
        await street.propose(await street.offer(item="rice", quantity=1))

    sixth = await street.offer(item="rice", quantity=1)
    assert await street.propose(sixth) == []
    assert len(await street.proposals(need)) == 5


async def test_what_is_free_is_proposed_and_no_more(street: Street) -> None:
    first, second = await street.need(), await street.need()
    offer = await street.offer(quantity=6)
    await street.agreed(first, offer, 4)

    [match] = await street.propose(second)

    assert [line.quantity for line in match.lines] == [2]
    assert (await street.post(offer)).lines[0].proposed == (await street.post(second)).lines[0].proposed == 2


async def test_a_new_offer_re_routes_what_nobody_has_accepted_and_nobody_is_told_of_an_end(street: Street) -> None:
    both = await street.need(at=NORTH)
    shared = await street.offer(quantity=4, at=NORTH)
    [first] = await street.propose(both)
    nearby_only = await street.need(at=NORTH, reach_km=1)
    assert await street.propose(nearby_only) == []

    further = await street.offer(quantity=4)
    await street.propose(further)

    assert (await street.match(first)).state == "withdrawn"
    assert await street.paired(nearby_only) == [shared.id]
    assert await street.paired(both) == [further.id]
    assert await street.jobs("match.ended") == []
    assert "match.withdrawn" in await street.deeds(first.id)


async def test_who_asks_for_something_else_is_proposed_to_others_and_what_no_longer_fits_is_withdrawn(
    street: Street,
) -> None:
    needer = await street.member()
    need, far = await street.need(by=needer), await street.offer(at=NORTH, quantity=4)
    [first] = await street.propose(need)
    near = await street.offer(quantity=2)
    assert first.offer_post_id == far.id
    async with street.database.transaction() as session:
        (await posts_store.lock(session, [need.id]))[need.id].reach_km = 1

    assert await street.paired(need) == [near.id]
    assert (await street.match(first)).state == "withdrawn"


async def test_what_somebody_has_accepted_is_never_moved(street: Street) -> None:
    both = await street.need(at=NORTH)
    await street.offer(quantity=4, at=NORTH)
    [first] = await street.propose(both)
    await street.accept(first, both.author_id)
    nearby_only = await street.need(at=NORTH, reach_km=1)

    await street.propose(await street.offer(quantity=4))

    assert (await street.match(first)).state == "accepted"
    assert await street.propose(nearby_only) == []


async def test_who_was_passed_over_comes_before_who_was_not(street: Street) -> None:
    passed = await street.need(at=FURTHER)
    [match] = await street.propose(await street.offer(quantity=4))
    await street.need()
    later = street.later(match.expires_at)
    async with street.database.transaction() as session:
        await ending.lapse(session, match.id, now=later.now)

    [again] = await later.propose(await later.offer(quantity=4))

    assert again.need_post_id == passed.id


async def test_an_amount_that_is_lowered_withdraws_what_no_longer_fits_and_what_was_accepted_last(
    street: Street,
) -> None:
    giver = await street.member()
    needs = [await street.need() for _ in range(3)]
    offer = await street.offer(by=giver, quantity=12)
    matches = {match.need_post_id: match for match in await street.propose(offer)}
    await street.accept(matches[needs[0].id], needs[0].author_id)

    await street.amend(offer, giver, 5)

    states = [(await street.match(matches[need.id])).state for need in needs]
    assert states == ["accepted", "withdrawn", "withdrawn"]
    line = (await street.post(offer)).lines[0]
    assert (line.remaining, line.held, line.proposed) == (5, 0, 4)


async def test_two_who_agree_go_before_a_proposal_that_nobody_has_accepted(street: Street) -> None:
    proposed_to = await street.need()
    offer = await street.offer(quantity=4)
    [match] = await street.propose(offer)
    wished = await street.need()
    pledge = await street.pledge(offer, wished, 4)

    agreed = await street.accept(pledge, offer.author_id)

    assert (agreed.state, (await street.match(match)).state) == ("agreed", "withdrawn")
    assert (await street.post(proposed_to)).lines[0].proposed == 0
    assert amounts(await street.post(offer)) == [(4, 4)]


async def test_a_pledge_cannot_take_what_somebody_else_has_accepted(street: Street) -> None:
    proposed_to = await street.need()
    offer = await street.offer(quantity=4)
    [match] = await street.propose(offer)
    await street.accept(match, proposed_to.author_id)
    pledge = await street.pledge(offer, await street.need(), 4)

    with pytest.raises(QuantityGone):
        await street.accept(pledge, offer.author_id)

    assert (await street.accept(match, offer.author_id)).state == "agreed"


async def test_a_pledge_that_takes_over_a_proposal_goes_on_keeping_its_amounts(street: Street) -> None:
    need, offer = await street.need(), await street.offer(quantity=4)
    [match] = await street.propose(need)

    taken = await street.pledge(offer, need, 3)

    assert (taken.id, taken.pledged, taken.reserved) == (match.id, True, True)
    assert [(await street.post(each)).lines[0].proposed for each in (need, offer)] == [3, 3]


async def test_a_post_out_of_sight_leaves_its_counterparts_to_others(street: Street) -> None:
    need, other = await street.need(), await street.need(at=NORTH)
    offer = await street.offer(quantity=4)
    [match] = await street.propose(offer)
    assert match.need_post_id == need.id
    async with street.database.transaction() as session:
        hidden = (await posts_store.lock(session, [need.id]))[need.id]
        await posts.hide(session, hidden, by="moderator", actor=None, now=street.now)
        await session.flush()
        assert await ending.withdraw_unaccepted(session, need.id, because="post_hidden", now=street.now) == 1

    assert await street.paired(offer) == [other.id]
