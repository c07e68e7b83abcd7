"""Somebody with a browser that runs no script: follows links, fills forms, keeps cookies."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode, urlsplit

from httpx2 import AsyncClient, Response

from mutualaid.kit.faces.cookies import SESSION
from mutualaid.members.consent_texts import Purpose
from tests.harness import House, id_number
from tests.settling import settle

ORIGIN = "http://testserver"


@dataclass
class SeenForm:
    """A form as a page shows it: where it goes, and what it holds before anything is typed."""

    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class _Reader(HTMLParser):
    """Reads forms, texts and attributes of a page."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.forms: list[SeenForm] = []
        self.words: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self._form: SeenForm | None = None
        self._select: str | None = None
        self._option: str | None = None
        self._area: str | None = None
        self._unseen = 0
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        a = {name: value or "" for name, value in attrs}
        self.tags.append((tag, a))
        self._unseen += tag in ("script", "style")
        if tag == "form":
            self._form = SeenForm(a.get("action", ""), a.get("method", "get"))
            self.forms.append(self._form)
        if self._form is None:
            return
        if name := a.get("name"):
            self._form.names.add(name)
        if tag == "input" and name:
            if a.get("type") not in ("checkbox", "radio") or "checked" in a:
                self._form.fields.append((name, a.get("value", "")))
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and "selected" in a:
            self._form.fields.append((self._select, a.get("value", "")))
        elif tag == "textarea":
            self._area = name
            self._form.fields.append((name or "", ""))
        elif tag == "button" and a.get("type", "submit") == "submit":
            self._form.buttons.append((name or "", a.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        self._unseen -= tag in ("script", "style")
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = None
        elif tag == "textarea":
            self._area = None

    def handle_data(self, data: str) -> None:
        if self._area is not None and self._form is not None:
            name, value = self._form.fields[-1]
            # a line break right after <textarea> is not part of its value
            self._form.fields[-1] = (name, value + (data.removeprefix("\n") if not value else data))
        if not self._unseen:
            self.words.append(data)


@dataclass
class Page:
    """What the visitor sees."""

    response: Response
    reader: _Reader

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def path(self) -> str:
        return self.response.url.raw_path.decode()

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.reader.words).split())

    @property
    def markup(self) -> str:
        return self.response.text

    def form(self, action: str | None = None) -> SeenForm:
        """The form that goes there, or the only one that posts."""
        for form in self.reader.forms:
            if form.action.split("?")[0] == action or (action is None and form.method == "post"):
                return form
        raise AssertionError(f"no form for {action} among {[form.action for form in self.reader.forms]}")

    def links(self) -> list[str]:
        return [a["href"] for tag, a in self.reader.tags if tag == "a" and "href" in a]


class Visitor:
    """One browser."""

    def __init__(self, house: House, language: str = "zh-CN,zh;q=0.9") -> None:
        self.house = house
        self.client = AsyncClient(
            transport=house.client._transport, base_url=ORIGIN, headers={"accept-language": language}
        )
        self.page: Page
        self.phone: str  # whose it is, once signed in

    async def open(self, path: str) -> Page:
        return await self._follow(await self.client.get(path))

    async def send(self, form: SeenForm, *, button: tuple[str, str] | None = None, **typed: Any) -> Page:
        """Send a form with these fields filled in; dots in names are written as two underscores, None leaves out."""
        named = {name.replace("__", "."): value for name, value in typed.items()}
        unknown = named.keys() - form.names
        assert not unknown, f"the form has no {sorted(unknown)}"
        pairs = [(name, value) for name, value in form.fields if name not in named]
        for name, value in named.items():
            if value is not None:
                pairs += [(name, one) for one in (value if isinstance(value, list) else [value])]
        if button is not None:
            assert button in form.buttons, f"the form has no button {button} among {form.buttons}"
            pairs.append(button)
        if form.method == "get":
            return await self.open(f"{form.action}?{urlencode(pairs)}")
        return await self._follow(await self.post(form.action, pairs))

    async def post(self, action: str, pairs: list[tuple[str, str]], origin: str | None = ORIGIN) -> Response:
        headers = {"content-type": "application/x-www-form-urlencoded"} | ({"origin": origin} if origin else {})
        return await self.client.post(action, content=urlencode(pairs), headers=headers)

    async def _follow(self, response: Response) -> Page:
        for _ in range(8):
            if response.status_code not in (301, 302, 303, 307):
                break
            await self.house.work()
            response = await self.client.get(response.headers["location"])
        self.page = Page(response, _Reader(response.text))
        return self.page

    async def sign_in(self, phone: str | None = None) -> "Visitor":
        """By form, with the code that the page shows in test mode."""
        self.phone = phone = phone or self.house.stranger().phone
        page = await self.open("/sign-in")
        page = await self.send(page.form("/sign-in"), phone=phone)
        assert urlsplit(page.path).path == "/sign-in/code", page.text
        code = self.house.messages("sms", phone)[-1]["params"]["code"]
        assert code in page.text
        page = await self.send(page.form("/sign-in/code"), code=code)
        assert page.status == 200, page.text
        return self

    async def settled(self, name: str = "王小明") -> "Visitor":
        """Signed in and verified before now, as `sign_in` and `verify` would: for tests of what comes then."""
        self.phone, number = self.house.stranger().phone, id_number(self.house.next_serial())
        services, now = self.house.services, self.house.clock.now
        given: tuple[Purpose, ...] = ("real_name_check",)
        token, _ = await settle(services, self.phone, legal_name=name, number=number, now=now, purposes=given)
        self.client.cookies.set(f"mutualaid-{SESSION}", token)
        return self

    async def verify(self, name: str = "王小明") -> "Visitor":
        """By form, its consent ticked."""
        page = await self.open("/real-name")
        typed: dict[str, Any] = {"name": name, "id_number": id_number(self.house.next_serial())}
        page = await self.send(page.form("/real-name"), consent__real_name_check="1", **typed)
        assert page.status == 200, page.text
        return self

    async def publish(self, kind: str = "need", *more: str, **typed: Any) -> Page:
        """By form, whatever consent is missing ticked on the page that asks for it. Returns the post's page.

        `more`: items besides ibuprofen.
        """
        fields: dict[str, Any] = {"region": "450103", "address": "民族大道1号"}
        for n, item in enumerate(("ibuprofen", *more)):
            fields |= {f"lines__{n}__item": item, f"lines__{n}__quantity": "12" if kind == "offer" else "4"}
            if kind == "offer":
                fields |= {f"lines__{n}__expires_on": "2023-12-31", f"lines__{n}__sealed": "yes"}
        page = await self.open("&item=".join((f"/posts/new?kind={kind}", *(("ibuprofen", *more) if more else ()))))
        page = await self.send(page.form("/posts/new"), **{**fields, **typed})
        if page.status == 428:
            form = page.form("/posts/new")
            boxes: dict[str, Any] = {name.replace(".", "__"): "1" for name in form.names if name.startswith("consent.")}
            page = await self.send(form, **boxes)
        return page
