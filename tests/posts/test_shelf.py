"""The shelf of encoded cards: bounded, and what is asked for stays."""

from typing import Final
from unittest.mock import Mock

from mutualaid.posts.shelf import Shelf, Variant

OURS: Final[Variant] = ("zh-Hans", "wgs84", True)


def put(shelf: Shelf, post_id: str, octets: int = 10) -> None:
    shelf.put(Mock(id=post_id, author_id="author"), OURS, b"x" * octets)


def found(shelf: Shelf, *post_ids: str) -> set[str]:
    return set(shelf.find(post_ids, OURS, version=0, reader=None))


def test_what_was_asked_for_longest_ago_goes_where_there_is_no_room() -> None:
    shelf = Shelf(most=30)
    for post_id in ("a", "b", "c"):
        put(shelf, post_id)
    assert found(shelf, "a") == {"a"}

    put(shelf, "d")

    assert found(shelf, "a", "b", "c", "d") == {"a", "c", "d"}


def test_who_reads_all_over_pushes_out_nobody_who_reads_at_home() -> None:
    shelf = Shelf(most=1_000)
    for n in range(50):
        put(shelf, f"home{n}")
    for n in range(300):
        put(shelf, f"away{n}")
        assert found(shelf, f"home{n % 50}"), n


def test_a_card_that_is_larger_than_the_shelf_leaves_it_empty() -> None:
    shelf = Shelf(most=30)
    put(shelf, "a")

    put(shelf, "b", 40)

    assert found(shelf, "a", "b") == set()
