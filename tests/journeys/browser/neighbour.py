"""Somebody at a browser of their own, who presses what a person would press, by the names that a screen reader speaks."""

import asyncio
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from axe_playwright_python.async_playwright import Axe
from instance import Instance
from playwright.async_api import (
    BrowserContext,
    ConsoleMessage,
    Dialog,
    Geolocation,
    Locator,
    Page,
    Request,
    Response,
    expect,
)

from tests.harness import id_number

# Near the inner point of 青秀区, which an address stands for where the browser tells no place: all live within reach.
HOME: Geolocation = {"latitude": 22.7950, "longitude": 108.7020}
PATIENCE_MS = 20_000  # what the worker does a moment later, on a busy machine
_ID = re.compile(r"[0-9a-f]{40}")
_REFUSED = re.compile(r"Failed to load resource: the server responded with a status of 4\d\d")


@dataclass
class Neighbour:
    """One person, one browser context. What went wrong unseen gathers in `troubles`."""

    context: BrowserContext
    page: Page
    instance: Instance
    phone: str
    serial: int
    looked_at: set[str]  # by everybody so far
    script: bool = True
    troubles: list[str] = field(default_factory=list)
    status: int = 0

    def __post_init__(self) -> None:
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.on("dialog", self._on_dialog)
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.troubles.append(f"error on {self.path}: {error}"))
        self.page.on("response", self._on_response)
        self.page.on("request", self._on_request)

    async def _on_dialog(self, dialog: Dialog) -> None:
        self.troubles.append(f"a dialog on {self.path}: {dialog.message}")
        await dialog.dismiss()

    def _on_console(self, said: ConsoleMessage) -> None:
        if said.type in ("error", "warning") and not _REFUSED.match(said.text):
            self.troubles.append(f"{said.type} on {self.path}: {said.text}")

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith(self.instance.url):
            self.troubles.append(f"{self.path} asked for {request.url}")

    def _on_response(self, response: Response) -> None:
        if response.request.is_navigation_request():
            self.status = response.status
        elif response.status >= 400:
            self.troubles.append(f"{self.path}: {response.status} for {response.url}")
        if response.status >= 500:
            self.troubles.append(f"{response.status} for {response.url}")

    @property
    def path(self) -> str:
        parts = urlsplit(self.page.url)
        return f"{parts.path}?{parts.query}" if parts.query else parts.path

    # ---- what a person does ----

    async def open(self, path: str) -> None:
        await self.page.goto(self.instance.url + path)
        await self.look()

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name)

    def link(self, name: str) -> Locator:
        return self.page.get_by_role("link", name=name)

    async def press(self, name: str) -> None:
        """A button that leads on."""
        await self._on(self.button(name).first)

    async def follow(self, name: str) -> None:
        await self._on(self.link(name).first)

    async def _on(self, what: Locator) -> None:
        async with self.page.expect_navigation():
            await what.click()
        await self.look()

    def field(self, name: str, value: str = "") -> Locator:
        """By the name that it is sent under; axe sees to it that each has a label."""
        return self.page.locator(f'[name="{name}"]' + (f'[value="{value}"]' if value else ""))

    async def type(self, name: str, text: str) -> None:
        await self.field(name).fill(text)

    async def choose(self, name: str, value: str) -> None:
        await self.field(name).select_option(value)

    async def tick(self, name: str, value: str = "") -> None:
        await self.field(name, value).check()

    async def sees(self, *texts: str) -> None:
        for text in texts:
            await expect(self.page.locator("body")).to_contain_text(text)

    async def sees_not(self, *texts: str) -> None:
        for text in texts:
            await expect(self.page.locator("body")).not_to_contain_text(text)

    async def waits_for(self, what: Locator) -> None:
        """Opens the page again until the worker has done its part."""
        for _ in range(PATIENCE_MS // 250):
            if await what.count():
                return
            await asyncio.sleep(0.25)
            await self.page.reload()
        raise AssertionError(f"{what} never came on {self.path}: {await self.page.inner_text('main')}")

    async def number(self) -> str:
        """What the contact's page would dial."""
        address = await self.page.locator(".number a").get_attribute("href")
        assert address is not None and address.startswith("tel:")
        return address.removeprefix("tel:")

    # ---- what looks over their shoulder ----

    async def look(self) -> None:
        """No page is wider than the screen; axe finds nothing, asked once for each kind of page on each kind of screen."""
        assert self.page.viewport_size is not None
        screen, wide = (
            self.page.viewport_size["width"],
            await self.page.evaluate("document.documentElement.scrollWidth"),
        )
        if wide > screen:
            self.troubles.append(f"{self.path} is {wide - screen} px wider than the screen")
        kind = f"{_ID.sub('…', urlsplit(self.page.url).path)} {self.status} {await self.page.title()} {screen} px"
        if not self.script or kind in self.looked_at:  # where no script runs, axe does not either
            return
        self.looked_at.add(kind)
        found = await Axe().run(self.page)
        if found.violations_count:
            self.troubles.append(f"axe on {kind}: {found.generate_report()}")

    # ---- whole stretches of the way ----

    async def sign_in(self) -> None:
        """From the sign-in page, with the code that the page shows in test mode."""
        await self.type("phone", self.phone)
        await self.press("发送验证码")
        letter = self.page.locator(".pretended blockquote")
        await self.waits_for(letter)
        code = re.search(r"\d{6}", await letter.inner_text())
        assert code is not None
        await self.type("code", code[0])
        await self.press("继续")

    async def prove(self, name: str) -> None:
        """From the real-name page."""
        await self.type("name", name)
        await self.type("id_number", id_number(self.serial))
        await self.tick("consent.real_name_check")
        await self.press("核验")

    async def agree(self, *titles: str) -> None:
        """From the page that asks for consents: to each by itself."""
        boxes = self.page.get_by_role("checkbox")
        assert await boxes.count() >= 1
        for box in await boxes.all():
            await expect(box).not_to_be_checked()
            await box.check()
        await self.press("继续")

    async def take_place(self, address: str = "民族大道1号") -> None:
        """In the form: the browser's own place, or an address where no script runs."""
        if self.script:
            await self.button("使用我的位置").click()
            await self.sees("已取得您的位置")
        else:
            await self.choose("region", "450103")
            await self.type("address", address)

    async def arrive(self, name: str) -> None:
        """New here: signs in and has the real name checked."""
        await self.open("/sign-in?next=/real-name")
        await self.sign_in()
        await self.prove(name)

    async def fill_need(self, *, item: str = "dequalinium", quantity: str = "4", note: str = "") -> None:
        """Journeys that wait for a match choose an item of their own: all of them share one town."""
        await self.choose("lines.0.item", item)
        await self.type("lines.0.quantity", quantity)
        await self.take_place()
        await self.type("note", note)

    async def fill_offer(self, *, item: str = "dequalinium", quantity: str = "12", note: str = "") -> None:
        await self.fill_need(item=item, quantity=quantity, note=note)
        await self.type("lines.0.expires_on", "2030-12-31")
        await self.tick("lines.0.sealed")
        await self.tick("keeps_enough")

    async def publish(self, kind: str, **what: str) -> str:
        """From anywhere, verified: the post's path."""
        await self.open(f"/posts/new?kind={kind}")
        await (self.fill_need(**what) if kind == "need" else self.fill_offer(**what))
        await self.press("发布")
        if self.status == 428:
            await self.agree()
        assert _ID.search(self.path), f"{self.path}: {await self.page.inner_text('main')}"
        return self.path

    async def first_match(self) -> None:
        """Opens one's newest match once there is one."""
        await self.open("/me/matches")
        first = self.page.locator("main .card a").first
        await self.waits_for(first)
        await self._on(first)

    async def first_contact(self) -> None:
        """Opens one's newest contact once its number is there."""
        await self.open("/me/contacts")
        first = self.page.locator("main .card").filter(has_text="可以联系").locator("a").first
        await self.waits_for(first)
        await self._on(first)
