"""The cookies of pages: which names and flags they have, and values that only we can have written.

Over https a cookie is `__Host-…`: Secure, HttpOnly, for this host and all its paths. Over plain http, which only a dev
instance speaks, it has another name and no Secure flag, so that a phone on the same network can be used.
"""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from datetime import datetime, timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from mutualaid.kit.faces.errors import HttpsNeeded
from mutualaid.kit.ring import KeyRing, KeyUnknown

SESSION: Final = "session"
VISITOR: Final = "visitor"
_PURPOSE: Final = "session"
_MAC: Final = 32
_LONGEST: Final = 4000


def require_https(request: Request) -> None:
    """`prod` serves no page over plain http: its cookies could be read on the way."""
    if request.url.scheme != "https" and not request.state.services.settings.dev:
        raise HttpsNeeded


def name_of(request: Request, plain: str) -> str:
    """The cookie's full name in this scheme."""
    return f"__Host-{plain}" if request.url.scheme == "https" else f"mutualaid-{plain}"


def read(request: Request, plain: str) -> str | None:
    value = request.cookies.get(name_of(request, plain))
    return value if value and len(value) <= _LONGEST else None


def put(request: Request, response: Response, plain: str, value: str, *, lasts: timedelta | None = None) -> None:
    """Set it; without `lasts` it ends with the browser."""
    response.set_cookie(
        name_of(request, plain),
        value,
        max_age=None if lasts is None else int(lasts.total_seconds()),
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def drop(request: Request, response: Response, plain: str) -> None:
    response.delete_cookie(
        name_of(request, plain), path="/", secure=request.url.scheme == "https", httponly=True, samesite="lax"
    )


def seal(ring: KeyRing, label: str, value: Any, *, until: datetime) -> str:
    """A value (JSON) that comes back only as we wrote it, under this label and before `until`. It can be read."""
    version, key = ring.current(_PURPOSE)
    body = json.dumps([version, int(until.timestamp()), value], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_mac(key, label, body) + body).decode().rstrip("=")


def unseal(ring: KeyRing, label: str, cookie: str | None, *, now: datetime) -> Any | None:
    """What `seal` was given, or None for anything else."""
    try:
        raw = base64.b64decode((cookie or "").encode("ascii") + b"=" * (-len(cookie or "") % 4), altchars=b"-_")
        mac, body = raw[:_MAC], raw[_MAC:]
        version, until, value = json.loads(body)
        key = ring.at(_PURPOSE, version)
    except (binascii.Error, UnicodeError, ValueError, TypeError, RecursionError, KeyUnknown):
        return None
    if not hmac.compare_digest(mac, _mac(key, label, body)) or until <= now.timestamp():
        return None
    return value


def visitor_of(request: Request) -> tuple[str, bool]:
    """The random name of a browser that has not signed in, and whether it is new and must be set."""
    known = read(request, VISITOR)
    if known is not None and len(known) == 22 and known.isascii():
        return known, False
    return secrets.token_urlsafe(16), True


def token_for(ring: KeyRing, bound: str) -> str:
    """The token that a form of this session (or visitor) carries."""
    version, key = ring.current(_PURPOSE)
    return f"{version}.{_mac(key, 'form', bound.encode()).hex()}"


def token_fits(ring: KeyRing, bound: str, token: str) -> bool:
    version, _, _ = token.partition(".")
    try:
        key = ring.at(_PURPOSE, int(version))
    except (ValueError, KeyUnknown):
        return False
    return hmac.compare_digest(f"{version}.{_mac(key, 'form', bound.encode()).hex()}".encode(), token.encode())


def _mac(key: bytes, label: str, body: bytes) -> bytes:
    return hmac.digest(key, label.encode() + b"\0" + body, hashlib.sha256)
