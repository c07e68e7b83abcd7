import sys
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutualaid.catalogue import readings
from mutualaid.catalogue.readings import readings_of
from mutualaid.catalogue.rules import search_key
from mutualaid.catalogue.spelling import spells
from tests.catalogue.sheets import packaged_items

NAMES = [search_key(text) for item in packaged_items() for text in (item.name, *item.aliases)]
READ = readings_of(frozenset("".join(NAMES)))


def test_the_table_is_read_and_the_package_never_imported() -> None:
    assert "pypinyin" not in sys.modules
    assert readings_of(frozenset("布囊绿,")) == {"布": ("bu",), "囊": ("nang",), "绿": ("lv", "lu")}


def test_every_character_of_our_names_is_read() -> None:
    han = {character for name in NAMES for character in name if "\u4e00" <= character <= "\u9fff"}

    assert len(han) > 150 and han <= READ.keys()


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readings, "_MODULE", "no_such_package")

    with pytest.raises(RuntimeError, match="no_such_package"):
        readings_of(frozenset("茂"))


@pytest.mark.parametrize(
    "typed", ["jn", "jiaonang", "xiaonang", "jiaon", "nang", "hsjn", "huanshi", "huan shi jiao nang"]
)
def test_any_reading_is_right(typed: str) -> None:
    assert spells(typed, "缓释胶囊", {**readings_of(frozenset("缓释胶囊")), "胶": ("jiao", "xiao")})


@pytest.mark.parametrize("typed", ["", "j", "jni", "ni", "jia", "jiaonangx", "ng", "nangjiao", "胶n"])
def test_what_is_not_said_is_not_found(typed: str) -> None:
    assert not spells(typed, "缓释胶囊", readings_of(frozenset("缓释胶囊")))


@given(st.sampled_from(NAMES), st.data())
def test_every_part_of_a_name_is_found_by_initials_and_by_syllables(name: str, data: st.DataObject) -> None:
    sounds = [(c,) if c.isascii() and c.isalnum() else READ[c] for c in name if c in READ or c.isalnum()]
    start = data.draw(st.integers(0, len(sounds) - 1))
    part = [data.draw(st.sampled_from(each)) for each in sounds[start : data.draw(st.integers(start + 1, len(sounds)))]]

    assert len(part) < 2 or spells("".join(sound[0] for sound in part), name, READ)
    assert len("".join(part)) < 2 or spells("".join(part), name, READ)


@given(st.text("abflou", min_size=2, max_size=9))
def test_it_finds_nothing_but_parts(typed: str) -> None:
    """Against every text that may be typed for 布洛芬, written out."""
    sounds = [READ[character] for character in "布洛芬"]
    right: set[str] = set()
    for start, end in ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)):
        for part in product(*sounds[start:end]):
            right |= {"".join(sound[0] for sound in part), "".join(part)}
            right |= (
                {"".join(part)[:n] for n in range(len("".join(part[:-1])) + 1, len("".join(part)))}
                if part[1:]
                else set()
            )

    assert spells(typed, "布洛芬", READ) == (typed in right and len(typed) > 1)
