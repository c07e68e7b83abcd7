"""GB 11643: vectors of the contract, an independent library as oracle, and the manners of dangerous values."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from id_validator import validator

from mutualaid.members import identity
from mutualaid.members.identity import Identity, IdentityRejected

TODAY = date(2023, 1, 7)

GOOD = [
    ("11010119900307707X", date(1990, 3, 7), "citizen"),
    ("450103199506150014", date(1995, 6, 15), "citizen"),
    ("450103199506150022", date(1995, 6, 15), "citizen"),
    ("11010519491231002X", date(1949, 12, 31), "citizen"),
    ("34052419800101001X", date(1980, 1, 1), "citizen"),
    ("110101200002290034", date(2000, 2, 29), "citizen"),
    ("450103200901010121", date(2009, 1, 1), "citizen"),
    ("810000199003071237", date(1990, 3, 7), "hong_kong"),
    ("820000199003074560", date(1990, 3, 7), "macau"),
    ("830000199003077894", date(1990, 3, 7), "taiwan"),
    ("911440199003071234", date(1990, 3, 7), "permanent_resident"),
]

BAD = [
    ("440524188001010014", "too_old"),  # the check digit is right, the holder would be 143
    ("110101199003077074", "wrong_check_digit"),
    ("45010319950615001X", "wrong_check_digit"),
    ("110101199002300011", "no_such_birthday"),
    ("000000000000000000", "unknown_region"),
    ("990101199003077070", "unknown_region"),
    ("110101203003077072", "born_in_the_future"),
    ("110101900307707", "obsolete"),
    ("1101011990030770", "wrong_length"),
    ("11010119900307707XX", "wrong_length"),
    ("1101011990O307707X", "malformed"),
    ("110101X99003077070", "malformed"),
    ("一一〇一〇一一九九〇〇三〇七七〇七", "malformed"),
    ("", "malformed"),
    ("1" * 1000, "malformed"),
    ("\ud800", "malformed"),
]


@pytest.mark.parametrize(("number", "birth", "holder"), GOOD)
def test_a_right_number_tells_birth_and_holder(number: str, birth: date, holder: str) -> None:
    found = identity.check(number, today=TODAY)

    assert (found.normalised, found.birth, found.holder) == (number, birth, holder)


@pytest.mark.parametrize(("number", "reason"), BAD)
def test_a_wrong_number_is_refused_for_its_own_reason(number: str, reason: str) -> None:
    with pytest.raises(IdentityRejected) as refused:
        identity.check(number, today=TODAY)

    assert refused.value.reason == reason
    assert number == "" or number not in str(refused.value)


@pytest.mark.parametrize(
    "typed",
    [
        "11010119900307707x",
        "１１０１０１１９９００３０７７０７Ｘ",
        " 110101 19900307 707X ",
        "\u200b11010119900307707X",
    ],
)
def test_full_width_digits_spaces_and_a_small_x_are_forgiven(typed: str) -> None:
    assert identity.check(typed, today=TODAY).normalised == "11010119900307707X"


def test_an_identity_does_not_leak_when_it_is_printed() -> None:
    found = identity.check("11010119900307707X", today=TODAY)

    for shown in (repr(found), str(found), f"{found}", f"{[found]}"):
        assert "1990" not in shown and "707" not in shown


@given(
    st.dates(date(1904, 1, 1), TODAY), st.sampled_from(["110101", "450103", "440524", "310101"]), st.integers(0, 999)
)
def test_every_number_with_its_own_check_digit_passes_here_and_in_an_independent_library(
    birth: date, address: str, sequence: int
) -> None:
    first_17 = f"{address}{birth:%Y%m%d}{sequence:03}"
    number = first_17 + identity.check_digit(first_17)

    assert identity.check(number, today=TODAY) == Identity(number, birth, "citizen")
    assert validator.is_valid(number)


@given(st.dates(date(1904, 1, 1), TODAY), st.integers(0, 999), st.integers(0, 17), st.integers(1, 9))
def test_one_wrong_digit_is_always_noticed(birth: date, sequence: int, place: int, step: int) -> None:
    first_17 = f"450103{birth:%Y%m%d}{sequence:03}"
    number = first_17 + identity.check_digit(first_17)
    digit = "X" if number[place] == "X" else str((int(number[place]) + step) % 10)
    typo = number[:place] + ("0" if digit == "X" else digit) + number[place + 1 :]

    with pytest.raises(IdentityRejected):
        identity.check(typo, today=TODAY)


@given(st.text())
def test_any_text_is_either_an_identity_or_refused(text: str) -> None:
    try:
        assert len(identity.check(text, today=TODAY).normalised) == 18
    except IdentityRejected as refused:
        assert refused.reason


@pytest.mark.parametrize(
    ("birth", "day", "age"),
    [
        (date(2009, 1, 1), date(2022, 12, 31), 13),
        (date(2009, 1, 1), date(2023, 1, 1), 14),
        (date(2000, 2, 29), date(2023, 2, 28), 22),
        (date(2000, 2, 29), date(2023, 3, 1), 23),
        (date(2000, 2, 29), date(2024, 2, 29), 24),
    ],
)
def test_the_birthday_itself_counts(birth: date, day: date, age: int) -> None:
    assert identity.age_on(birth, day) == age


@pytest.mark.parametrize(
    ("age", "band"),
    [
        (0, "under_14"),
        (13, "under_14"),
        (14, "14_17"),
        (17, "14_17"),
        (18, "adult"),
        (59, "adult"),
        (60, "60_plus"),
        (120, "60_plus"),
    ],
)
def test_bands_meet_without_a_gap(age: int, band: str) -> None:
    assert identity.age_band(age) == band


def test_somebody_of_120_years_may_join_and_of_121_is_a_typing_error() -> None:
    first_17 = "45010319030615001"
    number = first_17 + identity.check_digit(first_17)

    assert identity.check(number, today=date(2024, 6, 14)).birth.year == 1903
    with pytest.raises(IdentityRejected):
        identity.check(number, today=date(2024, 6, 15))
