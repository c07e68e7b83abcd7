"""What we have bound at a vendor that does not know our keys: written down before the vendor is asked, and after it answered.

A row without `ref` is one whose answer is awaited, or was lost. No phone stands here: whoever needs the two to find a
binding again brings them along.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Index, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, mapped_column

from mutualaid.kit.clock import sql_now
from mutualaid.kit.database import Base, Database, Instant
from mutualaid.providers.numbers import Binding, BindRequest, Caps, ExpiryTooSoon, PairConflict

SETTLED: Final = timedelta(minutes=1)  # longer than a request lives: our time-outs, and the vendor's own


class VendorBinding(Base):
    """One key's binding at a vendor. `extension` is empty in AXB; `asked_at`: when the vendor was last asked to bind it."""

    __tablename__ = "vendor_bindings"

    maker: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    x: Mapped[str]
    extension: Mapped[str]
    ref: Mapped[str | None]
    asked_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)

    __table_args__ = (Index("ix_vendor_bindings_x", "maker", "x"),)


@dataclass(frozen=True, slots=True)
class Held:
    """A row as it was read. `fresh`: written just now, so that nobody can have asked the vendor before. `now`: the
    database's time."""

    key: str = field(repr=False)
    x: str = field(repr=False)
    extension: str | None = field(repr=False)
    ref: str | None = field(repr=False)
    asked_at: datetime
    expires_at: datetime
    now: datetime
    fresh: bool = False

    @property
    def settled(self) -> bool:
        """Nothing that was asked can still be on its way to the vendor."""
        return self.ref is not None or self.now >= self.asked_at + SETTLED

    def binding(self, ref: str) -> Binding:
        return Binding(self.key, ref, self.x, self.extension, self.expires_at)


class Ledger:
    """The rows of one maker."""

    def __init__(self, database: Database, maker: str) -> None:
        self._database = database
        self._maker = maker
        self._ours = VendorBinding.maker == maker

    async def open(self, request: BindRequest, caps: Caps) -> Held:
        """The row of the request's key, made where there is none. Raises ExpiryTooSoon, and PairConflict for a key that
        names a binding on another line. Rows on this X that are past their time go.
        """
        async with self._database.transaction() as session:
            now = (await session.execute(select(sql_now()))).scalar_one()
            if request.expires_at <= now + caps.min_ttl:
                raise ExpiryTooSoon
            until = request.expires_at if request.expires_at - now <= caps.max_ttl else now + caps.max_ttl
            past = (self._ours, VendorBinding.x == request.x, VendorBinding.expires_at <= now)
            await session.execute(delete(VendorBinding).where(*past))
            insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
            row = {
                "maker": self._maker,
                "key": request.key,
                "x": request.x,
                "extension": request.extension or "",
                "ref": None,
                "asked_at": now,
                "expires_at": until,
            }
            added = insert(VendorBinding).values(row).on_conflict_do_nothing().returning(VendorBinding.key)
            fresh = (await session.execute(added)).first() is not None
            found = await session.get(VendorBinding, (self._maker, request.key), populate_existing=True)
            if found is None or (found.x, found.extension) != (request.x, request.extension or ""):
                raise PairConflict
            if found.ref is None:
                found.asked_at = now
            return _held(found, now, fresh=fresh)

    async def get(self, key: str) -> Held | None:
        """The row of a key whose time is not over."""
        async with self._database.reading() as session:
            query = select(VendorBinding, sql_now().label("now"))
            live = (self._ours, VendorBinding.key == key, VendorBinding.expires_at > sql_now())
            row = (await session.execute(query.where(*live))).first()
            return _held(row.VendorBinding, row.now) if row else None

    async def claimed(self, x: str) -> dict[str, set[str]]:
        """Which keys name each of the vendor's bindings on this X."""
        found: dict[str, set[str]] = {}
        async with self._database.reading() as session:
            live = (self._ours, VendorBinding.x == x, VendorBinding.ref.is_not(None))
            for key, ref in await session.execute(select(VendorBinding.key, VendorBinding.ref).where(*live)):
                found.setdefault(str(ref), set()).add(key)
        return found

    async def answered(self, held: Held, ref: str) -> Binding:
        """The vendor calls it `ref`. Made anew where somebody has let go of the key meanwhile: it is bound now."""
        async with self._database.transaction() as session:
            insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
            row = {
                "maker": self._maker,
                "key": held.key,
                "x": held.x,
                "extension": held.extension or "",
                "ref": ref,
                "asked_at": held.asked_at,
                "expires_at": held.expires_at,
            }
            added = insert(VendorBinding).values(row)
            await session.execute(added.on_conflict_do_update(index_elements=["maker", "key"], set_={"ref": ref}))
        return held.binding(ref)

    async def extended(self, held: Held, expires_at: datetime) -> None:
        async with self._database.transaction() as session:
            which = (self._ours, VendorBinding.key == held.key)
            await session.execute(update(VendorBinding).where(*which).values(expires_at=expires_at))

    async def strike(self, held: Held) -> None:
        """Nothing is bound under this key, as far as this reader of the row knows."""
        async with self._database.transaction() as session:
            which = (self._ours, VendorBinding.key == held.key, VendorBinding.ref.is_not_distinct_from(held.ref))
            await session.execute(delete(VendorBinding).where(*which))


def _held(row: VendorBinding, now: datetime, *, fresh: bool = False) -> Held:
    return Held(row.key, row.x, row.extension or None, row.ref, row.asked_at, row.expires_at, now, fresh)
