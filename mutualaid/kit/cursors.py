"""Keyset cursors: opaque, signed, bound to the query they belong to. A page never repeats or skips what kept its place."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any

import orjson

from mutualaid.kit.errors import FieldError, Invalid
from mutualaid.kit.ring import KeyRing
from mutualaid.kit.texts import N_

_TAG = 16


def _tag(key: bytes, query: str, body: bytes) -> bytes:
    return hashlib.blake2b(query.encode() + b"\0" + body, key=key, digest_size=_TAG).digest()


def encode(ring: KeyRing, query: str, values: Sequence[str | int]) -> str:
    """A cursor that continues `query` (any canonical text of all its filters) after the row with these sort values."""
    version, key = ring.current("cursor")
    body = orjson.dumps([version, *values])
    return _spelt(_tag(key, query, body) + body)


def _spelt(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def decode(ring: KeyRing, query: str, cursor: str, *, kinds: Sequence[type]) -> list[Any]:
    """The sort values, each of its kind in `kinds`; 422 for a cursor that is stale, foreign, altered or of another query."""
    try:
        raw = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        tag, body = raw[:_TAG], raw[_TAG:]
        found: list[Any] = json.loads(body)
        version, values = found[0], found[1:]
        key = ring.at("cursor", version)
    except (binascii.Error, UnicodeError, ValueError, LookupError, TypeError, RecursionError):
        raise _refused() from None
    fits = len(values) == len(kinds) and all(type(v) is k for v, k in zip(values, kinds, strict=True))
    if not hmac.compare_digest(tag, _tag(key, query, body)) or not fits or _spelt(raw) != cursor:  # one text, no other
        raise _refused()
    return values


def _refused() -> Invalid:
    return Invalid(
        [
            FieldError(
                "cursor",
                "cursor_invalid",
                N_("This cursor does not belong to this list; start again from its beginning."),
            )
        ]
    )
