"""The two persons of a lease, with their phones in clear: held in memory between two statements, never printed."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from mutualaid.kit import sealing
from mutualaid.kit.phones import Phone
from mutualaid.kit.ring import KeyRing
from mutualaid.members import own_phone
from mutualaid.members.records import Member
from mutualaid.services import Services

_LABEL = "seat"


@dataclass(frozen=True, slots=True)
class Person:
    """`key` is what a new seat is written with, `keys` what seats are found by, under every version of the look-up key.

    `sealed` is the column that the phone was read from: if it is another one under lock, the phone has changed.
    """

    id: str = field(repr=False)
    phone: Phone
    key: bytes = field(repr=False)
    keys: tuple[bytes, ...] = field(repr=False)
    sealed: bytes | None = field(repr=False)


def keys_of(ring: KeyRing, phone: Phone) -> tuple[bytes, ...]:
    """By what this phone's seats are found."""
    return tuple(sealing.lookups(ring, _LABEL, phone.e164))


async def load(services: Services, members: Iterable[Member]) -> dict[str, Person]:
    """Those of these members who have a phone that can be read."""
    rows = list(members)
    data_keys = await services.keys.get_many(member.id for member in rows)
    found: dict[str, Person] = {}
    for member in rows:
        phone = own_phone.read(member, key=data_keys[member.id]) if member.id in data_keys else None
        if phone is not None:
            key = sealing.lookup(services.ring, _LABEL, phone.e164)
            found[member.id] = Person(member.id, phone, key, keys_of(services.ring, phone), member.phone)
    return found
