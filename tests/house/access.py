"""The table of who may enter where: one row for every door, and the world it is asked in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from tests.harness import House, Person, a_need, an_offer, id_number
from tests.moderation.people import promoted

UNKNOWN: Final = "0" * 32
Statuses = frozenset[int]
Body = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """What each role is answered. `on`: the owner's object that the address names. Roles that are not named are refused
    as strangers are, or as somebody to whom the object does not exist.
    """

    stranger: Statuses
    other: Statuses
    staff: Statuses
    counterpart: Statuses
    owner: Statuses
    on: str | None = None
    body: Body | None = None
    spends: bool = False  # ends the asker's session, account or consent: each asker is somebody new
    who: Literal["everybody", "members", "staff"] = "everybody"


def _set(*statuses: int) -> Statuses:
    return frozenset(statuses)


def everybody(*statuses: int, body: Body | None = None, on: str | None = None) -> Row:
    """Open to all, and the same for all."""
    found = _set(*(statuses or (200,)))
    return Row(found, found, found, found, found, body=body, on=on)


def for_strangers(status: int, body: Body | None = None) -> Row:
    """The way in; whoever is inside goes on."""
    on = _set(303)
    return Row(_set(status), on, on, on, on, body=body)


def oneself(
    *statuses: int, body: Body | None = None, spends: bool = False, on: str | None = None, page: bool = False
) -> Row:
    """Whoever is signed in, about themselves."""
    found = _set(*(statuses or (200,)))
    no = _set(303) if page else _set(401)
    return Row(no, found, found, found, found, on=on, body=body, spends=spends, who="members")


def ones_own(on: str, *statuses: int, both: bool = False, body: Body | None = None, page: bool = False) -> Row:
    """The owner of the object only; with `both` the other of the two as well. To all others it does not exist."""
    found, nothing = _set(*(statuses or (200,))), _set(404)
    counterpart = found if both else nothing
    no = _set(303) if page else _set(401)
    return Row(no, nothing, nothing, counterpart, found, on=on, body=body, who="members")


def staff(*statuses: int, on: str | None = None, body: Body | None = None, page: bool = False) -> Row:
    """Moderators only: members are told so, whatever the address names."""
    no, found = _set(403), _set(*(statuses or (200,)))
    return Row(_set(303) if page else _set(401), no, found, no, no, on=on, body=body, who="staff")


_PROOF = {"challenge": UNKNOWN, "code": "000000"}
_PHONE = {"phone": "13800138000"}
_NAME = {"name": "王小明", "id_number": id_number(900)}
_RULING = {"reason": "other", "note": ""}
_ROUTE = {"call_id": "c", "caller": "+8613800138000", "dialled": "+8617000000001", "at": "2023-01-07T12:00:00Z"}
_PLEDGE = {"post": "$own", "lines": [{"need_line": UNKNOWN, "offer_line": UNKNOWN, "quantity": 1}]}

API: Final[dict[str, Row]] = {
    "GET /healthz": everybody(),
    "GET /readyz": everybody(),
    "GET /metrics": everybody(),
    "GET /api/openapi.json": everybody(),
    "GET /api/docs": everybody(),
    "POST /api/v1/sessions/otp": everybody(202, body=_PHONE),
    "POST /api/v1/sessions": everybody(422, body=_PROOF),
    "POST /api/v1/sessions/current/step-up": oneself(422, body=_PROOF),
    "GET /api/v1/me/sessions": oneself(),
    "DELETE /api/v1/sessions/current": oneself(204, spends=True),
    "DELETE /api/v1/sessions": oneself(204, spends=True),
    "GET /api/v1/me": oneself(),
    "GET /api/v1/consents": everybody(),
    "PUT /api/v1/me/consents/{purpose}": oneself(on="purpose"),
    "DELETE /api/v1/me/consents/{purpose}": oneself(204, on="purpose", spends=True),
    "POST /api/v1/me/real-name": oneself(body=_NAME, spends=True),
    "PUT /api/v1/me/phone": oneself(422, body=_PROOF),
    "GET /api/v1/me/export": oneself(),
    "DELETE /api/v1/me": oneself(204, spends=True),
    "GET /api/v1/items": everybody(),
    "GET /api/v1/regions": everybody(),
    "GET /api/v1/regions/locate": everybody(422),
    "POST /api/v1/posts": oneself(201, body=a_need("rice")),
    "GET /api/v1/posts": everybody(),
    "GET /api/v1/me/posts": oneself(),
    "GET /api/v1/stats": everybody(),
    "GET /api/v1/plaza/stream": everybody(),
    "GET /api/v1/plaza/cells": everybody(422),
    "GET /api/v1/me/matches": oneself(),
    "GET /api/v1/me/contacts": oneself(),
    "GET /api/v1/me/notices": oneself(),
    "POST /api/v1/dev/calls": everybody(body={"caller": "+8613800138000", "dialled": "+8617000000001"}),
    "POST /hooks/numbers/{maker}/route": everybody(401, on="maker", body=_ROUTE),
    "POST /hooks/numbers/{maker}/events": everybody(401, on="maker", body=_ROUTE),
    # what is somebody's
    "GET /api/v1/posts/{id}": Row(_set(404), _set(404), _set(404), _set(404), _set(200), on="hidden"),
    "PATCH /api/v1/posts/{id}": ones_own("hidden", body={"reach_km": 9}),
    "POST /api/v1/posts/{id}/confirm": ones_own("hidden"),
    "GET /api/v1/posts/{id}/matches": ones_own("hidden"),
    "POST /api/v1/posts/{id}/matches": ones_own("hidden", 409, body=_PLEDGE),
    "POST /api/v1/posts/{id}/contact": ones_own("hidden", 409, body={"channel": "words"}),
    "POST /api/v1/posts/{id}/reports": ones_own("hidden", 409, body={"reason": "scam"}),
    "POST /api/v1/posts/{id}/resolve": ones_own("hidden", body={"outcome": "elsewhere"}),
    "POST /api/v1/posts/{id}/withdraw": ones_own("hidden", 409),
    "GET /api/v1/contacts/{id}": ones_own("contact", both=True),
    "GET /api/v1/contacts/{id}/calls": ones_own("contact", both=True),
    "GET /api/v1/contacts/{id}/messages": ones_own("contact", both=True),
    "POST /api/v1/contacts/{id}/messages": ones_own("contact", 201, both=True, body={"text": "在吗"}),
    "POST /api/v1/contacts/{id}/extend": ones_own("contact", both=True),
    "POST /api/v1/contacts/{id}/reports": ones_own("contact", 201, both=True, body={"reason": "other"}),
    "GET /api/v1/matches/{id}": ones_own("match", both=True),
    "POST /api/v1/matches/{id}/accept": ones_own("match", 409, both=True),
    "POST /api/v1/matches/{id}/decline": ones_own("match", 409, both=True),
    "POST /api/v1/matches/{id}/complete": ones_own(
        "match", 422, both=True, body={"lines": [{"need_line": UNKNOWN, "quantity": 1}]}
    ),
    "PUT /api/v1/me/notices/{id}/read": ones_own("notice"),
    "DELETE /api/v1/me/sessions/{id}": ones_own("session", 204),
    # moderators
    "GET /api/v1/moderation/cases": staff(),
    "POST /api/v1/moderation/cases/{id}/claim": staff(on="case"),
    "POST /api/v1/moderation/posts/{id}/approve": staff(on="reported", body=_RULING),
    "POST /api/v1/moderation/posts/{id}/restore": staff(409, on="reported", body=_RULING),
    "POST /api/v1/moderation/posts/{id}/hide": staff(on="reported", body=_RULING),
    "POST /api/v1/moderation/posts/{id}/close": staff(on="reported", body=_RULING),
    "POST /api/v1/moderation/members/{id}/vouch": staff(on="bystander", body=_RULING),
    "POST /api/v1/moderation/members/{id}/suspend": staff(on="bystander", body=_RULING),
    "POST /api/v1/moderation/members/{id}/restore": staff(on="bystander", body=_RULING),
    "GET /api/v1/moderation/log": staff(),
    "GET /api/v1/moderation/log/verify": staff(),
    # what ends things between the two comes last
    "POST /api/v1/contacts/{id}/block": ones_own("contact", both=True),
    "DELETE /api/v1/contacts/{id}": ones_own("contact", 204, both=True),
    "POST /api/v1/matches/{id}/fail": ones_own("match", 409, both=True, body={"reason": "no_show"}),
    "POST /api/v1/matches/{id}/block": ones_own("match", both=True),
}

PAGES: Final[dict[str, Row]] = {
    "GET /": everybody(),
    "GET /sign-in": for_strangers(200),
    "POST /sign-in": for_strangers(403, body=_PHONE),
    "GET /sign-in/code": everybody(303),
    "POST /sign-in/code": for_strangers(403, body={"code": "000000"}),
    "GET /me/step-up": oneself(303, page=True),
    "POST /me/step-up": oneself(303, page=True),
    "GET /me/step-up/code": oneself(303, page=True),
    "POST /me/step-up/code": oneself(303, page=True, body={"code": "000000"}),
    "POST /sign-out": oneself(303, page=True, spends=True),
    "POST /me/sessions/end": oneself(303, page=True, spends=True),
    "GET /real-name": oneself(page=True),
    "POST /real-name": oneself(303, page=True, body=_NAME, spends=True),
    "GET /me/account": oneself(page=True),
    "GET /me/sessions": oneself(page=True),
    "GET /me/consents": oneself(page=True),
    "POST /me/consents/{purpose}": oneself(303, page=True, on="purpose", body={"version": "1"}),
    "GET /me/consents/{purpose}/withdraw": oneself(page=True, on="purpose"),
    "POST /me/consents/{purpose}/withdraw": oneself(303, page=True, on="purpose", spends=True),
    "GET /me/export": oneself(page=True),
    "GET /me/erase": oneself(page=True),
    "POST /me/erase": oneself(303, page=True, spends=True),
    "GET /posts": everybody(),
    "GET /live/plaza": everybody(),
    "GET /posts/new": oneself(page=True),
    "POST /posts/new": oneself(422, page=True),
    "GET /me": oneself(page=True),
    "GET /me/notices": oneself(page=True),
    "POST /me/notices/read": oneself(404, page=True),
    "GET /me/matches": oneself(page=True),
    "GET /me/contacts": oneself(page=True),
    "GET /static/{path:path}": everybody(on="static"),
    # what is somebody's
    "GET /posts/{id}": Row(_set(404), _set(404), _set(404), _set(404), _set(200), on="hidden2"),
    "POST /posts/{id}/confirm": ones_own("hidden2", 303, page=True),
    "POST /posts/{id}/prolong": ones_own("hidden2", 303, page=True, body={"days": "3"}),
    "GET /posts/{id}/resolve": ones_own("hidden2", page=True),
    "GET /posts/{id}/withdraw": ones_own("hidden2", page=True),
    "GET /posts/{id}/report": ones_own("hidden2", page=True),
    "POST /posts/{id}/report": ones_own("hidden2", 409, page=True, body={"reason": "scam"}),
    "GET /posts/{id}/matches": ones_own("hidden2", page=True),
    "GET /posts/{id}/pledge": ones_own("hidden2", 409, page=True),
    "POST /posts/{id}/pledge": ones_own("hidden2", 409, page=True, body={"post": "$own"}),
    "POST /posts/{id}/contact": ones_own("hidden2", 303, page=True, body={"channel": "words"}),
    "POST /posts/{id}/resolve": ones_own("hidden2", 303, page=True, body={"outcome": "elsewhere"}),
    "POST /posts/{id}/withdraw": ones_own("hidden2", 303, page=True),
    "POST /me/sessions/{id}/end": ones_own("session2", 303, page=True),
    "POST /me/notices/{id}/open": ones_own("notice", 303, page=True),
    "GET /contacts/{id}": ones_own("contact2", both=True, page=True),
    "POST /contacts/{id}/messages": ones_own("contact2", 303, both=True, page=True, body={"text": "在吗"}),
    "POST /contacts/{id}/extend": ones_own("contact2", 303, both=True, page=True),
    "POST /contacts/{id}/report": ones_own("contact2", 303, both=True, page=True, body={"reason": "other"}),
    "POST /contacts/{id}/call": ones_own("contact2", 303, both=True, page=True),
    "GET /matches/{id}": ones_own("match2", both=True, page=True),
    "POST /matches/{id}/accept": ones_own("match2", 303, both=True, page=True),
    "POST /matches/{id}/decline": ones_own("match2", 409, both=True, page=True),
    "POST /matches/{id}/complete": ones_own("match2", 422, both=True, page=True),
    # moderators
    "GET /moderation": staff(page=True),
    "GET /moderation/cases/{id}": staff(on="case2", page=True),
    "POST /moderation/cases/{id}/claim": staff(303, on="case2", page=True),
    "POST /moderation/cases/{id}/post": staff(303, on="case2", page=True, body={**_RULING, "deed": "approve"}),
    "POST /moderation/cases/{id}/member": staff(422, on="case2", page=True),
    # what ends things between the two comes last
    "POST /contacts/{id}/block": ones_own("contact2", 303, both=True, page=True),
    "POST /contacts/{id}/end": ones_own("contact2", 303, both=True, page=True),
    "POST /matches/{id}/fail": ones_own("match2", 409, both=True, page=True, body={"reason": "no_show"}),
    "POST /matches/{id}/block": ones_own("match2", 303, both=True, page=True),
}

ROWS: Final = {**API, **PAGES}


@dataclass
class World:
    """The owner's things, the people who ask for them, and what nobody else may read in any answer."""

    owner: Person
    counterpart: Person
    other: Person
    staff: Person
    ids: dict[str, str]
    own_offer: str
    secret: tuple[str, ...]  # for nobody's eyes
    words: tuple[str, ...]  # for the counterpart's at most
    names: tuple[str, ...]  # pseudonyms that moderators work with
    roles: dict[str, Person]


async def the_world(house: House) -> World:
    """An owner and a counterpart who agreed twice and are in touch by call; hidden posts; a moderator; a bystander."""
    owner, counterpart = await house.member("欧阳明月"), await house.member("李大力")
    other, moderator = await house.member("孙旁观"), await promoted(house, await house.member("赵管事"))
    bystander = await house.member("周路人")
    ids = {"purpose": "notices", "maker": "fake", "static": "house.css", "bystander": bystander.id}
    for n, item in (("", "ibuprofen"), ("2", "paracetamol-tablet")):
        match, contact = await _in_touch(house, owner, counterpart, item)
        ids |= {f"match{n}": match, f"contact{n}": contact}
        hidden = await owner.publish(a_need("rice", note="只有我自己看见"))
        await moderator.post(f"/moderation/posts/{hidden['id']}/hide", {"reason": "other", "note": ""})
        reported = await bystander.publish(an_offer("rice"))
        await counterpart.post(f"/posts/{reported['id']}/reports", {"reason": "scam", "note": ""})
        await house.work()
        ids |= {f"hidden{n}": hidden["id"], f"reported{n}": reported["id"]}
        second = await Person(house, owner.phone).sign_in()
        sessions = (await second.get("/me/sessions")).json()["items"]
        ids[f"session{n}"] = next(s["id"] for s in sessions if s["current"])
    found = (await moderator.get("/moderation/cases?reason=scam")).json()["items"]
    ids |= {f"case{n}": next(c["id"] for c in found if c["post"]["id"] == ids[f"reported{n}"]) for n in ("", "2")}
    ids["notice"] = (await owner.get("/me/notices")).json()["items"][0]["id"]
    offer = await other.publish(an_offer("rice"))
    numbers = [c["number"] for c in (await owner.get("/me/contacts")).json()["items"]]
    secret = (owner.phone[3:], "欧阳明月", owner.token, *numbers)
    words = ("只有我自己看见", "私下的话", *(ids[name] for name in ("match", "contact", "session", "notice")))
    names = (owner.id, ids["hidden"], ids["hidden2"])
    roles = {"other": other, "staff": moderator, "counterpart": counterpart, "owner": owner}
    return World(owner, counterpart, other, moderator, ids, offer["id"], secret, words, names, roles)


async def _in_touch(house: House, owner: Person, counterpart: Person, item: str) -> tuple[str, str]:
    """(match, contact): agreed, called once, written once."""
    offer = await counterpart.publish(an_offer(item))
    await owner.publish(a_need(item))
    await house.work()
    match = (await counterpart.get(f"/posts/{offer['id']}/matches")).json()["items"][0]["id"]
    for person in (owner, counterpart):
        assert (await person.post(f"/matches/{match}/accept")).status_code == 200
    await house.work()
    contact = next(c for c in (await owner.get("/me/contacts")).json()["items"] if c["match"] == match)
    assert contact["state"] == "granted" and contact["number"]
    await owner.post(f"/contacts/{contact['id']}/messages", {"text": "私下的话"})
    await house.work()
    return match, contact["id"]
