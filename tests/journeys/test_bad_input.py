"""Every kind of bad input: a 4xx that names every bad field in the reader's language, and nothing changed. Never a 5xx."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select

from mutualaid import tables
from mutualaid.kit.database import Base, Database
from tests.harness import HOME, House, Person, a_need, an_offer, id_number

assert tables  # imported so that every table is known
BIG = {"regions", "catalogue_items"}  # counted; the others are compared row by row
JSON_TYPE = {"content-type": "application/json"}
_HAN = re.compile("[\u4e00-\u9fff]")

Told = set[tuple[str, str]]


@dataclass(frozen=True)
class Case:
    """One request that must be refused: `told` are its (field, code) pairs."""

    why: str
    status: int
    told: Told = field(default_factory=set)
    code: str = "invalid"
    method: str = "POST"
    path: str = "/posts"
    body: Any = None
    content: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)


def post(why: str, body: dict[str, Any], *told: tuple[str, str]) -> Case:
    return Case(why, 422, set(told), body=body)


def need(why: str, at: str, code: str, **changes: Any) -> Case:
    return post(why, a_need(**changes), (at, code))


def line(why: str, at: str, code: str, **changes: Any) -> Case:
    """A need's one line, `changes` made; `...` leaves a field out."""
    made = {"item": "ibuprofen", "quantity": 4} | changes
    return post(why, a_need(lines=[{k: v for k, v in made.items() if v is not ...}]), (f"lines.0.{at}", code))


def pack(why: str, at: str, code: str, **changes: Any) -> Case:
    """An offer's one line likewise."""
    made = an_offer()["lines"][0] | changes
    return post(why, an_offer(lines=[{k: v for k, v in made.items() if v is not ...}]), (f"lines.0.{at}", code))


def place(why: str, at: str, code: str, **changes: Any) -> Case:
    return post(why, a_need(place={"lat": HOME[0], "lng": HOME[1], **changes}), (f"place.{at}", code))


def address(why: str, at: str, code: str, **told: Any) -> Case:
    draft = a_need(**{"region": "450103", "address": "民族大道1号", **told})
    return post(why, {name: value for name, value in draft.items() if name != "place"}, (at, code))


def read(why: str, path: str, *told: tuple[str, str]) -> Case:
    return Case(why, 422, set(told), method="GET", path=path)


def phone(why: str, code: str, typed: Any) -> Case:
    return Case(why, 422, {("phone", code)}, path="/sessions/otp", body={"phone": typed})


def identity(why: str, code: str, number: str) -> Case:
    return Case(why, 422, {("id_number", code)}, path="/me/real-name", body={"name": "王小明", "id_number": number})


def octets(why: str, status: int, code: str, content: bytes, **headers: str) -> Case:
    return Case(why, status, code=code, content=content, headers=JSON_TYPE | headers)


def deep(levels: int) -> bytes:
    return b'{"kind":' + b"[" * levels + b"]" * levels + b"}"


GOOD = json.dumps(a_need()).encode()
HOUR = {"from": "2023-01-08T01:00:00Z", "to": "2023-01-08T02:00:00Z"}

CASES = [
    # items and amounts
    line("an unknown item", "item", "item_unknown", item="unicorn"),
    line("a refused item", "item", "item_refused", item="aspirin", quantity=1),
    line("an item that is a number", "item", "not_a_text", item=5),
    line("quantity 0", "quantity", "too_small", quantity=0),
    line("a negative quantity", "quantity", "too_small", quantity=-1),
    line("a quantity over the cap", "quantity", "over_cap", quantity=5),
    line("a quantity over all caps", "quantity", "not_an_integer", quantity=10**30),
    line("half a tablet", "quantity", "not_an_integer", quantity=1.5),
    line("a quantity in quotes", "quantity", "not_an_integer", quantity="4"),
    line("a quantity of true", "quantity", "not_an_integer", quantity=True),
    line("no quantity", "quantity", "required", quantity=...),
    line("an unknown field of a line", "price", "unknown_field", price=3),
    need("no line", "lines", "too_few_entries", lines=[]),
    need("a line that is no object", "lines.0", "not_an_object", lines=["ibuprofen"]),
    need("lines that are no list", "lines", "not_a_list", lines={"item": "ibuprofen"}),
    need("an unknown field", "urgent", "unknown_field", urgent=True),
    pack("undated medicine", "expires_on", "expiry_needed", expires_on=...),
    pack("expired medicine", "expires_on", "expires_too_soon", expires_on="2023-01-06"),
    pack("medicine that ends within the course", "expires_on", "expires_too_soon", expires_on="2023-01-09"),
    pack("30 February", "expires_on", "not_a_date", expires_on="2024-02-30"),
    pack("a week for a date", "expires_on", "not_a_date", expires_on="2024-W05-3"),
    pack("a number for a date", "expires_on", "not_a_date", expires_on=20240101),
    pack("an unsealed pack", "sealed", "seal_needed", sealed=False),
    pack("a seal not spoken of", "sealed", "seal_needed", sealed=...),
    pack("a seal of 1", "sealed", "not_true_or_false", sealed=1),
    # places
    place("a place outside China", "lat", "outside_china", lat=21.03, lng=105.85),
    place("the middle of the sea", "lat", "outside_china", lat=15.0, lng=115.5),
    place("no place on earth", "lat", "outside_china", lat=91, lng=400),
    place("swapped lat and lng", "lat", "lat_lng_swapped", lat=HOME[1], lng=HOME[0]),
    place("an unknown crs", "crs", "not_one_of", crs="cgcs2000"),
    place("a latitude in quotes", "lat", "not_a_number", lat="22.8"),
    place("half a point", "lng", "not_a_number", lng=None),
    address("a region that does not exist", "region", "region_unknown", region="999999"),
    address("a city for a district", "region", "region_not_district", region="450100"),
    address("a region by name", "region", "wrong_form", region="青秀区"),
    address("an address nobody knows", "address", "address_not_found", address="错"),
    address("a region alone", "address", "required", address=None),
    # times
    need("until past", "until", "until_past", until="2023-01-07T12:00:00Z"),
    need("until beyond a fortnight", "until", "until_too_far", until="2023-01-21T12:00:01Z"),
    need("until without a zone", "until", "not_a_time", until="2023-01-08T12:00:00"),
    need("until on 30 February", "until", "not_a_time", until="2023-02-30T12:00:00Z"),
    need("until at 25 o'clock", "until", "not_a_time", until="2023-01-08T25:00:00Z"),
    need("until as a number", "until", "not_a_time", until=1673179200),
    need("a window that ends before it begins", "available.0.to", "window_backwards",
         available=[{"from": HOUR["to"], "to": HOUR["from"]}]),
    need("a window that is over", "available.0.to", "until_past",
         available=[{"from": "2023-01-07T10:00:00Z", "to": "2023-01-07T11:00:00Z"}]),
    need("eight windows", "available", "too_many_entries", available=[HOUR] * 8),
    # words
    need("a note too long", "note", "too_long", note="药" * 501),
    need("a control character", "note", "control_character", note="三天\u0007没退烧"),
    need("a nul", "note", "control_character", note="三天\u0000没退烧"),
    need("a bidi control", "note", "bidi_control", note="三天\u202e没退烧"),
    need("a zero-width character", "note", "zero_width", note="138\u200b0013"),
    need("a note that is a list", "note", "not_a_text", note=["三天"]),
    # choices
    need("an unknown kind", "kind", "not_one_of", kind="want"),
    need("an unknown urgency", "urgency", "not_one_of", urgency="very"),
    need("an unknown handover", "handover.0", "not_one_of", handover=["drone"]),
    need("no handover at all", "handover", "too_few_entries", handover=[]),
    need("an unknown contact", "contact", "not_one_of", contact="friends"),
    need("an unknown age", "beneficiary_age_band", "not_one_of", beneficiary_age_band="old"),
    need("a reach of 0", "reach_km", "too_small", reach_km=0),
    need("a reach of 51", "reach_km", "too_large", reach_km=51),
    need("a reach that is infinite", "reach_km", "not_an_integer", reach_km=1e300),
    # phones and identities
    phone("a landline", "phone_landline", "0771-5530000"),
    phone("a foreign phone", "phone_foreign", "+1 212 555 0100"),
    phone("too short a phone", "phone_too_short", "1380013"),
    phone("too long a phone", "phone_too_long", "138001380001380"),
    phone("a service number", "phone_service_number", "400-820-8820"),
    phone("no phone", "phone_not_a_number", "打给我"),
    phone("one of our own virtual numbers", "phone_ours", "17000000001"),
    phone("the last of our own, written abroad", "phone_ours", "+86 170 0000 0050"),
    phone("a phone that is a number", "not_a_text", 13800138000),
    identity("a wrong check digit", "id_wrong_check_digit", id_number(1)[:-1] + ("0" if id_number(1)[-1] != "0" else "1")),
    identity("born on 30 February", "id_no_such_birthday", id_number(1, born="19900230")),
    identity("born tomorrow", "id_born_in_the_future", id_number(1, born="20230109")),
    identity("an old number of 15 digits", "id_obsolete", "450103900307001"),
    identity("a number too short", "id_wrong_length", "4501031990"),
    identity("a number of letters", "id_malformed", "四五零一零三一九九零零三零七零零零一"),
    # bodies
    octets("an oversized body", 413, "too_large", b'{"note":"' + b"x" * 70_000 + b'"}'),
    octets("a body that is not UTF-8", 400, "malformed", GOOD.replace(b"need", b"n\xff\xfed")),
    octets("half a surrogate pair", 400, "malformed", b'{"note":"\\ud800"}'),
    octets("a deeply nested body", 400, "malformed", deep(40)),
    octets("a body nested past all stacks", 400, "malformed", deep(20_000)),
    octets("half a body", 400, "malformed", GOOD[:-1]),
    octets("no body", 400, "malformed", b""),
    octets("a number that is none", 400, "malformed", b'{"reach_km":NaN}'),
    octets("a wrong content type", 415, "unsupported_type", GOOD, **{"content-type": "text/plain"}),
    octets("a form", 415, "unsupported_type", b"kind=need", **{"content-type": "application/x-www-form-urlencoded"}),
    octets("another charset", 415, "unsupported_type", GOOD, **{"content-type": "application/json; charset=gb18030"}),
    Case("a list for a body", 422, {("", "not_an_object")}, body=[a_need()]),
    Case("a key too long", 422, {("Idempotency-Key", "idempotency_key_invalid")}, body=a_need(),
         headers={"idempotency-key": "k" * 65}),
    # what a reader asks
    read("an unknown query parameter", "/posts?colour=red", ("colour", "unknown_field")),
    read("a parameter twice", "/posts?kind=need&kind=offer", ("kind", "repeated")),
    read("an unknown kind, item and group", "/posts?kind=x&item=unicorn&group=x",
         ("kind", "not_one_of"), ("item", "item_unknown"), ("group", "group_unknown")),
    read("a region that does not exist, asked", "/posts?region=459999", ("region", "region_unknown")),
    read("distance from nowhere", "/posts?sort=distance&within_km=3", ("sort", "near_needed"), ("within_km", "near_needed")),
    read("near in words", "/posts?near=here&sort=distance", ("near", "wrong_form")),
    read("near swapped", "/posts?near=108.37,22.82", ("near", "lat_lng_swapped")),
    read("near abroad, in an unknown crs", "/posts?near=48.85,2.35&crs=x", ("near", "outside_china"), ("crs", "not_one_of")),
    read("a radius of nothing", "/posts?near=22.8,108.3&within_km=0", ("within_km", "too_small")),
    read("a radius that is no number", "/posts?near=22.8,108.3&within_km=nan", ("within_km", "not_a_number")),
    read("a search for one character", "/posts?q=药", ("q", "too_short")),
    read("a search for one letter and a wildcard", "/posts?q=a%25", ("q", "too_short")),
    read("a search for nothing", "/posts?q=", ("q", "too_short")),
    read("a search for wildcards", "/posts?q=%25_%25*%3F", ("q", "no_word")),
    read("a search for spaces", "/posts?q=%20%20%20", ("q", "no_word")),
    read("a search for 41 characters", f"/posts?q={'药' * 41}", ("q", "too_long")),
    read("a search for few characters that stand for many", f"/posts?q={chr(0xFDFA) * 3}", ("q", "too_long")),
    read("a search for 10 kB", f"/posts?q={'x' * 10_240}", ("q", "too_long")),
    read("a search for a nul", "/posts?q=%00%E8%8D%AF", ("q", "control_character")),
    read("a search for what is hidden", "/posts?q=%E2%80%8B%E8%8D%AF%E8%8D%AF", ("q", "zero_width")),
    read("a search given twice", "/posts?q=ab&q=cd", ("q", "repeated")),
    read("a limit of 0", "/posts?limit=0", ("limit", "too_small")),
    read("a limit of 51", "/me/posts?limit=51", ("limit", "too_large")),
    read("a limit in words", "/posts?limit=ten", ("limit", "not_an_integer")),
    read("a flag of 1", "/posts?real_name=1", ("real_name", "not_true_or_false")),
    read("an unknown order", "/posts?sort=price", ("sort", "not_one_of")),
    read("a bad cursor", "/posts?cursor=AAAA", ("cursor", "cursor_invalid")),
    read("a cursor of odd characters", "/posts?cursor=%00%F0%9F%98%80", ("cursor", "cursor_invalid")),
    read("an endless cursor", f"/posts?cursor={'A' * 401}", ("cursor", "too_long")),
    read("children of a region that does not exist", "/regions?parent=999999", ("parent", "region_unknown")),
    read("a point outside China", "/regions/locate?lat=48.85&lng=2.35", ("lat", "outside_china")),
    read("an unknown group of items", "/items?group=x", ("group", "group_unknown")),
    read("parameters where none are taken", "/stats?a=1&b=2", ("a", "unknown_field"), ("b", "unknown_field")),
    # addresses and methods
    Case("an id of nobody", 404, code="not_found", method="GET", path=f"/posts/{'0' * 32}"),
    Case("an id with a nul", 404, code="not_found", method="GET", path="/posts/%00"),
    Case("an unknown address", 404, code="not_found", method="GET", path="/nowhere"),
    Case("a slash too many", 404, code="not_found", method="GET", path="/posts/"),
    Case("a method that is not taken", 405, code="method_not_allowed", method="PUT", path="/posts", body={}),
    # many at once
    post(
        "everything at once",
        {
            "kind": "offer",
            "lines": [{"item": "ibuprofen", "quantity": 0}, {"item": "unicorn", "quantity": 1, "sealed": "yes"}, 7],
            "place": {"lat": HOME[1], "lng": HOME[0], "crs": "x", "alt": 3},
            "until": "2022-12-31T00:00:00Z",
            "available": [{"from": "soon", "to": "2023-01-07T11:00:00Z"}],
            "handover": ["pickup", "drone"],
            "contact": None,
            "note": "x" * 501,
            "price": 10,
        },
        ("lines.0.quantity", "too_small"), ("lines.0.expires_on", "expiry_needed"), ("lines.0.sealed", "seal_needed"),
        ("lines.1.item", "item_unknown"), ("lines.1.sealed", "not_true_or_false"), ("lines.2", "not_an_object"),
        ("place.lat", "lat_lng_swapped"), ("place.crs", "not_one_of"), ("place.alt", "unknown_field"),
        ("until", "until_past"), ("available.0.from", "not_a_time"), ("available.0.to", "until_past"),
        ("handover.1", "not_one_of"), ("note", "too_long"), ("price", "unknown_field"),
    ),
]  # fmt: skip


async def ask(person: Person, case: Case, language: str) -> Any:
    options: dict[str, Any] = {"headers": {"accept-language": language, **case.headers}}
    if case.content is not None:
        options["content"] = case.content
    return await person.ask(case.method, case.path, case.body, **options)


async def everything(database: Database) -> dict[str, Any]:
    """Every row there is, by table."""
    found: dict[str, Any] = {}
    async with database.reading() as session:
        for table in Base.metadata.sorted_tables:
            if table.name in BIG:
                found[table.name] = await session.scalar(select(func.count()).select_from(table))
            else:
                found[table.name] = sorted(map(repr, (await session.execute(select(table))).all()))
    return found


def complaints(case: Case, zh: Any, en: Any) -> list[str]:
    """What is wrong with the two answers to a case; nothing if they are as they should be."""
    wrong = []
    for answer, chinese in ((zh, True), (en, False)):
        if answer.status_code != case.status:
            return [f"{case.why}: {answer.status_code} {answer.text[:300]}"]
        body = answer.json()
        if answer.headers["content-type"] != "application/problem+json" or body["status"] != case.status:
            wrong.append(f"{case.why}: not a problem of this status")
        if body["code"] != case.code or {(e["field"], e["code"]) for e in body["errors"]} != case.told:
            wrong.append(f"{case.why}: {body['code']} {[(e['field'], e['code']) for e in body['errors']]}")
        for text in (body["title"], body["detail"], *(error["message"] for error in body["errors"])):
            if not text or "{" in text or "…" in text or bool(_HAN.search(text)) != chinese:
                wrong.append(f"{case.why}: {text!r} in {'zh' if chinese else 'en'}")
    return wrong


async def test_every_bad_input_is_refused_by_name_in_two_languages_and_changes_nothing(house: House) -> None:
    member = await house.member()
    await member.publish(a_need(item="gloves"))
    before = await everything(house.services.database)

    wrong = []
    for case in CASES:
        wrong += complaints(case, await ask(member, case, "zh-CN,zh;q=0.9,en;q=0.1"), await ask(member, case, "en-GB"))
        after = await everything(house.services.database)
        wrong += [f"{case.why}: {name} changed" for name in before if before[name] != after[name]]
        before = after

    assert not wrong, "\n".join(wrong)


async def test_an_item_is_refused_with_its_reason_in_words(house: House) -> None:
    member = await house.member()

    zh, en = [
        (await member.post("/posts", a_need(item="aspirin"), headers={"accept-language": language})).json()
        for language in ("zh", "en")
    ]

    assert "18岁以下发热禁用" in zh["errors"][0]["message"]
    assert "never for fever under 18" in en["errors"][0]["message"]


async def test_a_foreign_thing_is_not_there_and_an_end_comes_once(house: House) -> None:
    author, other = await house.member(), await house.member()
    own = (await author.publish(a_need()))["id"]
    path, solved = f"/posts/{own}", {"outcome": "elsewhere"}
    before = await everything(house.services.database)

    for refused in [
        await other.post(f"{path}/resolve", solved),
        await other.post(f"{path}/withdraw"),
        await other.ask("PATCH", path, {"note": "mine"}),
        await other.ask("DELETE", f"/me/sessions/{(await author.get('/me/sessions')).json()['items'][0]['id']}"),
    ]:
        assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
    assert await everything(house.services.database) == before

    assert (await author.post(f"{path}/resolve", solved)).status_code == 200
    before = await everything(house.services.database)
    again = await author.post(f"{path}/resolve", solved)
    assert (again.status_code, again.json()["code"]) == (409, "post_not_open")
    assert await everything(house.services.database) == before


async def test_a_cursor_counts_for_its_own_list_and_while_its_key_lasts(house: House) -> None:
    author, other = await house.member(), await house.member()
    for _ in range(2):
        await author.publish(a_need())
    cursor = (await author.get("/me/posts", params={"limit": "1"})).json()["next_cursor"]
    altered = cursor[:-1] + ("A" if cursor[-1] != "A" else "B")

    for person, path, given in [
        (author, "/posts", cursor),
        (author, "/me/matches", cursor),
        (other, "/me/posts", cursor),
        (author, "/me/posts", altered),
        (author, "/me/posts", cursor[:-4]),
        (author, "/me/posts", cursor + "=="),
    ]:
        refused = await person.get(path, params={"cursor": given})
        assert (refused.status_code, [e["code"] for e in refused.json()["errors"]]) == (422, ["cursor_invalid"]), path
    assert (await author.get("/me/posts", params={"cursor": cursor})).status_code == 200
    ring = house.services.ring
    stale, _ = ring.current("cursor")
    ring.rotate("cursor")
    assert (await author.get("/me/posts", params={"cursor": cursor})).status_code == 200
    ring.retire("cursor", stale)
    assert (await author.get("/me/posts", params={"cursor": cursor})).status_code == 422


async def test_a_disguised_phone_in_a_note_is_no_error(house: House) -> None:
    member = await house.member()

    post = await member.publish(a_need(note="电话幺三八零零一三八零零零"))

    assert post["scrubbed"] is True and "幺三八" not in post["note"]
