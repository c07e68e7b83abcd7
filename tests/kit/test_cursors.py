"""Cursors: what a page hands out continues that list, and nothing else is taken for one."""

import base64
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mutualaid.kit import cursors
from mutualaid.kit.errors import Invalid
from mutualaid.kit.ring import KeyRing

QUERY = "plaza|kind=need|sort=newest"
VALUES: list[str | int] = ["2023-01-07", 17, "a" * 32]
KINDS = [str, int, str]

anything = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def refused(ring: KeyRing, cursor: str, query: str = QUERY, kinds: list[type] = KINDS) -> None:
    with pytest.raises(Invalid) as refusal:
        cursors.decode(ring, query, cursor, kinds=kinds)
    assert [(error.field, error.code) for error in refusal.value.fields] == [("cursor", "cursor_invalid")]


@anything
@given(st.lists(st.text() | st.integers(), max_size=4), st.text())
def test_a_cursor_gives_back_what_it_was_made_of(ring: KeyRing, values: list[str | int], query: str) -> None:
    query = query.encode(errors="ignore").decode()
    values = [value.encode(errors="ignore").decode() if isinstance(value, str) else value for value in values]

    cursor = cursors.encode(ring, query, values)

    assert cursors.decode(ring, query, cursor, kinds=[type(value) for value in values]) == values
    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@pytest.mark.parametrize("longer", ["", "b", "bb"])
def test_a_cursor_is_spelt_in_one_way(ring: KeyRing, longer: str) -> None:
    """Base64 has bits to spare at its end, and signs to fill it up."""
    cursor = cursors.encode(ring, QUERY, [*VALUES[:2], "a" + longer])

    for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_":
        if last != cursor[-1]:
            refused(ring, cursor[:-1] + last)
    for more in ("=", "=="):
        refused(ring, cursor + more)


def test_a_cursor_belongs_to_one_query(ring: KeyRing) -> None:
    refused(ring, cursors.encode(ring, QUERY, VALUES), QUERY + "|item=ibuprofen")


def test_a_cursor_of_another_house_is_foreign(ring: KeyRing, tmp_path: Path) -> None:
    refused(ring, cursors.encode(KeyRing.open(tmp_path / "other"), QUERY, VALUES))


def test_every_changed_bit_is_noticed(ring: KeyRing) -> None:
    raw = base64.urlsafe_b64decode(cursors.encode(ring, QUERY, VALUES) + "==")

    for place in range(len(raw) * 8):
        changed = bytearray(raw)
        changed[place // 8] ^= 1 << place % 8
        refused(ring, base64.urlsafe_b64encode(changed).decode().rstrip("="))


@anything
@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_whatever_somebody_makes_up_is_refused_and_never_fails(ring: KeyRing, cursor: str) -> None:
    refused(ring, cursor)


@pytest.mark.parametrize("body", [[], {}, 1, None, ["1"], [None], [9e99], [10**30], [[1]], [True], "[" * 200, [1, 2]])
def test_a_body_of_another_shape_is_refused(ring: KeyRing, body: object) -> None:
    text = body if isinstance(body, str) else json.dumps(body)

    refused(ring, base64.urlsafe_b64encode(bytes(16) + text.encode()).decode().rstrip("="))


@pytest.mark.parametrize("kinds", [[str, int], [str, int, str, str], [str, str, str], []])
def test_values_of_other_kinds_are_refused(ring: KeyRing, kinds: list[type]) -> None:
    refused(ring, cursors.encode(ring, QUERY, VALUES), kinds=kinds)


def test_a_truth_value_is_no_number(ring: KeyRing) -> None:
    refused(ring, cursors.encode(ring, QUERY, [True]), kinds=[int])


def test_a_cursor_is_good_until_its_key_is_retired(ring: KeyRing) -> None:
    cursor = cursors.encode(ring, QUERY, VALUES)
    ring.rotate("cursor")
    assert cursors.decode(ring, QUERY, cursor, kinds=KINDS) == VALUES

    ring.retire("cursor", 1)
    refused(ring, cursor)
