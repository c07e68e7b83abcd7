"""What holds for members, without any I/O."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutualaid.members import rules

KEYS = st.binary(min_size=32, max_size=32)
CHALLENGES = st.text("0123456789abcdef", min_size=32, max_size=32)


@given(KEYS, CHALLENGES)
def test_a_code_has_six_digits_and_fits_its_own_challenge(key: bytes, challenge: str) -> None:
    code = rules.code_of(key, challenge)

    assert len(code) == 6 and code.isascii() and code.isdigit()
    assert rules.code_fits(key, challenge, code)
    assert not rules.code_fits(key, challenge, str((int(code) + 1) % 10**6).zfill(6))


def test_another_key_or_another_challenge_has_another_code() -> None:
    codes = {rules.code_of(bytes([n]) * 32, f"{m:032x}") for n in range(8) for m in range(8)}

    assert len(codes) > 60  # 64 draws out of a million


def test_a_code_in_other_digits_is_no_code() -> None:
    assert not rules.code_fits(b"k" * 32, "c", "１２３４５６")


@pytest.mark.parametrize(
    ("legal_name", "shown"),
    [
        ("王小明", "王**"),
        ("王明", "王**"),
        ("欧阳娜娜", "欧阳**"),
        ("欧阳修", "欧阳**"),
        ("欧阳", "欧**"),
        ("诸葛亮", "诸葛**"),
        ("阿布都·热合曼", "阿**"),
        ("O'Brien", "O**"),
        ("  李四 ", "李**"),
    ],
)
def test_only_the_surname_is_shown(legal_name: str, shown: str) -> None:
    assert rules.masked_name(legal_name) == shown


@given(st.text(min_size=1, max_size=30))
def test_a_masked_name_never_tells_how_long_it_was(name: str) -> None:
    shown = rules.masked_name(name)

    assert shown.endswith("**") and len(shown) <= 4


def test_a_newcomers_name_says_nothing_of_them_and_stays() -> None:
    shown = rules.neighbour_name("ab" * 16)

    assert shown == rules.neighbour_name("ab" * 16)
    assert shown.startswith("邻居") and len(shown) == 6


@pytest.mark.parametrize("name", ["王小明", "阿布都·热合曼", "O'Brien", "Ngũgĩ wa Thiong'o", "ئابدۇرېھىم"])
def test_names_of_all_scripts_are_names(name: str) -> None:
    assert rules.could_be_a_name(name)


@pytest.mark.parametrize("name", ["", " ", "·", "王2", "13800138000", "王@明", "<b>王</b>", "王\n明"])
def test_digits_and_signs_are_no_names(name: str) -> None:
    assert not rules.could_be_a_name(name)


def test_a_step_up_lasts_a_working_day_for_staff_and_one_deed_for_others() -> None:
    assert rules.step_up_lasts("moderator") == rules.step_up_lasts("admin") == timedelta(hours=8)
    assert rules.step_up_lasts("member") == rules.step_up_lasts("vendor") == timedelta(minutes=10)


@given(st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))
def test_a_cursor_carries_a_moment_to_the_microsecond(moment: datetime) -> None:
    assert rules.moment_of(rules.micros_of(moment)) == moment
