"""Posting over HTTP, on both databases."""

from dataclasses import replace
from typing import Any

import pytest

from mutualaid.kit import cells
from mutualaid.kit.coordinates import from_wgs84
from mutualaid.members.records import Member
from mutualaid.providers.geocoding.district import District
from mutualaid.services import Services
from tests.harness import HOME, House, Person, a_need, an_offer, id_number, open_house
from tests.moments import Clock


def errors(answer: Any) -> set[tuple[str, str]]:
    return {(error["field"], error["code"]) for error in answer.json()["errors"]}


def by_address(address: str = "民族大道1号", region: str = "450103", **more: Any) -> dict[str, Any]:
    """A need whose place is told in words."""
    draft = a_need(region=region, address=address, **more)
    del draft["place"]
    return draft


# ---- publishing -----------------------------------------------------------------------------------------------


async def test_only_kind_lines_and_a_place_are_needed(house: House) -> None:
    member = await house.member()

    need, offer = await member.publish(a_need()), await member.publish(an_offer())

    defaults = {"state": "open", "urgency": "normal", "reach_km": 10, "handover": ["pickup"], "available": []}
    for post in (need, offer):
        assert defaults.items() <= post.items()
        assert (post["for_other"], post["beneficiary_age_band"], post["note"], post["scrubbed"]) == (
            False,
            None,
            "",
            False,
        )
        assert (post["distance_m"], post["distance_km"]) == (None, None)
        assert post["created_at"] == post["confirmed_at"] == "2023-01-07T12:00:00Z"
        assert post["until"] == "2023-01-10T12:00:00Z"
    assert (need["contact"], offer["contact"]) == ("anyone", "matches")
    assert need["lines"][0] | {"id": ""} == {
        "id": "", "item": "ibuprofen", "name": "布洛芬片/缓释胶囊", "unit": "粒", "quantity": 4, "remaining": 4, "held": 0,
        "expires_on": None, "substitutes": False,
    }  # fmt: skip
    assert offer["lines"][0]["expires_on"] == "2023-12-31"


async def test_everything_that_was_said_is_kept(house: House) -> None:
    member = await house.member()
    said: dict[str, Any] = {
        "urgency": "urgent",
        "until": "2023-01-08T20:00:00+08:00",
        "available": [{"from": "2023-01-07T12:00:00Z", "to": "2023-01-07T15:00:00.250Z"}],
        "reach_km": 50,
        "handover": ["delivery", "courier", "delivery"],
        "contact": "words",
        "for_other": True,
        "beneficiary_age_band": "60_plus",
        "note": "三天没退烧了\n谢谢",
    }

    post = await member.publish(a_need(**said))

    kept = {name: post[name] for name in said}
    assert kept == said | {
        "until": "2023-01-08T12:00:00Z",
        "available": [{"from": "2023-01-07T12:00:00Z", "to": "2023-01-07T15:00:00.250000Z"}],
        "handover": ["delivery", "courier"],
    }
    assert (await member.get(f"/posts/{post['id']}")).json() == post


async def test_a_disguised_phone_is_no_error_but_nobody_sees_it(house: House) -> None:
    member, reader = await house.member(), await house.newcomer()

    post = await member.publish(a_need(note="打我电话 一三八 0013 八〇〇〇,微信 abc_12345"))

    assert post["scrubbed"] is True
    seen = (await reader.get(f"/posts/{post['id']}")).json()["note"]
    assert seen == post["note"] and "abc_12345" not in seen and "0013" not in seen


@pytest.mark.parametrize(
    ("missing", "draft"),
    [
        ({"health_need", "publish_nearby", "phone_masking", "precise_location"}, a_need()),
        ({"publish_nearby", "phone_masking", "precise_location"}, a_need(item="mask-n95")),
        ({"health_need", "publish_nearby", "precise_location"}, a_need(contact="words")),
        ({"health_need", "publish_nearby", "phone_masking"}, by_address()),
        ({"publish_nearby"}, by_address(contact="words", lines=[{"item": "gloves", "quantity": 1}])),
    ],
    ids=["medicine", "goods", "words", "address", "least"],
)
async def test_a_post_asks_for_just_the_consents_it_needs(
    house: House, missing: set[str], draft: dict[str, Any]
) -> None:
    member = await (await (await house.newcomer()).consent("real_name_check")).verify()

    refused = await member.post("/posts", draft)

    assert (refused.status_code, refused.json()["code"]) == (428, "consent_needed")
    assert {error["field"] for error in refused.json()["errors"]} == missing
    await member.consent(*sorted(missing))
    await member.publish(draft)


async def test_refusals_come_in_the_order_of_the_contract(house: House) -> None:
    person, twice = house.stranger(), {"unknown": "1"}

    async def told(body: Any = None, **options: Any) -> tuple[int, str]:
        answer = await person.post("/posts", body, **options)
        return answer.status_code, answer.json()["code"]

    wrong_type = {"content": b"{", "headers": {"content-type": "text/plain"}}
    broken = {"content": b"{", "headers": {"content-type": "application/json"}}
    invalid = by_address(address="错", lines=[{"item": "ibuprofen", "quantity": 0}])

    assert await told(params=twice, **wrong_type) == (401, "not_signed_in")
    await person.sign_in()
    assert await told(params=twice, **wrong_type) == (428, "real_name_needed")
    await (await person.consent("real_name_check")).verify()
    assert await told(params=twice, **wrong_type) == (415, "unsupported_type")
    assert await told(params=twice, **broken) == (400, "malformed")
    assert await told(invalid, params=twice) == (422, "invalid")
    assert await told(by_address(address="错")) == (422, "invalid")  # the geocoder's word too comes before consent
    await suspend(house, person)
    assert await told(by_address()) == (428, "consent_needed")
    await person.consent()
    assert await told(by_address()) == (403, "suspended")


async def suspend(house: House, person: Person) -> None:
    async with house.services.database.transaction() as session:
        (await session.get_one(Member, person.id)).status = "suspended"


async def test_the_geocoders_word_is_one_of_many(house: House) -> None:
    member = await house.member()
    draft = by_address(address="错的地址", lines=[{"item": "unicorn", "quantity": 0}], until="2022-12-31T00:00:00Z")

    refused = await member.post("/posts", draft, params={"color": "red"})

    assert errors(refused) == {
        ("color", "unknown_field"),
        ("lines.0.quantity", "too_small"),
        ("lines.0.item", "item_unknown"),
        ("until", "until_past"),
        ("address", "address_not_found"),
    }


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ({}, {("place", "required")}),
        ({"region": "450103"}, {("address", "required")}),
        ({"address": "民族大道1号"}, {("region", "required")}),
        ({"region": "450100", "address": "民族大道1号"}, {("region", "region_not_district")}),
        ({"region": "459999", "address": "民族大道1号"}, {("region", "region_unknown")}),
        ({"region": "4501", "address": "民族大道1号"}, {("region", "wrong_form")}),
        ({"region": "450103", "address": "错"}, {("address", "address_not_found")}),
        ({"place": {"lat": HOME[0], "lng": HOME[1]}, "region": "450103"}, {("place", "place_twice")}),
        ({"place": {"lat": HOME[1], "lng": HOME[0]}}, {("place.lat", "lat_lng_swapped")}),
        ({"place": {"lat": 48.85, "lng": 2.35}}, {("place.lat", "outside_china")}),
        ({"place": {"lat": 21.03, "lng": 105.85}}, {("place.lat", "outside_china")}),
        ({"place": {"lat": HOME[0], "lng": HOME[1], "crs": "epsg4326"}}, {("place.crs", "not_one_of")}),
        ({"place": {"lat": True, "lng": "108.3"}}, {("place.lat", "not_a_number"), ("place.lng", "not_a_number")}),
        ({"place": {"lat": HOME[0]}}, {("place.lng", "required")}),
        ({"place": [22.8, 108.3]}, {("place", "not_an_object")}),
    ],
)
async def test_a_place_is_one_place_in_china(house: House, place: dict[str, Any], told: set[tuple[str, str]]) -> None:
    member = await house.member()
    draft = {name: value for name, value in a_need().items() if name != "place"}

    refused = await member.post("/posts", draft | place)

    assert (refused.status_code, errors(refused)) == (422, told)


async def test_the_same_spot_in_three_datums_is_the_same_cell(house: House) -> None:
    shown = set()
    for crs in ("wgs84", "gcj02", "bd09"):
        member = await house.member()
        lat, lng = from_wgs84(*HOME, crs)
        place = (await member.publish(a_need(place={"lat": lat, "lng": lng, "crs": crs})))["place"]
        shown.add((place["cell"], place["lat"], place["lng"], place["crs"]))

    assert shown == {(cells.cell_of(*HOME), *cells.centre(cells.cell_of(*HOME)), "wgs84")}


async def test_an_address_is_a_place_in_its_district(house: House) -> None:
    member = await house.member()

    post = await member.publish(by_address(region="450103"))

    assert post["region"] == {"code": "450103", "name": "青秀区", "path": "广西壮族自治区/南宁市/青秀区"}


async def test_where_no_geocoder_is_the_district_stands_for_the_address(services: Services, clock: Clock) -> None:
    async with open_house(replace(services, geocoding=District()), clock) as house:
        one, other = await house.member(), await house.member()

        posts = [await one.publish(by_address()), await other.publish(by_address(address="错的地址也行"))]

    assert posts[0]["place"]["cell"] == posts[1]["place"]["cell"]
    assert posts[0]["region"]["code"] == "450103"


async def test_members_under_18_ask_for_medicine_but_do_not_offer_it(house: House) -> None:
    young = await (await house.newcomer()).consent()
    answer = await young.post("/me/real-name", {"name": "王小明", "id_number": id_number(77, born="20070101")})
    assert answer.status_code == 200

    refused = await young.post("/posts", an_offer())

    assert (refused.status_code, refused.json()["code"]) == (403, "age_not_allowed")
    await young.publish(a_need())
    await young.publish(an_offer(item="gloves", lines=[{"item": "gloves", "quantity": 2}]))


async def test_where_no_real_name_is_asked_for_the_unverified_post_and_their_posts_say_so(
    services: Services, clock: Clock
) -> None:
    lenient = replace(services, settings=services.settings.model_copy(update={"require_real_name": False}))
    async with open_house(lenient, clock) as house:
        member = await (await house.newcomer()).consent()

        post = await member.publish(a_need())

        assert (post["author"]["real_name"], post["author"]["real_name_how"]) == (False, None)
        assert (await member.get("/posts?real_name=true")).json()["items"] == []


async def test_who_came_by_wechat_posts_before_they_have_a_phone(house: House) -> None:
    person = house.stranger()
    signed_in = await person.post("/sessions", {"wechat_code": "fake:somebody"})
    person.token = signed_in.json()["token"]
    await (await person.consent()).verify()

    assert (await person.publish(a_need()))["state"] == "open"


# ---- once, whatever the network does --------------------------------------------------------------------------


async def test_a_repeated_post_is_one_post(house: House) -> None:
    member, once = await house.member(), {"idempotency-key": "one"}
    draft = a_need(until="2023-01-07T12:30:00Z")

    first = await member.post("/posts", draft, headers=once)
    house.clock.advance(hours=1)  # its time is over: nobody could post it so any more
    again = await member.post("/posts", draft, headers=once)
    other = await member.post("/posts", a_need(quantity=2), headers=once)
    house.clock.advance(hours=24)
    next_day = await member.post("/posts", a_need(), headers=once)

    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert (first.headers.get("idempotency-replayed"), again.headers["idempotency-replayed"]) == (None, "true")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
    assert next_day.status_code == 201 and next_day.json()["id"] != first.json()["id"]


async def test_a_refused_post_leaves_its_key_free(house: House) -> None:
    member, once = await house.member(), {"idempotency-key": "two"}

    assert (await member.post("/posts", a_need(quantity=99), headers=once)).status_code == 422
    assert (await member.post("/posts", a_need(), headers=once)).status_code == 201


@pytest.mark.parametrize("key", ["x" * 65, "", "短"])
async def test_a_key_has_at_most_64_printable_characters(house: House, key: str) -> None:
    member = await house.member()

    refused = await member.post("/posts", a_need(quantity=99), headers={"idempotency-key": key.encode()})

    assert errors(refused) == {("Idempotency-Key", "idempotency_key_invalid"), ("lines.0.quantity", "over_cap")}
