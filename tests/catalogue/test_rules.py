from dataclasses import replace

import pytest

from mutualaid.catalogue import rules
from mutualaid.catalogue.snapshot import Catalogue
from tests.catalogue.sheets import packaged_items

ITEMS = packaged_items()
CATALOGUE = Catalogue(1, tuple(ITEMS))


@pytest.mark.parametrize(
    ("q", "code"),
    [
        ("ibuprofen", "ibuprofen"),
        ("布洛", "ibuprofen"),
        ("芬必得", "ibuprofen"),
        ("IBUPROFEN", "ibuprofen"),
        ("Ｎ９５", "mask-n95"),
        ("  vc ", "vitamin-c"),
        ("大米", "rice"),
        ("抗原", "antigen-test"),
        ("blood", None),
        ("Pulse ox", "oximeter"),
        ("84", "disinfectant-84"),
        ("hypochlorite", "disinfectant-84"),
        ("blf", "ibuprofen"),
        ("BLF", "ibuprofen"),
        ("buluofen", "ibuprofen"),
        ("bu luo fen", "ibuprofen"),
        ("fbd", "ibuprofen"),
        ("kouzhao", "mask-n95"),
    ],
)
def test_a_search_finds_by_code_name_alias_ingredient_and_pinyin(q: str, code: str | None) -> None:
    found = [item.code for item in CATALOGUE.find(q)]

    assert code in found if code else not found


def test_pinyin_finds_what_it_says_and_little_else() -> None:
    assert [item.code for item in CATALOGUE.find("blf")] == ["ibuprofen", "ibuprofen-suspension"]
    assert [item.code for item in CATALOGUE.find("buluof")] == ["ibuprofen", "ibuprofen-suspension"]
    assert [item.code for item in CATALOGUE.find("n95kz")] == ["mask-n95"]
    assert [item.code for item in CATALOGUE.find("kz")] == ["mask-n95", "mask-surgical"]
    assert [item.code for item in CATALOGUE.find("q")] == [
        item.code for item in ITEMS if any("q" in text for text in (item.code, item.name_en.lower(), item.ingredient))
    ]
    assert CATALOGUE.find("blfx") == CATALOGUE.find("布lf") == []


def test_a_search_keeps_to_its_group_and_to_the_order_of_the_file() -> None:
    found = CATALOGUE.find("", "发热")

    assert [item.code for item in found] == [item.code for item in ITEMS if item.group == "发热"]
    assert CATALOGUE.find("口罩", "发热") == []


def test_a_search_goes_on_from_behind_an_item_even_one_that_was_withdrawn_meanwhile() -> None:
    later = Catalogue(2, tuple(rules.withdraw(item) if item.code == "ibuprofen" else item for item in ITEMS))

    assert later.find(after="ibuprofen") == CATALOGUE.find(after="ibuprofen")
    assert [item.code for item in later.find("布洛")] == ["ibuprofen-suspension"]


def test_a_refused_item_says_why_in_both_languages_and_cannot_be_listed() -> None:
    refused = CATALOGUE.get("pholcodine")

    assert refused is not None and not refused.listable
    assert refused.reason("zh-Hans") == "管制药品(麻醉药品目录)"
    assert refused.reason("en") == "controlled (narcotic list)"


def test_a_withdrawn_item_keeps_its_name_and_is_refused() -> None:
    gone = rules.withdraw(ITEMS[0])

    assert gone.name == ITEMS[0].name and not gone.listable
    assert gone.reason("zh-Hans") and gone.reason("en")
    assert gone.group not in Catalogue(2, (gone,)).groups()


def test_the_cap_of_a_line_depends_on_the_kind_of_its_post() -> None:
    item = CATALOGUE.get("ibuprofen")

    assert item is not None and (item.most("need"), item.most("offer")) == (4, 24)


def test_a_difference_names_what_was_added_changed_and_withdrawn() -> None:
    first, second, third = ITEMS[:3]
    changed = replace(second, need_max=9, aliases=("新名",))

    found = rules.difference([first, second], [changed, third])

    assert found.added == (third.code,)
    assert found.changed == {second.code: {"need_max": (second.need_max, 9), "aliases": (second.aliases, ("新名",))}}
    assert found.withdrawn == (first.code,)
    assert found.count == 3


def test_what_is_withdrawn_already_is_not_withdrawn_again_and_comes_back_as_a_change() -> None:
    item, gone = ITEMS[0], rules.withdraw(ITEMS[0])

    assert rules.difference([gone], []).count == 0
    assert rules.difference([gone], [item]).changed == {
        item.code: {"policy": ("refused", "listable"), "withdrawn": (True, False)}
    }


def test_the_fingerprint_follows_content_and_order() -> None:
    assert rules.digest(ITEMS) == rules.digest(list(ITEMS))
    assert rules.digest(ITEMS) != rules.digest(ITEMS[::-1])
    assert rules.digest(ITEMS) != rules.digest([replace(ITEMS[0], need_max=5), *ITEMS[1:]])
