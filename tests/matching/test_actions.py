"""Answers and ends on both databases: what is held, what is freed, what is written beside it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.kit.errors import NotFound
from mutualaid.matching import closing, ending, planning
from mutualaid.matching import standing as matched
from mutualaid.matching.drafts import HandedOver
from mutualaid.matching.errors import MatchNotOpen, NeedCapReached
from mutualaid.matching.records import Match
from mutualaid.matching.rules import RESTS
from mutualaid.posts import actions as posts
from mutualaid.posts import store as posts_store
from mutualaid.posts.errors import PostNotOpen, QuantityGone
from mutualaid.posts.records import Post
from tests.harness import HOME
from tests.matching.street import Street, amounts
from tests.moments import START

FURTHER = (HOME[0] + 0.06, HOME[1])


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
    assert await street.propose(need) == [] and await street.propose(offer) == []
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


async def test_what_a_needer_says_they_never_got_is_not_counted_against_them_once_it_is_settled(street: Street) -> None:
    needer = await street.member()
    need, again = await street.need(by=needer), await street.need(by=needer)
    offers = [await street.offer(), await street.offer()]
    given = await street.agreed(need, offers[0], 4)
    async with street.database.transaction() as session:
        done = [HandedOver(need_line=need.lines[0].id, quantity=4)]
        await closing.complete(session, given.id, done, by=offers[0].author_id, now=street.now)
    more = await street.pledge(again, offers[1], 4)
    with pytest.raises(NeedCapReached):
        await street.accept(more, needer.id)

    async with street.database.transaction() as session:
        done = [HandedOver(need_line=need.lines[0].id, quantity=1)]
        objected = await closing.complete(session, given.id, done, by=needer.id, now=street.now)

    assert (objected.objection, [(line.completed, line.objected) for line in objected.lines]) == ("completed", [(4, 1)])
    assert amounts(await street.post(need)) == [(0, 0)] and (await street.post(need)).state == "resolved"
    less = await street.pledge(again, await street.offer(), 3)
    with pytest.raises(NeedCapReached):
        await street.accept(less, needer.id)  # nobody has looked
    async with street.database.transaction() as session:
        (await session.get_one(Match, given.id)).settled_at = street.now
    with pytest.raises(NeedCapReached):
        await street.accept(more, needer.id)  # one she did get
    assert (await street.accept(less, needer.id)).state == "agreed"


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
        count = await ending.withdraw_for_members(
            session, [giver.id], because="suspended", actor="moderator", now=street.now
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
    need, near = await street.need(), await street.offer(quantity=4)
    [first] = await street.propose(need)
    assert first.offer_post_id == near.id
    later = street.later(first.expires_at)
    async with street.database.transaction() as session:
        await ending.lapse(session, first.id, now=later.now)
        await ending.lapse(session, first.id, now=later.now)  # a job may run twice

    fresh = await street.offer(at=FURTHER, quantity=2)
    assert await later.paired(need) == [near.id, fresh.id]
    [old, new] = await later.proposals(need)
    assert (old.round, old.lines[0].quantity, new.lines[0].quantity) == (2, 2, 2)


async def test_of_a_pair_that_met_in_part_the_rest_is_proposed_unless_it_is_disputed(street: Street) -> None:
    need, offer = await street.need(quantity=4), await street.offer(quantity=12)
    match = await street.agreed(need, offer, 4)
    async with street.database.transaction() as session:
        given = [HandedOver.model_validate({"need_line": need.lines[0].id, "quantity": 2})]
        await closing.complete(session, match.id, given, by=offer.author_id, now=street.now)

    [rest] = await street.propose(need)
    async with street.database.transaction() as session:
        await ending.withdraw_all(session, need.id, now=street.now)
        (await session.get_one(Match, match.id)).disputed = True

    assert (rest.offer_post_id, rest.round, rest.lines[0].quantity) == (offer.id, 2, 2)
    assert await street.propose(need) == []
    assert (await planning.plan(street.database, street.catalogue, None, now=street.now)).moves == []


async def test_a_pair_that_was_left_unanswered_twice_rests_for_a_while(street: Street) -> None:
    need, offer = await street.need(), await street.offer()
    for round_ in (1, 2):
        [match] = await street.propose(need)
        assert (match.offer_post_id, match.round) == (offer.id, round_)
        street = street.later(match.expires_at)
        async with street.database.transaction() as session:
            await ending.lapse(session, match.id, now=street.now)

    assert await street.propose(need) == []
    assert await street.later(street.now + RESTS - timedelta(minutes=1)).propose(need) == []
    [third] = await street.later(street.now + RESTS).propose(need)
    assert third.round == 3


async def test_one_member_who_says_it_three_times_makes_nobody_rest(street: Street) -> None:
    accused, liar = await street.member(), await street.member()
    for _ in range(3):
        await street.no_show(accused, says=liar)

    async with street.database.reading() as session:
        assert await matched.all_no_shows(session, now=street.now) == {accused.id: 1}


async def test_a_need_that_lets_an_accepted_proposal_lapse_was_not_passed_over(street: Street) -> None:
    silent, asked = await street.need(), await street.need()
    for need, says_yes in ((silent, True), (asked, False)):
        offer = await street.offer(quantity=4)
        [match] = await street.propose(need)
        await street.accept(match, offer.author_id if says_yes else need.author_id)
        async with street.database.transaction() as session:
            await ending.lapse(session, match.id, now=street.now + timedelta(hours=13))
            await posts.withdraw_post(session, await session.get_one(Post, offer.id), actor=None, now=street.now)

    async with street.database.reading() as session:
        assert await matched.all_passed_over(session) == {asked.id: 1}


async def test_whoever_pledges_again_has_nothing_kept_for_longer(street: Street) -> None:
    need, offer = await street.need(), await street.offer(quantity=4)
    await street.propose(need)
    first = await street.pledge(offer, need, 4)
    again = await street.later(street.now + timedelta(hours=11)).pledge(offer, need, 4)

    assert (again.id, again.reserved, again.expires_at) == (first.id, True, first.expires_at)


async def test_what_was_withdrawn_from_the_catalogue_can_no_longer_be_agreed_on(street: Street) -> None:
    need = await street.need()
    await street.offer()
    [match] = await street.propose(need)
    left = tuple(replace(item, withdrawn=item.code == "ibuprofen") for item in street.catalogue.items)

    with pytest.raises(MatchNotOpen):
        await replace(street, catalogue=Catalogue(street.catalogue.version, left)).accept(match, need.author_id)
