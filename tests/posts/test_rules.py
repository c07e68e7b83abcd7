"""What may be posted, and how a row guards its states: no database, no clock."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutualaid.catalogue.rules import Item
from mutualaid.kit.errors import FieldError
from mutualaid.posts import rules
from mutualaid.posts.errors import PostNotOpen, QuantityGone, QuantityHeld
from mutualaid.posts.records import ENDED, Post, PostLine, State
from mutualaid.posts.rules import Kind, Window
from tests.catalogue.sheets import packaged_items

NOW = datetime(2023, 1, 7, 12, tzinfo=UTC)
TODAY = date(2023, 1, 7)
ITEMS = {item.code: item for item in packaged_items()}
REFUSED = next(item for item in ITEMS.values() if not item.listable)


@dataclass(frozen=True)
class Line:
    item: str
    quantity: int = 1
    expires_on: date | None = date(2023, 12, 31)
    sealed: bool | None = True
    substitutes: bool = False


def found(kind: Kind | None, *lines: Line | None, items: dict[str, Item] = ITEMS) -> set[tuple[str, str]]:
    errors = rules.line_errors(kind, lines, items.get, today=TODAY, language="en")
    return {(error.field, error.code) for error in errors}


def codes(errors: list[FieldError]) -> list[tuple[str, str]]:
    return [(error.field, error.code) for error in errors]


# ---- lines ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("item", [item for item in ITEMS.values() if item.listable], ids=lambda item: item.code)
def test_every_listable_item_may_be_posted_up_to_its_cap_and_no_further(kind: Kind, item: Item) -> None:
    assert found(kind, Line(item.code, item.most(kind))) == set()
    assert found(kind, Line(item.code, item.most(kind) + 1)) == {("lines.0.quantity", "over_cap")}


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("item", [item for item in ITEMS.values() if not item.listable], ids=lambda item: item.code)
def test_a_refused_item_says_why_in_the_readers_language(kind: Kind, item: Item) -> None:
    for language in ("zh-Hans", "en"):
        (error,) = rules.line_errors(kind, [Line(item.code)], ITEMS.get, today=TODAY, language=language)
        assert (error.field, error.code) == ("lines.0.item", "item_refused")
        assert error.params["reason"] == item.reason(language) != ""


def test_unknown_items_are_named_by_their_place() -> None:
    assert found("need", Line("ibuprofen"), Line("unicorn")) == {("lines.1.item", "item_unknown")}


def test_a_line_that_could_not_be_read_hides_no_other() -> None:
    assert found("offer", None, Line("unicorn")) == {("lines.1.item", "item_unknown")}


def test_without_a_kind_only_what_does_not_depend_on_it_is_said() -> None:
    assert found(None, Line("ibuprofen", 999), Line(REFUSED.code)) == {("lines.1.item", "item_refused")}


def test_a_need_names_an_item_once() -> None:
    assert ("lines.1.item", "item_repeated") in found("need", Line("ibuprofen"), Line("ibuprofen"))


def test_an_offer_may_name_an_item_twice_with_other_dates_and_one_cap_for_both() -> None:
    most = ITEMS["ibuprofen"].offer_max
    half = Line("ibuprofen", most // 2)
    later = replace(half, expires_on=date(2024, 6, 30))

    assert found("offer", half, later) == set()
    assert found("offer", half, replace(later, quantity=most)) == {("lines.1.quantity", "over_cap")}


def test_medicine_is_dated_and_sealed_but_a_need_says_neither() -> None:
    bare = Line("ibuprofen", expires_on=None, sealed=None)

    assert found("need", bare) == set()
    assert found("offer", bare) == {("lines.0.expires_on", "expiry_needed"), ("lines.0.sealed", "seal_needed")}
    assert found("offer", replace(bare, sealed=False, expires_on=date(2024, 1, 1))) == {
        ("lines.0.sealed", "seal_needed")
    }


@given(course=st.integers(0, 30), left=st.integers(-40, 40))
def test_an_offer_outlasts_the_course(course: int, left: int) -> None:
    item = replace(ITEMS["ibuprofen"], course_days=course)
    line = Line("ibuprofen", expires_on=TODAY + timedelta(days=left))

    too_soon = found("offer", line, items={"ibuprofen": item}) == {("lines.0.expires_on", "expires_too_soon")}

    assert too_soon == (left < course)


def test_goods_that_need_no_date_are_still_refused_once_out_of_date() -> None:
    goods = next(i for i in ITEMS.values() if i.listable and not i.expiry_required and not i.sealed_required)

    assert found("offer", Line(goods.code, expires_on=None, sealed=None)) == set()
    assert found("offer", Line(goods.code, expires_on=TODAY - timedelta(days=1), sealed=None)) == {
        ("lines.0.expires_on", "expires_too_soon")
    }


def test_what_is_handed_over_in_person_goes_by_no_courier() -> None:
    in_person = replace(ITEMS["mask-n95"], handover="pickup")
    find = {"mask-n95": in_person, "gloves": ITEMS["gloves"]}.get

    assert not list(rules.handover_errors(["pickup"], [Line("mask-n95")], find))
    assert not list(rules.handover_errors(["courier"], [Line("gloves")], find))
    assert codes(list(rules.handover_errors(["pickup", "courier"], [Line("gloves"), Line("mask-n95")], find))) == [
        ("handover", "handover_not_allowed")
    ]


# ---- times ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after", "code"),
    [
        (timedelta(microseconds=1), None),
        (timedelta(days=14), None),
        (timedelta(0), "until_past"),
        (timedelta(days=-1), "until_past"),
        (timedelta(days=14, microseconds=1), "until_too_far"),
    ],
)
def test_a_post_ends_ahead_and_within_a_fortnight(after: timedelta, code: str | None) -> None:
    assert [error.code for error in rules.until_errors(NOW + after, now=NOW)] == ([code] if code else [])


def test_a_window_ends_after_it_begins_and_is_not_over() -> None:
    hour = timedelta(hours=1)
    good, backwards, past = Window(NOW - hour, NOW + hour), Window(NOW + hour, NOW + hour), Window(NOW - hour, NOW)

    assert codes(list(rules.window_errors([good, backwards, None, past], now=NOW))) == [
        ("available.1.to", "window_backwards"),
        ("available.3.to", "until_past"),
    ]


def test_numbers_are_asked_of_a_need_by_anyone_and_of_an_offer_by_matches() -> None:
    assert (rules.default_contact("need"), rules.default_contact("offer")) == ("anyone", "matches")


# ---- states ---------------------------------------------------------------------------------------------------

_DEEDS = {
    "resolved": lambda post: post.resolve("elsewhere", NOW),
    "withdrawn": lambda post: post.withdraw(NOW),
    "expired": lambda post: post.expire(NOW),
    "closed": lambda post: post.close(NOW),
    "hidden": lambda post: post.hide("reports", NOW),
    "open": lambda post: post.restore(NOW),
}
_ALLOWED = {
    "open": {"resolved", "withdrawn", "expired", "closed", "hidden"},
    "hidden": {"open", "resolved", "withdrawn", "expired", "closed"},
}


@pytest.mark.parametrize("before", get_args(State))
@pytest.mark.parametrize("after", get_args(State))
def test_states_change_as_the_contracts_table_says_and_an_ended_post_never_comes_back(
    before: State, after: State
) -> None:
    post = Post(state=before, hidden_by="moderator" if before == "hidden" else None)

    if after in _ALLOWED.get(before, ()):
        _DEEDS[after](post)
        assert post.state == after
        assert post.ended_at == (NOW if after in ENDED else None)
        assert post.hidden_by == ("reports" if after == "hidden" else None)
    elif before == after == "hidden":
        _DEEDS[after](post)
        assert (post.state, post.hidden_by) == ("hidden", "moderator")  # it stays hidden for its first reason
    else:
        with pytest.raises(PostNotOpen):
            _DEEDS[after](post)
        assert (post.state, post.ended_at) == (before, None)


@pytest.mark.parametrize("state", get_args(State))
def test_only_a_post_that_goes_on_is_still_there(state: State) -> None:
    post = Post(state=state, confirmed_at=NOW - timedelta(days=1))
    if state in ENDED:
        with pytest.raises(PostNotOpen):
            post.confirm(NOW)
    else:
        post.confirm(NOW)
    assert (post.confirmed_at == NOW) == (state not in ENDED)


# ---- amounts --------------------------------------------------------------------------------------------------


@given(
    quantity=st.integers(1, 50),
    deeds=st.lists(
        st.tuples(st.sampled_from(["propose", "back", "hold", "free", "give", "amend"]), st.integers(0, 60)),
        max_size=20,
    ),
)
def test_held_and_proposed_never_exceed_remaining_nor_remaining_what_was_posted(
    quantity: int, deeds: list[tuple[str, int]]
) -> None:
    line = PostLine(quantity=quantity, remaining=quantity, held=0, proposed=0)
    given_away = 0
    for deed, amount in deeds:
        before = (line.quantity, line.remaining, line.held, line.proposed)
        try:
            if deed == "propose":
                line.propose(amount)
            elif deed == "back":
                line.take_back(min(amount, line.proposed))
            elif deed == "hold":
                line.hold(amount)
            elif deed == "free":
                line.free_up(min(amount, line.held))
            elif deed == "give":
                handed = min(amount, line.held)
                line.hand_over(handed)
                given_away += handed
            else:
                line.set_quantity(amount)
        except (QuantityGone, QuantityHeld):
            assert (line.quantity, line.remaining, line.held, line.proposed) == before
        assert line.held >= 0 and line.proposed >= 0
        assert line.held + line.proposed <= line.remaining <= line.quantity
        assert line.quantity - line.remaining == given_away
        assert line.free == line.remaining - line.held == line.spare + line.proposed


def test_an_amount_cannot_fall_below_what_is_promised_or_handed_over() -> None:
    line = PostLine(quantity=10, remaining=7, held=4, proposed=0)

    line.set_quantity(7)
    assert (line.quantity, line.remaining, line.free) == (7, 4, 0)
    with pytest.raises(QuantityHeld):
        line.set_quantity(6)
