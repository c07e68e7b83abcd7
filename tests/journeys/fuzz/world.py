"""A small street in which every door of the document has something behind it: posts, a match, a contact, a case."""

from dataclasses import dataclass
from random import Random
from typing import Any

from sqlalchemy import select

from mutualaid.kit.outbox import Job
from mutualaid.kit.phones import Phone
from mutualaid.members import standing
from tests.harness import CONSENTS, House, Person, a_need, an_offer, id_number

API = "/api/v1"


@dataclass
class World:
    """Who asks, and what there is to ask about."""

    house: House
    member: Person
    neighbour: Person
    moderator: Person
    post: dict[str, Any]
    foreign: dict[str, Any]
    match: dict[str, Any]
    contact: dict[str, Any]

    @classmethod
    async def open(cls, house: House) -> "World":
        member, neighbour = await house.member("王小明"), await house.member("李大力")
        moderator = await house.member("赵管事")
        async with house.services.database.transaction() as session:
            await standing.promote(session, Phone(moderator.phone), "moderator", actor=None, now=house.clock.now)
        need, foreign = await member.publish(a_need()), await neighbour.publish(an_offer())
        await house.work()
        # These two, and not whichever of the posts of an earlier world the service proposed to either of them.
        lines = [{"need_line": need["lines"][0]["id"], "offer_line": foreign["lines"][0]["id"], "quantity": 4}]
        pledged = await member.post(f"/posts/{foreign['id']}/matches", {"post": need["id"], "lines": lines})
        assert pledged.is_success, pledged.text
        match = pledged.json()
        agreed = await neighbour.post(f"/matches/{match['id']}/accept")
        assert agreed.is_success, agreed.text
        await house.work()
        contact = (await member.get("/me/contacts")).json()["items"][0]
        post = await member.publish(a_need(item="gloves", contact="words"))
        await moderator.post(f"/posts/{foreign['id']}/reports", {"reason": "scam"})
        await house.work()
        return cls(house, member, neighbour, moderator, post, foreign, match, contact)

    async def mend(self) -> None:
        """Before the next door: everybody may still do what they may do, and there is a post to do it to."""
        self.member = await self._present(self.member)
        self.neighbour = await self._present(self.neighbour)
        if (await self.moderator.get("/moderation/log")).status_code != 200:
            self.moderator = await self.house.member("赵管事")
            async with self.house.services.database.transaction() as session:
                await standing.promote(
                    session, Phone(self.moderator.phone), "moderator", actor=None, now=self.house.clock.now
                )
        if (await self.member.get(f"/posts/{self.post['id']}")).json().get("state") != "open":
            self.post = await self.member.publish(a_need(item="gloves", contact="words"))
        if (await self.member.get(f"/posts/{self.foreign['id']}")).status_code != 200:
            self.foreign = await self.neighbour.publish(an_offer())
        await self.house.work()

    async def _present(self, person: Person) -> Person:
        me = await person.get("/me")
        if me.status_code == 200 and me.json()["real_name"] == "checked":
            held = {consent["purpose"] for consent in me.json()["consents"]}
            await person.consent(*(set(CONSENTS) - held)) if held != set(CONSENTS) else None
            if (await person.post("/posts/none/reports", {"reason": "scam"})).status_code == 404:
                return person
        return await self.house.member("王小明")

    async def broken_jobs(self) -> list[tuple[str, str | None]]:
        """Jobs that failed, with the kind of their fault."""
        async with self.house.services.database.reading() as session:
            rows = await session.execute(select(Job.name, Job.last_error).where(Job.last_error.is_not(None)))
            return [(name, error) for name, error in rows]

    async def ids(self, path: str, random: Random) -> dict[str, str]:
        """Names for the parameters of a path, of things that there are."""
        if "{purpose}" in path:
            return {"purpose": random.choice(CONSENTS)}
        if "{maker}" in path:
            return {"maker": "fake"}
        if "{id}" not in path:
            return {}
        for prefix, found in {
            "/posts/": [self.post["id"], self.foreign["id"], self.match["need"]["id"], self.match["offer"]["id"]],
            "/matches/": [self.match["id"]],
            "/contacts/": [self.contact["id"]],
            "/moderation/posts/": [self.post["id"], self.foreign["id"]],
            "/moderation/members/": [self.neighbour.id],
        }.items():
            if path.startswith(f"{API}{prefix}"):
                return {"id": random.choice(found)}
        asker, of = {
            f"{API}/me/sessions/{{id}}": (self.neighbour, "/me/sessions"),
            f"{API}/me/notices/{{id}}/read": (self.member, "/me/notices"),
            f"{API}/moderation/cases/{{id}}/claim": (self.moderator, "/moderation/cases"),
        }[path]
        items = (await asker.get(of)).json()["items"]
        return {"id": random.choice(items)["id"]} if items else {}

    def bodies(self, method: str, path: str) -> list[dict[str, Any]]:
        """Bodies that are right for a door, to be spoilt a little."""
        line = {"need_line": self.match["lines"][0]["need_line"], "quantity": 1}
        pledge = {"need_line": self.post["lines"][0]["id"], "offer_line": self.foreign["lines"][0]["id"], "quantity": 1}
        call = {"caller": self.member.phone, "dialled": self.contact["number"] or "+8617000000001"}
        ruling = {"reason": "other", "note": "看过了"}
        known: dict[str, list[dict[str, Any]]] = {
            "POST /posts": [a_need(), an_offer(), a_need(item="mask-n95", note="晚上在家")],
            "PATCH /posts/{id}": [{"reach_km": 5, "note": "白天在家", "urgency": "normal"}],
            "POST /posts/{id}/resolve": [{"outcome": "elsewhere"}],
            "POST /posts/{id}/reports": [{"reason": "scam", "note": "要钱"}],
            "POST /posts/{id}/matches": [{"post": self.post["id"], "lines": [pledge]}],
            "POST /posts/{id}/contact": [{"channel": "words"}, {"channel": "call"}, {}],
            "POST /matches/{id}/complete": [{"lines": [line]}],
            "POST /matches/{id}/fail": [{"reason": "no_show"}],
            "POST /contacts/{id}/messages": [{"text": "几点方便?"}],
            "POST /contacts/{id}/reports": [{"reason": "abuse", "note": ""}],
            "POST /sessions/otp": [{"phone": "13900001111"}],
            "POST /sessions": [{"challenge": "x", "code": "000000"}, {"wechat_code": "fake:somebody"}],
            "POST /sessions/current/step-up": [{"challenge": "x", "code": "000000"}],
            "PUT /me/phone": [{"wechat_phone_code": "phone:+8613900002222"}],
            "POST /me/real-name": [{"name": "王小明", "id_number": id_number(900)}],
            "PUT /me/consents/{purpose}": [{}, {"version": 1}],
            "POST /dev/calls": [call],
            "/hooks/numbers/{maker}/route": [call | {"call_id": "c1", "at": "2023-01-07T12:00:00Z"}],
        }
        if "/moderation/" in path and not path.endswith("/claim"):
            return [ruling]
        return known.get(f"{method} {path.removeprefix(API)}", known.get(path, []))
