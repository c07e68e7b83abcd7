"""Phones: what may sign in, what is refused and why, and that none of it shows a number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutualaid.kit import phones
from mutualaid.kit.phones import Phone, PhoneRejected

GOOD = [
    "13800138000",
    "+8613800138000",
    "008613800138000",
    "86 138 0013 8000",
    "+86 138-0013-8000",
    "１３８００１３８０００",
    "＋８６ １３８００１３８０００",
    "(138) 0013 8000",
    "138.0013.8000",
    "138–0013—8000",
    "\u202d138 0013 8000\u202c",
    "\ufeff13800138000",
    "  13800138000\n",
]

BAD = [
    ("", "not_a_number"),
    ("hello", "not_a_number"),
    ("1-800-FLOWERS", "not_a_number"),
    ("call 13800138000 now", "not_a_number"),
    ("一三八零零一三八零零零", "not_a_number"),
    ("13800138000\x00", "not_a_number"),
    ("\ud800", "not_a_number"),
    ("1" * 500, "not_a_number"),
    ("+", "not_a_number"),
    ("1380013", "too_short"),
    ("138001380", "too_short"),
    ("110", "too_short"),
    ("138001380001", "too_long"),
    ("138001380001234", "too_long"),
    ("0771-5881234", "landline"),
    ("010-12345678", "landline"),
    ("400-123-4567", "service_number"),
    ("800-810-1234", "service_number"),
    ("+85251234567", "foreign"),
    ("+14155552671", "foreign"),
    ("14800138000", "unknown_range"),
    ("14600138000", "unknown_range"),
    ("19400138000", "unknown_range"),
    ("13800138000转8123", "extension"),
    ("13800138000,8123", "extension"),
    ("13800138000 分机 8123", "extension"),
]

MOBILE_RANGES = (
    [f"13{n}" for n in range(10)]
    + ["145", "147", "150", "151", "152", "153", "155", "156", "157", "158", "159"]
    + ["162", "165", "166", "167", "170", "171", "172", "173", "175", "176", "177", "178"]
    + [f"18{n}" for n in range(10)]
    + ["190", "191", "192", "193", "195", "196", "197", "198", "199", "1610", "17400", "17405"]
)
OTHER_RANGES = ["140", "141", "142", "143", "144", "146", "148", "149", "154", "160", "1611"]
OTHER_RANGES += ["163", "164", "168", "169", "17406", "179", "194"]


@pytest.mark.parametrize("typed", GOOD)
def test_a_mobile_is_understood_however_it_is_typed(typed: str) -> None:
    assert phones.parse(typed) == Phone("+8613800138000")


@pytest.mark.parametrize(("typed", "reason"), BAD)
def test_what_cannot_sign_in_is_refused_for_its_own_reason(typed: str, reason: str) -> None:
    with pytest.raises(PhoneRejected) as refused:
        phones.parse(typed)

    assert refused.value.reason == reason
    assert str(refused.value) == reason


@pytest.mark.parametrize("prefix", MOBILE_RANGES)
def test_every_range_given_to_people_may_sign_in(prefix: str) -> None:
    assert phones.national(phones.parse(prefix.ljust(11, "0")).e164) == prefix.ljust(11, "0")


@pytest.mark.parametrize("prefix", OTHER_RANGES)
def test_ranges_of_machines_and_unknown_ones_may_not(prefix: str) -> None:
    with pytest.raises(PhoneRejected) as refused:
        phones.parse(prefix.ljust(11, "0"))

    assert refused.value.reason == "unknown_range"


def test_other_regions_are_let_in_by_setting() -> None:
    assert phones.parse("+85251234567", regions=("CN", "HK")).e164 == "+85251234567"
    assert phones.parse("5123 4567", regions=("CN", "HK")).e164 == "+85251234567"
    assert phones.parse("13800138000", regions=("CN", "HK")).e164 == "+8613800138000"


def test_a_phone_shows_two_digits_at_most_wherever_it_is_printed() -> None:
    phone = Phone("+8613800138000")

    for shown in (repr(phone), str(phone), f"{phone}", f"{phone!r}", "%s" % phone, f"{[phone]}"):  # noqa: UP031 - logging formats like this
        assert "138" not in shown and shown.count("0") == 2


@pytest.mark.parametrize("text", ["13800138000", "+86 13800138000", "+0", "", "+86138001380001234"])
def test_a_phone_is_made_of_e164_only_and_the_refusal_does_not_repeat_it(text: str) -> None:
    with pytest.raises(ValueError) as refused:
        Phone(text)

    assert text == "" or text not in str(refused.value)


def test_the_mask_keeps_the_ends() -> None:
    assert phones.mask("+8613800138000") == "138****8000"
    assert phones.mask("+85251234567") == "51****67"


@pytest.mark.parametrize(
    ("typed", "e164", "extension"),
    [
        ("0771-5881234转801", "+867715881234", "801"),
        ("0771-5881234 分机：801", "+867715881234", "801"),
        ("13800138000,8123", "+8613800138000", "8123"),
        ("13800138000转接8123", "+8613800138000", "8123"),
        ("13800138000;ext=8123", "+8613800138000", "8123"),
        ("17000000001", "+8617000000001", None),
        ("+8617000000001", "+8617000000001", None),
        ("+85251234567", "+85251234567", None),
        ("400-123-4567", "+864001234567", None),
    ],
)
def test_a_dialled_number_may_be_of_any_kind_and_keeps_its_extension(
    typed: str, e164: str | None, extension: str | None
) -> None:
    if e164 is None:
        with pytest.raises(PhoneRejected):
            phones.parse_dialled(typed)
    else:
        dialled = phones.parse_dialled(typed)
        assert (dialled.phone.e164, dialled.extension) == (e164, extension)


def test_virtual_operators_are_known_by_their_ranges() -> None:
    assert phones.of_virtual_operator(Phone("+8617000000001"))
    assert not phones.of_virtual_operator(Phone("+8613800138000"))
    assert not phones.of_virtual_operator(Phone("+85216512345"))


@given(st.sampled_from(MOBILE_RANGES), st.integers(0, 10**8 - 1))
def test_writing_a_phone_and_reading_it_again_changes_nothing(prefix: str, rest: int) -> None:
    number = (prefix + f"{rest:08}")[:11]
    phone = phones.parse(number)

    assert phone.e164 == "+86" + number
    assert phones.parse(phone.e164) == phone
    assert phones.mask(phone.e164) == f"{number[:3]}****{number[-4:]}"


@given(st.text(max_size=60))
def test_any_text_is_either_a_phone_or_refused(text: str) -> None:
    try:
        assert phones.parse(text).e164.startswith("+86")
    except PhoneRejected as refused:
        assert refused.reason
