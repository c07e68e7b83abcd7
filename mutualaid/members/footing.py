"""What a deed on the hot path must know of its member, read under the member's lock: in one question, without the ORM."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import (
    Integer,
    LargeBinary,
    String,
    bindparam,
    cast,
    func,
    literal,
    literal_column,
    null,
    select,
    union_all,
)

from mutualaid.kit.errors import NotFound
from mutualaid.kit.instants import Instant
from mutualaid.kit.plain import Plain
from mutualaid.kit.prepared import Prepared
from mutualaid.members.consent_texts import Purpose
from mutualaid.members.errors import Suspended
from mutualaid.members.needs import current, require
from mutualaid.members.records import PRESENT, Anchor, Consent, Home, Member, Principal, Status


@dataclass(frozen=True, slots=True)
class Footing:
    """A member who is here, locked until the transaction ends: status, shown name, consents that count, homes.

    `person`: the HMAC of their ID number, where one was read."""

    member_id: str
    status: str
    display_name: str
    real_name: str
    consents: frozenset[str]
    homes: tuple[Home, ...]
    person: bytes | None = field(default=None, repr=False)

    def may(self, purposes: Iterable[Purpose]) -> None:
        """428 `consent_needed`, 403 `suspended`: what the door saw, asked again under the lock. Suspending, erasing and
        taking back a consent wait for it too, so none of them overlooks what is being done."""
        require(self.consents, purposes)
        if self.status != Status.ACTIVE.value:
            raise Suspended


async def of(plain: Plain, member_id: str) -> Footing:
    """The member, locked; 404 for one who is not here."""
    await plain.hold(Member.__tablename__, member_id)
    member, person, consents, homes = None, None, [], []
    for what, a, b, c, version, octets, made in await plain.guarded(_KNOWN, member=member_id):
        if what == "consent":
            consents.append((a, version))
        elif what == "home":
            homes.append(Home(a, b, octets, made))
        elif what == "mark":
            plain.seen(member_id, a)
        else:
            member, person = (a, b, c), octets
    if member is None:
        raise NotFound
    return Footing(member_id, *member, current(consents), tuple(homes), person)


async def of_caller(plain: Plain, caller: Principal) -> Footing:
    """The same of who was just let in. Ahead of the lock, what was read with their session stands: the writing looks at its
    mark."""
    if plain.early and (seen := caller.seen) is not None:
        plain.seen(caller.id, seen.mark)
        status = Status.SUSPENDED if caller.suspended else Status.ACTIVE
        shown = seen.display_name, caller.real_name
        return Footing(caller.id, status.value, *shown, caller.consents, seen.homes, seen.person)
    return await of(plain, caller.id)


def _member(prefix: str) -> Any:
    return bindparam(f"{prefix}member", type_=String(), required=True)


def _known(dialect: str, prefix: str) -> Any:
    what = ("member", "consent", "home", "mark")
    text, number, octets, moment = (cast(null(), type_) for type_ in (String, Integer, LargeBinary, Instant))
    member, consent, home, mark = (literal_column(f"'{word}'", String()) for word in what)
    present = Member.status.in_([literal(status) for status in PRESENT])
    shown = Member.status, Member.display_name, Member.real_name
    marked = func.member_mark(_member(prefix), type_=String())
    version = [select(mark, marked, text, text, number, octets, moment)] if dialect == "postgresql" else []
    return union_all(
        select(member, *shown, number, Member.identity_lookup, moment).where(Member.id == _member(prefix), present),
        select(consent, Consent.purpose, text, text, Consent.version, octets, moment).where(
            Consent.member_id == _member(prefix), Consent.withdrawn_at.is_(None)
        ),
        select(home, Anchor.id, Anchor.cell, text, number, Anchor.point, Anchor.made_at).where(
            Anchor.member_id == _member(prefix)
        ),
        *version,
    )


_KNOWN: Final = Prepared(_known, shared=True)
