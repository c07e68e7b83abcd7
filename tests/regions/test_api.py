from typing import Any

import pytest

from tests.harness import API, House


async def _get(house: House, path: str, status: int = 200, **params: Any) -> Any:
    answer = await house.client.get(API + path, params=params, headers={"accept-language": "en"})
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_anyone_may_walk_from_the_provinces_down(house: House) -> None:
    provinces = await _get(house, "/regions")
    cities = await _get(house, "/regions", parent="450000")
    districts = await _get(house, "/regions", parent="450100")

    assert len(provinces["items"]) == 34 and provinces["next_cursor"] is None
    assert {"code": "450100", "name": "南宁市", "level": "city", "parent": "450000"} in cities["items"]
    assert {"code": "450103", "name": "青秀区", "level": "district", "parent": "450100"} in districts["items"]


async def test_the_list_comes_in_pages_to_those_who_want_them(house: House) -> None:
    whole = (await _get(house, "/regions"))["items"]
    seen, cursor = [], None
    while True:
        page = await _get(house, "/regions", limit=10, **({"cursor": cursor} if cursor else {}))
        seen += page["items"]
        if (cursor := page["next_cursor"]) is None:
            break

    assert seen == whole


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"parent": "999999"}, "parent"),
        ({"parent": "45"}, "parent"),
        ({"parent": ""}, "parent"),
        ({"limit": "0"}, "limit"),
        ({"limit": "51"}, "limit"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_what_the_list_does_not_know_is_refused_by_name(house: House, params: dict[str, str], field: str) -> None:
    problem = await _get(house, "/regions", 422, **params)

    assert [error["field"] for error in problem["errors"]] == [field]


async def test_a_cursor_of_another_list_is_refused(house: House) -> None:
    cursor = (await _get(house, "/regions", limit=1))["next_cursor"]

    problem = await _get(house, "/regions", 422, parent="450000", cursor=cursor)

    assert [error["code"] for error in problem["errors"]] == ["cursor_invalid"]


@pytest.mark.parametrize(
    ("lat", "lng", "crs"),
    [("22.8170", "108.3665", "wgs84"), ("22.8143138", "108.3705715", "gcj02"), ("22.8205931", "108.3770266", "bd09")],
)
async def test_one_point_lies_in_one_district_however_it_is_written(house: House, lat: str, lng: str, crs: str) -> None:
    region = await _get(house, "/regions/locate", lat=lat, lng=lng, crs=crs)

    assert region == {"code": "450103", "name": "青秀区", "level": "district", "parent": "450100"}


@pytest.mark.parametrize(
    ("params", "fields"),
    [
        ({"lat": "35.68", "lng": "139.69"}, ["lat"]),
        ({"lat": "108.3665", "lng": "22.8170"}, ["lat"]),
        ({"lat": "north", "lng": "nan"}, ["lat", "lng"]),
        ({"lat": "22.8170"}, ["lng"]),
        ({"lat": "22.8170", "lng": "108.3665", "crs": "mars"}, ["crs"]),
    ],
)
async def test_a_place_that_cannot_be_meant_is_refused_with_every_bad_field(
    house: House, params: dict[str, str], fields: list[str]
) -> None:
    problem = await _get(house, "/regions/locate", 422, **params)

    assert [error["field"] for error in problem["errors"]] == fields
