"""The deeds of matching on both databases: what is held, what is freed, what is written beside it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.kit.errors import NotFound
from mutualaid.matching import closing, ending, proposing
from mutualaid.matching.drafts import HandedOver
from mutualaid.matching.errors import MatchNotOpen, NeedCapReached
from mutualaid.members import blocks, standing
from mutualaid.members import store as members
from mutualaid.posts import actions as posts
from mutualaid.posts import store as posts_store
from mutualaid.posts.errors import PostNotOpen, QuantityGone
from mutualaid.posts.records import Post
from tests.harness import HOME
from tests.matching.street import Street, amounts
from tests.moments import START

NORTH = (HOME[0] + 0.03, HOME[1])
FURTHER = (HOME[0] + 0.06, HOME[1])
BEYOND = (HOME[0] + 0.2, HOME[1])


async def test_the_nearest_offers_come_first_and_what_is_out_of_reach_never(street: Street) -> None:
    further, near, _ = await street.offer(at=FURTHER), await street.offer(at=NORTH), await street.offer(at=BEYOND)
    need = await street.need()

    assert await street.look(need) == [near.id, further.id]


async def test_an_urgent_need_further_away_goes_before_a_near_one(street: Street) -> None:
    near, urgent = await street.need(), await street.need(at=FURTHER, urgency="urgent")
    offer = await street.offer()

    assert await street.look(offer) == [urgent.id, near.id]


async def test_who_is_suspended_blocked_or_oneself_is_not_looked_at(street: Street) -> None:
    needer, blocker, away = [await street.member() for _ in range(3)]
    for author in (needer, blocker, away):
        await street.offer(by=author)
    async with street.database.transaction() as session:
        standing.suspend(session, await members.get_locked(session, away.id), actor="moderator", now=street.now)
        assert await blocks.block(session, blocker.id, needer.id, street.now)
        assert not await blocks.block(session, blocker.id, needer.id, street.now)

    assert await street.look(await street.need(by=needer)) == []


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

    assert await street.look(offer) == [easy.id]
    assert await street.look(easy) == [offer.id]
    assert await street.look(strict) == []
    [match] = await street.propose(easy)
    assert [line.item for line in match.lines] == ["paracetamol-tablet"]


async def test_looking_twice_proposes_once_and_never_more_than_five(street: Street) -> None:
    for _ in range(7):
        await street.offer()
    need = await street.need()

    assert len(await street.propose(need)) == 5
    assert await street.propose(need) == []
    assert len(await street.jobs("match.proposed")) == 5


async def test_an_offer_leaves_a_need_alone_that_has_five_proposals(street: Street) -> None:
    need = await street.need()
    for _ in range(5):
        await street.propose(await street.offer())

    sixth = await street.offer()
    assert await street.look(sixth) == []
    async with street.database.transaction() as session:  # also where the five came in between
        made = await proposing.propose(session, sixth.id, [need.id], catalogue=street.catalogue, now=street.now)
    assert made == []


async def test_what_is_free_is_proposed_and_no_more(street: Street) -> None:
    first, second = await street.need(), await street.need()
    offer = await street.offer(quantity=6)
    await street.agreed(first, offer, 4)

    [match] = await street.propose(second)

    assert [line.quantity for line in match.lines] == [2]


async def test_an_acceptance_holds_and_its_rows_are_written(street: Street) -> None:
    need, offer = await street.need(), await street.offer()

    match = await street.agreed(need, offer, 3)

    assert match.state == "agreed" and match.agreed_at == START
    assert (amounts(await street.post(need)), amounts(await street.post(offer))) == ([(4, 3)], [(12, 3)])
    assert sorted(await street.deeds(match.id)) == ["match.accepted", "match.agreed", "match.pledged"]
    assert await street.jobs("match.agreed") == [{"match": match.id}]


async def test_the_second_to_agree_on_the_last_of_it_is_refused_and_nothing_changes(street: Street) -> None:
    one, two = await street.need(), await street.need()
    offer = await street.offer(quantity=6)
    first, second = await street.pledge(offer, one, 4), await street.pledge(offer, two, 4)
    await street.accept(first, offer.author_id)

    with pytest.raises(QuantityGone):
        await street.accept(second, offer.author_id)

    assert (await street.match(second)).state == "accepted"
    assert (amounts(await street.post(two)), amounts(await street.post(offer))) == ([(4, 0)], [(6, 4)])


async def test_nobody_is_promised_more_of_an_item_in_seven_days_than_one_may_have(street: Street) -> None:
    needer = await street.member()
    first, second = await street.need(by=needer), await street.need(by=needer)
    offers = [await street.offer() for _ in range(3)]
    given = await street.agreed(first, offers[0], 4)
    async with street.database.transaction() as session:
        done = [HandedOver(need_line=first.lines[0].id, quantity=3)]
        await closing.complete(session, given.id, done, by=needer.id, now=street.now)
    more, one = await street.pledge(second, offers[1], 2), await street.pledge(second, offers[2], 1)

    with pytest.raises(NeedCapReached):
        await street.accept(more, needer.id)
    assert (await street.accept(one, needer.id)).state == "agreed"  # three were handed over: one more may be

    week_later = street.later(street.now + timedelta(days=7))
    async with street.database.transaction() as session:
        post = await posts_store.get(session, second.id)
        other = await posts_store.get(session, offers[1].id)
        assert post and other
        post.until = other.until = week_later.now + timedelta(days=1)
    again = await week_later.pledge(second, offers[1], 2)
    assert (await week_later.accept(again, needer.id)).state == "agreed"


async def test_an_acceptance_after_the_post_was_solved_or_hidden_is_refused(street: Street) -> None:
    need, hidden = await street.need(), await street.need()
    offer = await street.offer()
    solved, unseen = await street.pledge(need, offer, 2), await street.pledge(hidden, offer, 2)
    async with street.database.transaction() as session:
        posts_now = await posts_store.lock(session, [need.id, hidden.id])
        await posts.resolve_post(session, posts_now[need.id], "elsewhere", actor=need.author_id, now=street.now)
        await posts.hide(session, posts_now[hidden.id], by="moderator", actor=None, now=street.now)

    for match in (solved, unseen):
        with pytest.raises(PostNotOpen):
            await street.accept(match, match.need_author_id)


async def test_nobody_else_may_answer_a_match(street: Street) -> None:
    match = await street.pledge(await street.need(), await street.offer(), 2)
    stranger = await street.member()

    with pytest.raises(NotFound):
        await street.accept(match, stranger.id)
    async with street.database.transaction() as session:
        with pytest.raises(NotFound):
            await ending.decline(session, match.id, by=stranger.id, now=street.now)


async def test_a_failure_frees_everything_and_the_pair_never_returns(street: Street) -> None:
    need, offer = await street.need(), await street.offer()
    match = await street.agreed(need, offer, 4)

    async with street.database.transaction() as session:
        await closing.fail(session, match.id, "no_show", by=need.author_id, now=street.now)

    assert (amounts(await street.post(need)), amounts(await street.post(offer))) == ([(4, 0)], [(12, 0)])
    assert await street.look(need) == [] and await street.look(offer) == []
    assert await street.jobs("match.ended") == [{"match": match.id, "why": "no_show"}]


async def test_an_objection_writes_a_job_and_leaves_state_and_amounts(street: Street) -> None:
    need, offer = await street.need(), await street.offer()
    match = await street.agreed(need, offer, 4)
    async with street.database.transaction() as session:
        await closing.fail(session, match.id, "no_show", by=need.author_id, now=street.now)

    async with street.database.transaction() as session:
        done = [HandedOver(need_line=need.lines[0].id, quantity=4)]
        now = street.now + timedelta(hours=24)
        objected = await closing.complete(session, match.id, done, by=offer.author_id, now=now)

    assert (objected.state, objected.disputed) == ("failed", True)
    assert amounts(await street.post(need)) == [(4, 0)]
    assert await street.jobs("match.disputed") == [{"match": match.id, "by": "offer"}]
    assert "match.disputed" in await street.deeds(match.id)


async def test_an_ended_post_withdraws_its_matches_once(street: Street) -> None:
    need, offer = await street.need(), await street.offer()
    agreed = await street.agreed(need, offer, 4)
    [proposed] = [m for m in await street.propose(await street.need()) if m.offer_post_id == offer.id]

    for expected in (2, 0):
        async with street.database.transaction() as session:
            assert await ending.withdraw_all(session, offer.id, now=street.now) == expected

    assert {(await street.match(m)).state for m in (agreed, proposed)} == {"withdrawn"}
    assert amounts(await street.post(need)) == [(4, 0)]


async def test_a_member_who_leaves_takes_all_their_matches_and_frees_what_others_held(street: Street) -> None:
    giver = await street.member()
    needs: list[Post] = [await street.need() for _ in range(3)]
    for need in needs:
        await street.agreed(need, await street.offer(by=giver), 2)

    async with street.database.transaction() as session:
        count = await ending.withdraw_for_member(
            session, giver.id, because="suspended", actor="moderator", now=street.now
        )

    assert count == 3
    assert [amounts(await street.post(need)) for need in needs] == [[(4, 0)]] * 3
    assert {job["why"] for job in await street.jobs("match.ended")} == {"suspended"}


async def test_a_block_ends_every_match_between_the_two(street: Street) -> None:
    needer, giver = await street.member(), await street.member()
    agreed = await street.agreed(await street.need(by=needer), await street.offer(by=giver), 2)
    other = await street.pledge(
        await street.need(by=giver, item="smectite"), await street.offer(by=needer, item="smectite"), 2
    )

    async with street.database.transaction() as session:
        await ending.block(session, agreed.id, by=needer.id, now=street.now)

    assert ((await street.match(agreed)).state, (await street.match(other)).state) == ("withdrawn", "declined")
    with pytest.raises(MatchNotOpen):
        await street.accept(other, giver.id)
    assert await street.jobs("member.blocked") == [{"blocker": needer.id, "blocked": giver.id}]


async def test_a_lapsed_pair_goes_behind_new_ones(street: Street) -> None:
    need, near, far = await street.need(), await street.offer(), await street.offer(at=NORTH)
    first = (await street.propose(need))[0]
    assert first.offer_post_id == near.id
    later = street.later(first.expires_at)
    async with street.database.transaction() as session:
        await ending.lapse(session, first.id, now=later.now)
        await ending.lapse(session, first.id, now=later.now)  # a job may run twice

    fresh = await street.offer(at=FURTHER)
    assert await later.look(need) == [fresh.id, near.id]
    assert far.id not in await later.look(need)  # proposed still
