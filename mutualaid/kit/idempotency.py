"""One effect for one `Idempotency-Key`: the slot is a row in the deed's own transaction, its answer with it.

A second request with the key waits for the first one's transaction (the unique index makes it), then gets the stored
answer. Since effect and answer commit together, a crash between commit and answer repeats the answer, not the effect.
The body's fingerprint is an HMAC under a key of the day that is destroyed two days later; the answer is sealed under the
member's data key. Refusals are not kept: a corrected request may use the key again.
"""

import asyncio
import hmac
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final
from weakref import WeakValueDictionary

from sqlalchemy import Boolean, LargeBinary, String, bindparam, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column
from starlette.responses import Response

from mutualaid.kit import sealing
from mutualaid.kit.clock import sql_now, today
from mutualaid.kit.database import RING, Base, Database, Instant
from mutualaid.kit.errors import FieldError, Invalid, NotSignedIn, Overloaded
from mutualaid.kit.keystore import KeyDestroyed, KeyStore
from mutualaid.kit.plain import Plain
from mutualaid.kit.prepared import Prepared, Put
from mutualaid.kit.privacy import LOOKUP, SEALED
from mutualaid.kit.sealing import DataKey
from mutualaid.kit.texts import N_

KEPT: Final = timedelta(hours=24)
_SWEPT_DAYS: Final = 40  # how far back a sweep looks for day keys: a worker may have rested that long


class Slot(Base):
    """One key of one member, method and path."""

    __tablename__ = "idempotency_slots"

    id: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True, info=LOOKUP)
    owner: Mapped[str] = mapped_column(index=True)
    day_key: Mapped[str]
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary, info=LOOKUP)
    status: Mapped[int | None]
    answer: Mapped[bytes | None] = mapped_column(LargeBinary, info=SEALED)
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

    owner: str = field(repr=False)
    door: str = field(repr=False)
    key: str = field(repr=False)
    body: bytes = field(repr=False)
    data_key: DataKey
    day_key: DataKey
    day_key_name: str

    @property
    def name(self) -> str:
        """What the slot is looked up by."""
        return "\n".join((self.owner, self.door, self.key))

    def turn(self) -> asyncio.Lock:
        """Within one process, the same requests wait for each other here, and not on a connection each."""
        name = (self.owner, self.door, self.key)
        lock = _TURNS.get(name)
        if lock is None:
            lock = _TURNS[name] = asyncio.Lock()
        return lock


_TURNS: WeakValueDictionary[tuple[str, str, str], asyncio.Lock] = WeakValueDictionary()


def _day_key_names(day: date) -> itertools.chain[str]:
    """The key store's names for a day's fingerprint key: a destroyed one is never made again, the next name is taken."""
    first = f"idempotency:{day.isoformat()}"
    return itertools.chain([first], (f"{first}/{n}" for n in itertools.count(2)))


async def _day_key(keys: KeyStore, day: date) -> tuple[str, DataKey]:
    for name in _day_key_names(day):
        try:
            return name, await keys.create(name)
        except KeyDestroyed:  # the clock went back over a sweep
            continue
    raise AssertionError("names do not end")


def key_errors(key: str | None) -> list[FieldError]:
    """What is wrong with the header; nothing where it is absent. A key is 1–64 printable ASCII characters."""
    if key is None or (1 <= len(key) <= 64 and key.isascii() and key.isprintable()):
        return []
    return [FieldError("Idempotency-Key", "idempotency_key_invalid", N_("At most 64 printable characters."))]


async def prepare(keys: KeyStore, *, owner: str, door: str, key: str, body: bytes, now: datetime) -> Once:
    """Fetch the keys before the transaction opens. `key` was looked at by `key_errors` when the body was read."""
    name = next(_day_key_names(today(now)))
    data_key, day_key = await keys.get_both(owner, name)
    if data_key is None:  # erased since the session was read
        raise NotSignedIn
    if day_key is None:
        name, day_key = await _day_key(keys, today(now))
    return Once(owner, door, key, body, data_key, day_key, name)


async def look(database: Database, once: Once, *, keys: KeyStore) -> None:
    """Raise `Replayed` with the stored answer where there is one, before anything about the request is judged anew."""
    for slot in sealing.lookups(database.keys, "idempotency", once.name):
        await _refuse(await database.glance(_KEPT_ONE, slot=slot), once, keys)


async def open_slot(session: AsyncSession, once: Once, *, keys: KeyStore) -> bytes:
    """Take the slot in this transaction; raise `Replayed` with the stored answer where it was taken before."""
    slot, *older = _slots(session, once)
    if (kept := await _kept(session, older)) is not None:  # taken before the look-up key was rotated
        raise await _again(kept, once, keys)
    if await _take(session, slot, once):
        return slot
    if (kept := await _kept(session, [slot])) is None:  # swept away between these two statements
        raise Overloaded(retry_after=1)
    raise await _again(kept, once, keys)


def _slots(session: AsyncSession, once: Once) -> list[bytes]:
    return sealing.lookups(session.info[RING], "idempotency", once.name)


async def _take(session: AsyncSession, slot: bytes, once: Once) -> bool:
    """Insert the slot, or take over one that is past its time; waits while another transaction holds it."""
    values = {
        "owner": once.owner,
        "day_key": once.day_key_name,
        "fingerprint": _fingerprint(once.day_key, once),
        "status": None,
        "answer": None,
        "made_at": sql_now(),
    }
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    taken = await session.execute(
        insert(Slot)
        .values(id=slot, **values)
        .on_conflict_do_update(index_elements=["id"], set_=values, where=Slot.made_at <= sql_now(ago=KEPT))
        .returning(Slot.id)
    )
    return taken.first() is not None


async def _kept(session: AsyncSession, slots: Sequence[bytes]) -> Slot | None:
    if not slots:
        return None
    live = select(Slot).where(Slot.id.in_(slots), Slot.made_at > sql_now(ago=KEPT))
    return (await session.scalars(live)).first()


async def _again(kept: Slot, once: Once, keys: KeyStore) -> Exception:
    """What the same key is answered with: the stored answer, or that it was another request's."""
    day_key = once.day_key if kept.day_key == once.day_key_name else await keys.get(kept.day_key)
    if not hmac.compare_digest(kept.fingerprint, _fingerprint(day_key, once)):
        return IdempotencyMismatch()
    assert kept.status is not None and kept.answer is not None  # `doors.deed` commits no slot without its answer
    body = sealing.unseal(once.data_key, kept.answer, table="idempotency_slots", column="answer", row=kept.id.hex())
    return Replayed(_response(body, kept.status))


async def keep(session: AsyncSession, slot: bytes, once: Once, *, status: int, body: bytes) -> None:
    """Store the answer in the deed's transaction."""
    sealed = sealing.seal(once.data_key, body, table="idempotency_slots", column="answer", row=slot.hex())
    await session.execute(update(Slot).where(Slot.id == slot).values(status=status, answer=sealed))


async def put(plain: Plain, once: Once, *puts: Put, status: int, body: bytes, keys: KeyStore) -> None:
    """Write these, and the slot with the answer, in one; raise `Replayed` with the stored answer, or
    `IdempotencyMismatch`, where the slot was taken before."""
    slot, *older = sealing.lookups(plain.ring, "idempotency", once.name)
    row = {
        "slot": slot,
        "owner": once.owner,
        "day_key": once.day_key_name,
        "fingerprint": _fingerprint(once.day_key, once),
        "status": status,
        "answer": sealing.seal(once.data_key, body, table="idempotency_slots", column="answer", row=slot.hex()),
    }
    for taken in older:  # before the look-up key was rotated
        await _refuse(await plain.fetch(_KEPT_ONE, slot=taken), once, keys)
    if not await plain.put(Put(_TAKE, row, _TAKE_AHEAD), *puts):
        await _refuse(await plain.fetch(_KEPT_ONE, slot=slot), once, keys)
        raise Overloaded(retry_after=1)  # swept away between these two statements


async def _refuse(kept: Sequence[Any], once: Once, keys: KeyStore) -> None:
    for row in kept:
        raise await _again(Slot(**dict(zip(_COLUMNS, row, strict=True))), once, keys)


def _taking(dialect: str, prefix: str) -> Any:
    written = (postgresql.insert if dialect == "postgresql" else sqlite.insert)(Slot)
    taken = ("owner", "day_key", "fingerprint", "status", "answer")
    values: dict[str, Any] = {name: bindparam(f"{prefix}{name}", required=True) for name in taken}
    written = written.values(id=bindparam(f"{prefix}slot", required=True), made_at=sql_now(), **values)
    return written.on_conflict_do_update(
        index_elements=["id"],
        set_={name: written.excluded[name] for name in (*taken, "made_at")},
        where=Slot.made_at <= sql_now(ago=KEPT),
    ).returning(Slot.id)


def _taking_ahead(_dialect: str, prefix: str) -> Any:
    def given(name: str, column: str) -> Any:
        return bindparam(f"{prefix}{name}", type_=Slot.__table__.c[column].type, required=True)

    named = {"id": "slot"} | {name: name for name in ("owner", "day_key", "fingerprint", "status", "answer")}
    seen = [bindparam(f"{prefix}{name}", type_=String(), required=True) for name in ("seen_of", "seen_mark")]
    values = [given(name, column) for column, name in named.items()]
    row = select(*values, sql_now()).where(func.still_so(*seen, type_=Boolean()))
    return postgresql.insert(Slot).from_select([*named, "made_at"], row).returning(Slot.id)


_COLUMNS: Final = ("id", "day_key", "fingerprint", "status", "answer")
_TAKE: Final = Prepared(_taking)
_TAKE_AHEAD: Final = Prepared(_taking_ahead)
_KEPT_ONE: Final = Prepared(
    lambda _dialect, prefix: select(*(getattr(Slot, name) for name in _COLUMNS)).where(
        Slot.id == bindparam(f"{prefix}slot", required=True), Slot.made_at > sql_now(ago=KEPT)
    )
)


async def forget(session: AsyncSession, slot: bytes) -> None:
    """Give a slot back whose deed was refused after its first transaction."""
    await session.execute(delete(Slot).where(Slot.id == slot))


def _fingerprint(day_key: DataKey, once: Once) -> bytes:
    return hmac.digest(day_key.material, once.body, "sha256")


def _response(body: bytes, status: int) -> Response:
    headers = {"Idempotency-Replayed": "true"}
    return Response(body, status, headers, media_type="application/json" if body else None)


async def sweep(database: Database, keys: KeyStore, *, now: datetime) -> None:
    """Forget slots older than a day, then destroy the day keys that none of the others was made under."""
    async with database.transaction() as session:
        await session.execute(delete(Slot).where(Slot.made_at <= sql_now(ago=KEPT)))
        in_use = set(await session.scalars(select(Slot.day_key).distinct()))
    days = [today(now) - timedelta(days=n) for n in range(2, _SWEPT_DAYS)]
    names = [name for day in days for name in itertools.islice(_day_key_names(day), 3)]
    for name in sorted(set(await keys.get_many(names)) - in_use):
        await keys.destroy(name)
