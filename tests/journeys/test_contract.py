"""Two members, the plaza, and nothing known but the public contract: addresses, fields, the fake makers' outbox."""

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h3
from httpx2 import AsyncClient, Response

from tests.harness import House

ROOT = "/api/v1"
ID = re.compile(r"[0-9a-zA-Z_-]{22,}")  # 128 random bits are 22 letters at least
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
PURPOSES = {"health_need", "precise_location", "real_name_check", "phone_masking", "publish_nearby", "notices"}
# The draft of the contract, to the letter.
DRAFT = json.loads("""
{"kind":"need","lines":[{"item":"ibuprofen","quantity":4}],
 "place":{"lat":22.8143,"lng":108.3706,"crs":"gcj02"},
 "urgency":"urgent","until":"2023-01-08T12:00:00Z","available":[{"from":"2023-01-07T12:00:00Z","to":"2023-01-07T15:00:00Z"}],
 "reach_km":10,"handover":["pickup","delivery"],"contact":"anyone","for_other":false,"beneficiary_age_band":null,"note":"三天没退烧了"}
""")
CARD = {
    "id", "kind", "state", "lines", "region", "place", "urgency", "reach_km", "handover", "contact", "author", "note",
    "scrubbed", "created_at", "confirmed_at", "until", "distance_km", "distance_m",
}  # fmt: skip
LINE = {"id", "item", "name", "quantity", "remaining", "held", "expires_on"}
ITEM = {
    "code", "name", "name_en", "kind", "group", "ingredient", "unit", "need_max", "offer_max", "divisible", "nhc_listed",
    "expiry_required", "sealed_required", "course_days", "handover", "min_age", "policy", "reason", "caution", "leaflet",
}  # fmt: skip
STATS = {
    "as_of", "open_needs", "open_offers", "resolved_needs_through_platform", "resolved_needs_total",
    "resolved_offers_total", "resolved_24h", "members",
}  # fmt: skip


@dataclass
class Client:
    """What a client of the API holds: an address, a phone, a token."""

    http: AsyncClient
    outbox: Path
    house: House
    phone: str
    token: str = ""

    async def __call__(self, method: str, path: str, body: Any = None, **options: Any) -> Response:
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        return await self.http.request(method, ROOT + path, json=body, headers=headers, **options)

    async def join(self, name: str, id_number: str) -> "Client":
        asked = await self("POST", "/sessions/otp", {"phone": self.phone})
        assert asked.status_code == 202 and set(asked.json()) >= {"challenge", "expires_in"}
        await self.house.work()
        sent = [json.loads(line) for line in (self.outbox / "sms.jsonl").read_text().splitlines()][-1]
        assert set(sent) >= {"to", "template", "text", "params", "at"} and sent["to"].endswith(self.phone)
        answer = {"challenge": asked.json()["challenge"], "code": sent["params"]["code"]}
        signed_in = await self("POST", "/sessions", answer)
        assert signed_in.status_code == 201 and set(signed_in.json()) >= {"token", "expires_at", "member"}
        self.token = signed_in.json()["token"]
        for purpose in PURPOSES:
            assert (await self("PUT", f"/me/consents/{purpose}")).status_code == 200
        checked = await self("POST", "/me/real-name", {"name": name, "id_number": id_number})
        assert (checked.status_code, checked.json()) == (200, {"real_name": "checked"})
        return self


def client(house: House, phone: str) -> Client:
    return Client(house.client, house.services.settings.data / "outbox", house, phone)


async def two(house: House) -> tuple[Client, Client]:
    needer = await client(house, "13800138000").join("王小明", "11010519491231002X")
    return needer, await client(house, "13900139000").join("李大力", "440524198001010013")


def centre_of(cell: str) -> tuple[float, float]:
    lat, lng = h3.cell_to_latlng(cell)
    return lat, lng


def great_circle_m(a: tuple[float, float], b: tuple[float, float]) -> float:
    (lat_a, lng_a), (lat_b, lng_b) = (tuple(map(math.radians, point)) for point in (a, b))
    inner = math.sin((lat_b - lat_a) / 2) ** 2 + math.cos(lat_a) * math.cos(lat_b) * math.sin((lng_b - lng_a) / 2) ** 2
    return 2 * 6_371_009 * math.asin(math.sqrt(inner))


def right_card(card: dict[str, Any]) -> None:
    assert set(card) >= CARD
    assert ID.fullmatch(card["id"])
    for line in card["lines"]:
        assert set(line) >= LINE and ID.fullmatch(line["id"])
    assert set(card["region"]) >= {"code", "name", "path"}
    assert set(card["place"]) >= {"cell", "lat", "lng", "crs"}
    for moment in ("created_at", "confirmed_at", "until"):
        assert TIME.fullmatch(card[moment])


async def test_a_need_as_the_contract_writes_it_is_answered_as_the_contract_answers(house: House) -> None:
    needer, _ = await two(house)

    answer = await needer("POST", "/posts", DRAFT)

    assert answer.status_code == 201 and answer.headers["content-type"] == "application/json"
    post = answer.json()
    right_card(post)
    said = {"kind", "urgency", "reach_km", "handover", "contact", "note"}
    assert {name: post[name] for name in said} == {name: DRAFT[name] for name in said}
    assert {name: post["lines"][0][name] for name in LINE - {"id", "name"}} == {
        "item": "ibuprofen", "quantity": 4, "remaining": 4, "held": 0, "expires_on": None,
    }  # fmt: skip
    assert (post["state"], post["until"], post["scrubbed"]) == ("open", "2023-01-08T12:00:00Z", False)
    assert (post["distance_km"], post["distance_m"]) == (None, None)
    assert post["region"] == {"code": "450103", "name": "青秀区", "path": "广西壮族自治区/南宁市/青秀区"}
    assert post["author"] == {"display_name": "王**", "real_name": True, "real_name_how": "checked"}
    place = post["place"]
    assert place["crs"] == "wgs84" and h3.get_resolution(place["cell"]) == 8  # one member is a crowd in dev
    assert math.dist((place["lat"], place["lng"]), centre_of(place["cell"])) < 1e-6


async def test_a_neighbour_reads_the_plaza_and_can_recompute_every_distance(house: House) -> None:
    needer, neighbour = await two(house)
    far = DRAFT | {"urgency": "normal", "place": {"lat": 22.90, "lng": 108.30, "crs": "wgs84"}}
    posts = [(await needer("POST", "/posts", draft)).json() for draft in (DRAFT, far)]
    viewer = (22.81, 108.36)

    page = (await neighbour("GET", f"/posts?near={viewer[0]},{viewer[1]}")).json()

    assert set(page) >= {"items", "next_cursor"} and page["next_cursor"] is None
    assert [card["id"] for card in page["items"]] == [post["id"] for post in posts]
    standing = centre_of(h3.latlng_to_cell(*viewer, 8))
    for card in page["items"]:
        right_card(card)
        metres = great_circle_m(standing, (card["place"]["lat"], card["place"]["lng"]))
        assert isinstance(card["distance_m"], int) and abs(card["distance_m"] - metres) <= 1
        assert card["distance_km"] == round(card["distance_m"] / 1000, 1)
        assert card["author"]["display_name"] == "王**" and card["note"] == "三天没退烧了"
    one = (await neighbour("GET", f"/posts/{posts[0]['id']}?crs=gcj02")).json()
    right_card(one)
    assert one["place"]["crs"] == "gcj02" and one["place"]["cell"] == posts[0]["place"]["cell"]
    same = (await neighbour("GET", f"/posts?near={posts[0]['place']['lat']},{posts[0]['place']['lng']}")).json()[
        "items"
    ][0]
    assert (same["distance_m"], same["distance_km"]) == (0, 0)


async def test_the_plaza_is_read_in_three_orders_page_by_page(house: House) -> None:
    needer, neighbour = await two(house)
    made = []
    for n in range(5):
        draft = DRAFT | {"urgency": "urgent" if n == 1 else "normal"}
        draft["place"] = {"lat": 22.81 + n / 50, "lng": 108.37, "crs": "wgs84"}
        made.append((await needer("POST", "/posts", draft)).json()["id"])
        house.clock.advance(seconds=1)

    async def read(query: str) -> list[str]:
        ids: list[str] = []
        cursor = ""
        while True:
            page = (await neighbour("GET", f"/posts?limit=2&{query}{cursor}")).json()
            ids += [card["id"] for card in page["items"]]
            if page["next_cursor"] is None:
                return ids
            cursor = f"&cursor={page['next_cursor']}"

    assert await read("") == made[::-1]
    assert await read("near=22.81,108.37") == made
    assert await read("sort=urgent") == [made[1], *[one for one in made[::-1] if one != made[1]]]
    assert await read("near=22.81,108.37&sort=newest") == made[::-1]
    assert await read("near=22.81,108.37&within_km=3") == made[:2]


async def test_signed_out_a_card_has_no_note_and_no_author(house: House) -> None:
    needer, _ = await two(house)
    post = (await needer("POST", "/posts", DRAFT)).json()
    stranger = client(house, "13700137000")

    for path in ("/posts", f"/posts/{post['id']}"):
        body = (await stranger("GET", path)).json()
        card = body["items"][0] if "items" in body else body
        assert card.get("note") is None and card.get("author") is None
        assert card["id"] == post["id"] and card["place"] == post["place"]


async def test_solved_it_is_gone_for_others_and_counted(house: House) -> None:
    needer, neighbour = await two(house)
    post = (await needer("POST", "/posts", DRAFT)).json()
    path = f"/posts/{post['id']}"
    house.clock.advance(minutes=5)

    confirmed = (await needer("POST", f"{path}/confirm")).json()
    assert confirmed["confirmed_at"] == "2023-01-07T12:05:00Z"
    reported = await neighbour("POST", f"{path}/reports", {"reason": "other", "note": "看看"})
    assert reported.status_code == 201
    solved = await needer("POST", f"{path}/resolve", {"outcome": "through_platform"})

    assert (solved.status_code, solved.json()["state"]) == (200, "resolved")
    assert (await neighbour("GET", path)).status_code == 404
    assert (await needer("GET", path)).json()["state"] == "resolved"
    assert [card["state"] for card in (await needer("GET", "/me/posts")).json()["items"]] == ["resolved"]
    stats = (await client(house, "13700137000")("GET", "/stats")).json()
    assert set(stats) >= STATS and TIME.fullmatch(stats["as_of"])
    assert (stats["resolved_needs_through_platform"], stats["resolved_needs_total"], stats["open_needs"]) == (1, 1, 0)


async def test_what_may_be_shared_is_found_by_two_characters_or_by_pinyin_initials(house: House) -> None:
    stranger = client(house, "13700137000")

    found, spelled = [(await stranger("GET", f"/items?q={q}")).json()["items"] for q in ("布洛", "blf")]
    listed: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await stranger("GET", f"/items?limit=50{cursor}")).json()
        listed += page["items"]
        cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None

    assert "ibuprofen" in {item["code"] for item in found} and spelled == found
    assert len(listed) == len({item["code"] for item in listed}) > 40
    for item in listed:
        assert set(item) >= ITEM
        assert (item["policy"] == "refused") == bool(item["reason"])
    assert (await stranger("GET", "/items?group=发热")).json()["items"][0]["group"] == "发热"


async def test_regions_go_down_from_the_province_and_a_point_has_its_district(house: House) -> None:
    stranger = client(house, "13700137000")

    provinces = (await stranger("GET", "/regions")).json()["items"]
    cities = (await stranger("GET", "/regions?parent=450000")).json()["items"]
    districts = (await stranger("GET", "/regions?parent=450100")).json()["items"]
    here = (await stranger("GET", "/regions/locate?lat=22.8143&lng=108.3706&crs=gcj02")).json()

    assert {"code": "450000", "name": "广西壮族自治区", "level": "province", "parent": None}.items() <= next(
        region for region in provinces if region["code"] == "450000"
    ).items()
    assert {"450100", "450200"} <= {region["code"] for region in cities}
    assert here in districts and (here["code"], here["parent"]) == ("450103", "450100")


async def test_who_i_am_is_told_with_my_phone_masked(house: House) -> None:
    needer, _ = await two(house)

    me = (await needer("GET", "/me")).json()
    texts = (await needer("GET", "/consents")).json()["items"]
    sessions = (await needer("GET", "/me/sessions")).json()["items"]

    keys = {"id", "display_name", "phone_masked", "real_name", "role", "consents", "created_at"}
    assert set(me) >= keys and ID.fullmatch(me["id"])
    assert (me["phone_masked"], me["real_name"], me["role"]) == ("138****8000", "checked", "member")
    assert {consent["purpose"] for consent in me["consents"]} == {text["purpose"] for text in texts} == PURPOSES
    assert len(sessions) == 1
    assert (await needer("DELETE", "/sessions/current")).status_code == 204
    assert (await needer("GET", "/me")).status_code == 401


async def test_an_error_is_a_problem_with_every_bad_field(house: House) -> None:
    needer, _ = await two(house)
    draft = DRAFT | {"lines": [{"item": "ibuprofen", "quantity": 0}], "colour": "red"}

    refused = await needer("POST", "/posts", draft)

    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
    problem = refused.json()
    assert set(problem) >= {"type", "title", "status", "code", "detail", "errors"} and problem["status"] == 422
    assert {error["field"] for error in problem["errors"]} == {"lines.0.quantity", "colour"}
    assert all(set(error) >= {"field", "code", "message"} for error in problem["errors"])
    stranger = client(house, "13700137000")
    assert (await stranger("POST", "/posts", DRAFT)).status_code == 401
    assert (await stranger("GET", "/plaza/nothing")).status_code == 404


async def test_the_house_says_how_it_does(house: House) -> None:
    for path, kind in {
        "/healthz": "application/json",
        "/readyz": "application/json",
        "/metrics": "text/plain",
        "/api/openapi.json": "application/json",
        "/api/docs": "text/html",
    }.items():
        answer = await house.client.get(path)
        assert answer.status_code == 200 and answer.headers["content-type"].startswith(kind), path
    assert (await house.client.get("/api/openapi.json")).json()["openapi"].startswith("3.1")
