"""Pictures of the pages at the size of a phone, for the guides: an instance of its own, a small city, Chromium."""

import argparse
import asyncio
import os
import random
import re
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import demo
import instance
from demo_city import City
from demo_client import Client
from playwright.async_api import Browser, Page, async_playwright
from rich.console import Console
from rich.progress import Progress

GUIDE = Path(__file__).resolve().parent.parent / "docs" / "guide"
CHROMIUM = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
SEED = 20230107
HOME = (22.8170, 108.3665)
MOST_BYTES = 300_000
TO_RULE_ON = (
    ("selling", "囤了两百盒，想要的赶紧，一盒100元，先到先得", "要我先转账"),
    ("prescription", "阿奇霉素也有，一起拿走", "处方药不能在这里分"),
    ("scam", "先付款再发货，保证是真的", "付了钱就联系不上了"),
)
NEED = {
    "kind": "need",
    "urgency": "urgent",
    "lines": [{"item": "ibuprofen-suspension", "quantity": 1}],
    "place": {"lat": HOME[0], "lng": HOME[1]},
    "handover": ["pickup", "delivery"],
    "beneficiary_age_band": "under_6",
    "note": "孩子三岁，昨晚开始发烧，药店都买不到，求一瓶混悬液。",
}
console = Console(stderr=True)


async def dress(city: City, client: Client) -> str:
    """Leave some cases for the moderator's queue, and a need that stands first on the plaza. Returns that post's id."""
    with Progress(console=console) as progress:
        steps = demo.Demo(client, city, progress, random.Random(SEED))

        async def one(case: tuple[str, str, str]) -> None:
            reason, note, why = case
            author, reporter = (city.resident(900 + city.random.randrange(80)) for _ in range(2))
            await steps.arrive(author)
            await steps.arrive(reporter)
            draft = city.draft("offer", author, datetime.now(UTC)) | {"note": note}
            draft.pop("until", None)
            post = await client.ask("publish", "POST", "/posts", author, draft)
            told = {"reason": reason, "note": why}
            await client.ask("report", "POST", f"/posts/{post['id']}/reports", reporter, told)

        for case in TO_RULE_ON:
            await one(case)
        mother = city.resident(999)
        mother.name, mother.home = "黄小梅", HOME
        await steps.arrive(mother)
        post = await client.ask("publish", "POST", "/posts", mother, NEED)
    await demo.settle(client)
    return str(post["id"])


async def at_home(browser: Browser) -> Page:
    context = await browser.new_context(
        viewport={"width": 390, "height": 844},
        device_scale_factor=2,
        is_mobile=True,
        has_touch=True,
        locale="zh-CN",
        timezone_id="Asia/Shanghai",
    )
    return await context.new_page()


async def sign_in(page: Page, url: str, phone: str) -> None:
    await page.goto(f"{url}/sign-in")
    await page.fill("[name=phone]", phone.removeprefix("+86"))
    await page.click("main form button.main")
    letter = page.locator(".pretended blockquote")
    while not await letter.count():  # the worker writes it a moment later
        await asyncio.sleep(0.3)
        await page.reload()
    code = re.search(r"\d{6}", await letter.inner_text())
    assert code is not None, "the page shows the text message in test mode"
    await page.fill("[name=code]", code[0])
    async with page.expect_navigation():
        await page.click("main form button.main")


async def take(page: Page, url: str, path: str, name: str, folder: Path, *, whole: bool = False) -> None:
    await page.goto(url + path)
    file = folder / f"{name}.png"
    await page.screenshot(path=file, animations="disabled", full_page=whole)
    size = file.stat().st_size
    console.print(f"{file}  {size // 1000} kB", highlight=False)
    if size > MOST_BYTES:
        raise SystemExit(f"{name}.png is larger than {MOST_BYTES // 1000} kB")


async def photograph(url: str, post: str, chromium: str, folder: Path) -> None:
    """Landing as a stranger sees it; plaza, a post and one's own page as a member; the queue as a moderator."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=CHROMIUM)
        stranger = await at_home(browser)
        await take(stranger, url, "/", "landing", folder)

        member = await at_home(browser)
        await sign_in(member, url, demo.LOGINS["giver"])
        lat, lng = HOME
        plaza = f"/posts?kind=need&near={lat:.2f},{lng:.2f}&sort=distance"
        await take(member, url, plaza, "plaza", folder)
        await take(member, url, f"/posts/{post}", "post", folder, whole=True)
        await take(member, url, "/me", "me", folder)

        moderator = await at_home(browser)
        await sign_in(moderator, url, demo.LOGINS["moderator"])
        await take(moderator, url, "/moderation", "queue", folder)
        await browser.close()


async def run(url: str, folder: Path, chromium: str, members: int, posts: int) -> int:
    if failed := await demo.run(url, members, posts, SEED):
        return failed
    client = Client(url)
    items = {item["code"]: item for item in await client.all_of("items", "/items")}
    post = await dress(City(SEED + 1, items, run=9_500), client)
    await client.close()
    await photograph(url, post, chromium, folder)
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=GUIDE)
    parser.add_argument("--members", type=int, default=24)
    parser.add_argument("--posts", type=int, default=120)
    chosen = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        console.print("没有 Chromium / no Chromium: scripts/ci-packages")
        return 2
    chosen.into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mutualaid-pictures-") as data, instance.running(Path(data)) as there:
        os.environ.update(there.environment)  # the demo promotes its staff by the command line
        return asyncio.run(run(there.url, chosen.into, chromium, chosen.members, chosen.posts))


if __name__ == "__main__":
    sys.exit(main())
