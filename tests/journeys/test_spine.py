"""The spine over HTTP, by people who know only the public contract: matched, agreed, a masked number, solved, moderated."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from mutualaid.app import working
from tests.harness import House, Person, a_need, an_offer
from tests.journeys.test_bad_input import everything
from tests.moderation.people import a_moderator, a_report, cases, promoted

PROMPTLY_S = 2.0


@dataclass
class Street:
    """Two who need each other, one who has nothing to do with it, and a moderator."""

    house: House
    needer: Person
    giver: Person
    stranger: Person
    moderator: Person
    need: dict[str, Any] = field(default_factory=dict)
    offer: dict[str, Any] = field(default_factory=dict)

    @classmethod
    async def open(cls, house: House) -> "Street":
        needer, giver, stranger = [await house.member(name) for name in ("王小明", "李大力", "张三丰")]
        return cls(house, needer, giver, stranger, await a_moderator(house))

    async def publish(self, need: dict[str, Any], offer: dict[str, Any]) -> "Street":
        self.need, self.offer = await self.needer.publish(need), await self.giver.publish(offer)
        return self

    def pledge(self, quantity: int, **change: str) -> dict[str, Any]:
        line = {"need_line": self.need["lines"][0]["id"], "offer_line": self.offer["lines"][0]["id"]}
        return {"post": self.offer["id"], "lines": [{**line, "quantity": quantity, **change}]}

    async def match(self, state: str | None = None) -> dict[str, Any] | None:
        found = (await self.needer.get(f"/posts/{self.need['id']}/matches")).json()["items"]
        return next((match for match in found if state in (None, match["state"])), None)

    async def contact(self) -> dict[str, Any] | None:
        """The contact that both have, once it is granted; both see the same number."""
        mine = (await self.needer.get("/me/contacts")).json()["items"]
        granted: list[dict[str, Any]] = [one for one in mine if (one["state"], one["channel"]) == ("granted", "call")]
        for one in granted:
            assert (await self.giver.get(f"/contacts/{one['id']}")).json()["number"] == one["number"]
        return granted[0] if granted else None

    async def reaches(self, caller: Person, number: str) -> str:
        """Whom a call reaches, or the code it is refused with: asked at the route hook and played, which must agree."""
        token = (self.house.services.settings.keys_dir / "hook-token").read_text().strip()
        asked = {"call_id": f"{caller.phone}-{time.monotonic_ns()}", "caller": caller.phone, "dialled": number}
        headers = {"authorization": f"Bearer {token}"}
        routed = (await self.house.client.post("/hooks/numbers/fake/route", json=asked, headers=headers)).json()
        dialled = {"caller": caller.phone, "dialled": number}
        played = (await self.house.client.post("/api/v1/dev/calls", json=dialled)).json()
        assert (played["decision"] == "connect") == ("callee" in routed)
        assert played.get("code") == routed.get("code")
        return str(routed.get("callee") or routed["code"])

    async def state(self, person: Person, post: dict[str, Any]) -> tuple[str, int, int]:
        """(state, remaining, held) of one's own post."""
        found = (await person.get(f"/posts/{post['id']}")).json()
        return found["state"], found["lines"][0]["remaining"], found["lines"][0]["held"]

    async def complete(self, by: Person, quantity: int) -> Any:
        match = await self.match()
        assert match is not None
        done = {"lines": [{"need_line": self.need["lines"][0]["id"], "quantity": quantity}]}
        return await by.post(f"/matches/{match['id']}/complete", done)

    async def says_yes(self, *people: Person) -> None:
        match = await self.match()
        assert match is not None
        for person in people:
            answer = await person.post(f"/matches/{match['id']}/accept")
            assert answer.status_code == 200, answer.text


async def promptly(look: Callable[[], Awaitable[dict[str, Any] | None]]) -> dict[str, Any]:
    """What comes of it within two seconds."""
    begun = time.monotonic()
    while (found := await look()) is None:
        assert time.monotonic() - begun < PROMPTLY_S, "it takes longer than two seconds"
        await asyncio.sleep(0.02)
    return found


async def test_with_a_worker_running_a_need_is_met_within_seconds_and_its_number_ends_with_it(house: House) -> None:
    street = await Street.open(house)
    needer, giver, stranger = street.needer, street.giver, street.stranger
    async with working(house.services):
        await street.publish(a_need(), an_offer())
        proposed = await promptly(lambda: street.match("proposed"))
        assert (proposed["need"]["id"], proposed["offer"]["id"]) == (street.need["id"], street.offer["id"])
        assert needer.phone not in str(proposed) and giver.phone not in str(proposed)

        await street.says_yes(needer, giver)
        x = (await promptly(street.contact))["number"]

        assert await street.reaches(needer, x) == giver.phone
        assert await street.reaches(giver, x) == needer.phone
        assert await street.reaches(stranger, x) == "not_a_party"
        assert await street.reaches(house.stranger(), x) == "not_a_party"
        assert await street.state(needer, street.need) == ("open", 4, 4)

        assert (await street.complete(giver, 2)).json()["state"] == "completed"
        assert await street.state(needer, street.need) == ("open", 2, 0)
        assert await street.state(giver, street.offer) == ("open", 10, 0)
        solved = await needer.post(f"/posts/{street.need['id']}/resolve", {"outcome": "through_platform"})
        assert solved.json()["state"] == "resolved"
        assert [await street.reaches(one, x) for one in (needer, giver)] == ["lease_ended"] * 2
        assert await street.state(giver, street.offer) == ("open", 10, 0)


async def by_proposal(street: Street) -> None:
    await street.house.work()
    await street.says_yes(street.giver, street.needer)


async def by_pledge(street: Street) -> None:
    made = await street.giver.post(f"/posts/{street.need['id']}/matches", street.pledge(4))
    assert (made.status_code, made.json()["accepted_by"], made.json()["pledged"]) == (201, ["offer"], True)
    await street.says_yes(street.needer)


async def by_plaza_call(street: Street) -> None:
    asked = await street.giver.post(f"/posts/{street.need['id']}/contact", {})
    assert (asked.status_code, asked.json()["state"], asked.json()["match"]) == (201, "granted", None)
    x = asked.json()["number"]
    assert await street.reaches(street.giver, x) == street.needer.phone
    await by_pledge(street)
    await street.house.work()
    mine = await street.contact()
    assert mine is not None and (mine["id"], mine["number"]) == (asked.json()["id"], x)  # theirs already, kept
    assert mine["match"] is not None


async def solved_in_part(street: Street) -> tuple[str, str]:
    assert (await street.complete(street.needer, 3)).status_code == 200
    x = await street.contact()
    assert x is not None and await street.reaches(street.needer, x["number"]) == street.giver.phone
    answer = await street.needer.post(f"/posts/{street.need['id']}/resolve", {"outcome": "through_platform"})
    assert answer.status_code == 200
    return "resolved", "open"


async def handed_over_in_full(street: Street) -> tuple[str, str]:
    assert (await street.complete(street.giver, 4)).status_code == 200
    return "resolved", "resolved"


async def closed_by_a_moderator(street: Street) -> tuple[str, str]:
    path = f"/moderation/posts/{street.need['id']}/close"
    answer = await street.moderator.post(path, {"reason": "scam", "note": ""})
    assert answer.status_code == 200
    return "closed", "open"


@pytest.mark.parametrize("ends", [solved_in_part, handed_over_in_full, closed_by_a_moderator])
@pytest.mark.parametrize("meet", [by_proposal, by_pledge, by_plaza_call])
async def test_however_two_meet_their_number_connects_them_alone_and_ends_with_the_post(
    house: House,
    meet: Callable[[Street], Awaitable[None]],
    ends: Callable[[Street], Awaitable[tuple[str, str]]],
) -> None:
    street = await (await Street.open(house)).publish(a_need(), an_offer(quantity=4))
    await meet(street)
    await house.work()
    assert await street.state(street.needer, street.need) == ("open", 4, 4)
    contact = await street.contact()
    assert contact is not None
    x = contact["number"]
    assert [await street.reaches(one, x) for one in (street.needer, street.giver, street.stranger)] == [
        street.giver.phone,
        street.needer.phone,
        "not_a_party",
    ]

    need, offer = await ends(street)

    assert [await street.reaches(one, x) for one in (street.needer, street.giver)] == ["lease_ended"] * 2
    await house.work()
    assert (await street.state(street.needer, street.need))[::2] == (need, 0)
    assert (await street.state(street.giver, street.offer))[::2] == (offer, 0)
    assert await street.contact() is None
    assert (await street.needer.get("/me/contacts")).json()["items"][0]["state"] == "released"
    assert [await street.reaches(one, x) for one in (street.needer, street.giver)] == ["lease_ended"] * 2
    assert (await street.moderator.get("/moderation/log/verify")).json()["ok"] is True


@dataclass
class Refusals:
    """Asks what must be refused, and looks at every table before and after."""

    house: House
    wrong: list[str]

    async def ask(self, why: str, told: tuple[int, str], person: Person, path: str, body: Any = None) -> None:
        before = await everything(self.house.services.database)
        answer = await person.post(path, body)
        problem = answer.json()
        code = problem["errors"][0]["code"] if problem.get("errors") else problem.get("code")
        if (answer.status_code, code) != told:
            self.wrong.append(f"{why}: {answer.status_code} {code}, not {told}")
        after = await everything(self.house.services.database)
        seen = {"sessions"}  # when somebody was last seen moves on with the clock
        self.wrong += [f"{why}: {name} changed" for name in before.keys() - seen if before[name] != after[name]]


async def test_what_a_match_and_its_number_do_not_allow_is_refused_by_name_and_changes_nothing(house: House) -> None:
    street = await (await Street.open(house)).publish(a_need(), an_offer())
    needer, giver, stranger = street.needer, street.giver, street.stranger
    no = Refusals(house, [])
    pledges = f"/posts/{street.need['id']}/matches"
    own_need = await giver.publish(a_need(item="smectite"))
    await house.work()
    other = await stranger.publish(an_offer(quantity=2))
    await house.work()
    wish = {
        "post": street.need["id"],
        "lines": [street.pledge(2)["lines"][0] | {"offer_line": other["lines"][0]["id"]}],
    }
    assert (await needer.post(f"/posts/{other['id']}/matches", wish)).status_code == 201

    await no.ask("more than is wanted", (409, "quantity_gone"), giver, pledges, street.pledge(5))
    of_other = street.pledge(1, offer_line=other["lines"][0]["id"])
    await no.ask("a line of another post", (422, "line_unknown"), giver, pledges, of_other)
    own = {"post": street.offer["id"], "lines": street.pledge(1)["lines"]}
    await no.ask("a pledge on one's own post", (409, "own_post"), giver, f"/posts/{own_need['id']}/matches", own)

    found = (await needer.get("/me/matches")).json()["items"]
    match = f"/matches/{next(m['id'] for m in found if m['offer']['id'] == street.offer['id'])}"
    refused = f"/matches/{next(m['id'] for m in found if m['offer']['id'] == other['id'])}"
    done = {"lines": [{"need_line": street.need["lines"][0]["id"], "quantity": 2}]}
    await no.ask("completed before it is agreed", (409, "match_not_agreed"), giver, f"{match}/complete", done)
    assert (await needer.post(f"{match}/accept")).status_code == 200
    await no.ask("accepted twice", (409, "already_accepted"), needer, f"{match}/accept")
    assert (await giver.post(f"{match}/accept")).status_code == 200
    await no.ask("nothing is left to agree on", (409, "quantity_gone"), stranger, f"{refused}/accept")
    over = {"lines": [done["lines"][0] | {"quantity": 5}]}
    await no.ask("completed more than held", (422, "more_than_held"), giver, f"{match}/complete", over)
    assert (await needer.post(f"{refused}/block")).status_code == 200
    theirs = {"post": other["id"], "lines": [street.pledge(1)["lines"][0] | {"offer_line": other["lines"][0]["id"]}]}
    await no.ask("a pledge to who has blocked one", (404, "not_found"), stranger, pledges, theirs)
    await no.ask(
        "a contact with who has blocked one", (403, "contact_not_offered"), stranger, pledges[:-8] + "/contact"
    )

    await house.work()
    contact = await street.contact()
    assert contact is not None
    x = contact["number"]
    hook = {"call_id": "c", "caller": stranger.phone, "dialled": x}
    provider = Person(house, "", house.services.hook_token)
    route = "/hooks/numbers/fake/route"
    await no.ask("a stranger's call", (403, "not_a_party"), provider, route, hook)
    await no.ask("an unknown number", (404, "number_unknown"), provider, route, hook | {"dialled": "+8617099999999"})
    assert (await giver.post(f"{match}/complete", done)).status_code == 200
    await no.ask("completed twice by one side", (409, "match_closed"), giver, f"{match}/complete", done)
    failed = {"reason": "no_show"}
    await no.ask("completed, then failed by one side", (409, "match_closed"), giver, f"{match}/fail", failed)
    house.clock.advance(hours=24, seconds=1)
    await no.ask("an objection after a day", (409, "match_closed"), needer, f"{match}/fail", failed)
    await no.ask("an expired number", (410, "lease_ended"), provider, route, hook | {"caller": giver.phone})
    await no.ask("an ended contact extended", (409, "contact_ended"), giver, f"/contacts/{contact['id']}/extend")

    assert not no.wrong, "\n".join(no.wrong)


async def test_what_an_ended_or_hidden_post_and_a_ruling_do_not_allow_is_refused_by_name_and_changes_nothing(
    house: House,
) -> None:
    street = await (await Street.open(house)).publish(a_need(), an_offer())
    needer, giver, moderator = street.needer, street.giver, street.moderator
    other = await a_moderator(house, "钱管事")
    no = Refusals(house, [])
    why = {"reason": "scam", "note": ""}
    own = await moderator.publish(a_need(item="smectite"))
    await house.work()
    match = await street.match()
    assert match is not None

    close = f"/moderation/posts/{street.need['id']}/close"
    await no.ask("a ruling without a reason", (422, "required"), moderator, close, {"note": ""})
    await no.ask(
        "a ruling on one's own post", (403, "own_ruling"), moderator, f"/moderation/posts/{own['id']}/close", why
    )
    await no.ask("a ruling by who is no moderator", (403, "forbidden"), giver, close, why)
    await a_report(house, street.need["id"])
    (case,) = await cases(moderator)
    claim = f"/moderation/cases/{case['id']}/claim"
    assert (await moderator.post(claim)).status_code == 200
    await no.ask("a claim on a claimed case", (409, "case_claimed"), other, claim)
    await no.ask("a ruling under another's claim", (409, "case_claimed"), other, close, why)
    await promoted(house, other, "member")
    await no.ask("a claim by a demoted moderator", (403, "forbidden"), other, claim)
    await no.ask("a ruling by a demoted moderator", (403, "forbidden"), other, close, why)

    contact, pledges = f"/posts/{street.need['id']}/contact", f"/posts/{street.need['id']}/matches"
    hidden = await moderator.post(f"/moderation/posts/{street.need['id']}/hide", why)
    assert hidden.json()["state"] == "hidden"
    await no.ask("a contact on a hidden post", (404, "not_found"), giver, contact)
    await no.ask("a pledge on a hidden post", (404, "not_found"), giver, pledges, street.pledge(1))
    await no.ask("a hidden post accepted", (409, "post_not_open"), giver, f"/matches/{match['id']}/accept")
    solved = {"outcome": "elsewhere"}
    assert (await needer.post(f"/posts/{street.need['id']}/resolve", solved)).status_code == 200
    await no.ask("accepted after it was solved", (409, "post_not_open"), giver, f"/matches/{match['id']}/accept")
    await no.ask("a contact on an ended post", (404, "not_found"), giver, contact)
    await no.ask("a pledge on an ended post", (404, "not_found"), giver, pledges, street.pledge(1))
    await house.work()
    await no.ask("accepted when all is tidied", (409, "match_not_open"), giver, f"/matches/{match['id']}/accept")

    assert not no.wrong, "\n".join(no.wrong)
