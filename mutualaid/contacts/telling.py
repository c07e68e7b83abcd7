"""What the two members of a contact are told: one job for each of them."""

from datetime import datetime

from mutualaid.contacts.records import Lease
from mutualaid.contacts.rules import EXTENSIONS, shown_state
from mutualaid.notices import actions as notices
from mutualaid.notices.rules import Kind, Subject
from mutualaid.services import Services


async def on_ready(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """`contact.ready`: they can reach each other, in a text message too; again when words become a call."""
    channel = payload["channel"]
    await _tell_while_granted(services, payload, "number_ready", {"channel": channel}, occasion=channel, now=now)


async def on_expiring(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """`contact.expiring`: its last hour; again in the last hour of an extension, which may be the last."""
    await _tell_while_granted(services, payload, "number_expiring", {}, occasion="", now=now)


async def _tell_while_granted(
    services: Services, payload: dict[str, str], kind: Kind, params: dict[str, str], *, occasion: str, now: datetime
) -> None:
    async with services.database.transaction() as session:
        lease = await session.get(Lease, payload["contact"])
        if lease is None or shown_state(lease.state, lease.expires_at, now) != "granted":
            return
        which = occasion or lease.expires_at.isoformat()
        left = {"left": "last"} if kind == "number_expiring" and lease.extensions >= EXTENSIONS else {}
        told = {**params, **left, "post": lease.post_id}
        subject = Subject("contact", lease.id)
        await notices.tell(session, payload["member"], kind, subject=subject, params=told, occasion=which, now=now)


async def on_ended(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """`contact.ended`: for whatever reason, told to whoever did not end it; the other's reasons are their own."""
    if payload.get("actor") == payload["member"]:
        return
    async with services.database.transaction() as session:
        lease = await session.get(Lease, payload["contact"])
        if lease is None:
            return
        channel = "call" if lease.x is not None else "words"
        subject, params = Subject("contact", lease.id), {"post": payload["post"], "channel": channel}
        await notices.tell(session, payload["member"], "number_ended", subject=subject, params=params, now=now)


async def on_words(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """`contact.words`: something was written; told again once this was read."""
    await _tell(services, payload, "words", occasion=now.isoformat(), now=now)


async def on_ask_solved(services: Services, payload: dict[str, str], *, now: datetime) -> None:
    """`contact.ask_solved`: 解决了吗？ after they have talked."""
    await _tell(services, payload, "solved", occasion=now.isoformat(), now=now)


async def _tell(services: Services, payload: dict[str, str], kind: Kind, *, occasion: str, now: datetime) -> None:
    async with services.database.transaction() as session:
        subject, params = Subject("contact", payload["contact"]), {"post": payload["post"]}
        await notices.tell(session, payload["member"], kind, subject=subject, params=params, occasion=occasion, now=now)
