"""The three vendors' signatures, as their documents and their own kits make them. Pure: time and nonce come in."""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

_TC3: Final = "TC3-HMAC-SHA256"
_ACS3: Final = "ACS3-HMAC-SHA256"
_AKSK: Final = re.compile(r"UsernameToken\s+(.*)", re.DOTALL)
# begins where a word does: else a long one would be read from each of its letters
_PART: Final = re.compile(r'\b(\w{1,32})\s*=\s*"([^"]*)"')
_LONGEST: Final = 1_024  # octets of a header that anybody may send
_LAST_YEAR: Final = 2999  # a moment that lies later, give or take some minutes, may be none
_NONCE: Final = re.compile(r"[0-9A-Za-z]{1,128}")


@dataclass(frozen=True, slots=True)
class Account:
    """What a vendor knows us by, and the secret that proves it."""

    key: str = field(repr=False)
    secret: str = field(repr=False)


# ---- Alibaba Cloud: ACS3-HMAC-SHA256 ------------------------------------------------------------------------------


def acs3_query(params: Mapping[str, str]) -> str:
    """The query string as it is signed and must be sent."""
    return "&".join(f"{quote(k, safe='~')}={quote(params[k], safe='~')}" for k in sorted(params))


def acs3_headers(
    account: Account, *, host: str, action: str, version: str, query: str, body: bytes, now: datetime, nonce: str
) -> dict[str, str]:
    """The headers of a signed POST to `/`, `Authorization` among them."""
    headers = {
        "host": host,
        "x-acs-action": action,
        "x-acs-version": version,
        "x-acs-date": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "x-acs-signature-nonce": nonce,
        "x-acs-content-sha256": hashlib.sha256(body).hexdigest(),
    }
    signature = acs3_signature(account.secret, headers, query)
    signed = f"Credential={account.key},SignedHeaders={';'.join(sorted(headers))},Signature={signature}"
    return {**headers, "authorization": f"{_ACS3} {signed}", "accept": "application/json"}


def acs3_signature(secret: str, headers: Mapping[str, str], query: str) -> str:
    """Over the headers given, which are to be all that are signed; their names in lower case."""
    names = sorted(headers)
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in names)
    canonical = "\n".join(["POST", "/", query, lines, ";".join(names), headers["x-acs-content-sha256"]])
    to_sign = f"{_ACS3}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    return _hmac(secret.encode(), to_sign).hex()


# ---- Tencent Cloud: TC3-HMAC-SHA256 -------------------------------------------------------------------------------

TC3_TYPE: Final = "application/json; charset=utf-8"


def tc3_headers(
    account: Account, *, host: str, service: str, action: str, version: str, body: bytes, now: datetime
) -> dict[str, str]:
    """The headers of a signed POST to `/`."""
    stamp = int(now.timestamp())
    day = now.astimezone(UTC).strftime("%Y-%m-%d")
    signature = tc3_signature(account.secret, host=host, service=service, kind=TC3_TYPE, body=body, stamp=stamp)
    signed = f"Credential={account.key}/{day}/{service}/tc3_request, SignedHeaders=content-type;host"
    return {
        "host": host,
        "content-type": TC3_TYPE,
        "x-tc-action": action,
        "x-tc-version": version,
        "x-tc-timestamp": str(stamp),
        "authorization": f"{_TC3} {signed}, Signature={signature}",
    }


def tc3_signature(secret: str, *, host: str, service: str, kind: str, body: bytes, stamp: int) -> str:
    """`kind`: the content type exactly as sent; `stamp`: whole seconds since 1970."""
    day = datetime.fromtimestamp(stamp, UTC).strftime("%Y-%m-%d")
    lines = f"content-type:{kind}\nhost:{host}\n"
    canonical = "\n".join(["POST", "/", "", lines, "content-type;host", hashlib.sha256(body).hexdigest()])
    scope = f"{day}/{service}/tc3_request"
    to_sign = f"{_TC3}\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = _hmac(_hmac(_hmac(f"TC3{secret}".encode(), day), service), "tc3_request")
    return _hmac(key, to_sign).hex()


# ---- Huawei: X-AKSK, on requests and on pushes --------------------------------------------------------------------

AKSK_AUTHORIZATION: Final = 'AKSK realm="SDP",profile="UsernameToken",type="Appkey"'


@dataclass(frozen=True, slots=True)
class Aksk:
    """What an `X-AKSK` header says. The digest covers nonce and time only, so a nonce must be good for one time."""

    username: str = field(repr=False)
    digest: str = field(repr=False)
    nonce: str = field(repr=False)
    created: datetime

    @classmethod
    def read(cls, header: str) -> "Aksk | None":
        """None for what is no such header."""
        token = _AKSK.fullmatch(header.strip()) if len(header) <= _LONGEST else None
        parts = dict(_PART.findall(token[1])) if token else {}
        try:
            created = datetime.strptime(parts["Created"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
            found = cls(parts["Username"], parts["PasswordDigest"], parts["Nonce"], created)
        except (KeyError, ValueError):
            return None
        return found if _NONCE.fullmatch(found.nonce) and 1970 <= created.year <= _LAST_YEAR else None

    def proves(self, secret: str) -> bool:
        """Whether it was made with this secret."""
        expected = aksk_digest(secret, self.nonce, self.created)
        return hmac.compare_digest(self.digest.encode(errors="surrogateescape"), expected.encode())


def aksk_digest(secret: str, nonce: str, created: datetime) -> str:
    return base64.b64encode(_hmac(secret.encode(), nonce + _created(created))).decode()


def aksk_headers(account: Account, *, now: datetime, nonce: str) -> dict[str, str]:
    digest = aksk_digest(account.secret, nonce, now)
    parts = f'Username="{account.key}", PasswordDigest="{digest}", Nonce="{nonce}", Created="{_created(now)}"'
    return {
        "content-type": "application/json;charset=UTF-8",
        "authorization": AKSK_AUTHORIZATION,
        "x-aksk": f"UsernameToken {parts}",
    }


def _created(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
