from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutualaid.contacts import rules

NOON = datetime(2023, 1, 7, 4, tzinfo=UTC)  # 12:00 in Shanghai


@pytest.mark.parametrize(
    ("hours", "at", "rests"),
    [
        ("", "02:00", False),
        ("22:00-07:00", "21:59", False),
        ("22:00-07:00", "22:00", True),
        ("22:00-07:00", "02:00", True),
        ("22:00-07:00", "06:59", True),
        ("22:00-07:00", "07:00", False),
        ("12:00-14:00", "12:00", True),
        ("12:00-14:00", "14:00", False),
        ("12:00-12:00", "12:00", False),
    ],
)
def test_calls_rest_in_shanghais_hours(hours: str, at: str, rests: bool) -> None:
    local = datetime.fromisoformat(f"2023-01-07T{at}:00+08:00")

    assert rules.resting(hours, local.astimezone(UTC)) is rests


@given(st.integers(-10, 200_000))
def test_a_call_never_outlasts_its_lease_nor_half_an_hour(seconds: int) -> None:
    longest = rules.longest_call(NOON + timedelta(seconds=seconds), NOON)

    assert 1 <= longest <= max(1, min(seconds, rules.LONGEST_CALL_S))


@pytest.mark.parametrize("state", ["asked", "granted", "released", "failed"])
def test_what_is_over_by_the_clock_is_shown_as_over(state: rules.State) -> None:
    assert rules.shown_state(state, NOON + timedelta(seconds=1), NOON) == state
    assert rules.shown_state(state, NOON, NOON) == ("failed" if state == "failed" else "released")
