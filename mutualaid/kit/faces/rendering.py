"""Templates: one environment a language, everything escaped, a content policy with a fresh nonce for every page."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, partial
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from mutualaid.kit import clock
from mutualaid.kit.doors import language
from mutualaid.kit.errors import AidError
from mutualaid.kit.faces import cookies, forms, statics, wording
from mutualaid.kit.settings import MAKERS
from mutualaid.kit.texts import Language, say, translations

_SAID: Final = "said"
_SAID_LASTS: Final = timedelta(minutes=5)
_CSP: Final = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src 'self'; connect-src 'self'; "
    "manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@cache
def _templates(spoken: Language) -> Environment:
    found = Environment(
        loader=FileSystemLoader(statics.web_root() / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
    )
    found.policies["ext.i18n.trimmed"] = True
    found.install_gettext_translations(translations(spoken), newstyle=True)  # type: ignore[attr-defined] # by the i18n extension
    found.filters["moment"] = partial(wording.moment, language=spoken)
    found.filters["day"] = partial(wording.day, language=spoken)
    found.filters["distance"] = partial(wording.distance, language=spoken)
    found.globals["static"] = statics.address
    found.globals["language"] = spoken
    return found


@dataclass(frozen=True, slots=True)
class Problems:
    """What was wrong with a form: a sentence over all, and one beside each bad field."""

    sentence: str = ""
    fields: tuple[tuple[str, str], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.sentence)

    def of(self, field: str) -> list[str]:
        """The sentences about a field and what lies below it (`place`: `place.lat` too)."""
        return [text for name, text in self.fields if name == field or name.startswith(f"{field}.")]


NOTHING_WRONG: Final = Problems()


def problems(error: AidError, spoken: Language) -> Problems:
    """The error in the reader's language."""
    told = tuple((e.field, say(e.text, spoken, **e.params)) for e in error.fields)
    return Problems(say(error.text, spoken, **error.params), told)


class _Fields:
    """The hidden fields that every form begins with; remembers whether any form was made."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self.used = False

    def __html__(self) -> str:
        self.used = True
        bound, _ = forms.bound_to(self._request)
        token = cookies.token_for(self._request.state.services.ring, bound)
        field = Markup('<input type="hidden" name="{}" value="{}">')
        return field.format(forms.TOKEN, token) + field.format(forms.ONCE, secrets.token_urlsafe(12))


def page(
    request: Request, template: str, status: int = 200, *, headers: Mapping[str, str] | None = None, **context: Any
) -> Response:
    """One page. `form` (what was typed) and `problems` are empty unless given; the flash is shown once."""
    spoken = language(request)
    nonce, hidden = secrets.token_urlsafe(16), _Fields(request)
    said, wrong = _said(request)
    body = (
        _templates(spoken)
        .get_template(template)
        .render(
            {"form": forms.EMPTY, "problems": NOTHING_WRONG, **context},
            caller=request.scope.get("user"),
            path=request.url.path,
            here=_here(request),
            nonce=nonce,
            hidden=hidden,
            pretended=_pretended(request),
            said=say(said, spoken) if said else None,
            said_wrong=wrong,
        )
    )
    response = HTMLResponse(body, status, headers)
    response.headers["content-security-policy"] = _CSP.format(nonce=nonce)
    response.headers["content-language"] = spoken
    response.headers["vary"] = "Accept-Language, Cookie"
    if said:
        cookies.drop(request, response, _SAID)
    if hidden.used and request.scope.get("user") is None and (visitor := request.state.visitor)[1]:
        cookies.put(request, response, cookies.VISITOR, visitor[0])
    return response


def _here(request: Request) -> str:
    """Where we are, to come back to after signing in."""
    query = request.url.query
    return f"{request.url.path}?{query}" if query and request.method == "GET" else request.url.path


def _pretended(request: Request) -> list[str]:
    """Which providers are only pretended here. A request that was turned away at the outer ring knows no services."""
    services = getattr(request.state, "services", None)
    return [] if services is None else [maker for maker in MAKERS if getattr(services.settings, maker) == "fake"]


def _said(request: Request) -> tuple[str | None, bool]:
    """The sentence that the last page left for this one, and whether it tells that something went wrong."""
    services, cookie = getattr(request.state, "services", None), cookies.read(request, _SAID)
    found = None if services is None else cookies.unseal(services.ring, _SAID, cookie, now=clock.now())
    return (found[0], found[1]) if found else (None, False)


def go(request: Request, to: str, *, said: str | None = None, wrong: bool = False) -> Response:
    """Go on to a page of our own (303); `said`, a marked sentence, stands at its top, as a warning if `wrong`."""
    response = RedirectResponse(to, 303)
    if said is not None:
        until = clock.now() + _SAID_LASTS
        sealed = cookies.seal(request.state.services.ring, _SAID, [said, wrong], until=until)
        cookies.put(request, response, _SAID, sealed, lasts=_SAID_LASTS)
    return response
