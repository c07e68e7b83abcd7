"""Every door × role × owner: who is not meant to enter learns nothing, not even that there is something."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest
from httpx2 import Response

from mutualaid import routes
from mutualaid.kit.endpoints import Endpoint
from mutualaid.kit.faces.cookies import token_for
from mutualaid.kit.settings import Settings
from tests.harness import House, Person
from tests.house.access import API, PAGES, ROWS, UNKNOWN, Row, World, the_world

pytestmark = pytest.mark.usefixtures("brief_streams")

ORIGIN = "http://testserver"


def doors() -> dict[str, Endpoint]:
    return {endpoint.name: endpoint for endpoint in routes.endpoints(Settings())}


def test_every_door_has_its_row_and_every_row_a_door() -> None:
    """Whoever adds a door says here who may enter it."""
    assert set(ROWS) == set(doors())


def test_the_rows_agree_with_the_policies() -> None:
    for name, endpoint in doors().items():
        assert endpoint.policy.signed_in == (ROWS[name].who != "everybody"), name
        assert bool(endpoint.policy.roles) == (ROWS[name].who == "staff"), name


@dataclass
class Asker:
    """Asks at a door as one person, by token or by cookie as the door wants it."""

    house: House
    world: World
    sessions: dict[str, str] = field(default_factory=dict)

    async def ask(
        self, name: str, person: Person | None, *, named: str | None = None, token: str | None = None
    ) -> Response:
        """`named`: the id in the address, the row's own unless given. `token`: the form's, the right one unless given."""
        row, (method, path) = ROWS[name], name.split(" ")
        target = named or (self.world.ids[row.on] if row.on else "")
        path = re.sub(r"\{[^}]+\}", target, path)
        page = name in PAGES
        headers: dict[str, str] = {"origin": ORIGIN} if page else {}
        if person is not None and person.token:
            headers |= {"cookie": f"mutualaid-session={person.token}"} if page else _bearer(person)
        body = self._body(row, person)
        if page and method == "POST":
            fields = {**body, "form_token": await self._form_token(person) if token is None else token}
            headers["content-type"] = "application/x-www-form-urlencoded"
            answer = await self.house.client.request(method, path, content=urlencode(fields), headers=headers)
        else:
            answer = await self.house.client.request(method, path, json=body if row.body else None, headers=headers)
        self.house.client.cookies.clear()
        return answer

    def _body(self, row: Row, person: Person | None) -> dict[str, Any]:
        return {k: self.world.own_offer if v == "$own" else v for k, v in (row.body or {}).items()}

    async def _form_token(self, person: Person | None) -> str:
        if person is None:
            return ""
        if person.token not in self.sessions:
            found = (await person.get("/me/sessions")).json()["items"]
            self.sessions[person.token] = next(s["id"] for s in found if s["current"])
        return token_for(self.house.services.ring, f"session:{self.sessions[person.token]}")


def _bearer(person: Person) -> dict[str, str]:
    return {"authorization": f"Bearer {person.token}"}


@pytest.fixture
def dialect() -> str:
    """One is enough: who may enter is asked by the same statements on both."""
    return "sqlite"


@pytest.fixture
async def asker(house: House) -> Asker:
    return Asker(house, await the_world(house))


def leaks(answer: Response, secret: Sequence[str]) -> list[str]:
    told = answer.text + json.dumps(dict(answer.headers))
    return [word for word in secret if word in told]


def plain(page: str) -> str:
    """A page without what is new each time: nonces, tokens, the address it was asked at."""
    return re.sub(r'(nonce|value|href|action)="[^"]*"', "", page)


async def _nothing_has_changed(world: World) -> None:
    assert (await world.owner.get("/me")).status_code == 200
    for n in ("", "2"):
        post = (await world.owner.get(f"/posts/{world.ids[f'hidden{n}']}")).json()
        assert (post["state"], post["reach_km"]) == ("hidden", 10)
        assert (await world.owner.get(f"/matches/{world.ids[f'match{n}']}")).json()["state"] == "agreed"
        contact = (await world.owner.get(f"/contacts/{world.ids[f'contact{n}']}")).json()
        assert (contact["state"], contact["extensions_left"]) == ("granted", 3)
        words = (await world.owner.get(f"/contacts/{world.ids[f'contact{n}']}/messages")).json()["items"]
        assert [word["text"] for word in words] == ["私下的话"]
    live = {s["id"] for s in (await world.owner.get("/me/sessions")).json()["items"]}
    assert {world.ids["session"], world.ids["session2"]} <= live


async def test_strangers_and_other_members_and_moderators_get_nothing_of_the_owners(asker: Asker) -> None:
    world = asker.world
    for name, row in ROWS.items():
        for role, expected in (("stranger", row.stranger), ("other", row.other), ("staff", row.staff)):
            person = world.roles.get(role)
            if row.spends and person is not None:
                person = await (await asker.house.newcomer()).consent()
            answer = await asker.ask(name, person)
            assert answer.status_code in expected, (name, role, answer.status_code, answer.text[:300])
            hidden = (*world.secret, *world.words, *(() if role == "staff" else world.names))
            named = {world.ids[row.on]} if row.on else set()  # whoever names it in the address may be told it again
            assert not set(leaks(answer, hidden)) - named, (name, role)

    await _nothing_has_changed(world)


async def test_what_is_somebody_elses_looks_as_if_it_were_not_there(asker: Asker) -> None:
    """The same answer, word for word, for a foreign object and for one that never was."""
    foreign = [name for name, row in ROWS.items() if row.other == {404}]
    assert len(foreign) > 50

    for name in foreign:
        there, nowhere = [await asker.ask(name, asker.world.other, named=named) for named in (None, UNKNOWN)]
        assert there.status_code == nowhere.status_code == 404, name
        assert plain(there.text) == plain(nowhere.text), name

    await _nothing_has_changed(asker.world)


async def test_members_cannot_tell_a_case_or_a_member_from_none(asker: Asker) -> None:
    for name, row in ROWS.items():
        if row.who == "staff" and row.on is not None:
            there, nowhere = [await asker.ask(name, asker.world.other, named=named) for named in (None, UNKNOWN)]
            assert there.status_code == nowhere.status_code == 403, name
            assert plain(there.text) == plain(nowhere.text), name


async def test_a_cookie_opens_no_door_of_the_api_and_a_bearer_token_no_page(asker: Asker) -> None:
    owner, client = asker.world.owner, asker.house.client
    for name, row in ROWS.items():
        if not doors()[name].policy.signed_in:
            continue
        method, path = name.split(" ")
        path = re.sub(r"\{[^}]+\}", asker.world.ids[row.on] if row.on else "", path)
        wrong = _bearer(owner) if name in PAGES else {"cookie": f"mutualaid-session={owner.token}"}
        answer = await client.request(method, path, headers={"origin": ORIGIN, **wrong})
        client.cookies.clear()
        assert answer.status_code in row.stranger, name

    await _nothing_has_changed(asker.world)


async def test_a_form_without_this_sessions_token_or_from_another_site_does_nothing(asker: Asker) -> None:
    owner = asker.world.owner
    others = token_for(asker.house.services.ring, "session:somebody-else")
    for name, row in ROWS.items():
        if name not in PAGES or not name.startswith("POST") or row.who == "staff":
            continue
        for token in ("", "1.x", others):
            answer = await asker.ask(name, owner, token=token)
            assert answer.status_code == 403, (name, token)
        path = re.sub(r"\{[^}]+\}", asker.world.ids[row.on] if row.on else "", name.split(" ")[1])
        headers = {"origin": "https://elsewhere.example", "cookie": f"mutualaid-session={owner.token}"}
        content = urlencode({"form_token": await asker._form_token(owner)})
        kind = {"content-type": "application/x-www-form-urlencoded"}
        assert (await asker.house.client.post(path, content=content, headers=headers | kind)).status_code == 403, name

    await _nothing_has_changed(asker.world)


async def test_the_two_of_a_contact_learn_no_phone_and_no_legal_name(asker: Asker) -> None:
    """The counterpart enters where both may, sees the words, and neither the owner's phone, name nor session."""
    world = asker.world
    secret = (world.owner.phone[3:], "欧阳明月", world.owner.token, world.owner.id)
    for name, row in ROWS.items():
        if row.spends or (name.split(" ")[0] != "GET" and row.counterpart != {404}):
            continue
        answer = await asker.ask(name, world.counterpart)
        assert answer.status_code in row.counterpart, (name, answer.status_code)
        assert leaks(answer, secret) == [], name


@pytest.mark.parametrize("table", [API, PAGES], ids=["api", "pages"])  # each ends what is between the two
async def test_owners_enter_everywhere(asker: Asker, table: dict[str, Row]) -> None:
    for name, row in table.items():
        if not row.spends:
            answer = await asker.ask(name, asker.world.owner)
            assert answer.status_code in row.owner, (name, answer.status_code, answer.text[:500])
