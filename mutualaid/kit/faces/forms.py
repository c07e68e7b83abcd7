"""Forms: read as they were typed, refused when they come from elsewhere, and made into what the API's drafts take."""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, urlsplit

from starlette.requests import Request

from mutualaid.kit.errors import FieldError, Invalid, Malformed, UnsupportedType
from mutualaid.kit.faces import cookies
from mutualaid.kit.faces.errors import ForeignOrigin, FormStale

TOKEN: Final = "form_token"  # noqa: S105 — the name of a field
ONCE: Final = "form_once"
_OURS: Final = frozenset({TOKEN, ONCE})
_MOST_FIELDS: Final = 300


@dataclass(frozen=True, slots=True)
class Form:
    """What was typed, by field name. Not shown in logs: it is what people wrote."""

    typed: dict[str, list[str]]

    def __repr__(self) -> str:
        return "Form(…)"

    def get(self, name: str, default: str = "") -> str:
        """The first value, without outer space; the default where the field did not come."""
        values = self.typed.get(name)
        return values[0].strip() if values else default

    def all(self, name: str) -> list[str]:
        return self.typed.get(name, [])

    def has(self, name: str) -> bool:
        """Whether it came with something in it: a ticked box, a filled field."""
        return bool(self.get(name))

    def carried(self, *without: str) -> Iterator[tuple[str, str]]:
        """Every field and value, to be carried along in hidden fields of the next page."""
        for name, values in self.typed.items():
            if name not in _OURS and not name.startswith(without):
                yield from ((name, value) for value in values)


EMPTY: Final = Form({})


async def read(request: Request) -> Form:
    """The request's form. 415 for anything but a plain form, 400 for one that cannot be read."""
    known: Form | None = getattr(request.state, "form", None)
    if known is None:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        body = await request.body()
        if kind != "application/x-www-form-urlencoded" and body:
            raise UnsupportedType
        request.state.form = known = Form(_fields(body))
    return known


def of_query(request: Request) -> Form:
    """The query string, read like a form: unknown names stay unread, of repeated ones the first counts."""
    typed: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        typed.setdefault(name, []).append(value)
    return Form(typed)


def _fields(body: bytes) -> dict[str, list[str]]:
    typed: dict[str, list[str]] = {}
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise Malformed from None
    for name, value in pairs:
        typed.setdefault(name, []).append(value.replace("\r\n", "\n"))
    return typed


def number(text: str) -> Any:
    """A whole number as the draft takes it, full-width digits too; what is none stays text, and is refused there."""
    plain = unicodedata.normalize("NFKC", text).strip()
    return int(plain) if plain.isascii() and plain.isdigit() and len(plain) < 12 else plain or None


def decimal(text: str) -> Any:
    """The same for a number with decimals."""
    try:
        return float(text)
    except ValueError:
        return text


def beside(refusal: Invalid, listed: str, fields: Sequence[str]) -> Invalid:
    """The same with errors about entry n of the list `listed` moved to the n-th of `fields`.

    For forms in which what was left empty is not sent on, so that its entries are numbered otherwise.
    """

    def moved(error: FieldError) -> FieldError:
        parts = error.field.split(".")
        known = len(parts) > 1 and parts[0] == listed and parts[1].isdigit() and int(parts[1]) < len(fields)
        return replace(error, field=fields[int(parts[1])]) if known else error

    return Invalid([moved(error) for error in refusal.fields])


def check_origin(request: Request) -> None:
    """Refuse a form that was not sent from one of our own pages. Browsers name the origin of every POST."""
    there = _parts(request.headers.get("origin") or request.headers.get("referer"))
    here = (request.url.scheme, request.headers.get("host", ""))
    if there is None or (there.scheme, there.netloc) != here:
        raise ForeignOrigin


async def check_token(request: Request) -> None:
    """Refuse a form that does not carry this session's token."""
    form = await read(request)
    bound, _ = bound_to(request)
    if not cookies.token_fits(request.state.services.ring, bound, form.get(TOKEN)):
        raise FormStale


def bound_to(request: Request) -> tuple[str, bool]:
    """What this browser's forms are bound to: the session, or before sign-in the visitor cookie; and whether it is new."""
    caller = request.scope.get("user")
    if caller is not None:
        return f"session:{caller.session_id}", False
    visitor: tuple[str, bool] | None = getattr(request.state, "visitor", None)
    if visitor is None:
        request.state.visitor = visitor = cookies.visitor_of(request)
    return f"visitor:{visitor[0]}", visitor[1]


def safe_next(path: str | None, default: str = "/") -> str:
    """A path of our own to go on to; anything that could lead elsewhere becomes the default."""
    if not path or len(path) > 2000 or not path.isascii() or not path.isprintable():
        return default
    # One slash and no second: neither a scheme nor a host can stand in it. Browsers read a backslash as a slash.
    if not path.startswith("/") or path.startswith("//") or "\\" in path:
        return default
    return path


def path_of(address: str | None) -> str | None:
    """Path and query of a full address, such as a Referer; None for what is no address."""
    parts = _parts(address)
    if parts is None:
        return None
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _parts(address: str | None) -> SplitResult | None:
    try:
        return urlsplit(address) if address else None
    except ValueError:  # such as a bracket that is not closed: anybody may send one
        return None
