from typing import Any

import pytest

from tests.catalogue.sheets import packaged_items
from tests.harness import API, House


async def _items(house: House, status: int = 200, language: str = "zh-CN", **params: Any) -> Any:
    answer = await house.client.get(API + "/items", params=params, headers={"accept-language": language})
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_anyone_may_read_what_may_be_shared(house: House) -> None:
    (item,) = (await _items(house, q="芬必得"))["items"]

    assert item == {
        "code": "ibuprofen",
        "name": "布洛芬片/缓释胶囊",
        "name_en": "Ibuprofen tablet or capsule",
        "kind": "medicine",
        "group": "发热",
        "ingredient": "ibuprofen",
        "unit": "粒",
        "need_max": 4,
        "offer_max": 24,
        "divisible": True,
        "nhc_listed": True,
        "expiry_required": True,
        "sealed_required": True,
        "course_days": 3,
        "handover": "any",
        "min_age": None,
        "policy": "listable",
        "reason": None,
        "caution": None,
        "leaflet": "按说明书;24小时不超过4次,连用不超过3天;孕晚期禁用",
    }


async def test_a_refusal_and_a_caution_are_said_in_the_readers_language(house: House) -> None:
    def said(answer: Any, field: str) -> str:
        text: str = answer["items"][0][field]
        return text

    assert said(await _items(house, q="dextromethorphan"), "reason").startswith("管制药品")
    assert said(await _items(house, q="dextromethorphan", language="en"), "reason").startswith("controlled")
    assert said(await _items(house, q="alcohol-75"), "caution") == "易燃,仅限当面交接"
    assert said(await _items(house, q="alcohol-75", language="en"), "caution") == "flammable: hand over in person only"


@pytest.mark.parametrize("limit", [1, 7, 50])
async def test_pages_follow_each_other_without_repeats_or_gaps(house: House, limit: int) -> None:
    seen: list[str] = []
    cursor = None
    while True:
        page = await _items(house, limit=limit, **({"cursor": cursor} if cursor else {}))
        assert len(page["items"]) <= limit
        seen += [item["code"] for item in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break

    assert seen == [item.code for item in packaged_items()]


async def test_a_page_holds_twenty_unless_asked_otherwise(house: House) -> None:
    assert len((await _items(house))["items"]) == 20


async def test_a_group_narrows_the_list(house: House) -> None:
    page = await _items(house, group="防护")

    assert [item["code"] for item in page["items"]] == ["mask-n95", "mask-surgical", "gloves"]
    assert (await _items(house, group="防护", q="发热"))["items"] == []


@pytest.mark.parametrize(
    ("params", "fields"),
    [
        ({"group": "玩具"}, ["group"]),
        ({"limit": "0"}, ["limit"]),
        ({"limit": "many"}, ["limit"]),
        ({"cursor": "bm9uc2Vuc2U"}, ["cursor"]),
        ({"q": "x" * 51}, ["q"]),
        ({"q": "a\u0000b"}, ["q"]),
        ({"kind": "goods", "limit": "51"}, ["limit", "kind"]),
    ],
)
async def test_what_the_list_does_not_know_is_refused_by_name(
    house: House, params: dict[str, str], fields: list[str]
) -> None:
    problem = await _items(house, 422, **params)

    assert [error["field"] for error in problem["errors"]] == fields


async def test_a_cursor_of_another_search_is_refused(house: House) -> None:
    cursor = (await _items(house, limit=1, group="防护"))["next_cursor"]

    problem = await _items(house, 422, limit=1, group="发热", cursor=cursor)

    assert [error["code"] for error in problem["errors"]] == ["cursor_invalid"]
