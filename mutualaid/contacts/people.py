"""The two persons of a lease, with their phones in clear: held in memory between two statements, never printed."""

from collections.abc import Iterable, Mapping
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
    return await opened(services, {member.id: member.phone for member in members})


async def opened(services: Services, sealed: Mapping[str, bytes | None]) -> dict[str, Person]:
    """The same by the members' ids and what stands in their phones' columns."""
    data_keys = await services.keys.get_many(sealed)
    found: dict[str, Person] = {}
    for member_id, column in sealed.items():
        if column is not None and member_id in data_keys:
            phone = own_phone.opened(member_id, column, key=data_keys[member_id])
            key = sealing.lookup(services.ring, _LABEL, phone.e164)
            found[member_id] = Person(member_id, phone, key, keys_of(services.ring, phone), column)
    return found
