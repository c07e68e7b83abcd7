"""One effect for one `Idempotency-Key`: the slot is a row in the deed's own transaction, its answer with it.

A second request with the key waits for the first one's transaction (the unique index makes it), then gets the stored
answer. Since effect and answer commit together, a crash between commit and answer repeats the answer, not the effect.
The body's fingerprint is an HMAC under a key of the day that is destroyed two days later; the answer is sealed under the
member's data key. Refusals are not kept: a corrected request may use the key again.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import LargeBinary, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column
from starlette.responses import Response

from mutualaid.kit import sealing
from mutualaid.kit.clock import sql_now, today
from mutualaid.kit.database import RING, Base, Instant
from mutualaid.kit.errors import FieldError, Invalid
from mutualaid.kit.keystore import KeyStore
from mutualaid.kit.sealing import DataKey
from mutualaid.kit.texts import N_

KEPT = timedelta(hours=24)


class Slot(Base):
    """One key of one member, method and path."""

    __tablename__ = "idempotency_slots"

    id: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    owner: Mapped[str] = mapped_column(index=True)
    day: Mapped[date]
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int | None]
    answer: Mapped[bytes | None] = mapped_column(LargeBinary)
    made_at: Mapped[datetime] = mapped_column(Instant, index=True)


class IdempotencyMismatch(Invalid):
    """The same key with another body."""

    code = "idempotency_mismatch"
    text = N_("This Idempotency-Key was used with another request.")

    def __init__(self) -> None:
        super().__init__([FieldError("Idempotency-Key", self.code, self.text)])


class Replayed(Exception):
    """Leaves the deed with the stored answer instead of doing it again."""

    def __init__(self, response: Response) -> None:
        super().__init__("replayed")
        self.response = response


@dataclass(frozen=True, slots=True)
class Once:
    """What a request brings: whose key, for which door, over which body."""

    owner: str
    door: str
    key: str
    body: bytes
    data_key: DataKey
    day_key: DataKey
    day: date


def day_owner(day: date) -> str:
    """The key store's name for a day's fingerprint key."""
    return f"idempotency:{day.isoformat()}"


def key_errors(key: str | None) -> list[FieldError]:
    """What is wrong with the header; nothing where it is absent. A key is 1–64 printable ASCII characters."""
    if key is None or (1 <= len(key) <= 64 and key.isascii() and key.isprintable()):
        return []
    return [FieldError("Idempotency-Key", "idempotency_key_invalid", N_("At most 64 printable characters."))]


async def prepare(keys: KeyStore, *, owner: str, door: str, key: str, body: bytes, now: datetime) -> Once:
    """Fetch the keys before the transaction opens. `key` was looked at by `key_errors` when the body was read."""
    day = today(now)
    return Once(owner, door, key, body, await keys.get(owner), await keys.create(day_owner(day)), day)


async def open_slot(session: AsyncSession, once: Once, *, keys: KeyStore) -> bytes:
    """Take the slot in this transaction; raise `Replayed` with the stored answer where it was taken before."""
    slot = sealing.lookup(session.info[RING], "idempotency", "\n".join((once.owner, once.door, once.key)))
    await session.execute(delete(Slot).where(Slot.id == slot, Slot.made_at <= sql_now(ago=KEPT)))
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    row = {
        "id": slot,
        "owner": once.owner,
        "day": once.day,
        "fingerprint": _fingerprint(once.day_key, once),
        "made_at": sql_now(),
    }
    taken = await session.execute(insert(Slot).values(row).on_conflict_do_nothing().returning(Slot.id))
    if taken.first() is not None:
        return slot
    kept = (await session.scalars(select(Slot).where(Slot.id == slot))).one()
    day_key = once.day_key if kept.day == once.day else await keys.get(day_owner(kept.day))
    if not hmac.compare_digest(kept.fingerprint, _fingerprint(day_key, once)):
        raise IdempotencyMismatch
    body = sealing.unseal(once.data_key, kept.answer or b"", table="idempotency_slots", column="answer", row=slot.hex())
    raise Replayed(_response(body, kept.status or 200))


async def keep(session: AsyncSession, slot: bytes, once: Once, *, status: int, body: bytes) -> None:
    """Store the answer in the deed's transaction."""
    sealed = sealing.seal(once.data_key, body, table="idempotency_slots", column="answer", row=slot.hex())
    await session.execute(update(Slot).where(Slot.id == slot).values(status=status, answer=sealed))


def _fingerprint(day_key: DataKey, once: Once) -> bytes:
    return hmac.new(day_key.material, once.body, hashlib.sha256).digest()


def _response(body: bytes, status: int) -> Response:
    headers = {"Idempotency-Replayed": "true"}
    return Response(body, status, headers, media_type="application/json" if body else None)


async def sweep(session: AsyncSession, *, now: datetime) -> None:
    """Forget slots older than a day. The caller destroys the key of `today(now) - 2 days` after the commit."""
    await session.execute(delete(Slot).where(Slot.made_at <= now - KEPT))
