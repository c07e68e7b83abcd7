"""A lifelike city in a running dev instance, made through its HTTP API: people, posts, pledges, calls, no-shows, rulings."""

import argparse
import asyncio
import contextlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx2
from demo_city import City, Resident
from demo_client import AT_ONCE, Client, Refused
from demo_table import Seen, show
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

CONSENTS = ("health_need", "precise_location", "real_name_check", "phone_masking", "publish_nearby", "notices")
LOGINS = {
    "needer": "+8613800000001",
    "giver": "+8613800000002",
    "moderator": "+8613800000003",
    "admin": "+8613800000004",
}

T = TypeVar("T")
console = Console()


class Demo:
    """The steps, each with its bar."""

    def __init__(self, client: Client, city: City, progress: Progress, random_: random.Random) -> None:
        self.client = client
        self.city = city
        self.random = random_
        self._progress = progress
        self.people: list[Resident] = []
        self.staff: dict[str, Resident] = {}
        self.reported = False

    async def each(self, label: str, things: Sequence[T], deed: Callable[[T], Awaitable[None]]) -> None:
        """Do `deed` for every thing, `AT_ONCE` at a time, under a bar."""
        bar = self._progress.add_task(label, total=len(things))
        places = asyncio.Semaphore(AT_ONCE)

        async def one(thing: T) -> None:
            async with places:
                await deed(thing)
            self._progress.advance(bar)

        await asyncio.gather(*(one(thing) for thing in things))

    async def arrive(self, who: Resident) -> None:
        """Sign in by WeChat, add the phone, consent, have the real name checked."""
        signed_in = await self.client.ask(
            "sign in", "POST", "/sessions", None, {"wechat_code": f"fake:demo{who.phone[3:]}"}
        )
        if signed_in is None:
            raise Refused("signing in by the fake WeChat maker: is this a dev instance?")
        who.token = signed_in["token"]
        await self.client.ask("add phone", "PUT", "/me/phone", who, {"wechat_phone_code": f"phone:{who.phone}"})
        for purpose in CONSENTS:
            await self.client.ask("consent", "PUT", f"/me/consents/{purpose}", who)
        identity = {"name": who.name, "id_number": who.identity}
        await self.client.ask("real name", "POST", "/me/real-name", who, identity)

    async def come_back(self, who: Resident) -> None:
        """Sign in anew: rulings want a session that is fresh."""
        again = await self.client.ask(
            "sign in", "POST", "/sessions", None, {"wechat_code": f"fake:demo{who.phone[3:]}"}
        )
        who.token = again["token"] if again else who.token

    async def post(self, what: tuple[str, Resident]) -> None:
        kind, who = what
        made = await self.client.ask("publish", "POST", "/posts", who, self.city.draft(kind, who, datetime.now(UTC)))
        if made is not None:
            who.posts.append(made)

    async def answer_proposals(self, who: Resident) -> None:
        """Most say yes, some say no, some never look."""
        for match in await self.client.all_of("my matches", "/me/matches", who):
            if match["state"] not in ("proposed", "accepted"):
                continue
            mine = "need" if match["need"]["mine"] else "offer"
            if mine in match["accepted_by"]:
                continue
            chance = self.random.random()
            if chance < 0.75:
                await self.client.ask("accept", "POST", f"/matches/{match['id']}/accept", who)
            elif chance < 0.85:
                await self.client.ask("decline", "POST", f"/matches/{match['id']}/decline", who)

    async def browse(self, who: Resident) -> None:
        """Look at the plaza; pledge to a need nearby, or ring one."""
        lat, lng = who.home
        near = await self.client.ask("plaza", "GET", f"/posts?kind=need&near={lat},{lng}&within_km=10&limit=20", who)
        offers = [p for p in who.posts if p["kind"] == "offer"]
        for card in (near or {"items": []})["items"]:
            if card["mine"] or self.random.random() < 0.7:
                continue
            if not await self._pledge(who, card, offers):
                await self._ring(who, card)

    async def _pledge(self, who: Resident, card: dict[str, Any], offers: list[dict[str, Any]]) -> bool:
        for offer in offers:
            mine, wanted = offer["lines"][0], card["lines"][0]
            if mine["item"] == wanted["item"]:
                amount = min(wanted["remaining"] - wanted["held"], mine["remaining"] - mine["held"])
                lines = [{"need_line": wanted["id"], "offer_line": mine["id"], "quantity": max(1, amount)}]
                body = {"post": offer["id"], "lines": lines}
                return await self.client.ask("pledge", "POST", f"/posts/{card['id']}/matches", who, body) is not None
        return False

    async def _ring(self, who: Resident, card: dict[str, Any]) -> None:
        contact = await self.client.ask("contact", "POST", f"/posts/{card['id']}/contact", who, {"channel": "call"})
        if contact and contact["number"]:
            await self._call(who, contact["number"])

    async def _call(self, who: Resident, number: str) -> None:
        outcome = self.random.choices(("answered", "busy", "no_answer"), weights=(7, 1, 2))[0]
        body = {"caller": who.phone, "dialled": number, "outcome": outcome, "seconds": self.random.randint(5, 180)}
        await self.client.ask("call", "POST", "/dev/calls", None, body)

    async def hand_over(self, who: Resident) -> None:
        """Ring the number of each agreed match, then it works out, in part or in full, or somebody does not come."""
        for contact in await self.client.all_of("my contacts", "/me/contacts", who):
            if contact["state"] == "granted" and contact["number"]:
                await self._call(who, contact["number"])
        for match in await self.client.all_of("my matches", "/me/matches", who):
            if match["state"] != "agreed":
                continue
            chance = self.random.random()
            if chance < 0.75:
                lines = [{"need_line": line["need_line"], "quantity": line["quantity"]} for line in match["lines"]]
                if chance < 0.1:
                    lines = [{**line, "quantity": max(1, line["quantity"] - 1)} for line in lines]
                await self.client.ask("complete", "POST", f"/matches/{match['id']}/complete", who, {"lines": lines})
            elif chance < 0.85:
                await self.client.ask("fail", "POST", f"/matches/{match['id']}/fail", who, {"reason": "no_show"})

    async def tidy(self, who: Resident) -> None:
        """Some solve it elsewhere, some take their post down."""
        for post in await self.client.all_of("my posts", "/me/posts", who):
            chance = self.random.random()
            if post["state"] == "open" and chance < 0.06:
                await self.client.ask("resolve", "POST", f"/posts/{post['id']}/resolve", who, {"outcome": "elsewhere"})
            elif post["state"] == "open" and chance < 0.08:
                await self.client.ask("withdraw", "POST", f"/posts/{post['id']}/withdraw", who)

    async def report(self, who: Resident) -> None:
        """Whatever sounds like selling is reported."""
        page = await self.client.ask("plaza", "GET", "/posts?sort=newest&limit=50", who)
        for card in (page or {"items": []})["items"]:
            if card["scrubbed"] and not card["mine"]:
                path, why = f"/posts/{card['id']}/reports", {"reason": "selling"}
                self.reported |= await self.client.ask("report", "POST", path, who, why) is not None

    async def queue(self) -> list[dict[str, Any]]:
        """The moderator's open cases, waited for where something was reported: a job makes a case of a report."""
        for _ in range(60):
            cases = await self.client.all_of("cases", "/moderation/cases", self.staff["moderator"])
            if cases or not self.reported:
                break
            await asyncio.sleep(2)
        return cases

    async def rule(self, case: dict[str, Any]) -> None:
        """The moderator claims a case; sellers are closed, reviews approved."""
        moderator = self.staff["moderator"]
        if await self.client.ask("claim", "POST", f"/moderation/cases/{case['id']}/claim", moderator) is None:
            return
        if case["post"] is None:
            return
        selling = case["reason"] in ("selling", "scam")
        deed, reason = ("close", case["reason"]) if selling else ("approve", "other")
        body = {"reason": reason, "note": ""}
        await self.client.ask("ruling", "POST", f"/moderation/posts/{case['post']['id']}/{deed}", moderator, body)


async def seed_staff(demo: Demo) -> None:
    """The ready logins, each with a phone of its own; roles come from the command line, as an operator would give them."""
    names = {"needer": "韦小梅", "giver": "覃大山", "moderator": "莫公正", "admin": "陆管家"}
    for n, (role, phone) in enumerate(LOGINS.items()):
        who = demo.city.resident(990 + n)
        who.phone, who.name = phone, names[role]
        await demo.arrive(who)
        demo.staff[role] = who
        if role in ("moderator", "admin"):
            command = [
                str(Path(sys.executable).with_name("mutualaid")),
                "member",
                "promote",
                "--phone",
                phone,
                "--role",
                role,
            ]
            done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, env=os.environ)
            if done.returncode:
                raise Refused(
                    f"mutualaid member promote --role {role} 没有成功 / did not work.\n"
                    "请用与该实例相同的 MUTUALAID_* 设置运行演示 / "
                    "run the demo with the instance's own MUTUALAID_* settings."
                )
    for role, kind in (("needer", "need"), ("giver", "offer")):
        await demo.post((kind, demo.staff[role]))


async def settle(client: Client, seconds: float = 120) -> None:
    """Give the worker time: until `/metrics` has shown no due job twice, half a second apart."""
    still, until = 0, time.monotonic() + seconds
    while time.monotonic() < until and still < 2:
        await asyncio.sleep(0.5)
        still = still + 1 if await client.jobs_due() == 0 else 0


async def outlast(moment: datetime, progress: Progress) -> None:
    """Wait, under a bar of seconds, until the shortest posts have run out."""
    left = int((moment - datetime.now(UTC)).total_seconds()) + 1
    if left > 0:
        bar = progress.add_task("posts run out", total=left)
        for _ in range(left):
            await asyncio.sleep(1)
            progress.advance(bar)


async def run(url: str, members: int, count: int, seed: int, short: float = 0) -> int:
    client = Client(url)
    columns = (TextColumn("{task.description:<22}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=console) as progress:
            items = {item["code"]: item for item in await client.all_of("items", "/items")}
            city = City(seed, items, run=int(time.time()) % 9_000, short=short)
            demo = Demo(client, city, progress, random.Random(seed))
            demo.people = [city.resident(n) for n in range(members)]
            await seed_staff(demo)
            await demo.each("people arrive", demo.people, demo.arrive)
            kinds = ["offer" if n % 5 == 0 else "need" for n in range(count)]  # needs : offers = 4 : 1
            await demo.each("posts", [(kind, city.random.choice(demo.people)) for kind in kinds], demo.post)
            await settle(client)
            for label in ("answering proposals", "answering again"):
                await demo.each(label, demo.people, demo.answer_proposals)
            await demo.each("browsing, ringing", demo.people, demo.browse)
            await demo.each("answering pledges", demo.people, demo.answer_proposals)
            await demo.each("handing over", demo.people, demo.hand_over)
            await demo.each("reporting", demo.people[:60], demo.report)
            await settle(client)  # a report becomes a case by a job
            await demo.come_back(demo.staff["moderator"])
            await demo.each("ruling", await demo.queue(), demo.rule)
            await demo.each("tidying", demo.people, demo.tidy)
            await outlast(city.last_until, progress)
            await settle(client)
            seen = Seen()
            residents = [*demo.people, demo.staff["needer"], demo.staff["giver"]]
            await demo.each("collecting", residents, lambda who: seen.collect(client, who))
        return show(seen, client, members=members + len(demo.staff), logins=LOGINS, console=console)
    finally:
        await client.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--members", type=int, default=400)
    parser.add_argument("--posts", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=20230107)
    parser.add_argument("--short", type=float, default=0.03, help="share of posts that run out before the demo is over")
    chosen = parser.parse_args()
    try:
        return asyncio.run(run(chosen.url, chosen.members, chosen.posts, chosen.seed, chosen.short))
    except httpx2.ConnectError:
        console.print(f"[red]{chosen.url} 没有回应 / does not answer.[/red] 先运行 / first run: scripts/run")
    except Refused as refusal:
        console.print(f"[red]{refusal}[/red]", highlight=False)
    except KeyboardInterrupt:
        console.print("stopped")
    return 2


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        raise SystemExit(main())
