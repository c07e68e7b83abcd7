"""The rules of matching are arithmetic: no fixture, no clock."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutualaid.catalogue.rules import Item
from mutualaid.kit import cells
from mutualaid.kit.clock import today
from mutualaid.matching import rules
from mutualaid.matching.rules import FailReason, Line, Refusal, Side, Verdict
from mutualaid.posts.records import Post
from mutualaid.posts.rules import Window
from tests.harness import HOME
from tests.moments import START

CELL = cells.cell_of(*HOME)
FAR = cells.cell_of(HOME[0] + 0.1, HOME[1])  # about 11 km north


def an_item(code: str = "tablet", **change: object) -> Item:
    item = Item(
        code=code,
        name=code,
        name_en=code,
        kind="medicine",
        group="g",
        ingredient="i",
        form="tablet",
        unit="片",
        need_max=9,
        offer_max=36,
        divisible=True,
        nhc_listed=True,
        policy="listable",
        reason_zh=None,
        reason_en=None,
        caution_zh=None,
        caution_en=None,
        aliases=(),
        leaflet_zh=None,
        expiry_required=True,
        sealed_required=True,
        course_days=3,
        min_useful=2,
        handover="any",
        min_age=None,
        substitute_group=None,
    )
    return replace(item, **change)  # type: ignore[arg-type] # tests name the fields


SHELF = {
    item.code: item
    for item in (
        an_item(),
        an_item("bottle", divisible=False, min_useful=1),
        an_item("spirit", handover="pickup"),
        an_item("strong", min_age=18),
        an_item("gone", policy="refused"),
        an_item("brand-a", substitute_group="same"),
        an_item("brand-b", substitute_group="same"),
    )
}


def a_side(*lines: Line, author: str = "needer", **change: object) -> Side:
    side = Side(
        id=f"post of {author}",
        author_id=author,
        author_here=True,
        author_age_band=None,
        open=True,
        cell=CELL,
        reach_km=10,
        ways=frozenset({"pickup"}),
        windows=(),
        until=START + timedelta(hours=72),
        urgent=False,
        since=START,
        for_other=False,
        age_band=None,
        lines=lines or (Line("n1", "tablet", 4),),
    )
    return replace(side, **change)  # type: ignore[arg-type] # tests name the fields


def an_offer_side(*lines: Line, **change: object) -> Side:
    return a_side(*(lines or (Line("o1", "tablet", 12, date(2023, 12, 31)),)), **{"author": "giver", **change})  # type: ignore[arg-type] # tests name the fields


def judged(need: Side, offer: Side, *, blocked: bool = False) -> Verdict:
    return rules.judge(need, offer, blocked=blocked, find=SHELF.get, now=START, day_of=today)


def test_the_same_item_within_both_reaches_is_shared_up_to_what_is_needed() -> None:
    verdict = judged(a_side(), an_offer_side())

    assert verdict.eligible and verdict.refusals == ()
    assert [(s.need_line, s.offer_line, s.item, s.quantity) for s in verdict.shares] == [("n1", "o1", "tablet", 4)]


@pytest.mark.parametrize(
    ("need", "offer", "why"),
    [
        (a_side(), an_offer_side(author="needer"), "own_post"),
        (a_side(open=False), an_offer_side(), "not_open"),
        (a_side(), an_offer_side(until=START), "not_open"),
        (a_side(), an_offer_side(author_here=False), "author_away"),
        (a_side(), an_offer_side(cell=FAR), "too_far"),
        (a_side(reach_km=50), an_offer_side(cell=FAR), "too_far"),
        (a_side(ways=frozenset({"delivery"})), an_offer_side(ways=frozenset({"courier"})), "no_common_way"),
        (
            a_side(windows=(Window(START, START + timedelta(hours=1)),)),
            an_offer_side(windows=(Window(START + timedelta(hours=1), START + timedelta(hours=2)),)),
            "no_common_time",
        ),
        (a_side(windows=(Window(START - timedelta(hours=2), START),)), an_offer_side(), "no_common_time"),
        (a_side(Line("n1", "bottle", 1)), an_offer_side(), "item_differs"),
        (a_side(Line("n1", "gone", 1)), an_offer_side(Line("o1", "gone", 1)), "item_refused"),
        (a_side(), an_offer_side(Line("o1", "tablet", 12, date(2023, 1, 9))), "expires_too_soon"),
        (a_side(), an_offer_side(Line("o1", "tablet", 0)), "nothing_left"),
        (a_side(), an_offer_side(Line("o1", "tablet", 1)), "too_little"),
        (
            a_side(Line("n1", "spirit", 2), ways=frozenset({"courier"})),
            an_offer_side(Line("o1", "spirit", 2), ways=frozenset({"courier"})),
            "way_not_allowed",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_name(need: Side, offer: Side, why: Refusal) -> None:
    verdict = judged(need, offer)

    assert not verdict.eligible
    assert verdict.refusals == (why,)


def test_who_is_blocked_is_never_matched() -> None:
    assert judged(a_side(), an_offer_side(), blocked=True).refusals == ("blocked",)


def test_all_reasons_of_a_pair_are_told_at_once() -> None:
    verdict = judged(a_side(open=False), an_offer_side(cell=FAR, author_here=False), blocked=True)

    assert verdict.refusals == ("not_open", "author_away", "blocked", "too_far")


def test_expiry_counts_from_the_day_of_the_first_handover_in_shanghai() -> None:
    pack = an_offer_side(Line("o1", "tablet", 12, date(2023, 1, 10)))
    evening = Window(START + timedelta(hours=5), START + timedelta(hours=6))  # 01:00 of the 8th in Shanghai

    assert judged(a_side(), pack).eligible  # today, the 7th, and three days more
    assert judged(a_side(windows=(evening,)), pack).refusals == ("expires_too_soon",)


def test_an_item_for_adults_needs_somebody_known_to_be_one() -> None:
    pack = an_offer_side(Line("o1", "strong", 4))

    def served(**change: object) -> bool:
        return judged(a_side(Line("n1", "strong", 4), **change), pack).eligible  # type: ignore[arg-type] # see a_side

    assert served() and served(author_age_band="adult") and served(for_other=True, age_band="60_plus")
    assert not served(author_age_band="14_17") and not served(for_other=True) and not served(age_band="6_13")


def test_substitutes_are_given_only_to_who_allows_them_and_only_of_one_group() -> None:
    pack = an_offer_side(Line("o1", "brand-b", 4))

    assert judged(a_side(Line("n1", "brand-a", 4, substitutes=True)), pack).shares[0].item == "brand-b"
    assert judged(a_side(Line("n1", "brand-a", 4)), pack).refusals == ("item_differs",)
    assert judged(a_side(Line("n1", "tablet", 4, substitutes=True)), pack).refusals == ("item_differs",)


def test_a_substitute_does_not_take_what_another_line_needs_by_name() -> None:
    need = a_side(Line("n1", "brand-a", 4, substitutes=True), Line("n2", "brand-b", 4))

    verdict = judged(need, an_offer_side(Line("o1", "brand-b", 4)))

    assert [(s.need_line, s.quantity) for s in verdict.shares] == [("n2", 4)]


def test_the_pack_that_expires_first_goes_first() -> None:
    packs = (Line("late", "tablet", 9, date(2024, 6, 1)), Line("soon", "tablet", 3, date(2023, 6, 1)))

    verdict = judged(a_side(Line("n1", "tablet", 6)), an_offer_side(*packs))

    assert [(s.offer_line, s.quantity) for s in verdict.shares] == [("soon", 3), ("late", 3)]


def test_a_need_of_one_tablet_is_not_too_little() -> None:
    assert judged(a_side(Line("n1", "tablet", 1)), an_offer_side()).quantity == 1


def test_a_need_comes_forward_by_waiting_and_by_being_passed_over_and_back_by_not_coming() -> None:
    def turn(**more: Any) -> int:
        return rules.turn(a_side(**more), START)

    patient = START - timedelta(hours=30)
    assert [turn(), turn(since=patient), turn(since=patient, passed=1), turn(passed=9)] == [0, 2, 3, 3]
    assert (turn(since=patient, no_shows=1), turn(no_shows=2)) == (1, 0)


def test_for_who_did_not_come_three_times_nothing_is_proposed() -> None:
    assert judged(a_side(no_shows=2), an_offer_side()).eligible
    assert "author_rests" in judged(a_side(no_shows=3), an_offer_side()).refusals
    assert "author_rests" in judged(a_side(), an_offer_side(no_shows=3)).refusals


@pytest.mark.parametrize(
    ("first", "second", "contrary"),
    [
        ("no_show", "no_show", True),
        ("no_show", "unreachable", True),
        ("wrong_goods", "no_show", True),
        ("no_show", "changed_mind", False),
        ("unreachable", "unreachable", False),
    ],
)
def test_who_says_that_the_other_did_not_come_was_there(first: FailReason, second: FailReason, contrary: bool) -> None:
    assert rules.contradict(first, second) is contrary


def test_a_proposal_stands_two_or_twelve_hours_and_never_longer_than_a_post() -> None:
    short, long = START + timedelta(hours=1), START + timedelta(hours=60)

    def until(urgency: Any, offer_until: datetime) -> datetime:
        return rules.stands_until(Post(urgency=urgency, until=long), Post(until=offer_until), now=START)

    assert until("normal", long) == START + timedelta(hours=12)
    assert until("urgent", long) == START + timedelta(hours=2)
    assert until("normal", short) == short


HOURS = st.integers(-6, 90).map(lambda h: START + timedelta(hours=h))
WINDOWS = st.lists(st.tuples(HOURS, HOURS).map(lambda ends: Window(min(ends), max(ends))), max_size=4).map(tuple)
CODES = st.sampled_from(sorted(SHELF))


def lines(prefix: str) -> st.SearchStrategy[tuple[Line, ...]]:
    dates = st.none() | st.dates(date(2023, 1, 1), date(2023, 2, 1))
    parts = st.tuples(CODES, st.integers(0, 9), dates, st.booleans())
    return st.lists(parts, min_size=1, max_size=5).map(
        lambda drawn: tuple(Line(f"{prefix}{n}", *part) for n, part in enumerate(drawn))
    )


def any_side(prefix: str, author: str) -> st.SearchStrategy[Side]:
    return st.builds(
        lambda drawn, windows, until, ways, band: a_side(
            *drawn, author=author, windows=windows, until=until, ways=ways, age_band=band
        ),
        lines(prefix),
        WINDOWS,
        HOURS,
        st.sets(st.sampled_from(["pickup", "delivery", "courier"]), min_size=1).map(frozenset),
        st.sampled_from([None, "under_6", "adult"]),
    )


@given(any_side("n", "needer"), any_side("o", "giver"))
def test_whatever_is_shared_is_there_is_needed_and_is_allowed(need: Side, offer: Side) -> None:
    verdict = judged(need, offer)

    assert bool(verdict.shares) != bool(verdict.refusals)
    wanted, packs = {line.id: line for line in need.lines}, {line.id: line for line in offer.lines}
    for sides, key in ((wanted, "need_line"), (packs, "offer_line")):
        for line in sides.values():
            assert sum(s.quantity for s in verdict.shares if getattr(s, key) == line.id) <= line.free
    assert len({(s.need_line, s.offer_line) for s in verdict.shares}) == len(verdict.shares)
    for share in verdict.shares:
        item = SHELF[share.item]
        assert share.quantity > 0 and item.listable
        assert share.item == wanted[share.need_line].item or wanted[share.need_line].substitutes
        assert item.handover == "any" or item.handover in need.ways & offer.ways
        meeting = rules.common_window(need, offer, now=START)
        expires = packs[share.offer_line].expires_on
        assert meeting is not None
        assert expires is None or expires >= today(meeting.start) + timedelta(days=item.course_days)


@given(any_side("n", "needer"), any_side("o", "giver"))
def test_the_first_common_window_lies_in_both_and_none_is_earlier(need: Side, offer: Side) -> None:
    found = rules.common_window(need, offer, now=START)

    def both_there(moment: datetime) -> bool:
        stands = START <= moment < min(need.until, offer.until)
        return stands and all(
            not side.windows or any(w.start <= moment < w.end for w in side.windows) for side in (need, offer)
        )

    moments = [START + timedelta(minutes=30 * n) for n in range(2 * 90)]
    first = next((moment for moment in moments if both_there(moment)), None)
    assert (found.start if found else None) == first
    assert found is None or both_there(found.end - timedelta(seconds=1))
