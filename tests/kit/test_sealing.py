import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as some

from mutualaid.kit.ring import KeyRing
from mutualaid.kit.sealing import (
    WRAPPED_BYTES,
    DataKey,
    Unreadable,
    lookup,
    lookups,
    seal,
    unseal,
    unseal_text,
    unwrap,
    wrap,
    wrapped_under,
)

PLACE = {"table": "members", "column": "phone", "row": "a1"}


@given(some.binary(max_size=300))
def test_what_was_sealed_is_what_is_read(plaintext: bytes) -> None:
    key = DataKey.make()

    assert unseal(key, seal(key, plaintext, **PLACE), **PLACE) == plaintext


@given(some.text(max_size=100).filter(lambda t: t.isprintable()))
def test_text_is_sealed_as_text(text: str) -> None:
    key = DataKey.make()

    assert unseal_text(key, seal(key, text, **PLACE), **PLACE) == text


def test_sealed_bytes_that_are_no_text_are_not_quoted() -> None:
    key = DataKey.make()

    with pytest.raises(Unreadable) as refusal:
        unseal_text(key, seal(key, b"\xff\xfe", **PLACE), **PLACE)
    assert refusal.value.__cause__ is None


def test_one_value_never_looks_the_same_twice() -> None:
    key = DataKey.make()

    assert len({seal(key, "+8613800138000", **PLACE) for _ in range(100)}) == 100


@pytest.mark.parametrize("moved", [{"table": "posts"}, {"column": "name"}, {"row": "a2"}])
def test_a_value_copied_to_another_place_does_not_open(moved: dict[str, str]) -> None:
    key = DataKey.make()
    sealed = seal(key, "secret", **PLACE)

    with pytest.raises(Unreadable):
        unseal(key, sealed, **{**PLACE, **moved})


def test_another_members_key_opens_nothing() -> None:
    sealed = seal(DataKey.make(), "secret", **PLACE)

    with pytest.raises(Unreadable):
        unseal(DataKey.make(), sealed, **PLACE)


@given(some.data())
def test_any_altered_cut_or_lengthened_value_does_not_open(data: some.DataObject) -> None:
    key = DataKey.make()
    sealed = seal(key, "secret", **PLACE)
    at = data.draw(some.integers(0, len(sealed) - 1))
    flip = data.draw(some.integers(1, 255))

    for damaged in (sealed[:at], sealed[:at] + bytes((sealed[at] ^ flip,)) + sealed[at + 1 :], sealed + b"\0"):
        with pytest.raises(Unreadable):
            unseal(key, damaged, **PLACE)


def test_a_place_that_could_mean_two_places_is_refused() -> None:
    with pytest.raises(ValueError, match="two places"):
        seal(DataKey.make(), "secret", table="a|b", column="c", row="d")


def test_a_data_key_cannot_be_printed_pickled_or_collected() -> None:
    key = DataKey(bytes(range(32)))

    assert repr(key) == str(key) == f"{key}" == "DataKey(…)"
    for leak in (pickle.dumps, hash):
        with pytest.raises(TypeError):
            leak(key)
    with pytest.raises(ValueError, match="256 bits"):
        DataKey(b"short")


def test_a_look_up_is_equal_only_for_the_same_value_of_the_same_kind(ring: KeyRing) -> None:
    found = lookup(ring, "phone", "+8613800138000")

    assert found == lookup(ring, "phone", "+8613800138000") and len(found) == 34
    assert found != lookup(ring, "phone", "+8613800138001")
    assert found != lookup(ring, "openid", "+8613800138000")
    assert b"138" not in found


def test_values_of_different_kinds_cannot_be_made_to_meet(ring: KeyRing) -> None:
    with pytest.raises(ValueError, match="NUL"):
        lookup(ring, "phone\0x", "y")


def test_what_was_looked_up_before_a_rotation_is_found_after_it(ring: KeyRing) -> None:
    before = lookup(ring, "phone", "+8613800138000")

    ring.rotate("lookup")

    after = lookup(ring, "phone", "+8613800138000")
    assert before != after
    assert lookups(ring, "phone", "+8613800138000") == [after, before]


def test_an_introduced_key_is_searched_by_and_not_yet_written_with(ring: KeyRing) -> None:
    before = lookup(ring, "phone", "+8613800138000")

    ring.introduce("lookup")

    assert lookup(ring, "phone", "+8613800138000") == before
    assert len(lookups(ring, "phone", "+8613800138000")) == 2


def test_a_wrapped_key_opens_for_its_owner_only(ring: KeyRing) -> None:
    key = DataKey.make()

    wrapped = wrap(ring, key, owner="a1")

    assert unwrap(ring, wrapped, owner="a1") == key and len(wrapped) == WRAPPED_BYTES
    assert key.material not in wrapped
    with pytest.raises(Unreadable):
        unwrap(ring, wrapped, owner="a2")
    with pytest.raises(Unreadable):
        unwrap(ring, wrapped[:-1], owner="a1")


def test_a_wrapped_key_outlives_a_rotation_and_ends_with_its_envelope(ring: KeyRing) -> None:
    key = DataKey.make()
    wrapped = wrap(ring, key, owner="a1")

    ring.rotate("envelope")

    assert wrapped_under(wrapped) == 1 and wrapped_under(wrap(ring, key, owner="a1")) == 2
    assert unwrap(ring, wrapped, owner="a1") == key
    ring.retire("envelope", 1)
    with pytest.raises(Unreadable):
        unwrap(ring, wrapped, owner="a1")
