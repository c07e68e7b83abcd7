"""What seven days allow is not proposed beyond: round one post and by the sweep; what has come to exceed it is withdrawn."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from mutualaid.catalogue.rules import Item
from mutualaid.matching import capping, explaining, planning, sweeping
from mutualaid.matching.capping import Asked
from mutualaid.matching.records import Match
from mutualaid.members.records import Principal
from mutualaid.posts.records import Post
from mutualaid.posts.rules import Find
from tests.matching.street import Street
from tests.moments import START


async def _look(street: Street, *posts: Post) -> None:
    for post in posts:
        await street.propose(post)


async def _sweep(street: Street, *_posts: Post) -> None:
    planned = await planning.plan(street.database, street.catalogue, None, now=street.now)
    await sweeping.write(street.database, planned, street.catalogue, now=street.now)


async def proposed(street: Street, *needs: Post) -> list[int]:
    """How much is proposed to each of these needs."""
    async with street.database.reading() as session:
        rows = list(await session.scalars(select(Match).where(Match.state == "proposed")))
    return [sum(line.quantity for m in rows if m.need_post_id == need.id for line in m.lines) for need in needs]


async def needer_who_has(street: Street, quantity: int) -> Principal:
    needer = await street.member()
    await street.agreed(
        await street.need(by=needer, quantity=quantity), await street.offer(quantity=quantity), quantity
    )
    return needer


def most(street: Street) -> int:
    item = street.catalogue.get("ibuprofen")
    assert item is not None
    return item.need_max


@pytest.mark.parametrize("how", [_look, _sweep])
async def test_a_need_is_proposed_no_more_than_its_author_may_still_be_promised(street: Street, how: object) -> None:
    assert callable(how)
    half, full = await needer_who_has(street, most(street) - 2), await needer_who_has(street, most(street))
    needs = [await street.need(by=who, quantity=4) for who in (half, full)]
    await street.offer()

    await how(street, *needs)

    assert await proposed(street, *needs) == [2, 0]
    [match] = await street.proposals(needs[0])
    await street.accept(match, match.offer_author_id)
    assert (await street.accept(match, half.id)).state == "agreed"


@pytest.mark.parametrize("how", [_look, _sweep])
async def test_two_needs_of_one_member_share_what_is_allowed_and_after_a_week_the_rest_may_come(
    street: Street, how: object
) -> None:
    assert callable(how)
    needer = await street.member()
    await street.offer(), await street.offer()
    needs = [await street.need(by=needer, quantity=most(street)) for _ in range(2)]

    await how(street, *needs)

    assert sum(await proposed(street, *needs)) == most(street)
    [match] = [match for need in needs for match in await street.proposals(need)]
    await street.accept(match, match.offer_author_id)
    await how(street, *needs)
    assert sum(await proposed(street, *needs)) == 0  # what one side has accepted counts as well
    await street.accept(match, needer.id)
    week = street.later(street.now + timedelta(days=7, seconds=1))
    late = await week.need(by=needer, quantity=most(street))
    await week.offer()
    await how(week, late)
    assert await proposed(week, late) == [most(street)]


@pytest.mark.parametrize("how", [_look, _sweep])
async def test_a_proposal_that_could_no_longer_be_accepted_is_withdrawn_or_made_smaller(
    street: Street, how: object
) -> None:
    assert callable(how)
    needer = await street.member()
    need = await street.need(by=needer, quantity=4)
    offer = await street.offer()
    await street.propose(need)
    wished = await street.offer(quantity=most(street) - 1)
    await street.agreed(await street.need(by=needer, quantity=4), wished, most(street) - 1)

    await how(street, need)

    assert await proposed(street, need) == [1]
    assert (await street.post(offer)).lines[0].proposed == 1


async def test_whoever_asks_why_is_told_of_the_cap(street: Street) -> None:
    needer = await needer_who_has(street, most(street))
    need, offer = await street.need(by=needer), await street.offer()

    found = await explaining.explain(street.database, need.id, catalogue=street.catalogue, now=street.now)

    assert found is not None
    assert {each.post_id: each.why for each in found.counterparts} == {offer.id: ("cap_reached",)}


def _asked(line: str, quantity: int, *, instead: tuple[str, ...] = (), kept: int = 0, urgent: bool = False) -> Asked:
    order = capping.turn(kept=kept, urgent=urgent, since=0, line=line)
    return Asked(line, "member", "a", instead, quantity, order)


def _find(item: Item) -> Find:
    return lambda _code: item


async def test_what_stands_comes_first_and_a_line_that_may_not_have_all_asks_for_one_item(street: Street) -> None:
    item = street.catalogue.get("ibuprofen")
    assert item is not None
    find, counted = _find(item), {("member", "a"): most(street) - 3}

    by_turn = capping.limited([_asked("1", 3), _asked("2", 3, urgent=True), _asked("3", 2, kept=2)], counted, find)
    assert {line: less.quantity for line, less in by_turn.items()} == {"2": 1, "1": 0}
    [some] = capping.limited([_asked("1", 4, instead=("b",))], counted, find).values()
    assert (some.item, some.instead, some.quantity) == ("a", (), 3)
    [other] = capping.limited([_asked("1", 4, instead=("b",))], {("member", "a"): most(street)}, find).values()
    assert (other.item, other.instead, other.quantity) == ("b", (), 4)


def test_it_is_told_what_is_left_and_when_all_of_it_can_be_met() -> None:
    day = timedelta(days=1)
    given = [(START - 2 * day, 3), (START - 6 * day, 2), (START - day, 1)]

    assert capping.earliest(given, 1, 7, now=START) is None
    assert capping.earliest(given, 2, 7, now=START) == (1, START + day)
    assert capping.earliest(given, 4, 7, now=START) == (1, START + 5 * day)
    assert capping.earliest([*given, (START, 9)], 1, 7, now=START) == (0, START + 7 * day)
