"""Where each part of our own telephony listens and what it knows of the others: all of it from the settings."""

import hashlib
import hmac
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Final

from mutualaid.kit.settings import Settings

REALM: Final = "mutualaid"
_PASSWORD: Final = 24  # hexadecimal digits


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int

    @classmethod
    def read(cls, text: str) -> "Address":
        host, _, port = text.rpartition(":")
        return cls(host, int(port))

    @property
    def pair(self) -> tuple[str, int]:
        return self.host, self.port

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Plan:
    """`listen`: Kamailio. `relay`: rtpengine's control. `hooks`: the service. `trunk`: where calls go that no phone of
    ours takes; `trusted`: from where the trunk's word on who is calling is believed.
    """

    listen: Address
    switchboard: Address
    control: Address
    relay: Address
    media: str
    media_ports: tuple[int, int]
    hooks: str
    trunk: Address | None
    trusted: tuple[IPv4Network, ...]
    secret: str = field(repr=False)

    @classmethod
    def of(cls, settings: Settings, token: str) -> "Plan":
        """`token`: of the hooks; the phones' secret follows from it."""
        media, _, ports = settings.telephony_media.rpartition(":")
        first, _, last = ports.partition("-")
        return cls(
            listen=Address.read(settings.telephony_listen),
            switchboard=Address.read(settings.telephony_switchboard),
            control=Address.read(settings.telephony_control),
            relay=Address.read(settings.telephony_relay),
            media=media,
            media_ports=(int(first), int(last)),
            hooks=f"{settings.telephony_service.rstrip('/')}/hooks/numbers/kamailio",
            trunk=Address.read(settings.telephony_trunk) if settings.telephony_trunk else None,
            trusted=tuple(IPv4Network(one) for one in settings.telephony_trusted.split(",") if one),
            secret=_derived(token, "phones"),
        )

    @property
    def domain(self) -> str:
        """How the exchange names itself to phones."""
        return self.listen.host

    @property
    def hosts(self) -> frozenset[str]:
        """The addresses of the exchange's own parts."""
        parts = (self.listen, self.switchboard, self.control, self.relay)
        return frozenset({self.media, *(part.host for part in parts)})

    @property
    def nonces(self) -> str:
        return _derived(self.secret, "nonces")

    def password(self, number: str) -> str:
        """What a soft phone with this number (E.164) signs in with. Kamailio works it out in the same way."""
        return hashlib.sha256(f"{self.secret}:{number}:{self.secret}".encode()).hexdigest()[:_PASSWORD]


def _derived(key: str, use: str) -> str:
    return hmac.digest(key.encode(), f"telephony {use}".encode(), hashlib.sha256).hex()[:48]
