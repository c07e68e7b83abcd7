"""What the plaza reads: rows that the database itself derives from posts, lines and members, by triggers, like an index.

`plaza_entries` holds an available open post once for each topic it can be found under: each item it still has, and
`ANYTHING`. `plaza_cells` says in which cells there are, or were until the day's sweep, entries of a topic.
See docs/decisions/0010-the-plaza-is-derived.md; the triggers stand in migrations/plaza_triggers.py.
"""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import BigInteger, Index, Integer, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from mutualaid.kit.database import Base, Instant
from mutualaid.kit.privacy import CLEAR
from mutualaid.kit.spots import Spot
from mutualaid.kit.transactions import TransactionNumber

ANYTHING: Final = ""  # the topic that every post stands under
KEPT: Final = timedelta(hours=2)  # how far back the feed reaches at least

_Serial = BigInteger().with_variant(Integer(), "sqlite")


class PlazaEntry(Base):
    """A post under one topic. `real`: 1 for a real-name author; `rank`: see `plaza.urgent`."""

    __tablename__ = "plaza_entries"

    id: Mapped[int] = mapped_column(_Serial, primary_key=True, autoincrement=True)
    post_id: Mapped[str] = mapped_column(String(40))
    topic: Mapped[str] = mapped_column(String(64), info=CLEAR)
    kind: Mapped[str] = mapped_column(String(5))
    real: Mapped[int] = mapped_column(SmallInteger)
    cell: Mapped[str] = mapped_column(String(16), info=CLEAR)
    region: Mapped[str] = mapped_column(String(6), info=CLEAR)
    rank: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(Instant)
    until: Mapped[datetime] = mapped_column(Instant)


_STREAM = (PlazaEntry.topic, PlazaEntry.kind, PlazaEntry.real)
_NEWEST = (PlazaEntry.created_at.desc(), PlazaEntry.post_id, PlazaEntry.until)
Index("uq_plaza_entries_post", PlazaEntry.post_id, PlazaEntry.topic, unique=True)
Index("ix_plaza_entries_newest", *_STREAM, *_NEWEST)
Index("ix_plaza_entries_region", *_STREAM, PlazaEntry.region, *_NEWEST)
Index("ix_plaza_entries_cell", *_STREAM, PlazaEntry.cell, *_NEWEST)
Index("ix_plaza_entries_rank", *_STREAM, PlazaEntry.rank, *_NEWEST)
Index("ix_plaza_entries_region_rank", *_STREAM, PlazaEntry.region, PlazaEntry.rank, *_NEWEST)


class PlazaChange(Base):
    """The feed: a post whose entries or card have changed, written by the triggers in the same transaction.

    `xid`: PostgreSQL's number of that transaction, by which a reader tells what it has not seen yet; unused on SQLite,
    where `id` grows in the order of the commits. `stood`: 1 where it had entries before. `at`: by the database's clock.
    """

    __tablename__ = "plaza_changes"

    id: Mapped[int] = mapped_column(_Serial, primary_key=True, autoincrement=True)
    post_id: Mapped[str] = mapped_column(String(40))
    xid: Mapped[str | None] = mapped_column(TransactionNumber, index=True)
    stood: Mapped[int] = mapped_column(SmallInteger)
    at: Mapped[datetime] = mapped_column(Instant)

    __table_args__ = ({"sqlite_autoincrement": True},)  # an id is never given twice, also when all rows have gone


class PlazaCell(Base):
    """A cell that is, or was lately, occupied under a topic."""

    __tablename__ = "plaza_cells"

    topic: Mapped[str] = mapped_column(String(64), primary_key=True, info=CLEAR)
    kind: Mapped[str] = mapped_column(String(5), primary_key=True)
    real: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    region: Mapped[str] = mapped_column(String(6), primary_key=True, info=CLEAR)
    cell: Mapped[str] = mapped_column(String(16), primary_key=True, info=CLEAR)
    spot: Mapped[str] = mapped_column(Spot, info=CLEAR)

    __table_args__ = (Index("ix_plaza_cells_spot", "topic", "kind", "real", "spot", postgresql_using="gist"),)
