"""The sweep: markets as columns, the engine beside what is proposed, a process of its own, and what is done when it fails."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update
from structlog.testing import capture_logs

from mutualaid.kit import metrics
from mutualaid.kit.database import Database
from mutualaid.matching import applying, explaining, jobs, planning, sweeping
from mutualaid.matching.records import Match
from mutualaid.members import blocks
from mutualaid.members.records import Member
from mutualaid.posts.errors import OwnPost
from mutualaid.posts.records import Post, PostLine
from mutualaid.services import Services
from tests.harness import HOME
from tests.matching.street import Street

NORTH = (HOME[0] + 0.03, HOME[1])
LATE = {"item": "ibuprofen", "quantity": 4, "expires_on": "2023-01-07", "sealed": True}


async def plan(street: Street) -> planning.Planned:
    return await planning.plan(street.database, street.catalogue, None, now=street.now)


async def proposed(database: Database) -> dict[tuple[str, str], int]:
    """What nobody has accepted yet, by pair."""
    async with database.reading() as session:
        matches = await session.scalars(select(Match).where(Match.state == "proposed"))
        return {match.post_ids: sum(line.quantity for line in match.lines) for match in matches}


async def drifted(street: Street) -> tuple[Post, Post, Post, Post]:
    """A state that posts one by one would not have come to: `both` has the offer that alone `nearby` could take."""
    both, shared = await street.need(at=NORTH), await street.offer(quantity=4, at=NORTH)
    await street.propose(both)
    return both, shared, await street.need(at=NORTH, reach_km=1), await street.offer(quantity=4)


async def test_a_sweep_re_routes_what_drifted_and_a_second_one_changes_nothing(street: Street) -> None:
    both, shared, nearby, further = await drifted(street)
    planned = await plan(street)
    assert (planned.report["before"]["quantity"], planned.report["best"]["quantity"]) == (4, 8)

    there_and_back = planning.understood(planning.written(planned))
    await sweeping.write(street.database, there_and_back, street.catalogue, now=street.now)

    assert await proposed(street.database) == {(both.id, further.id): 4, (nearby.id, shared.id): 4}
    assert (await plan(street)).moves == []


async def test_of_moves_that_are_written_together_one_that_no_longer_stands_spoils_no_other(street: Street) -> None:
    pairs = [(await street.need(at=at), await street.offer(quantity=4, at=at)) for at in (HOME, NORTH)]
    (need, offer), (_, gone) = pairs
    planned = await plan(street)
    assert [len(lot) for lot in applying.lots(planned.moves)] == [2]
    async with street.database.transaction() as session:
        await session.execute(update(Post).where(Post.id == gone.id).values(state="hidden"))

    for _ in range(2):  # what is there already is not there a second time
        await sweeping.write(street.database, planned, street.catalogue, now=street.now)

    assert await proposed(street.database) == {(need.id, offer.id): 4}
    assert [(await street.post(post)).lines[0].proposed for post in (need, offer, gone)] == [4, 4, 0]
    [match] = await street.proposals(need)
    assert await street.deeds(match.id) == ["match.proposed"]
    assert await street.jobs("match.proposed") == await street.jobs("match.due") == [{"match": match.id}]


async def test_moves_of_one_offer_that_come_to_more_than_it_has_are_made_as_far_as_it_goes(street: Street) -> None:
    needs = [await street.need() for _ in range(3)]
    offer = await street.offer(quantity=12)
    planned = await plan(street)
    async with street.database.transaction() as session:
        await session.execute(update(PostLine).where(PostLine.post_id == offer.id).values(held=4))

    await sweeping.write(street.database, planned, street.catalogue, now=street.now)

    assert sum((await proposed(street.database)).values()) == 8
    assert sorted([(await street.post(post)).lines[0].proposed for post in (*needs, offer)]) == [0, 4, 4, 8]


async def test_what_was_accepted_declined_or_agreed_is_not_the_sweeps_to_move(street: Street) -> None:
    both, _, nearby, further = await drifted(street)
    [match] = await street.proposals(both)
    await street.accept(match, both.author_id)
    pledge = await street.pledge(further, nearby, 4)
    await street.accept(pledge, further.author_id)

    assert (await plan(street)).moves == []


async def test_everything_that_a_rule_reads_reaches_the_engine(street: Street) -> None:
    tonight = {"from": "2023-01-07T20:00:00Z", "to": "2023-01-07T22:00:00Z"}
    tomorrow = {"from": "2023-01-08T20:00:00Z", "to": "2023-01-08T22:00:00Z"}
    needer = await street.member()
    need = await street.need(by=needer, available=[tonight], urgency="urgent")
    await street.offer(available=[tomorrow])
    await street.offer(handover=["courier"])
    await street.offer(by=needer)
    await street.offer(item="smectite")
    fitting = await street.offer(available=[tomorrow, tonight], at=NORTH)

    planned = await plan(street)

    assert [list(move.made) for move in planned.moves] == [[(need.id, fitting.id)]]
    assert planned.report["best"]["urgent"] == 4


async def test_two_accounts_of_one_person_are_never_brought_together(street: Street) -> None:
    mine, also_mine, other = [await street.member() for _ in range(3)]
    async with street.database.transaction() as session:
        one_person = update(Member).where(Member.id.in_((mine.id, also_mine.id))).values(identity_lookup=b"one person")
        await session.execute(one_person)
    need = await street.need(by=mine)
    also, offer = await street.offer(by=also_mine), await street.offer(by=other, at=NORTH)

    assert [list(move.made) for move in (await plan(street)).moves] == [[(need.id, offer.id)]]
    assert await street.paired(need) == [offer.id]
    with pytest.raises(OwnPost):
        await street.pledge(also, need, 4)


async def test_a_block_is_heeded_for_every_account_of_both(street: Street) -> None:
    blocker, hers, blocked, his, other = [await street.member() for _ in range(5)]
    async with street.database.transaction() as session:
        for two, person in (((blocker, hers), b"she"), ((blocked, his), b"he")):
            rows = update(Member).where(Member.id.in_([each.id for each in two]))
            await session.execute(rows.values(identity_lookup=person))
        await blocks.block(session, blocker.id, blocked.id, street.now)
    needs = [await street.need(by=who, quantity=1) for who in (hers, blocker)]
    for who in (his, blocked):
        await street.offer(by=who)

    assert (await plan(street)).moves == []
    assert [await street.paired(need) for need in needs] == [[], []]
    offer = await street.offer(by=other)
    assert {offer_id for move in (await plan(street)).moves for _, offer_id in move.made} == {offer.id}
    assert [await street.paired(need) for need in needs] == [[offer.id], [offer.id]]


async def test_rows_that_make_no_sense_are_left_out_counted_and_named(street: Street) -> None:
    ghost, nowhere = await street.need(), await street.need()
    need, offer = await street.need(), await street.offer()
    async with street.database.transaction() as session:
        await session.execute(update(PostLine).where(PostLine.post_id == ghost.id).values(item="ghost"))
        await session.execute(update(Post).where(Post.id == nowhere.id).values(cell="nowhere"))

    planned = await plan(street)

    assert planned.report["skipped"] == {"item_unknown": 1, "place_missing": 1}
    assert set(planned.report["skipped_needs"]) == {ghost.lines[0].id, nowhere.lines[0].id}
    assert [list(move.made) for move in planned.moves] == [[(need.id, offer.id)]]


async def test_a_large_market_is_swept_in_a_process_of_its_own(
    services: Services, street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "SMALL", 0)
    both, shared, nearby, further = await drifted(street)

    await jobs.on_sweep(services, {"items": "ibuprofen"}, now=street.now)

    assert await proposed(street.database) == {(both.id, further.id): 4, (nearby.id, shared.id): 4}


SEALED = {"expires_on": "2023-12-31", "sealed": True}
TWO = [{"item": "ibuprofen", "quantity": 4}, {"item": "smectite", "quantity": 2}]


async def test_the_sweep_of_one_market_leaves_what_the_same_two_are_proposed_of_another(
    services: Services, street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "SMALL", 0)
    need, offer = await street.need(lines=TWO), await street.offer(lines=[line | SEALED for line in TWO])
    await street.propose(need)
    nearer = await street.need(at=HOME, urgency="urgent")  # takes the one item from them, not the other

    for item in ("smectite", "ibuprofen", "smectite"):
        await jobs.on_sweep(services, {"items": item}, now=street.now)

    assert await proposed(street.database) == {(need.id, offer.id): 2, (nearer.id, offer.id): 4}


async def test_what_is_kept_for_somebody_who_rests_is_not_planned_with(street: Street) -> None:
    rester, offer = await street.member(), await street.offer(quantity=8)
    await street.propose(await street.need(by=rester))
    for _ in range(3):
        await street.no_show(rester)
    others = [await street.need(quantity=3) for _ in range(2)]

    await sweeping.write(street.database, await plan(street), street.catalogue, now=street.now)

    given = {need: amount for (need, by), amount in (await proposed(street.database)).items() if by == offer.id}
    assert sum(given.get(each.id, 0) for each in others) == 4


async def test_where_the_process_fails_every_post_is_looked_at_by_itself(
    services: Services, street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "SMALL", 0)
    monkeypatch.setattr("sys.executable", "/bin/false")
    posts = [await street.need(), await street.offer()]
    counted = metrics.MATCHING_FALLBACKS.labels("process")._value.get()

    await jobs.on_sweep(services, {"items": "ibuprofen"}, now=street.now)

    assert metrics.MATCHING_FALLBACKS.labels("process")._value.get() == counted + 1
    assert {job["post"] for job in await street.jobs("post.changed")} == {post.id for post in posts}


def test_an_operator_hears_once_a_sweep_how_far_its_greedy_parts_are_from_their_bound() -> None:
    counted = metrics.MATCHING_FALLBACKS.labels("solver")._value.get()
    parts = [{"because": "ModuleNotFoundError", "gap": gap} for gap in (3, 0, 4)]

    sweeping.warn(planning.Planned([], {}, {"fallbacks": parts}))

    assert metrics.MATCHING_FALLBACKS.labels("solver")._value.get() == counted + 3
    assert metrics.MATCHING_GAP._value.get() == 7


def test_a_line_that_is_promised_altogether_is_no_row_that_makes_no_sense() -> None:
    with capture_logs() as said:
        sweeping.warn(planning.Planned([], {}, {"skipped": {"nothing_left": 3, "item_unknown": 1}}))

    assert [(each["code"], each["count"]) for each in said] == [("item_unknown", 1)]


async def test_a_small_market_is_swept_where_the_worker_is(services: Services, street: Street) -> None:
    both, shared, nearby, further = await drifted(street)

    await jobs.on_sweep(services, {"items": "ibuprofen"}, now=street.now)

    assert await proposed(street.database) == {(both.id, further.id): 4, (nearby.id, shared.id): 4}


async def test_each_market_with_both_sides_is_one_job_however_often_it_is_announced(
    services: Services, street: Street
) -> None:
    await street.need(), await street.offer(), await street.need(item="smectite")

    for _ in range(2):
        await jobs.announce_sweeps(services, {}, now=street.now)

    assert await street.jobs("match.sweep") == [{"items": "ibuprofen"}]


async def test_every_near_counterpart_is_explained(street: Street) -> None:
    need = await street.need()
    taken, late = await street.offer(quantity=4), await street.offer(lines=[LATE])
    [match] = await street.propose(need)
    assert match.offer_post_id == taken.id

    found = await explaining.explain(street.database, need.id, catalogue=street.catalogue, now=street.now)

    assert found is not None
    told = {each.post_id: each.why for each in found.counterparts}
    assert told == {taken.id: ("proposed",), late.id: ("expires_too_soon",)}
    assert all(why in explaining.WORDS for each in found.counterparts for why in each.why)
    later = street.now + timedelta(days=30)
    assert await explaining.explain(street.database, need.id, catalogue=street.catalogue, now=later) is None


async def test_a_counterpart_that_keeps_all_of_it_is_told_of_and_so_is_where_nothing_was_found(street: Street) -> None:
    need, offer = await street.need(quantity=4), await street.offer(quantity=4)
    [match] = await street.propose(need)
    await street.accept(match, need.author_id)
    alone = await street.need(lines=[{"item": "smectite", "quantity": 1, "substitutes": True}])

    told = [
        await explaining.explain(street.database, post.id, catalogue=street.catalogue, now=street.now)
        for post in (need, offer, alone)
    ]

    of_need, of_offer, nothing = (each for each in told if each is not None)
    assert [(each.post_id, each.why, each.quantity) for each in of_need.counterparts] == [(offer.id, ("accepted",), 4)]
    assert [(each.post_id, each.why) for each in of_offer.counterparts] == [(need.id, ("accepted",))]
    assert (nothing.counterparts, nothing.reach_km, nothing.items) == ([], 10, ("smectite",))
    assert nothing.besides == ("no_substitutes",)
